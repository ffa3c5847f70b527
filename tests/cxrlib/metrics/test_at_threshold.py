"""Rates and intervals without resampling, against statsmodels, scikit-learn, DeLong and the
bootstrap.
"""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from frames import drawn, made_up, predictions
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrlib import metrics
from cxrlib.files import InputError
from cxrlib.metrics import intervals

TWO = ["sick", "well"]
SHARES = ["sensitivity", "specificity", "ppv", "npv", "accuracy", "all_healthy"]


def two(truth, score, patients=None) -> pd.DataFrame:
    score = np.asarray(score, float)
    return predictions(
        1 - np.asarray(truth, int), np.stack([score, 1 - score], axis=1), patients, TWO
    )


def correlated(patients=120, per_patient=4, seed=0) -> pd.DataFrame:
    """Images of a patient alike, in truth and in score."""
    rng = np.random.default_rng(seed)
    ill, own = rng.random(patients) < 0.3, rng.normal(size=patients)
    who = np.repeat(np.arange(patients), rng.integers(1, per_patient + 1, patients))
    score = 1 / (1 + np.exp(-(1.2 * ill[who] - 0.6 + own[who] + 0.4 * rng.normal(size=len(who)))))
    return two(ill[who], score, who)


@given(drawn(), st.integers(0, 20), st.sampled_from([0.001, 0.1, 0.5]))
@settings(max_examples=25)
def test_estimates_are_those_of_metrics(frame, place, prevalence):
    cls = frame["y_true"].iloc[0]
    threshold = float(
        np.append(np.unique(frame[f"p_{cls}"]), 0.5)[place % (frame[f"p_{cls}"].nunique() + 1)]
    )
    found = intervals.at_threshold(frame, cls, threshold, prevalence)["estimate"]
    point = metrics.operating_point(frame, cls, threshold)
    both = 0 < point["prevalence"] < 1
    for name in (
        "sensitivity",
        "specificity",
        "lr_positive",
        "lr_negative",
        "auc",
        *(("ppv", "npv", "accuracy") if both else ()),
    ):
        assert found[name] == pytest.approx(point[name], rel=1e-9, nan_ok=True), name
    assert found["all_healthy"] == pytest.approx(1 - point["prevalence"])
    expected = metrics.at_prevalence(point["sensitivity"], point["specificity"], prevalence)
    assert [found["ppv_at"], found["npv_at"]] == pytest.approx(
        list(expected), rel=1e-9, nan_ok=True
    )
    rates = np.array([point["sensitivity"], point["specificity"]])
    assert found["accuracy_at"] == pytest.approx(rates @ [prevalence, 1 - prevalence], nan_ok=True)


@given(drawn(), st.sampled_from([0.2, 0.25, 1 / 3, 0.5, 0.75]))
@settings(max_examples=25)
def test_limits_hold_their_estimate(frame, threshold):
    cls = frame["y_true"].iloc[0]
    rows = intervals.at_threshold(frame, cls, threshold, 0.05).dropna()
    assert (rows["low"] <= rows["estimate"] + 1e-12).all() and (
        rows["estimate"] <= rows["high"] + 1e-12
    ).all()
    shares = rows[rows.index.isin([*SHARES, "ppv_at", "npv_at", "auc"])]
    assert (shares >= 0).all(axis=None) and (shares <= 1).all(axis=None)


@pytest.mark.parametrize("seed", range(3))
def test_variance_over_patients_is_the_cluster_robust_one_of_statsmodels(seed):
    frame = correlated(seed=seed)
    truth, score, patients = (
        (frame["y_true"] == "sick").to_numpy(),
        frame["p_sick"].to_numpy(),
        frame["patient_id"].to_numpy(),
    )
    called = score >= 0.5
    cases = {
        "sensitivity": (called, truth),
        "specificity": (~called, ~truth),
        "all_healthy": (~truth, np.ones_like(truth)),
    }
    found = intervals.at_threshold(frame, "sick", 0.5, 0.1)
    for name, (right, among) in cases.items():
        fit = sm.OLS(right[among].astype(float), np.ones(among.sum())).fit()
        robust = fit.get_robustcov_results(
            "cluster", groups=pd.factorize(patients[among])[0], use_correction=True
        )
        share, variance = robust.params[0], robust.bse[0] ** 2
        images = pd.DataFrame({"right": right[among], "who": patients[among]}).groupby("who")
        sizes, counted = images["right"].size(), images["right"].sum()
        few = min((counted < sizes).sum(), (counted > 0).sum())
        own = max(among.sum() * variance / (share * (1 - share)), 1)
        inflation = np.average([own, (sizes**2).sum() / sizes.sum()], weights=[few, 3])
        effective = among.sum() / inflation
        assert found.loc[name].tolist() == pytest.approx(
            [share, *intervals.wilson(share * effective, effective)], rel=1e-9
        )


