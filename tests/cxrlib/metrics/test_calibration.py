"""calibration.py against scikit-learn, plain loops and algebra."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from chapters import function
from frames import FOUR, drawn, drawn_images, made_up, predictions
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from cxrlib import metrics
from cxrlib.files import InputError
from cxrlib.metrics import calibration, intervals

pytestmark = pytest.mark.filterwarnings("error")


calibration_error = function("23_calibration", "calibration_error")


def ece(*what, **how):
    return calibration_error(calibration.reliability(*what, **how))


def true_of(frame, cls):
    return (frame["y_true"] == cls).to_numpy(), frame[f"p_{cls}"].to_numpy()


@pytest.mark.parametrize("by, strategy", [("width", "uniform"), ("count", "quantile")])
@pytest.mark.parametrize("cls", FOUR)
def test_reliability_against_scikit_learn(by, strategy, cls):
    frame = made_up((20, 50, 60, 74))  # 203 steps between 204 images: no decile falls on an image
    truth, p = true_of(frame, cls)
    share, mean = calibration_curve(truth, p, n_bins=10, strategy=strategy)
    found = calibration.reliability(frame, cls, 10, by)
    np.testing.assert_allclose(
        found[["share", "p"]], np.stack([share, mean], axis=1), rtol=0, atol=1e-12
    )
    assert (
        found["images"].sum() == 204
        and (found["lower"] <= found["p"]).all()
        and (found["p"] <= found["upper"]).all()
    )
    if by == "count":
        assert found["images"].between(20, 21).all()


def test_reliability_counts_patients_once():
    frame = made_up((20, 50, 60, 74), images_per_patient=3)
    found = calibration.reliability(frame, "viral", 4)
    truth, p = true_of(frame, "viral")
    for row in found.itertuples():
        inside = (p >= row.lower) & ((p < row.upper) | (row.upper == 1))
        assert (
            row.images == inside.sum()
            and row.patients == frame["patient_id"][inside].nunique() < row.images
        )
        share = intervals.share_by_patient(truth, inside, frame["patient_id"])
        assert (row.share, row.low, row.high) == pytest.approx(share)
        images = intervals.wilson(truth[inside].sum(), inside.sum())
        assert row.high - row.low >= images[1] - images[0] - 1e-12


def test_interval_of_a_bin_is_about_that_of_resampled_patients():
    """Copies of each image as further images of its patient: Wilson over patients is what
    resampling patients finds.
    """
    frame = made_up((60, 148, 242, 234), images_per_patient=1)
    frame = pd.concat([frame, frame.assign(image_id=frame["image_id"] + "b")], ignore_index=True)
    found, (truth, p) = calibration.reliability(frame, "normal", 3), true_of(frame, "normal")
    weights = drawn_images(frame, 1000)
    for row in found.itertuples():
        inside = (p >= row.lower) & (p < row.upper)
        shares = (weights @ (inside & truth)) / (weights @ inside)
        assert [row.low, row.high] == pytest.approx(np.quantile(shares, [0.025, 0.975]), abs=0.03)


@settings(max_examples=40)
@given(drawn(), st.integers(1, 12), st.sampled_from(["width", "count"]))
def test_ece_is_its_definition_on_anything(frame, bins, by):
    """Ties, values on a bound, fewer images than bins, one class: a plain loop over bins."""
    for cls in metrics.check_predictions(frame):
        truth, p = true_of(frame, cls)
        bounds, off = calibration.edges(p, bins, by), 0
        assert (
            bounds[0] == 0
            and bounds[-1] == 1
            and (np.diff(bounds) > 0).all()
            and len(bounds) <= bins + 1
        )
        for low, high in zip(bounds[:-1], bounds[1:], strict=True):
            inside = (p >= low) & ((p < high) | (high == 1))
            off += abs(truth[inside].sum() - p[inside].sum())
        assert ece(frame, cls, bins, by) == pytest.approx(off / len(p), abs=1e-12)


def one_column(p, truth) -> pd.DataFrame:
    """Two classes, the second's p what the first's leaves of 1."""
    p = np.asarray(p, float)
    return predictions(
        1 - np.asarray(truth, int), np.stack([p, 1 - p], axis=1), classes=["ill", "well"]
    )


@pytest.mark.parametrize("bins", [5, 10, 15, 20, 30])
def test_shares_of_whole_numbers_are_in_the_bin_of_their_fraction(bins):
    """k of n, and what n - k of n leave of 1, for all n to 60, against rational arithmetic."""
    pairs = [(k, n) for n in range(1, 61) for k in range(n + 1)]
    expected = [min(int(Fraction(k, n) * bins), bins - 1) for k, n in pairs]
    bounds = calibration.edges(np.zeros(1), bins)
    for p in ([k / n for k, n in pairs], [1 - (n - k) / n for k, n in pairs]):
        assert calibration._binned(np.array(p), bounds).tolist() == expected


def test_ece_of_probabilities_on_bounds():
    """By hand: 0.2 and 0.3 are in bins of their own; 1 is in the last bin, with 0.95; one value is
    one bin, by count too.
    """
    off = one_column(np.repeat([0.2, 0.3], 100), np.repeat([1, 0, 1, 0], [40, 60, 10, 90]))
    assert ece(off, "ill") == pytest.approx((0.2 + 0.2) / 2)
    assert ece(off, "well") == pytest.approx((0.2 + 0.2) / 2)
    assert calibration.reliability(off, "ill")["images"].tolist() == [100, 100]
    assert ece(one_column([0.95, 1.0], [1, 0]), "ill") == pytest.approx(abs(0.975 - 0.5))
    assert ece(one_column([0.8] * 10, [1] * 3 + [0] * 7), "ill", by="count") == pytest.approx(0.5)
    hundredths = calibration.reliability(one_column(np.arange(100) / 100, [0, 1] * 50), "ill")
    assert hundredths["images"].tolist() == [10] * 10


def test_binning_refuses():
    for wrong in [{"bins": 0}, {"by": "year"}]:
        with pytest.raises(InputError, match="one bin or more, by width or count"):
            calibration.reliability(made_up((3, 3)), "covid", **wrong)
    with pytest.raises(InputError, match="no class 'flu'"):
        calibration.reliability(made_up((3, 3)), "flu")


@pytest.mark.parametrize("cls", FOUR)
def test_brier_against_scikit_learn_and_the_loop(cls):
    frame = made_up((20, 50, 60, 74), images_per_patient=3)
    truth, p = true_of(frame, cls)
    found = calibration.brier(frame, cls)
    assert found.loc["brier", "estimate"] == pytest.approx(brier_score_loss(truth, p), abs=1e-12)
    assert found.loc["skill", "estimate"] == pytest.approx(
        1 - brier_score_loss(truth, p) / brier_score_loss(truth, np.full(len(p), truth.mean()))
    )
    loop = [brier_score_loss(truth, p, sample_weight=row) for row in drawn_images(frame)]
    assert found.loc["brier", ["low", "high"]].tolist() == pytest.approx(
        np.quantile(loop, [0.025, 0.975]), abs=1e-12
    )


def test_what_no_resample_moves_has_no_interval():
    """A constant; nobody called; one patient on a side; and no skill without both sides."""
    truth = [1] * 30 + [0] * 70
    constant = calibration.brier(one_column([0.3] * 100, truth), "ill")
    assert constant["estimate"].tolist() == pytest.approx([0.21, 0])
    assert constant[["low", "high"]].isna().all(axis=None)
    varied = one_column(np.linspace(0.1, 0.6, 100), truth)
    curve = calibration.net_benefit(varied, "ill", [0.05, 0.4, 0.9])
    assert (
        curve["low"].isna().tolist() == curve["high"].isna().tolist() == [True, False, True]
    )  # everybody, some, nobody
    one = varied.assign(patient_id=["one"] * 30 + list(range(70)))
    assert calibration.brier(one, "ill")[["low", "high"]].isna().all(axis=None)
    assert calibration.net_benefit(one, "ill", [0.2, 0.4])[["low", "high"]].isna().all(axis=None)
    well = calibration.brier(one_column([0.1, 0.2, 0.3, 0.4, 0.5], [0] * 5), "ill")
    assert well.loc["skill"].isna().all()
    assert well.loc["brier", "low"] < well.loc["brier", "estimate"] < well.loc["brier", "high"]


@settings(max_examples=25)
@given(
    drawn(),
    st.lists(
        st.sampled_from([0.01, 0.1, 0.25, 0.5, 0.75, 0.9]), min_size=1, max_size=4, unique=True
    ),
    st.sampled_from([None, 0.0, 0.03, 1.0]),
)
def test_net_benefit_is_its_definition(frame, thresholds, prevalence):
    for cls in metrics.check_predictions(frame):
        truth, p = true_of(frame, cls)
        found = calibration.net_benefit(frame, cls, thresholds, prevalence)
        assert list(found.index) == thresholds
        share = truth.mean() if prevalence is None else prevalence
        for t, row in found.iterrows():
            point = metrics.operating_point(frame, cls, t)
            if prevalence is None:
                assert row["benefit"] == pytest.approx(
                    (point["TP"] - point["FP"] * t / (1 - t)) / len(frame), abs=1e-12
                )
            elif 0 < truth.sum() < len(truth):
                expected = point["sensitivity"] * share - (1 - point["specificity"]) * (
                    1 - share
                ) * t / (1 - t)
                assert row["benefit"] == pytest.approx(expected, abs=1e-12)
            assert row["treat_all"] == pytest.approx(
                (share - t) / (1 - t), abs=1e-12
            )  # the same, rearranged
            assert np.isnan(row["benefit"]) or row["benefit"] <= share + 1e-12


def test_net_benefit_interval_is_that_of_the_loop():
    frame = made_up((20, 50, 60, 74), images_per_patient=3)
    truth, p = true_of(frame, "viral")
    found = calibration.net_benefit(frame, "viral", [0.4, 0.1])
    for t, row in found.iterrows():
        loop = [
            ((w @ (truth & (p >= t))) - (w @ (~truth & (p >= t))) * t / (1 - t)) / w.sum()
            for w in drawn_images(frame)
        ]
        assert [row["low"], row["high"]] == pytest.approx(
            np.quantile(loop, [0.025, 0.975]), abs=1e-12
        )
    below = calibration.net_benefit(frame, "viral", p.min() / 2)
    assert below["benefit"].iloc[0] == pytest.approx(
        below["treat_all"].iloc[0]
    )  # everybody is called


@pytest.mark.parametrize(
    "wrong",
    [
        {"thresholds": [0, 0.5]},
        {"thresholds": 1.0},
        {"thresholds": [np.nan]},
        {"thresholds": 0.5, "prevalence": 2.57},
    ],
)
def test_net_benefit_refuses(wrong):
    with pytest.raises(InputError, match="net_benefit"):
        calibration.net_benefit(made_up((3, 3)), "covid", **wrong)
