"""metrics.py against scikit-learn, statsmodels, plain loops, and the numbers printed in the thesis."""

from __future__ import annotations

import doctest

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as skl
from statsmodels.stats.proportion import proportion_confint

from cxrlib import metrics
from cxrlib.files import InputError

pytestmark = pytest.mark.filterwarnings("error")  # what is undefined is NaN without a warning

FOUR = ["covid", "viral", "bacterial", "normal"]
THESIS = np.array([[60, 0, 0, 0], [0, 121, 22, 5], [0, 7, 235, 0], [2, 7, 9, 216]])
TABLE_4_2 = {  # as printed: size, accuracy, precision, recall, selectivity, f1
    "covid": [60, 1.00, 0.97, 1.00, 1.00, 0.98],
    "viral": [148, 0.82, 0.90, 0.82, 0.97, 0.86],
    "bacterial": [242, 0.97, 0.88, 0.97, 0.93, 0.93],
    "normal": [234, 0.92, 0.98, 0.92, 0.99, 0.95],
    "macro avg": [684, 0.93, 0.93, 0.93, 0.97, 0.93],
    "weighted avg": [684, 0.92, 0.93, 0.92, 0.97, 0.92],
}


def predictions(y, p, patients=None, classes=FOUR) -> pd.DataFrame:
    """A predictions frame from y (N,) positions, p (N, K), patients (N,)."""
    p = np.asarray(p, float)
    patients = range(len(y)) if patients is None else patients
    return pd.DataFrame(
        {
            "image_id": [f"s/i{i}" for i in range(len(y))],
            "patient_id": [f"s/{patient}" for patient in patients],
            "source": "s",
            "split": "test",
            "y_true": [classes[i] for i in y],
            **{f"p_{name}": p[:, i] for i, name in enumerate(classes[: p.shape[1]])},
        }
    )


