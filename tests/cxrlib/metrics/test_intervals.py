"""intervals.py against statsmodels, scipy and plain loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from frames import FOUR, THESIS, auc_or_nan, drawn, from_matrix, made_up, predictions, slow_table
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as skl
from statsmodels.stats.proportion import proportion_confint

from cxrlib import metrics
from cxrlib.files import InputError
from cxrlib.metrics import bootstrap, intervals

pytestmark = pytest.mark.filterwarnings("error")  # what is undefined is NaN without a warning


@pytest.mark.parametrize(
    "ours, theirs", [(intervals.wilson, "wilson"), (intervals.clopper_pearson, "beta")]
)
@given(st.integers(0, 5000), st.integers(1, 5000), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_shares_against_statsmodels(ours, theirs, k, n, level):
    k = min(k, n)
    expected = proportion_confint(k, n, alpha=1 - level, method=theirs)
    low, high = ours(k, n, level)
    np.testing.assert_allclose([low, high], expected, rtol=0, atol=1e-11)
    assert 0 <= low <= k / n <= high <= 1


def test_clopper_pearson_by_its_definition_and_at_the_ends():
    low, high = intervals.clopper_pearson([119, 0, 5], [154, 7, 5])
    assert stats.binom.sf(118, 154, low[0]) == pytest.approx(0.025) and stats.binom.cdf(
        119, 154, high[0]
    ) == pytest.approx(0.025)
    assert [f"{100 * end:.2f}" for end in (low[0], high[0])] == [
        "69.84",
        "83.63",
    ]  # Study A's sensitivity, in the fact sheet
    assert (low[1], high[1]) == pytest.approx((0, 1 - 0.025 ** (1 / 7))) and (
        low[2],
        high[2],
    ) == pytest.approx((0.025 ** (1 / 5), 1))
    none = intervals.clopper_pearson(0, 0)
    assert np.isnan(none).all() and isinstance(intervals.clopper_pearson(1, 2)[0], float)
    assert np.shape(intervals.clopper_pearson([[1], [2]], [3, 4, 5])) == (2, 2, 3)


@given(st.integers(0, 60), st.integers(1, 60))
def test_exact_interval_covers_at_least_its_level(k, n):
    """Coverage at a share, by summing the binomial: never below 0.95 (Wilson's may be)."""
    share = min(k, n) / n
    low, high = intervals.clopper_pearson(np.arange(n + 1), n)
    covered = stats.binom.pmf(np.arange(n + 1), n, share)[(low <= share) & (share <= high)].sum()
    assert covered >= 0.95 - 1e-9


def test_wilson_arrays_and_edges():
    low, high = intervals.wilson(np.array([60, 235, 0, 0]), [60, 242, 10, 0])
    np.testing.assert_allclose(
        low[:2], [0.940, 0.942], atol=5e-4
    )  # COVID-19 and bacterial recall in the thesis
    np.testing.assert_allclose(high[:2], [1, 0.986], atol=5e-4)
    assert high[0] == 1 and low[2] == 0 and np.isnan([low[3], high[3]]).all()
    assert isinstance(intervals.wilson(1, 2)[0], float)
    assert np.shape(intervals.wilson([[1], [2]], [3, 4, 5])) == (2, 2, 3)


@pytest.mark.parametrize(
    "k, n, level", [(3, 2, 0.9), (-1, 2, 0.9), (1, np.nan, 0.9), (1, 2, 0), (1, 2, 95)]
)
@pytest.mark.parametrize("interval", [intervals.wilson, intervals.clopper_pearson])
def test_shares_refuse(interval, k, n, level):
    with pytest.raises(InputError):
        interval(k, n, level)


def test_effective_number_of_patients():
    assert (
        intervals.effective(list("aabbcc")) == pytest.approx(3)
        and intervals.effective(list("abc")) == 3
    )
    assert (
        intervals.effective(list("aaaab")) == pytest.approx(25 / 17)
        and intervals.effective(["a"] * 9) == 1
        and intervals.effective([]) == 0
    )
    rng = np.random.default_rng(
        0
    )  # copies of one answer per patient: the variance of their share is that of so many answers
    patients = np.repeat(np.arange(40), rng.integers(1, 9, 40))
    shares = (rng.random((20_000, 40)) < 0.3)[:, patients].mean(axis=1)
    assert 0.21 / shares.var() == pytest.approx(intervals.effective(patients), rel=0.05)


def test_a_share_over_patients_counts_trials_by_what_its_images_say():
    patients = list("aaaabcd")
    worth = intervals.effective(patients)
    assert worth == pytest.approx(49 / 19) and intervals.over_patients(
        0.5, patients
    ) == pytest.approx(intervals.wilson(worth / 2, worth))
    assert intervals.over_patients(1, patients, 0.9) == pytest.approx(
        intervals.wilson(4, 4, 0.9)
    )  # nobody's images differ
    assert intervals.over_patients(0, patients) == pytest.approx(intervals.wilson(0, 4))
    assert np.isnan(intervals.over_patients(np.nan, [])).all()


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
    bounds = intervals.cluster_bootstrap(frame, replicates, seed, level)
    weights = bootstrap.patient_resamples(frame, replicates, seed)
    expected, classes = told(loop_bootstrap(frame, weights, level)), list(bounds.index[:-3])
    for k, cls in enumerate(classes):
        own, rest = many(frame, cls)
        for at, metric in enumerate(metrics.METRICS):
            if not {"recall": own, "accuracy_as_printed": own, "specificity": rest}.get(
                metric, own and rest
            ):
                expected[:, [k, -2, -1], at] = np.nan
    for i, side in enumerate(["low", "high"]):
        ours = bounds.xs(side, axis=1, level=1).iloc[:-1]
        assert list(ours.columns) == metrics.METRICS
        np.testing.assert_allclose(ours, expected[i], rtol=0, atol=1e-12)
    right = (
        slow_table(frame).index[:-2].to_numpy()[frame.filter(regex="^p_").to_numpy().argmax(axis=1)]
    )
    accuracy = [skl.accuracy_score(frame["y_true"], right, sample_weight=row) for row in weights]
    alpha = (1 - level) / 2
    ends = (
        told(np.quantile(accuracy, [alpha, 1 - alpha]))
        if all(many(frame, cls)[0] for cls in classes)
        else [np.nan] * 2
    )
    np.testing.assert_allclose(bounds.loc["overall", "accuracy"], ends, atol=1e-12)


def test_bootstrap_equals_the_plain_loop():
    assert_bootstrap_equals_loop(made_up((9, 15, 24, 23), images_per_patient=3), 25, 5, 0.9)


@settings(max_examples=8, deadline=None)
@given(drawn(), st.integers(0, 100))
def test_bootstrap_equals_the_plain_loop_on_anything(frame, seed):
    assert_bootstrap_equals_loop(frame, 4, seed, 0.8)


def test_bootstrap_agrees_with_wilson_where_patients_have_one_image():
    frame = made_up(images_per_patient=1)
    bounds, table = intervals.cluster_bootstrap(frame), metrics.per_class(frame)
    low, high = intervals.wilson(
        table["recall"].iloc[:4] * table["size"].iloc[:4], table["size"].iloc[:4]
    )
    np.testing.assert_allclose(bounds["recall"].iloc[:4], np.stack([low, high], axis=1), atol=0.025)
    assert bounds["size"].isna().all(axis=None)  # classes keep their sizes
    np.testing.assert_allclose(
        bounds.loc["overall", "accuracy"], bounds.loc["weighted avg", "recall"], atol=1e-12
    )
    for column in metrics.METRICS[1:]:
        assert (
            table[column]
            .between(bounds[column, "low"].iloc[:-1], bounds[column, "high"].iloc[:-1])
            .all()
        ), column


def test_accuracy_of_exactly_1_is_no_certainty():
    frame = made_up(images_per_patient=2)
    frame[[f"p_{name}" for name in FOUR]] = np.array(
        [[float(name == true) for name in FOUR] for true in frame["y_true"]]
    )
    patients = frame["patient_id"].nunique()
    bounds, expected = (
        intervals.table(frame, 50),
        pytest.approx(proportion_confint(patients, patients, method="wilson")),
    )
    assert (
        bounds.loc["overall", "accuracy"].tolist() == expected
        and bounds.loc["weighted avg", "recall"].tolist() == expected
    )
    for row in metrics.AVERAGES:
        for metric in ("precision", "specificity", "f1", "auc"):
            assert bounds.loc[row, metric].isna().all(), (
                "an average of certain shares has an interval of no width, which is none"
            )


def test_clusters_widen_the_interval():
    frame = pd.concat([made_up(images_per_patient=1)] * 4, ignore_index=True)
    frame["image_id"] = frame.index.astype(str)
    alone = frame.assign(patient_id=frame["image_id"])
    widths = [
        np.ptp(intervals.cluster_bootstrap(each, 500).loc["overall", "accuracy"])
        for each in (frame, alone)
    ]
    assert (
        1.7 < widths[0] / widths[1] < 2.3
    )  # four copies of each image carry the information of one


def test_bootstrap_refuses():
    for wrong in [{"level": 1.0}, {"level": 0}, {"replicates": 0}]:
        with pytest.raises(InputError, match=next(iter(wrong))):
            intervals.cluster_bootstrap(made_up((3, 3)), **wrong)


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
    found = intervals.bootstrap(frame, cls, 0.3, LOOPED, replicates=60, seed=4, level=0.8)
    with np.errstate(invalid="ignore"):
        expected = np.quantile(
            loop(frame, cls, 0.3, bootstrap.patient_resamples(frame, 60, 4)), [0.1, 0.9], axis=0
        )
    np.testing.assert_allclose(found[["low", "high"]].to_numpy().T, expected, rtol=0, atol=1e-12)
    point = metrics.operating_point(frame, cls, 0.3)
    assert found["estimate"].to_dict() == pytest.approx({name: point[name] for name in LOOPED})


@settings(max_examples=20, deadline=None)
@given(drawn(), st.integers(0, 100), st.sampled_from([0.2, 0.5]))
def test_bootstrap_of_a_class_equals_the_plain_loop_on_anything(frame, seed, threshold):
    for cls in metrics.check_predictions(frame):
        found = intervals.bootstrap(
            frame, cls, threshold, LOOPED, replicates=5, seed=seed, fill=False
        )
        with np.errstate(invalid="ignore"):
            expected = np.quantile(
                loop(frame, cls, threshold, bootstrap.patient_resamples(frame, 5, seed)),
                [0.025, 0.975],
                axis=0,
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


def test_bootstrap_of_functions_of_weights():
    frame = made_up((9, 15, 24, 23), images_per_patient=3)
    truth, score = (frame["y_true"] == "viral").to_numpy(), frame["p_viral"].to_numpy()

    def brier(weights):
        return weights @ (score - truth) ** 2 / weights.sum(axis=1)

    def recall(weights):
        return (weights @ (truth & (score >= 0.5))) / (weights @ truth)

    found = intervals.bootstrap(
        frame, "viral", statistics=[brier, "sensitivity", recall], replicates=200
    )
    assert list(found.index) == ["brier", "sensitivity", "recall"]
    assert found.loc["brier", "estimate"] == pytest.approx(skl.brier_score_loss(truth, score))
    assert found.loc["recall"].tolist() == pytest.approx(
        found.loc["sensitivity"].tolist(), abs=1e-12
    )


def scipy_bca(samples, statistic, replicates, level):
    """scipy's BCa interval of given replicates."""
    made = stats.bootstrap(samples, statistic, n_resamples=9, method="percentile", rng=0)
    made.bootstrap_distribution = replicates
    ends = stats.bootstrap(
        samples,
        statistic,
        n_resamples=0,
        bootstrap_result=made,
        method="BCa",
        confidence_level=level,
    )
    return list(ends.confidence_interval)


def auc_of(up, down, axis):
    wins = (up[..., :, None] > down[..., None, :]) + 0.5 * (up[..., :, None] == down[..., None, :])
    return wins.mean(axis=(-1, -2))


@pytest.mark.parametrize("shift, level", [(1.0, 0.95), (1.6, 0.8)])
def test_bca_is_that_of_scipy_where_each_patient_has_one_image(shift, level):
    """Two samples, each drawn for itself, and the same replicates in both: equal, the acceleration
    over both samples included.
    """
    rng = np.random.default_rng(5)
    frame = _two(
        stats.norm.cdf(rng.normal(shift, 1, 25)).round(2),
        stats.norm.cdf(rng.normal(0, 1.5, 40)).round(2),
    )
    up, down = (
        frame.loc[frame["y_true"] == name, "p_covid"].to_numpy() for name in ("covid", "none")
    )
    weights = bootstrap.patient_resamples(frame, 800, 1)
    wins = (up[:, None] > down) + 0.5 * (up[:, None] == down)
    drawn_areas = [
        row[:25] @ wins @ row[25:] / (25 * 40) for row in weights
    ]  # exact, so that ties with the estimate are ties
    found = intervals.bootstrap(
        frame, "covid", statistics=["auc", "sensitivity"], replicates=800, seed=1, level=level
    )
    expected = scipy_bca((up, down), auc_of, np.array(drawn_areas), level)
    assert found.loc["auc", ["bca_low", "bca_high"]].tolist() == pytest.approx(expected, abs=1e-9)
    expected = scipy_bca(
        ((up >= 0.5).astype(float),), np.mean, weights[:, :25] @ (up >= 0.5) / 25, level
    )
    assert found.loc["sensitivity", ["bca_low", "bca_high"]].tolist() == pytest.approx(
        expected, abs=1e-9
    )  # many ties with the estimate


def test_bca_with_draws_of_its_own_is_near_that_of_scipy():
    rng = np.random.default_rng(6)
    frame = _two(stats.norm.cdf(rng.normal(1, 1, 60)), stats.norm.cdf(rng.normal(0, 1.5, 80)))
    up, down = (
        frame.loc[frame["y_true"] == name, "p_covid"].to_numpy() for name in ("covid", "none")
    )
    found = intervals.bootstrap(frame, "covid", statistics=["auc"], replicates=5000)
    oracle = stats.bootstrap(
        (up, down), auc_of, method="BCa", n_resamples=5000, rng=2, batch=500
    ).confidence_interval
    assert found.loc["auc", ["bca_low", "bca_high"]].tolist() == pytest.approx(
        [oracle.low, oracle.high], abs=0.005
    )


def test_bca_moves_with_skewness_and_is_nan_where_nothing_varies():
    frame = made_up(images_per_patient=1)
    found = intervals.bootstrap(frame, "covid", statistics=["ppv", "auc"])
    assert (found["bca_low"] < found["estimate"]).all() and (
        found["estimate"] < found["bca_high"]
    ).all()
    assert (
        found.loc["auc", "bca_low"] < found.loc["auc", "low"]
    )  # the longer tail is towards a half
    perfect = from_matrix(THESIS)
    found = intervals.bootstrap(perfect, "covid", statistics=["sensitivity", "auc", "specificity"])
    assert found.loc["sensitivity", ["low", "high"]].tolist() == pytest.approx(
        intervals.wilson(60, 60)
    )  # no resample can differ
    assert np.isnan(found.loc["sensitivity", ["bca_low", "bca_high"]]).all()


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
    found = intervals.bootstrap(frame, "ill", statistics=LOOPED, fill=False)
    assert found.drop("specificity")[["low", "high", "bca_low", "bca_high"]].isna().all(axis=None)
    assert (
        found.loc["specificity", "low"]
        < found.loc["specificity", "estimate"]
        < found.loc["specificity", "high"]
    )
    assert intervals.bootstrap(frame, "ill").loc["sensitivity", ["low", "high"]].tolist() == one
    assert intervals.cluster_bootstrap(frame).loc["ill", "recall"].isna().all()
    bounds = intervals.table(frame)
    assert bounds.loc["ill", "recall"].tolist() == bounds.loc["well", "specificity"].tolist() == one
    assert bounds.loc[["ill", "well", *metrics.AVERAGES], ["auc", "f1"]].isna().all(axis=None)
    alone = intervals.bootstrap(
        frame[frame["y_true"] == "well"], "ill", 0.6, ["sensitivity", "auc", "npv"], 50
    )
    assert (
        np.isnan(alone.loc[["sensitivity", "auc"]]).all().all()
        and alone.loc["npv", "estimate"] == 1
    )
    assert (
        intervals.bootstrap(frame.assign(patient_id="all"), "ill", fill=False)
        .drop(columns="estimate")
        .isna()
        .all(axis=None)
    )


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
    low, high = intervals.bootstrap(frame, "covid", statistics=["specificity"]).loc[
        "specificity", ["low", "high"]
    ]
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
        assert intervals.cluster_bootstrap(frame).loc["ill", ["recall", "auc"]].isna().all()
        assert intervals.table(frame).loc["ill", "recall"].tolist() == pytest.approx(
            proportion_confint(patients * right.mean(), patients, method="wilson")
        )
        assert np.isnan(intervals.patient_mean(right, who[: len(right)])[1:]).all()


def test_patients_who_do_not_differ_are_no_certainty():
    """Each of ten patients has one image of two found: every resample says one half."""
    frame = predictions(
        [0] * 20 + [1] * 20,
        np.tile([[0.9, 0.1], [0.2, 0.8]], (20, 1)),
        np.arange(40) // 2,
        ["ill", "well"],
    )
    found = intervals.bootstrap(frame, "ill", statistics=["sensitivity", "auc", "f1"])
    assert found.loc["sensitivity", ["low", "high"]].tolist() == pytest.approx(
        proportion_confint(5, 10, method="wilson")
    )
    assert found.loc[["auc", "f1"], ["low", "high"]].isna().all(axis=None)
    assert np.isnan(intervals.patient_mean([0.25] * 9, range(9))[1:]).all()


def test_bootstrap_of_a_class_refuses():
    frame = made_up((3, 3))
    for wrong, message in [
        ({"statistics": ["kappa"]}, "no statistic 'kappa', only TP"),
        ({"replicates": 0}, "replicates"),
        ({"level": 2}, "level"),
    ]:
        with pytest.raises(InputError, match=message):
            intervals.bootstrap(frame, "covid", **wrong)
    with pytest.raises(InputError, match="no class 'flu'"):
        intervals.bootstrap(frame, "flu")


def test_patient_mean_is_the_bootstrap_of_scipy_where_each_patient_has_one_image():
    values = np.random.default_rng(3).gamma(2, size=60)
    mean, low, high = intervals.patient_mean(values, np.arange(60), replicates=20_000)
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
        intervals.patient_mean(values, patients)
        for patients in (np.tile(np.arange(4), 25), np.arange(100))
    )
    once = intervals.patient_mean(values[:4], np.arange(4))
    assert grouped == pytest.approx(once) and grouped[2] - grouped[1] > 3 * (apart[2] - apart[1])


def test_patient_mean_leaves_out_what_has_no_value():
    values = np.array([0.2, 0.4, np.nan, 0.6, 0.9])
    assert intervals.patient_mean(values, list("abcde")) == intervals.patient_mean(
        values[[0, 1, 3, 4]], list("abde")
    )
    assert (
        np.isnan(intervals.patient_mean([np.nan], ["a"])).all()
        and np.isnan(intervals.patient_mean([], [])).all()
    )


def _two(positive, negative) -> pd.DataFrame:
    score = np.concatenate([positive, negative])
    frame = pd.DataFrame(
        {"image_id": [f"s/{i}" for i in range(len(score))], "source": "s", "split": "test"}
    )
    frame["patient_id"] = frame["image_id"]
    return frame.assign(
        y_true=["covid"] * len(positive) + ["none"] * len(negative), p_covid=score, p_none=1 - score
    )


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 8), min_size=2, max_size=25),
    st.lists(st.integers(0, 8), min_size=2, max_size=25),
)
def test_delong_is_its_definition(positive, negative):
    """Placements counted pair by pair, ties half; AUC as scikit-learn's."""
    positive, negative = np.array(positive) / 8, np.array(negative) / 8
    auc, low, high = intervals.delong(_two(positive, negative), "covid")
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    assert auc == pytest.approx(
        skl.roc_auc_score([1] * len(positive) + [0] * len(negative), [*positive, *negative])
    )
    error = np.sqrt(
        wins.mean(1).var(ddof=1) / len(positive) + wins.mean(0).var(ddof=1) / len(negative)
    )
    expected = (
        (max(auc - 1.959964 * error, 0), min(auc + 1.959964 * error, 1))
        if error > 1e-12
        else (np.nan, np.nan)
    )
    assert (low, high) == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_delong_of_the_rest_is_the_mirror_image_and_needs_two_on_each_side():
    rng = np.random.default_rng(1)
    frame = _two(rng.random(30), rng.random(40))
    auc, low, high = intervals.delong(frame, "covid")
    assert intervals.delong(frame, "none") == pytest.approx((auc, low, high))
    assert np.isnan(intervals.delong(frame[29:], "covid")).all()
    with pytest.raises(InputError, match="no class 'viral'"):
        intervals.delong(frame, "viral")