def test_with_one_image_per_patient_shares_are_wilson_and_auc_is_delong():
    frame = made_up(images_per_patient=1)
    found, point = (
        intervals.at_threshold(frame, "viral", 0.4, 0.1),
        metrics.operating_point(frame, "viral", 0.4),
    )
    n, few = point["TP"] + point["FN"], min(point["TP"], point["FN"])
    effective = n * (few + 3) / (few * n / (n - 1) + 3)  # the variance is that with n - 1
    assert found.loc["sensitivity", ["low", "high"]].tolist() == pytest.approx(
        intervals.wilson(point["sensitivity"] * effective, effective)
    )
    assert found.loc["auc"].tolist() == pytest.approx(
        intervals.auc_interval(frame, "viral", by="image_id"), rel=1e-9
    )


def test_intervals_are_about_those_of_the_bootstrap_over_patients():
    """Both are approximations; widths within a quarter of each other where nothing is near an
    end.
    """
    frame = correlated(patients=400)
    names = [
        "sensitivity",
        "specificity",
        "ppv",
        "npv",
        "accuracy",
        "auc",
        "lr_positive",
        "lr_negative",
    ]
    drawn = metrics.bootstrap_by_patient(frame, names, "sick")
    found = intervals.at_threshold(frame, "sick", 0.5, 0.1).loc[names]
    widths = (found["high"] - found["low"]) / (drawn["high"] - drawn["low"])
    assert widths.between(0.8, 1.25).all(), widths


def test_perfect_results_count_patients_and_nothing_is_certain():
    frame = two([1] * 6 + [0] * 40, [0.9] * 6 + [0.1] * 40, [0, 0, 1, 1, 2, 2, *range(3, 43)])
    found = intervals.at_threshold(frame, "sick", 0.5, 0.01)
    assert found.loc["sensitivity"].tolist() == pytest.approx([1, *intervals.wilson(3, 3)])
    assert found.loc["specificity"].tolist() == pytest.approx([1, *intervals.wilson(40, 40)])
    assert (
        found.loc["lr_positive", "estimate"] == np.inf == found.loc["lr_positive", "high"]
        and found.loc["lr_positive", "low"] < 10
    )
    assert found.loc["ppv_at", "estimate"] == 1 and found.loc["ppv_at", "low"] < 0.1, (
        "forty negatives cannot show a PPV at one per cent"
    )
    assert found.loc["lr_negative", "low"] == found.loc["lr_negative", "estimate"] == 0
    assert np.isnan(found.loc["auc", "low"])


@pytest.mark.parametrize(
    "who, right", [([0] * 20, 15), ([0] * 10 + [1] * 10, 15), ([0] * 4 + [1] * 6 + [2] * 10, 9)]
)
def test_few_patients_count_as_trials(who, right):
    """As the report does: too few for a variance over them. The area has no interval then."""
    score = np.r_[np.repeat([0.9, 0.1], [right, 20 - right]), np.linspace(0.05, 0.95, 40)]
    frame = two([1] * 20 + [0] * 40, score, [*who, *range(3, 43)])
    found = intervals.at_threshold(frame, "sick", 0.5, 0.1)
    m = np.bincount(who)
    worth = m.sum() ** 2 / (m**2).sum()
    expected = [right / 20, *intervals.wilson(right / 20 * worth, worth)]
    assert found.loc["sensitivity"].tolist() == pytest.approx(expected)
    assert found.loc["auc", ["low", "high"]].isna().all()
    assert metrics.bootstrap_by_patient(frame).loc["sick", "recall"].tolist() == pytest.approx(
        expected
    )
    if max(who) == 0:
        assert [f"{end:.3f}" for end in expected[1:]] == ["0.118", "0.985"]


