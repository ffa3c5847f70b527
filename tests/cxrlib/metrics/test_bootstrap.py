"""bootstrap.py against statsmodels, scipy and plain loops."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from frames import (
    FOUR,
    THESIS,
    auc_or_nan,
    drawn,
    drawn_images,
    from_matrix,
    made_up,
    predictions,
    scored,
    slow_table,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as skl
from statsmodels.stats.proportion import proportion_confint

from cxrlib import metrics
from cxrlib.files import InputError
from cxrlib.metrics import intervals

pytestmark = pytest.mark.filterwarnings("error")  # what is undefined is NaN without a warning


NAN = float("nan")


def resampled(*what, **how):
    """`bootstrap_by_patient` where resampling alone may tell; elsewhere all is NaN."""
    alone = "cxrlib.metrics.bootstrap.share_interval"
    with mock.patch(alone, side_effect=lambda drawn, *_: drawn):
        return metrics.bootstrap_by_patient(*what, **how)


def drawn_table(frame, replicates=metrics.REPLICATES, seed=0, level=0.95):
    return resampled(frame, replicates=replicates, seed=seed, level=level)


def told(ends):
    """Intervals (2, ...) as they are told: none where they have no width."""
    return np.where(np.abs(ends[1] - ends[0]) < 1e-12, np.nan, ends)


def many(frame, cls):
    """Whether images of the class, and images of the others, are of four patients or more, or there
    are none.
    """
    patients = [
        frame.loc[(frame["y_true"] == cls) == side, "patient_id"].nunique()
        for side in (True, False)
    ]
    return [count not in (1, 2, 3) for count in patients]


def loop_bootstrap(frame, weights, level):
    """`cluster_bootstrap` on given resamples, one at a time, through scikit-learn."""
    with np.errstate(invalid="ignore"):
        cells = np.stack([slow_table(frame, row.astype(float)).to_numpy() for row in weights])
        return np.quantile(cells, [(1 - level) / 2, (1 + level) / 2], axis=0)


def assert_bootstrap_equals_loop(frame, replicates, seed, level):
    bounds = drawn_table(frame, replicates, seed, level)
    weights = drawn_images(frame, replicates, seed)
    expected, classes = told(loop_bootstrap(frame, weights, level)), list(bounds.index[:-2])
    for k, cls in enumerate(classes):
        own, rest = many(frame, cls)
        for at, metric in enumerate(metrics.METRICS):
            if not {"recall": own, "specificity": rest}.get(metric, own and rest):
                expected[:, [k, -2, -1], at] = np.nan
    for i, side in enumerate(["low", "high"]):
        ours = bounds.xs(side, axis=1, level=1)
        assert list(ours.columns) == metrics.METRICS
        np.testing.assert_allclose(ours, expected[i], rtol=0, atol=1e-12)


def test_bootstrap_equals_the_plain_loop():
    assert_bootstrap_equals_loop(made_up((9, 15, 24, 23), images_per_patient=3), 25, 5, 0.9)


@settings(max_examples=8)
@given(drawn(), st.integers(0, 100))
def test_bootstrap_equals_the_plain_loop_on_anything(frame, seed):
    assert_bootstrap_equals_loop(frame, 4, seed, 0.8)


def test_bootstrap_agrees_with_wilson_where_patients_have_one_image():
    frame = made_up(images_per_patient=1)
    bounds, table = drawn_table(frame), metrics.per_class(frame)
    low, high = intervals.wilson(
        table["recall"].iloc[:4] * table["size"].iloc[:4], table["size"].iloc[:4]
    )
    np.testing.assert_allclose(
        bounds["recall"].iloc[:4, 1:], np.stack([low, high], axis=1), atol=0.025
    )
    assert bounds["size"].iloc[:, 1:].isna().all(axis=None)  # classes keep their sizes
    pd.testing.assert_frame_equal(
        bounds.xs("estimate", axis=1, level=1).astype({"size": int}), table, atol=1e-12
    )
    for column in metrics.METRICS[1:]:
        assert table[column].between(bounds[column, "low"], bounds[column, "high"]).all(), column


def test_accuracy_of_exactly_1_is_no_certainty():
    frame = made_up(images_per_patient=2)
    frame[[f"p_{name}" for name in FOUR]] = np.array(
        [[float(name == true) for name in FOUR] for true in frame["y_true"]]
    )
    patients = frame["patient_id"].nunique()
    bounds, expected = (
        metrics.bootstrap_by_patient(frame, replicates=50),
        pytest.approx([1, *proportion_confint(patients, patients, method="wilson")]),
    )
    assert bounds.loc["weighted avg", "recall"].tolist() == expected
    for row in metrics.AVERAGES:
        for metric in ("precision", "specificity", "f1", "auc"):
            assert bounds.loc[row, metric].tolist() == pytest.approx([1, NAN, NAN], nan_ok=True), (
                "an average of certain shares has an interval of no width, which is none"
            )


def test_clusters_widen_the_interval():
    frame = pd.concat([made_up(images_per_patient=1)] * 4, ignore_index=True)
    frame["image_id"] = frame.index.astype(str)
    alone = frame.assign(patient_id=frame["image_id"])
    widths = [
        np.ptp(drawn_table(each, 500).loc["weighted avg", "recall"]) for each in (frame, alone)
    ]
    assert (
        1.7 < widths[0] / widths[1] < 2.3
    )  # four copies of each image carry the information of one


def test_bootstrap_refuses():
    for wrong in [{"level": 1.0}, {"level": 0}, {"replicates": 0}]:
        with pytest.raises(InputError, match=next(iter(wrong))):
            drawn_table(made_up((3, 3)), **wrong)


def loop(frame, cls, threshold, weights):
    """AUC, sensitivity, specificity, PPV, NPV, F1 and accuracy of each resample, its images listed
    one by one, by scikit-learn.
    """
    truth, score = (frame["y_true"] == cls).to_numpy(), frame[f"p_{cls}"].to_numpy()
    rows = []
    for row in weights:
        drawn_images = np.repeat(np.arange(len(frame)), row)
        y, p = truth[drawn_images], score[drawn_images]
        undefined = {"zero_division": np.nan}
        rows.append(
            [
                auc_or_nan(y, p),
                skl.recall_score(y, p >= threshold, **undefined),
                skl.recall_score(~y, p < threshold, **undefined),
                skl.precision_score(y, p >= threshold, **undefined),
                skl.precision_score(~y, p < threshold, **undefined),
                skl.f1_score(y, p >= threshold, **undefined),
                skl.accuracy_score(y, p >= threshold),
            ]
        )
    return np.array(rows)


LOOPED = ["auc", "sensitivity", "specificity", "ppv", "npv", "f1", "accuracy"]


@pytest.mark.parametrize("cls", FOUR)
def test_bootstrap_of_a_class_equals_the_plain_loop(cls):
    frame = made_up(
        (9, 15, 24, 90), images_per_patient=3
    )  # positives are the rarer side, and with "normal" the commoner
    frame = pd.concat(
        [
            frame,
            frame.assign(image_id=frame["image_id"] + "b", patient_id=frame["patient_id"] + "b"),
        ],
        ignore_index=True,
    )  # ties
    found = resampled(frame, LOOPED, cls, threshold=0.3, replicates=60, seed=4, level=0.8)
    with np.errstate(invalid="ignore"):
        expected = np.quantile(
            loop(frame, cls, 0.3, drawn_images(frame, 60, 4)), [0.1, 0.9], axis=0
        )
    np.testing.assert_allclose(found[["low", "high"]].to_numpy().T, expected, rtol=0, atol=1e-12)
    point = metrics.operating_point(frame, cls, 0.3)
    assert found["estimate"].to_dict() == pytest.approx({name: point[name] for name in LOOPED})


@settings(max_examples=20)
@given(drawn(), st.integers(0, 100), st.sampled_from([0.2, 0.5]))
def test_bootstrap_of_a_class_equals_the_plain_loop_on_anything(frame, seed, threshold):
    for cls in metrics.check_predictions(frame):
        found = resampled(frame, LOOPED, cls, threshold=threshold, replicates=5, seed=seed)
        with np.errstate(invalid="ignore"):
            expected = np.quantile(
                loop(frame, cls, threshold, drawn_images(frame, 5, seed)), [0.025, 0.975], axis=0
            ).T
        own, rest = many(frame, cls)
        for (name, row), ends in zip(found.iterrows(), told(expected.T).T, strict=True):
            known = {"sensitivity": own, "specificity": rest}.get(name, own and rest)
            np.testing.assert_allclose(
                row[["low", "high"]].astype(float),
                ends if known else np.nan,
                rtol=0,
                atol=1e-12,
                err_msg=name,
            )


def one_patient(found=15, of=20, others=40) -> pd.DataFrame:
    """So many images of one ill patient, and others of one image each."""
    score = np.concatenate(
        [np.repeat([0.9, 0.1], [found, of - found]), np.linspace(0.05, 0.95, others)]
    )
    who = [0] * of + list(range(1, others + 1))
    return predictions(
        np.repeat([0, 1], [of, others]), np.stack([score, 1 - score], axis=1), who, ["ill", "well"]
    )


def test_images_of_one_patient_are_one_trial():
    """15 of 20 images of the only patient: nothing that rests on the class has an interval by
    resampling; Wilson's has one trial.
    """
    frame, one = one_patient(), pytest.approx(proportion_confint(0.75, 1, method="wilson"))
    assert [f"{end:.3f}" for end in proportion_confint(0.75, 1, method="wilson")] == [
        "0.118",
        "0.985",
    ]
    found = resampled(frame, LOOPED, "ill")
    assert found.drop("specificity")[["low", "high"]].isna().all(axis=None)
    low, high = found.loc["specificity", ["low", "high"]]
    assert low < found.loc["specificity", "estimate"] < high
    assert metrics.bootstrap_by_patient(frame, "sensitivity", "ill")[1:] == one
    assert drawn_table(frame).loc["ill", "recall"].iloc[1:].isna().all()
    bounds = metrics.bootstrap_by_patient(frame)
    for row, metric in (("ill", "recall"), ("well", "specificity")):
        assert bounds.loc[row, metric].tolist()[1:] == one
    for metric in ("auc", "f1"):
        ends = bounds[metric].loc[["ill", "well", *metrics.AVERAGES], ["low", "high"]]
        assert ends.isna().all(axis=None)
    well = frame[frame["y_true"] == "well"]
    alone = metrics.bootstrap_by_patient(well, ["sensitivity", "auc", "npv"], "ill", threshold=0.6)
    assert alone.loc[["sensitivity", "auc"]].isna().all(axis=None)
    assert alone.loc["npv", "estimate"] == 1
    one_for_all = frame.assign(patient_id="all")
    found = resampled(one_for_all, LOOPED, "ill")
    assert found.drop(columns="estimate").isna().all(axis=None)


def test_the_only_patient_of_a_class_is_drawn_with_the_others():
    """500 of the 510 negatives are one patient's, the only one of a third class: the specificity is
    not that of the other ten.
    """
    y, who = np.repeat([0, 1, 2], [50, 500, 10]), [*range(50), *[50] * 500, *range(51, 61)]
    called = np.concatenate(
        [np.arange(50) % 3 > 0, np.arange(500) % 10 == 0, np.arange(10) % 5 == 0]
    )
    p = np.where(called, 0.8, 0.1)
    frame = predictions(y, np.stack([p, (1 - p) / 2, (1 - p) / 2], axis=1), who, FOUR[:3])
    _, low, high = metrics.bootstrap_by_patient(frame, "specificity", "covid")
    assert low < 0.85 and high - low > 0.1


@pytest.mark.parametrize("patients", [2, 3])
def test_few_patients_are_too_few_to_draw_from(patients):
    """Equal or not, so few say nothing of how patients differ."""
    for answers in (
        [[1, 1, 1, 0]] * patients,
        [[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0]][:patients],
    ):
        right = np.concatenate(answers)
        score = np.concatenate([np.where(right, 0.9, 0.1), np.linspace(0.05, 0.95, 30)])
        who = [*np.repeat(np.arange(patients), 4), *range(patients, patients + 30)]
        frame = predictions(
            [0] * len(right) + [1] * 30, np.stack([score, 1 - score], axis=1), who, ["ill", "well"]
        )
        assert drawn_table(frame).loc["ill", [("recall", "low"), ("auc", "low")]].isna().all()
        ends = proportion_confint(patients * right.mean(), patients, method="wilson")
        found = metrics.bootstrap_by_patient(frame).loc["ill", "recall"]
        assert found.tolist() == pytest.approx([right.mean(), *ends])
        assert np.isnan(metrics.mean_by_patient(right, who[: len(right)])[1:]).all()


def test_patients_who_do_not_differ_are_no_certainty():
    """Each of ten patients has one image of two found: every resample says one half."""
    frame = predictions(
        [0] * 20 + [1] * 20,
        np.tile([[0.9, 0.1], [0.2, 0.8]], (20, 1)),
        np.arange(40) // 2,
        ["ill", "well"],
    )
    found = metrics.bootstrap_by_patient(frame, ["sensitivity", "auc", "f1"], "ill")
    assert found.loc["sensitivity", ["low", "high"]].tolist() == pytest.approx(
        proportion_confint(5, 10, method="wilson")
    )
    assert found.loc[["auc", "f1"], ["low", "high"]].isna().all(axis=None)
    assert np.isnan(metrics.mean_by_patient([0.25] * 9, range(9))[1:]).all()


def test_bootstrap_of_a_class_refuses():
    frame = made_up((3, 3))
    for wrong, message in [
        ({"statistic": "kappa"}, "no statistic 'kappa', only size, TP"),
        ({"statistic": "auc", "replicates": 0}, "replicates"),
        ({"statistic": "auc", "level": 2}, "level"),
        ({"statistic": "auc", "cls": "flu"}, "no class 'flu'"),
        ({"statistic": "auc", "cls": None}, "no statistic 'auc' without a class, only accuracy"),
    ]:
        with pytest.raises(InputError, match=message):
            metrics.bootstrap_by_patient(frame, **{"cls": "covid", **wrong})


def test_the_share_of_images_right_is_that_of_the_table():
    frame = made_up()
    found = metrics.bootstrap_by_patient(frame, "accuracy")
    expected = metrics.bootstrap_by_patient(frame).loc["weighted avg", "recall"]
    assert found == pytest.approx(expected.tolist(), abs=1e-12)


def test_patient_mean_is_the_bootstrap_of_scipy_where_each_patient_has_one_image():
    values = np.random.default_rng(3).gamma(2, size=60)
    mean, low, high = metrics.mean_by_patient(values, np.arange(60), replicates=20_000)
    oracle = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=20_000, rng=1
    ).confidence_interval
    assert mean == pytest.approx(values.mean()) and (low, high) == pytest.approx(
        (oracle.low, oracle.high), abs=0.02
    )


def test_patient_mean_takes_patients_whole():
    """Copies of an image are no new evidence; as separate patients they would be."""
    values = np.tile([0.1, 0.5, 0.9, 0.4], 25)
    grouped, apart = (
        metrics.mean_by_patient(values, patients)
        for patients in (np.tile(np.arange(4), 25), np.arange(100))
    )
    once = metrics.mean_by_patient(values[:4], np.arange(4))
    assert grouped == pytest.approx(once) and grouped[2] - grouped[1] > 3 * (apart[2] - apart[1])


def test_patient_mean_leaves_out_what_has_no_value():
    values = np.array([0.2, 0.4, np.nan, 0.6, 0.9])
    assert metrics.mean_by_patient(values, list("abcde")) == metrics.mean_by_patient(
        values[[0, 1, 3, 4]], list("abde")
    )
    assert (
        np.isnan(metrics.mean_by_patient([np.nan], ["a"])).all()
        and np.isnan(metrics.mean_by_patient([], [])).all()
    )


def test_difference_is_that_of_each_resample():
    first, second = made_up(seed=1), made_up(seed=2)
    weights = drawn_images(first, 200, 3)
    truth = (first["y_true"] == "viral").to_numpy()
    drawn_changes = [
        auc_or_nan(truth, first["p_viral"].to_numpy(), row)
        - auc_or_nan(truth, second["p_viral"].to_numpy(), row)
        for row in weights
    ]
    found = metrics.difference_by_patient(
        first, second.sample(frac=1, random_state=0), "auc", "viral", replicates=200, seed=3
    )
    assert found[1:] == pytest.approx(np.quantile(drawn_changes, [0.025, 0.975]), abs=1e-12)
    assert found.estimate == pytest.approx(
        skl.roc_auc_score(truth, first["p_viral"]) - skl.roc_auc_score(truth, second["p_viral"])
    )


def test_difference_of_models_alike_is_narrow_and_of_patients_is_wide():
    """Pairing narrows the interval, images of one patient widen it; DeLong over patients agrees."""
    rng, patients = np.random.default_rng(4), np.repeat(np.arange(150), 4)
    own, truth = rng.normal(size=150)[patients], np.repeat(np.arange(150) % 2, 4) == 1
    scores = [stats.norm.cdf(own + truth + k + rng.normal(0, 0.2, 600)) for k in (0, 0.1)]
    frames = [
        predictions(1 - truth, np.stack([s, 1 - s], axis=1), patients, ["ill", "well"])
        for s in scores
    ]
    found = metrics.difference_by_patient(*frames, "auc", "ill")
    _, covariance = intervals.delong(truth, np.array(scores), patients)
    width = 2 * 1.96 * np.sqrt([1, -1] @ covariance @ [1, -1])
    assert found.high - found.low == pytest.approx(width, rel=0.15)
    apart = 2 * 1.96 * np.sqrt(covariance[0, 0] + covariance[1, 1])
    assert found.high - found.low < apart / 2
    right = [metrics.difference_by_patient(*frames, "accuracy"), metrics.overall(frames[0])]
    assert right[0].estimate == pytest.approx(
        right[1]["accuracy"] - metrics.overall(frames[1])["accuracy"]
    )


def test_difference_where_nothing_is_to_be_told():
    rng = np.random.default_rng(1)
    frame = scored(rng.random(30), rng.random(40))
    perfect = [scored(*(low + 0.3 * rng.random(20) for low in (0.6, 0.1))) for _ in range(2)]
    few = frame[27:]
    for pair in [(frame, frame), perfect, (few, few)]:
        same = metrics.difference_by_patient(*pair, "auc", "covid")
        assert same.estimate == 0 and np.isnan(same[1:]).all(), "not estimable"
    swapped = frame.assign(y_true=["none", *frame["y_true"][1:]])
    for other, message in [
        (frame[:60], "60 of 70 and 60 images are in both; needs all"),
        (swapped, "an image's y_true is not that of the other"),
        (frame.assign(patient_id="one"), "an image's patient_id is not that of the other"),
    ]:
        with pytest.raises(InputError, match=message):
            metrics.difference_by_patient(frame, other, "auc", "covid")
    with pytest.raises(InputError, match="no class 'viral'"):
        metrics.difference_by_patient(frame, frame, "auc", "viral")


def test_there_is_one_kind_of_interval():
    with pytest.raises(TypeError, match="kind"):
        metrics.bootstrap_by_patient(made_up(), kind="bca")


SIZES = {  # images of each patient of a class
    "one each": [1] * 59,
    "59 of 35": [5, 4, 4, 3, 3] + [2] * 10 + [1] * 20,
    "242 of 77": [9, 8, 7] + [6] * 4 + [5] * 4 + [4] * 12 + [3] * 24 + [2] * 24 + [1] * 6,
}


def one_more_error(sizes, order):
    """The lower end of the share called rightly, as images turn wrong one after another."""
    patients = np.repeat(np.arange(len(sizes)), sizes)
    found = metrics.bootstrap.Resamples(patients, replicates=1000)
    right, every = np.ones(len(patients), bool), np.ones(len(patients), bool)
    ends = []
    for image in [None, *order]:
        if image is not None:
            right[image] = False
        sums = np.stack([right, every], axis=1).astype(float)
        (row,) = found.intervals(sums, lambda drawn: drawn[:, :1] / drawn[:, 1:], True)
        ends.append(metrics.bootstrap.share_interval(row, right, every, patients, 0.95).low)
    return np.array(ends)


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("kind", ["anywhere", "patient by patient"])
def test_one_more_error_never_raises_the_lower_end(name, kind):
    """At 58 of 59 the lower end was 0.943 once, and at 59 of 59 0.901. The last steps, where
    percentiles count alone, are as coarse as the images are.
    """
    sizes, rng = np.array(SIZES[name]), np.random.default_rng(0)
    order = rng.permutation(sizes.sum())
    if kind == "patient by patient":
        turn = np.repeat(rng.permutation(len(sizes)), sizes)
        order = np.argsort(turn, kind="stable")
    lower = one_more_error(sizes, order[:25])
    assert (np.diff(lower) < 1e-9).all(), np.round(lower, 4)


def test_a_share_is_the_same_from_either_side():
    """The interval of the errors mirrors that of what is right."""
    patients, right = np.arange(40) // 2, np.arange(40) >= 3
    every = np.ones(40, bool)
    ends = []
    for kind in (right, ~right):
        found = metrics.bootstrap.Resamples(patients)
        sums = np.stack([kind, every], axis=1).astype(float)
        (row,) = found.intervals(sums, lambda drawn: drawn[:, :1] / drawn[:, 1:], True)
        ends.append(metrics.bootstrap.share_interval(row, kind, every, patients, 0.95))
    assert ends[0] == pytest.approx([1 - ends[1].estimate, 1 - ends[1].high, 1 - ends[1].low])


def cells(table):
    """What a browser shows of a table, as text."""
    rows = BeautifulSoup(table._repr_html_(), "html.parser").find_all("tr")
    (_, *columns), *rows = ([cell.text for cell in row.find_all(["th", "td"])] for row in rows)
    return pd.DataFrame([row[1:] for row in rows], [row[0] for row in rows], columns)


def test_jupyter_shows_each_interval_in_a_cell():
    """Of both tables; what is taken of one, or added to it, is an ordinary table."""
    frame = from_matrix(THESIS)
    table = metrics.bootstrap_by_patient(frame, replicates=50)
    shown = cells(table)
    assert list(shown.columns) == list(dict.fromkeys(table.columns.get_level_values(0)))
    for row in table.index:
        for metric in shown.columns:
            assert shown.loc[row, metric] == str(intervals.Interval(*table.loc[row, metric]))
    few = metrics.bootstrap_by_patient(frame, ["recall", "auc"], "covid", replicates=50)
    shown = cells(few)
    assert shown["interval"].to_dict() == {
        name: str(intervals.Interval(*few.loc[name])) for name in ("recall", "auc")
    }
    assert type(few[["low"]]) is pd.DataFrame and type(few.loc["auc"]) is pd.Series
    few["width"] = few["high"] - few["low"]
    assert "width" in few._repr_html_()