HANLEY = {
    "normal": [33, 6, 6, 11, 2],
    "abnormal": [3, 2, 2, 11, 33],
}  # ratings 1 to 5 of 109 CT images: Hanley and McNeil 1982, Radiology 143:29, Table I


def test_delong_of_a_published_example():
    """Area 0.8932, standard error 0.0307, interval 0.8330 to 0.9534, as statistics manuals print
    DeLong's for these ratings.
    """
    normal, abnormal = (np.repeat(np.arange(1, 6), counts) / 6 for counts in HANLEY.values())
    auc, low, high = intervals.delong(_two(abnormal, normal), "covid")
    assert (f"{auc:.4f}", f"{low:.4f}", f"{high:.4f}") == ("0.8932", "0.8330", "0.9534")
    assert f"{(high - auc) / 1.959964:.4f}" == "0.0307"


def slow_variance(first, second, positive):
    """Of the difference of two areas on the same images, by DeLong's definition, pair by pair."""
    wins = [
        (s[positive][:, None] > s[~positive]) + 0.5 * (s[positive][:, None] == s[~positive])
        for s in (first, second)
    ]
    return sum(
        np.cov([win.mean(axis) for win in wins]) / size
        for axis, size in ((1, positive.sum()), (0, (~positive).sum()))
    )


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 6)), min_size=5, max_size=40
    )
)
def test_difference_of_paired_areas_is_its_definition(rows):
    positive, first, second = (np.array(column) for column in zip(*rows, strict=True))
    if min(positive.sum(), (~positive).sum()) < 2:
        return
    order = np.argsort(~positive, kind="stable")
    positive, first, second = positive[order], first[order] / 6, second[order] / 6
    frames = [_two(s[positive], s[~positive]) for s in (first, second)]
    found = intervals.delong_difference(
        frames[0], frames[1].sample(frac=1, random_state=0), "covid"
    )
    areas = [skl.roc_auc_score(positive, s) for s in (first, second)]
    covariance = slow_variance(first, second, positive)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert found["paired"] and found["difference"] == pytest.approx(areas[0] - areas[1], abs=1e-12)
    if variance > 1e-12:
        assert found["z"] == pytest.approx((areas[0] - areas[1]) / np.sqrt(variance), abs=1e-6)
        assert found["p_value"] == pytest.approx(2 * stats.norm.sf(abs(found["z"])))
        apart = [
            each.assign(image_id=name + each["image_id"])
            for name, each in zip("ab", frames, strict=True)
        ]
        unpaired = intervals.delong_difference(*apart, "covid")
        assert not unpaired["paired"]
        if covariance[0, 0] + covariance[1, 1] > 1e-12:
            assert unpaired["z"] == pytest.approx(
                (areas[0] - areas[1]) / np.sqrt(covariance[0, 0] + covariance[1, 1]), abs=1e-6
            )