def test_patients_alike_are_no_more_than_patients():
    """Ten patients with one image of two found: no variance over them, so each is one trial."""
    frame = two(
        [1] * 20 + [0] * 20, [0.9, 0.1] * 10 + [0.2] * 20, [*np.arange(20) // 2, *range(10, 30)]
    )
    assert intervals.at_threshold(frame, "sick", 0.5, 0.1).loc[
        "sensitivity"
    ].tolist() == pytest.approx([0.5, *intervals.wilson(5, 10)])


def test_ratio_is_the_published_closed_form():
    """MOVER-R as Donner and Zou 2012 print it, with the cancellation that the form here avoids."""
    above, below = (0.8, 0.7, 0.88), (0.3, 0.25, 0.36)
    (s, ls, us), (f, lf, uf) = above, below
    low = (s * f - np.sqrt((s * f) ** 2 - ls * uf * (2 * s - ls) * (2 * f - uf))) / (
        uf * (2 * f - uf)
    )
    high = (s * f + np.sqrt((s * f) ** 2 - us * lf * (2 * s - us) * (2 * f - lf))) / (
        lf * (2 * f - lf)
    )
    assert intervals.ratio(above, below) == pytest.approx((s / f, low, high))
    assert intervals.ratio((0, 0, 0.1), (0, 0, 0.1)) == pytest.approx((np.nan,) * 3, nan_ok=True)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    """LR+ and LR- over simulated samples, and so PPV and NPV; a form that is wrong misses by far
    more than simulation does.
    """
    rng, s, f, inside = np.random.default_rng(1), 0.8, 0.1, []
    for _ in range(2000):
        up, down = (
            intervals.share_by_patient(rng.random(60) < s, np.ones(60), range(60)),
            intervals.share_by_patient(rng.random(200) < f, np.ones(200), range(200)),
        )
        turned = [(1 - x, 1 - high, 1 - low) for x, low, high in (up, down)]
        (_, low, high), (_, lowest, highest) = intervals.ratio(up, down), intervals.ratio(*turned)
        inside.append([low <= s / f <= high, lowest <= (1 - s) / (1 - f) <= highest])
    assert (np.abs(np.mean(inside, axis=0) - 0.95) < 0.02).all()


def test_net_benefit_by_hand():
    frame = two([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [0.9, 0.8, 0.7, 0.1, 0.6, 0.2, 0.2, 0.2, 0.2, 0.2])
    found = intervals.at_threshold(frame, "sick", 0.5, 0.4)["estimate"]
    assert found["net_benefit"] == pytest.approx(
        3 / 10 - 1 / 10
    )  # at the set's own prevalence: TP/n - FP/n at even odds
    assert found["net_benefit_all"] == pytest.approx(4 / 10 - 6 / 10)


@given(drawn(), st.floats(0.01, 0.99), st.sampled_from([0.001, 0.1, 0.5]))
@settings(max_examples=25)
def test_presets_do_what_they_say(frame, printed, prevalence):
    cls = frame["y_true"].iloc[0]
    found = metrics.suggested_thresholds(frame, cls, prevalence, printed, cost=7)
    assert found["half"] == 0.5
    if frame["y_true"].nunique() == 1:
        assert list(found) == ["half"]
        return
    curve = metrics.roc(frame, cls)
    reach = curve[curve["tpr"] >= printed]["threshold"].max()
    assert found["printed"] == reach
    assert found["sensitivity"] == curve[curve["tpr"] >= 0.95]["threshold"].max()

    def at(threshold):
        point = metrics.operating_point(frame, cls, threshold)
        return point["sensitivity"], point["specificity"]

    pairs = [at(threshold) for threshold in [*curve["threshold"][1:], 1.0]]
    assert sum(at(found["youden"])) == pytest.approx(max(map(sum, pairs)))

    def price(pair):
        return 7 * prevalence * (1 - pair[0]) + (1 - prevalence) * (1 - pair[1])

    assert price(at(found["cost"])) == pytest.approx(min(map(price, pairs)))


def test_errors_are_one_line():
    frame = made_up()
    with pytest.raises(InputError, match="prevalence: 0 is not"):
        intervals.at_threshold(frame, "covid", 0.5, 0)
    with pytest.raises(InputError, match="no class 'flu'"):
        metrics.suggested_thresholds(frame, "flu", 0.1)