def from_matrix(counts: np.ndarray) -> pd.DataFrame:
    """Predictions, 0.7 for the class called and the rest shared, that have these counts."""
    k = len(counts)
    cells = np.repeat(np.arange(k * k), counts.ravel())
    return predictions(cells // k, 0.3 / (k - 1) + (0.7 - 0.3 / (k - 1)) * np.eye(k)[cells % k])


def made_up(sizes=(60, 148, 242, 234), seed=0, images_per_patient=2) -> pd.DataFrame:
    """Plausible predictions, some patients with several images, a few of those in two classes."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(sizes)), sizes)
    logits = rng.normal(size=(len(y), len(sizes)))
    logits[np.arange(len(y)), y] += 1.5
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return predictions(y, p, np.arange(len(y)) // images_per_patient)


@st.composite
def drawn(draw) -> pd.DataFrame:
    """Small predictions full of ties: absent classes, classes never called, one class, one patient, one image."""
    k, n = draw(st.integers(2, 4)), draw(st.integers(1, 14))
    shares = st.lists(st.integers(0, 4), min_size=k, max_size=k).filter(any)
    votes = np.array(draw(st.lists(shares, min_size=n, max_size=n)), float)
    y = draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))
    patients = draw(st.lists(st.integers(0, draw(st.integers(0, n))), min_size=n, max_size=n))
    return predictions(y, votes / votes.sum(axis=1, keepdims=True), patients, FOUR[:k])


def auc_or_nan(y, p, weights=None) -> float:
    weights = np.ones(len(y)) if weights is None else weights
    y, p, weights = y[weights > 0], p[weights > 0], weights[weights > 0]
    return skl.roc_auc_score(y, p, sample_weight=weights) if 0 < y.sum() < len(y) else np.nan


def slow_table(frame: pd.DataFrame, weights=None) -> pd.DataFrame:
    """`per_class` once more, from scikit-learn class by class."""
    classes = [column[2:] for column in frame if column.startswith("p_")]
    weights = np.ones(len(frame)) if weights is None else weights
    called = frame[[f"p_{name}" for name in classes]].to_numpy().argmax(axis=1)
    rows = []
    for i, name in enumerate(classes):
        truth, guess = (frame["y_true"] == name).to_numpy(), called == i
        keys = {"sample_weight": weights, "zero_division": np.nan}
        rows.append(
            {
                "size": weights[truth].sum(),
                "accuracy_as_printed": skl.recall_score(truth, guess, **keys),
                "accuracy": skl.accuracy_score(truth, guess, sample_weight=weights),
                "precision": skl.precision_score(truth, guess, **keys),
                "recall": skl.recall_score(truth, guess, **keys),
                "specificity": skl.recall_score(~truth, ~guess, **keys),
                "f1": skl.f1_score(truth, guess, **keys),
                "auc": auc_or_nan(truth, frame[f"p_{name}"].to_numpy(), weights),
            }
        )
    table = pd.DataFrame(rows, classes)
    sizes = table["size"].to_numpy()
    table.loc["macro avg"] = table.iloc[: len(sizes)].mean(skipna=False)
    table.loc["weighted avg"] = (table.iloc[: len(sizes)].mul(sizes, axis=0)).sum(skipna=False) / sizes.sum()
    table.loc[["macro avg", "weighted avg"], "size"] = sizes.sum()
    return table


def test_thesis_table_4_2():
    table = metrics.per_class(from_matrix(THESIS))
    columns = ["size", "accuracy_as_printed", "precision", "recall", "specificity", "f1"]
    for row, printed in TABLE_4_2.items():
        assert [f"{value:.2f}" for value in table.loc[row, columns]] == [f"{value:.2f}" for value in printed], row
    by_formula = [f"{value:.3f}" for value in table["accuracy"].iloc[:5]]
    assert by_formula == ["0.997", "0.940", "0.944", "0.966", "0.962"]  # not the printed column


def test_thesis_matrix_and_overall():
    frame = from_matrix(THESIS)
    counts = metrics.confusion(frame)
    assert (counts.to_numpy() == THESIS).all()
    assert list(counts.index) == list(counts.columns) == FOUR
    assert (counts.index.name, counts.columns.name) == ("true", "predicted")
    summary = metrics.overall(frame)
    assert summary["images"] == 684 and summary["correct"] == 632 and summary["patients"] == 684
    assert summary["accuracy"] == 632 / 684
    assert summary["null_accuracy"] == 242 / 684
    assert f"{summary['macro_recall']:.3f}" == "0.928"


def test_against_classification_report():
    frame = made_up()
    p = frame[[f"p_{name}" for name in FOUR]].to_numpy()
    guess = np.array(FOUR)[p.argmax(axis=1)]
    report = pd.DataFrame(skl.classification_report(frame["y_true"], guess, output_dict=True)).T
    table = metrics.per_class(frame)
    rows = [*FOUR, "macro avg", "weighted avg"]
    assert list(table.index) == rows and list(table.columns) == metrics.METRICS
    names = {"precision": "precision", "recall": "recall", "f1": "f1-score", "size": "support"}
    for ours, theirs in names.items():
        np.testing.assert_allclose(table[ours], report.loc[rows, theirs].astype(float), rtol=0, atol=1e-12)
    y = pd.Index(FOUR).get_indexer(frame["y_true"])
    for average in ["macro", "weighted"]:
        expected = skl.roc_auc_score(y, p, multi_class="ovr", average=average)
        assert table.loc[f"{average} avg", "auc"] == pytest.approx(expected, abs=1e-12)
    summary = metrics.overall(frame)
    assert summary["accuracy"] == pytest.approx(skl.accuracy_score(frame["y_true"], guess), abs=1e-12)
    assert summary["macro_recall"] == pytest.approx(skl.balanced_accuracy_score(frame["y_true"], guess), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(drawn())
def test_any_predictions_against_scikit_learn(frame):
    pd.testing.assert_frame_equal(metrics.per_class(frame), slow_table(frame), check_dtype=False, rtol=0, atol=1e-12)
    classes = metrics.check_predictions(frame)
    guess = [classes[i] for i in frame[[f"p_{name}" for name in classes]].to_numpy().argmax(axis=1)]
    expected = skl.confusion_matrix(frame["y_true"], guess, labels=classes)
    assert (metrics.confusion(frame).to_numpy() == expected).all()
    assert metrics.overall(frame)["accuracy"] == np.mean(frame["y_true"] == guess)


def test_absent_class_is_nan_and_so_are_the_averages():
    table = metrics.per_class(predictions([0, 0, 1], [[0.8, 0.2, 0], [0.4, 0.6, 0], [0.1, 0.9, 0]], classes=FOUR[:3]))
    absent = table.loc["bacterial"]
    assert absent["size"] == 0 and absent["specificity"] == absent["accuracy"] == 1
    for column in ["recall", "precision", "f1", "auc", "accuracy_as_printed"]:
        assert np.isnan(table.loc[["bacterial", "macro avg", "weighted avg"], column]).all(), column
    assert table.loc["covid", ["recall", "precision", "auc"]].tolist() == [0.5, 1.0, 1.0]
    assert table["size"].tolist() == [2, 1, 0, 3, 3]


def test_f1_is_zero_where_a_class_has_errors_only():
    table = metrics.per_class(predictions([0, 1], [[0.1, 0.9], [0.3, 0.7]], classes=FOUR[:2]))
    assert np.isnan(table.loc["covid", "precision"])
    assert table.loc["covid", ["recall", "f1"]].tolist() == [0, 0]


def test_ties_go_to_the_first_class():
    counts = metrics.confusion(predictions([1, 2, 0], [[0.4, 0.4, 0.2], [0.2, 0.4, 0.4], [0.3, 0.3, 0.4]], classes=FOUR))
    assert counts.to_numpy().tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]


@settings(max_examples=30, deadline=None)
@given(drawn())
def test_roc_against_scikit_learn(frame):
    for cls in metrics.check_predictions(frame):
        curve, truth = metrics.roc(frame, cls), (frame["y_true"] == cls).to_numpy()
        assert list(curve.columns) == ["fpr", "tpr", "threshold"]
        assert len(curve) == frame[f"p_{cls}"].nunique() + 1 and curve["threshold"].iloc[0] == np.inf
        for row in curve.itertuples():  # each point from its meaning
            called = (frame[f"p_{cls}"] >= row.threshold).to_numpy()
            for rate, among in [(row.tpr, truth), (row.fpr, ~truth)]:
                assert np.isnan(rate) if not among.any() else rate == pytest.approx(called[among].mean(), abs=1e-12)
        expected = auc_or_nan(truth, frame[f"p_{cls}"].to_numpy())
        np.testing.assert_allclose(np.trapezoid(curve["tpr"], curve["fpr"]), expected, rtol=0, atol=1e-12)


def test_roc_of_an_unknown_class():
    with pytest.raises(InputError, match="no class 'flu', only covid, viral"):
        metrics.roc(made_up(), "flu")


@given(st.integers(0, 5000), st.integers(1, 5000), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_wilson_against_statsmodels(k, n, level):
    k = min(k, n)
    expected = proportion_confint(k, n, alpha=1 - level, method="wilson")
    low, high = metrics.wilson(k, n, level)
    np.testing.assert_allclose([low, high], expected, rtol=0, atol=1e-12)
    assert 0 <= low <= k / n <= high <= 1


def test_wilson_arrays_and_edges():
    low, high = metrics.wilson(np.array([60, 235, 0, 0]), [60, 242, 10, 0])
    np.testing.assert_allclose(low[:2], [0.940, 0.942], atol=5e-4)  # COVID-19 and bacterial recall in the thesis
    np.testing.assert_allclose(high[:2], [1, 0.986], atol=5e-4)
    assert high[0] == 1 and low[2] == 0 and np.isnan([low[3], high[3]]).all()
    assert isinstance(metrics.wilson(1, 2)[0], float)
    assert np.shape(metrics.wilson([[1], [2]], [3, 4, 5])) == (2, 2, 3)


@pytest.mark.parametrize("k, n, level", [(3, 2, 0.9), (-1, 2, 0.9), (1, np.nan, 0.9), (1, 2, 0), (1, 2, 95)])
def test_wilson_refuses(k, n, level):
    with pytest.raises(InputError):
        metrics.wilson(k, n, level)


def loop_bootstrap(frame, weights, level):
    """`cluster_bootstrap` on given resamples, one at a time, through scikit-learn."""
    with np.errstate(invalid="ignore"):
        cells = np.stack([slow_table(frame, row.astype(float)).to_numpy() for row in weights])
        return np.quantile(cells, [(1 - level) / 2, (1 + level) / 2], axis=0)


def assert_bootstrap_equals_loop(frame, replicates, seed, level):
    bounds = metrics.cluster_bootstrap(frame, replicates, seed, level)
    weights = metrics.patient_resamples(frame, replicates, seed)
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
    whole = metrics.cluster_bootstrap(frame, 30)
    monkeypatch.setattr(np, "array_split", lambda rows, _: split(rows, 7))
    pd.testing.assert_frame_equal(whole, metrics.cluster_bootstrap(frame, 30), rtol=0, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(drawn(), st.integers(0, 100))
def test_resamples_keep_patients_whole_and_their_number(frame, seed):
    weights = metrics.patient_resamples(frame, 5, seed)
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
    one = metrics.patient_resamples(frame, 50, 1)
    assert (one == metrics.patient_resamples(frame, 50, 1)).all()
    assert (one != metrics.patient_resamples(frame, 50, 2)).any()
    assert abs(one.mean() - 1) < 0.05 and (one.std(axis=0) > 0.5).all()
    pd.testing.assert_frame_equal(metrics.cluster_bootstrap(frame, 50, 1), metrics.cluster_bootstrap(frame, 50, 1))


def test_bootstrap_agrees_with_wilson_where_patients_have_one_image():
    frame = made_up(images_per_patient=1)
    bounds, table = metrics.cluster_bootstrap(frame), metrics.per_class(frame)
    low, high = metrics.wilson(table["recall"].iloc[:4] * table["size"].iloc[:4], table["size"].iloc[:4])
    np.testing.assert_allclose(bounds["recall"].iloc[:4], np.stack([low, high], axis=1), atol=0.025)
    assert (bounds.loc[FOUR, ("size", "low")] == bounds.loc[FOUR, ("size", "high")]).all()
    np.testing.assert_allclose(bounds.loc["overall", "accuracy"], bounds.loc["weighted avg", "recall"], atol=1e-12)
    for column in metrics.METRICS:
        assert table[column].between(bounds[column, "low"].iloc[:-1], bounds[column, "high"].iloc[:-1]).all(), column


def test_clusters_widen_the_interval():
    frame = pd.concat([made_up(images_per_patient=1)] * 4, ignore_index=True)
    frame["image_id"] = frame.index.astype(str)
    alone = frame.assign(patient_id=frame["image_id"])
    widths = [np.ptp(metrics.cluster_bootstrap(each, 500).loc["overall", "accuracy"]) for each in (frame, alone)]
    assert 1.7 < widths[0] / widths[1] < 2.3  # four copies of each image carry the information of one


def test_bootstrap_refuses():
    for wrong in [{"level": 1.0}, {"level": 0}, {"replicates": 0}]:
        with pytest.raises(InputError, match=next(iter(wrong))):
            metrics.cluster_bootstrap(made_up((3, 3)), **wrong)


def test_check_returns_the_class_order():
    frame = made_up((2, 3, 4, 5))
    assert metrics.check_predictions(frame) == FOUR
    assert metrics.check_predictions(frame[frame.columns[::-1]]) == FOUR[::-1]
    assert metrics.check_predictions(frame[frame["y_true"] == "viral"]) == FOUR


BAD = {  # column, row, value, what the message says
    "twice": ("image_id", 2, "s/i0", "r/predictions.csv, line 4, column image_id: s/i0 stands in an earlier line"),
    "class": ("y_true", 1, "flu", "r/predictions.csv, line 3, column y_true: flu is none of covid, viral"),
    "no class": ("y_true", 0, None, "line 2, column y_true: .* missing"),
    "no patient": ("patient_id", 4, None, "line 6, column patient_id: .* missing"),
    "nan": ("p_viral", 3, np.nan, "line 5, column p_viral: nan is not a number from 0 to 1"),
    "infinite": ("p_viral", 3, np.inf, "line 5, column p_viral: inf is not a number from 0 to 1"),
    "negative": ("p_covid", 0, -0.01, "line 2, column p_covid: -0.01 is not a number from 0 to 1"),
    "above 1": ("p_covid", 0, 1.5, "line 2, column p_covid: 1.5 is not a number from 0 to 1"),
    "word": ("p_covid", 4, "high", "line 6, column p_covid: high is not a number from 0 to 1"),
    "sum": ("p_covid", 4, 0.2002, r"line 6, column p_covid\+p_viral: 1.0002 is not a sum of 1"),
}


@pytest.mark.parametrize("column, row, value, message", BAD.values(), ids=BAD)
def test_check_names_line_and_column(column, row, value, message):
    frame = predictions([0, 1, 0, 1, 0], [[0.2, 0.8]] * 5, classes=FOUR[:2]).astype({column: object})
    frame.index = range(10, 15)  # the line is counted, not looked up
    metrics.check_predictions(frame)
    frame.loc[frame.index[row], column] = value
    with pytest.raises(InputError, match=message) as error:
        metrics.check_predictions(frame, "r/predictions.csv")
    assert "\n" not in str(error.value)


def test_check_tolerates_rounding():
    metrics.check_predictions(predictions([0], [[0.20009, 0.8]]))


@pytest.mark.parametrize("column", metrics.KEYS)
def test_check_names_a_missing_column(column):
    with pytest.raises(InputError, match=f"x.csv, line 1: no column {column}$"):
        metrics.check_predictions(made_up((2, 2)).drop(columns=column), "x.csv")


def test_check_refuses_bad_headers():
    frame = made_up((2, 2))
    for bad, message in [
        (frame.drop(columns="p_viral"), "two classes"),
        (frame.rename(columns={"p_viral": "p_"}), "two classes"),
        (frame.rename(columns={"p_viral": "p_covid"}), "column p_covid occurs twice"),
        (frame.iloc[:0], "no rows"),
    ]:
        with pytest.raises(InputError, match=message):
            metrics.check_predictions(bad)


def test_doctests():
    results = doctest.testmod(metrics)
    assert results.attempted >= 4 and results.failed == 0


def test_patient_mean_is_the_bootstrap_of_scipy_where_each_patient_has_one_image():
    values = np.random.default_rng(3).gamma(2, size=60)
    mean, low, high = metrics.patient_mean(values, np.arange(60), replicates=20_000)
    oracle = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=1).confidence_interval
    assert mean == pytest.approx(values.mean()) and (low, high) == pytest.approx((oracle.low, oracle.high), abs=0.02)


def test_patient_mean_takes_patients_whole():
    """Copies of an image are no new evidence; as separate patients they would be."""
    values = np.tile([0.1, 0.5, 0.9, 0.4], 25)
    grouped, apart = (metrics.patient_mean(values, patients) for patients in (np.tile(np.arange(4), 25), np.arange(100)))
    once = metrics.patient_mean(values[:4], np.arange(4))
    assert grouped == pytest.approx(once) and grouped[2] - grouped[1] > 3 * (apart[2] - apart[1])


def test_patient_mean_leaves_out_what_has_no_value():
    assert metrics.patient_mean([0.2, np.nan, 0.2], ["a", "b", "c"]) == pytest.approx((0.2, 0.2, 0.2))
    assert np.isnan(metrics.patient_mean([np.nan], ["a"])).all() and np.isnan(metrics.patient_mean([], [])).all()


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
    auc, low, high = metrics.delong(_two(positive, negative), "covid")
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    assert auc == pytest.approx(skl.roc_auc_score([1] * len(positive) + [0] * len(negative), [*positive, *negative]))
    error = np.sqrt(wins.mean(1).var(ddof=1) / len(positive) + wins.mean(0).var(ddof=1) / len(negative))
    assert (low, high) == pytest.approx((max(auc - 1.959964 * error, 0), min(auc + 1.959964 * error, 1)), abs=1e-6)


def test_delong_of_the_rest_is_the_mirror_image_and_needs_two_on_each_side():
    rng = np.random.default_rng(1)
    frame = _two(rng.random(30), rng.random(40))
    auc, low, high = metrics.delong(frame, "covid")
    assert metrics.delong(frame, "none") == pytest.approx((auc, low, high))
    assert np.isnan(metrics.delong(frame[29:], "covid")).all()
    with pytest.raises(InputError, match="no class 'viral'"):
        metrics.delong(frame, "viral")
