"""intervals.py against statsmodels, scipy and plain loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from frames import FOUR, drawn, made_up, slow_table
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as skl
from statsmodels.stats.proportion import proportion_confint

from cxrlib import intervals, metrics
from cxrlib.files import InputError

pytestmark = pytest.mark.filterwarnings("error")  # what is undefined is NaN without a warning


@given(st.integers(0, 5000), st.integers(1, 5000), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_wilson_against_statsmodels(k, n, level):
    k = min(k, n)
    expected = proportion_confint(k, n, alpha=1 - level, method="wilson")
    low, high = intervals.wilson(k, n, level)
    np.testing.assert_allclose([low, high], expected, rtol=0, atol=1e-12)
    assert 0 <= low <= k / n <= high <= 1


def test_wilson_arrays_and_edges():
    low, high = intervals.wilson(np.array([60, 235, 0, 0]), [60, 242, 10, 0])
    np.testing.assert_allclose(low[:2], [0.940, 0.942], atol=5e-4)  # COVID-19 and bacterial recall in the thesis
    np.testing.assert_allclose(high[:2], [1, 0.986], atol=5e-4)
    assert high[0] == 1 and low[2] == 0 and np.isnan([low[3], high[3]]).all()
    assert isinstance(intervals.wilson(1, 2)[0], float)
    assert np.shape(intervals.wilson([[1], [2]], [3, 4, 5])) == (2, 2, 3)


@pytest.mark.parametrize("k, n, level", [(3, 2, 0.9), (-1, 2, 0.9), (1, np.nan, 0.9), (1, 2, 0), (1, 2, 95)])
def test_wilson_refuses(k, n, level):
    with pytest.raises(InputError):
        intervals.wilson(k, n, level)


def loop_bootstrap(frame, weights, level):
    """`cluster_bootstrap` on given resamples, one at a time, through scikit-learn."""
    with np.errstate(invalid="ignore"):
        cells = np.stack([slow_table(frame, row.astype(float)).to_numpy() for row in weights])
        return np.quantile(cells, [(1 - level) / 2, (1 + level) / 2], axis=0)


def assert_bootstrap_equals_loop(frame, replicates, seed, level):
    bounds = intervals.cluster_bootstrap(frame, replicates, seed, level)
    weights = intervals.patient_resamples(frame, replicates, seed)
    expected = loop_bootstrap(frame, weights, level)
    for i, side in enumerate(["low", "high"]):
        ours = bounds.xs(side, axis=1, level=1).iloc[:-1]
        assert list(ours.columns) == metrics.METRICS
        np.testing.assert_allclose(ours, expected[i], rtol=0, atol=1e-12)
    right = slow_table(frame).index[:-2].to_numpy()[frame.filter(regex="^p_").to_numpy().argmax(axis=1)]
    accuracy = [skl.accuracy_score(frame["y_true"], right, sample_weight=row) for row in weights]
    alpha = (1 - level) / 2
    np.testing.assert_allclose(bounds.loc["overall", "accuracy"], np.quantile(accuracy, [alpha, 1 - alpha]), atol=1e-12)


def test_bootstrap_equals_the_plain_loop():
    assert_bootstrap_equals_loop(made_up((9, 15, 24, 23), images_per_patient=3), 25, 5, 0.9)


@settings(max_examples=8, deadline=None)
@given(drawn(), st.integers(0, 100))
def test_bootstrap_equals_the_plain_loop_on_anything(frame, seed):
    assert_bootstrap_equals_loop(frame, 4, seed, 0.8)


def test_bootstrap_blocks_do_not_show(monkeypatch):
    frame, split = made_up((9, 15, 24, 23)), np.array_split
    whole = intervals.cluster_bootstrap(frame, 30)
    monkeypatch.setattr(np, "array_split", lambda rows, _: split(rows, 7))
    pd.testing.assert_frame_equal(whole, intervals.cluster_bootstrap(frame, 30), rtol=0, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(drawn(), st.integers(0, 100))
def test_resamples_keep_patients_whole_and_their_number(frame, seed):
    weights = intervals.patient_resamples(frame, 5, seed)
    classes = metrics.check_predictions(frame)
    assert weights.shape == (5, len(frame)) and np.issubdtype(weights.dtype, np.integer) and weights.min() >= 0
    by_patient = pd.DataFrame(weights.T).groupby(frame["patient_id"].to_numpy())
    assert (by_patient.nunique() == 1).all().all()
    votes = pd.crosstab(frame["patient_id"], frame["y_true"]).reindex(columns=classes, fill_value=0)
    stratum = votes.idxmax(axis=1)  # ties: the first class
    drawn_per_stratum = by_patient.first().groupby(stratum).sum()
    assert (stratum.value_counts().sort_index() == drawn_per_stratum.T).all().all()


def test_resamples_are_seeded_and_vary():
    frame = made_up((9, 15, 24, 23))
    one = intervals.patient_resamples(frame, 50, 1)
    assert (one == intervals.patient_resamples(frame, 50, 1)).all()
    assert (one != intervals.patient_resamples(frame, 50, 2)).any()
    assert abs(one.mean() - 1) < 0.05 and (one.std(axis=0) > 0.5).all()
    pd.testing.assert_frame_equal(intervals.cluster_bootstrap(frame, 50, 1), intervals.cluster_bootstrap(frame, 50, 1))


def test_bootstrap_agrees_with_wilson_where_patients_have_one_image():
    frame = made_up(images_per_patient=1)
    bounds, table = intervals.cluster_bootstrap(frame), metrics.per_class(frame)
    low, high = intervals.wilson(table["recall"].iloc[:4] * table["size"].iloc[:4], table["size"].iloc[:4])
    np.testing.assert_allclose(bounds["recall"].iloc[:4], np.stack([low, high], axis=1), atol=0.025)
    assert (bounds.loc[FOUR, ("size", "low")] == bounds.loc[FOUR, ("size", "high")]).all()
    np.testing.assert_allclose(bounds.loc["overall", "accuracy"], bounds.loc["weighted avg", "recall"], atol=1e-12)
    for column in metrics.METRICS:
        assert table[column].between(bounds[column, "low"].iloc[:-1], bounds[column, "high"].iloc[:-1]).all(), column


def test_clusters_widen_the_interval():
    frame = pd.concat([made_up(images_per_patient=1)] * 4, ignore_index=True)
    frame["image_id"] = frame.index.astype(str)
    alone = frame.assign(patient_id=frame["image_id"])
    widths = [np.ptp(intervals.cluster_bootstrap(each, 500).loc["overall", "accuracy"]) for each in (frame, alone)]
    assert 1.7 < widths[0] / widths[1] < 2.3  # four copies of each image carry the information of one


def test_bootstrap_refuses():
    for wrong in [{"level": 1.0}, {"level": 0}, {"replicates": 0}]:
        with pytest.raises(InputError, match=next(iter(wrong))):
            intervals.cluster_bootstrap(made_up((3, 3)), **wrong)


def test_patient_mean_is_the_bootstrap_of_scipy_where_each_patient_has_one_image():
    values = np.random.default_rng(3).gamma(2, size=60)
    mean, low, high = intervals.patient_mean(values, np.arange(60), replicates=20_000)
    oracle = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=1).confidence_interval
    assert mean == pytest.approx(values.mean()) and (low, high) == pytest.approx((oracle.low, oracle.high), abs=0.02)


def test_patient_mean_takes_patients_whole():
    """Copies of an image are no new evidence; as separate patients they would be."""
    values = np.tile([0.1, 0.5, 0.9, 0.4], 25)
    grouped, apart = (intervals.patient_mean(values, patients) for patients in (np.tile(np.arange(4), 25), np.arange(100)))
    once = intervals.patient_mean(values[:4], np.arange(4))
    assert grouped == pytest.approx(once) and grouped[2] - grouped[1] > 3 * (apart[2] - apart[1])


def test_patient_mean_leaves_out_what_has_no_value():
    assert intervals.patient_mean([0.2, np.nan, 0.2], ["a", "b", "c"]) == pytest.approx((0.2, 0.2, 0.2))
    assert np.isnan(intervals.patient_mean([np.nan], ["a"])).all() and np.isnan(intervals.patient_mean([], [])).all()


def _two(positive, negative) -> pd.DataFrame:
    score = np.concatenate([positive, negative])
    frame = pd.DataFrame({"image_id": [f"s/{i}" for i in range(len(score))], "source": "s", "split": "test"})
    frame["patient_id"] = frame["image_id"]
    return frame.assign(y_true=["covid"] * len(positive) + ["none"] * len(negative), p_covid=score, p_none=1 - score)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 8), min_size=2, max_size=25), st.lists(st.integers(0, 8), min_size=2, max_size=25))
def test_delong_is_its_definition(positive, negative):
    """Placements counted pair by pair, ties half; AUC as scikit-learn's."""
    positive, negative = np.array(positive) / 8, np.array(negative) / 8
    auc, low, high = intervals.delong(_two(positive, negative), "covid")
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    assert auc == pytest.approx(skl.roc_auc_score([1] * len(positive) + [0] * len(negative), [*positive, *negative]))
    error = np.sqrt(wins.mean(1).var(ddof=1) / len(positive) + wins.mean(0).var(ddof=1) / len(negative))
    assert (low, high) == pytest.approx((max(auc - 1.959964 * error, 0), min(auc + 1.959964 * error, 1)), abs=1e-6)


def test_delong_of_the_rest_is_the_mirror_image_and_needs_two_on_each_side():
    rng = np.random.default_rng(1)
    frame = _two(rng.random(30), rng.random(40))
    auc, low, high = intervals.delong(frame, "covid")
    assert intervals.delong(frame, "none") == pytest.approx((auc, low, high))
    assert np.isnan(intervals.delong(frame[29:], "covid")).all()
    with pytest.raises(InputError, match="no class 'viral'"):
        intervals.delong(frame, "viral")