def test_difference_of_areas_against_mlstatkit():
    delong_test = pytest.importorskip("MLstatkit").Delong_test
    rng = np.random.default_rng(2)
    positive = np.repeat([True, False], [40, 90])
    first = stats.norm.cdf(rng.normal(positive, 1)).round(2)  # with ties
    second = np.clip(first + rng.normal(0, 0.2, 130), 0, 1).round(2)
    found = intervals.delong_difference(
        *(_two(s[positive], s[~positive]) for s in (first, second)), "covid"
    )
    z, p_value = delong_test(positive.astype(int), first, second, return_ci=False, return_auc=False)
    assert (-z, p_value) == pytest.approx(
        (found["z"], found["p_value"]), abs=1e-9
    )  # theirs is second less first


def test_difference_of_areas_where_nothing_is_to_be_told():
    rng = np.random.default_rng(1)
    frame = _two(rng.random(30), rng.random(40))
    perfect = [_two(*(low + 0.3 * rng.random(20) for low in (0.6, 0.1))) for _ in range(2)]
    for pair in [
        (frame, frame),
        perfect,
        (perfect[0], perfect[1].assign(image_id=perfect[1]["image_id"] + "b")),
    ]:
        same = intervals.delong_difference(*pair, "covid")
        assert (
            same["difference"] == 0
            and np.isnan([same[name] for name in ("low", "high", "z", "p_value")]).all()
        ), "not estimable"
    auc, *ends = intervals.delong(perfect[0], "covid")
    assert auc == 1 and np.isnan(ends).all()
    assert np.isnan(intervals.delong_difference(frame[29:], frame[29:], "covid")["difference"])
    swapped = frame.assign(y_true=["none", *frame["y_true"][1:]])
    for other, message in [
        (frame[:60], "60 of 70 and 60 images are in both"),
        (swapped, "in one of the two frames only"),
    ]:
        with pytest.raises(InputError, match=message):
            intervals.delong_difference(frame, other, "covid")
    with pytest.raises(InputError, match="no class 'viral'"):
        intervals.delong_difference(frame, frame, "viral")
