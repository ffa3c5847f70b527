"""metrics.py against scikit-learn, plain loops, and the numbers printed in the thesis."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from frames import FOUR, THESIS, auc_or_nan, drawn, from_matrix, made_up, predictions, slow_table
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as skl

from cxrlib import metrics
from cxrlib.files import InputError
from cxrlib.metrics.predictions import KEYS

pytestmark = pytest.mark.filterwarnings("error")  # what is undefined is NaN without a warning

TABLE_4_2 = {  # as printed: size, "accuracy" (the recall), precision, recall, selectivity, f1
    "covid": [60, 1.00, 0.97, 1.00, 1.00, 0.98],
    "viral": [148, 0.82, 0.90, 0.82, 0.97, 0.86],
    "bacterial": [242, 0.97, 0.88, 0.97, 0.93, 0.93],
    "normal": [234, 0.92, 0.98, 0.92, 0.99, 0.95],
    "macro avg": [684, 0.93, 0.93, 0.93, 0.97, 0.93],
    "weighted avg": [684, 0.92, 0.93, 0.92, 0.97, 0.92],
}


def test_thesis_table_4_2():
    table = metrics.per_class(from_matrix(THESIS))
    columns = ["size", "recall", "precision", "recall", "specificity", "f1"]
    for row, printed in TABLE_4_2.items():
        assert [f"{value:.2f}" for value in table.loc[row, columns]] == [
            f"{value:.2f}" for value in printed
        ], row
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
        np.testing.assert_allclose(
            table[ours], report.loc[rows, theirs].astype(float), rtol=0, atol=1e-12
        )
    y = pd.Index(FOUR).get_indexer(frame["y_true"])
    for average in ["macro", "weighted"]:
        expected = skl.roc_auc_score(y, p, multi_class="ovr", average=average)
        assert table.loc[f"{average} avg", "auc"] == pytest.approx(expected, abs=1e-12)
    summary = metrics.overall(frame)
    assert summary["accuracy"] == pytest.approx(
        skl.accuracy_score(frame["y_true"], guess), abs=1e-12
    )
    assert summary["macro_recall"] == pytest.approx(
        skl.balanced_accuracy_score(frame["y_true"], guess), abs=1e-12
    )


@settings(max_examples=40)
@given(drawn())
def test_any_predictions_against_scikit_learn(frame):
    pd.testing.assert_frame_equal(
        metrics.per_class(frame), slow_table(frame), check_dtype=False, rtol=0, atol=1e-12
    )
    classes = metrics.check_predictions(frame)
    guess = [classes[i] for i in frame[[f"p_{name}" for name in classes]].to_numpy().argmax(axis=1)]
    expected = skl.confusion_matrix(frame["y_true"], guess, labels=classes)
    assert (metrics.confusion(frame).to_numpy() == expected).all()
    assert metrics.overall(frame)["accuracy"] == np.mean(frame["y_true"] == guess)


def test_a_class_without_images_has_no_say_in_an_average_weighted_by_size():
    """40 of 60 images right, the third class absent: scikit-learn's averages, which leave out what
    is undefined.
    """
    y, called = (
        np.repeat([0, 1], 30),
        np.r_[np.repeat([0, 1], [25, 5]), np.repeat([1, 0, 2], [15, 9, 6])],
    )
    p = 0.1 + 0.7 * np.eye(3)[called]
    average = metrics.per_class(predictions(y, p, classes=FOUR[:3])).loc["weighted avg"]
    expected = skl.precision_recall_fscore_support(
        y, called, labels=range(3), average="weighted", zero_division=np.nan
    )[:3]
    assert average[["precision", "recall", "f1"]].tolist() == pytest.approx(list(expected))
    assert average["recall"] == pytest.approx(40 / 60)
    assert average[["accuracy", "specificity", "auc"]].notna().all()


@pytest.mark.parametrize("scores", [[1e-20, 0, 0], [1e-17, 1e-19, 0], [0.3, 1e-30, 1e-25]])
def test_the_area_of_the_rest_is_that_of_the_class(scores):
    """1 - p is 1 for all p below 1e-16: the images' order is then that of p."""
    p = np.array(scores)
    for columns in ([0, 1], [1, 0]):  # the column that was given first, or last
        frame = predictions(
            np.array([0, 1, 1]) ^ columns[0],
            np.stack([p, 1 - p], axis=1)[:, columns],
            classes=FOUR[:2],
        )
        assert metrics.per_class(frame)["auc"].tolist() == [1, 1, 1, 1]
        assert [metrics.operating_point(frame, cls, 0.5)["auc"] for cls in FOUR[:2]] == [1, 1]


def test_absent_class_is_nan_and_so_are_the_averages():
    table = metrics.per_class(
        predictions([0, 0, 1], [[0.8, 0.2, 0], [0.4, 0.6, 0], [0.1, 0.9, 0]], classes=FOUR[:3])
    )
    absent = table.loc["bacterial"]
    assert absent["size"] == 0 and absent["specificity"] == absent["accuracy"] == 1
    for column in ["recall", "precision", "f1", "auc"]:
        assert np.isnan(table.loc[["bacterial", "macro avg"], column]).all(), column
    assert table.loc["covid", ["recall", "precision", "auc"]].tolist() == [0.5, 1.0, 1.0]
    assert table["size"].tolist() == [2, 1, 0, 3, 3]


def test_f1_is_zero_where_a_class_has_errors_only():
    table = metrics.per_class(predictions([0, 1], [[0.1, 0.9], [0.3, 0.7]], classes=FOUR[:2]))
    assert np.isnan(table.loc["covid", "precision"])
    assert table.loc["covid", ["recall", "f1"]].tolist() == [0, 0]


def test_ties_go_to_the_first_class():
    counts = metrics.confusion(
        predictions([1, 2, 0], [[0.4, 0.4, 0.2], [0.2, 0.4, 0.4], [0.3, 0.3, 0.4]], classes=FOUR)
    )
    assert counts.to_numpy().tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]


@settings(max_examples=30)
@given(drawn())
def test_roc_against_scikit_learn(frame):
    for cls in metrics.check_predictions(frame):
        curve, truth = metrics.roc(frame, cls), (frame["y_true"] == cls).to_numpy()
        assert list(curve.columns) == ["fpr", "tpr", "threshold"]
        assert (
            len(curve) == frame[f"p_{cls}"].nunique() + 1 and curve["threshold"].iloc[0] == np.inf
        )
        for row in curve.itertuples():  # each point from its meaning
            called = (frame[f"p_{cls}"] >= row.threshold).to_numpy()
            for rate, among in [(row.tpr, truth), (row.fpr, ~truth)]:
                assert (
                    np.isnan(rate)
                    if not among.any()
                    else rate == pytest.approx(called[among].mean(), abs=1e-12)
                )
        expected = auc_or_nan(truth, frame[f"p_{cls}"].to_numpy())
        np.testing.assert_allclose(
            np.trapezoid(curve["tpr"], curve["fpr"]), expected, rtol=0, atol=1e-12
        )


def test_roc_of_an_unknown_class():
    with pytest.raises(InputError, match="no class 'flu', only covid, viral"):
        metrics.roc(made_up(), "flu")


@settings(max_examples=40)
@given(drawn(), st.sampled_from([0, 0.25, 0.5, 1 / 3, 1, 1.5]))
def test_operating_point_against_scikit_learn(frame, threshold):
    for cls in metrics.check_predictions(frame):
        truth, score = (frame["y_true"] == cls).to_numpy(), frame[f"p_{cls}"].to_numpy()
        called, point = score >= threshold, metrics.operating_point(frame, cls, threshold)
        assert [point[name] for name in ("TN", "FP", "FN", "TP")] == skl.confusion_matrix(
            truth, called, labels=[False, True]
        ).ravel().tolist()
        assert all(isinstance(point[name], int) for name in ("TN", "FP", "FN", "TP"))
        tn, fp, fn, tp = (np.float64(point[name]) for name in ("TN", "FP", "FN", "TP"))
        with np.errstate(invalid="ignore", divide="ignore"):
            expected = {
                "sensitivity": tp / (tp + fn),
                "specificity": tn / (tn + fp),
                "ppv": tp / (tp + fp),
                "npv": tn / (tn + fn),
                "lr_positive": tp / (tp + fn) / (fp / (tn + fp)),
                "lr_negative": fn / (tp + fn) / (tn / (tn + fp)),
                "f1": tp / (tp + (fp + fn) / 2),
                "accuracy": skl.accuracy_score(truth, called),
                "prevalence": truth.mean(),
                "null_accuracy": max(truth.mean(), 1 - truth.mean()),
                "auc": auc_or_nan(truth, score),
            }
        assert {name: point[name] for name in expected} == pytest.approx(
            expected, abs=1e-12, nan_ok=True
        )


def test_operating_point_at_the_threshold_itself_and_without_end():
    frame = predictions(
        [0, 0, 1, 1], [[0.9, 0.1], [0.5, 0.5], [0.4, 0.6], [0.1, 0.9]], classes=FOUR[:2]
    )
    assert metrics.operating_point(frame, "covid", 0.5)["TP"] == 2  # p >= threshold
    point = metrics.operating_point(frame, "covid", 0.5)
    assert point["lr_positive"] == np.inf and point["lr_negative"] == 0
    none = metrics.operating_point(frame, "covid", 0.95)
    assert (
        np.isnan(none["ppv"])
        and np.isnan(none["lr_positive"])
        and none["sensitivity"] == 0
        and none["specificity"] == 1
    )
    with pytest.raises(InputError, match="no class 'flu'"):
        metrics.operating_point(frame, "flu", 0.5)


def test_predictive_values_at_the_printed_operating_point():
    """Study A's PPV over the prevalence, worked out by hand: at 10 %, 0.0773 / (0.0773 + 0.9 ×
    0.282).
    """
    ppv, npv = metrics.at_prevalence(0.773, 0.718, [0.001, 0.01, 0.05, 0.1, 0.2, 0.5])
    assert [f"{100 * value:.1f}" for value in ppv] == ["0.3", "2.7", "12.6", "23.3", "40.7", "73.3"]
    assert (np.diff(npv) < 0).all()
    ppv, npv = metrics.at_prevalence(
        119 / 154, 4184 / 5828, 154 / 5982
    )  # at the test set's own: counted
    assert (ppv, npv) == pytest.approx((119 / 1763, 4184 / 4219))


@given(*[st.floats(0, 1)] * 3)
def test_predictive_values_are_bayes(sensitivity, specificity, prevalence):
    ppv, npv = metrics.at_prevalence(sensitivity, specificity, prevalence)
    cells = [
        prevalence * sensitivity,
        (1 - prevalence) * (1 - specificity),
        (1 - prevalence) * specificity,
        prevalence * (1 - sensitivity),
    ]
    for value, right, wrong in ((ppv, *cells[:2]), (npv, *cells[2:])):
        assert (
            np.isnan(value)
            if right + wrong == 0
            else value == pytest.approx(right / (right + wrong), nan_ok=True)
        )


def test_predictive_values_broadcast_and_refuse():
    ppv, npv = metrics.at_prevalence([[0.9], [0.8]], 0.7, [0.1, 0.2, 0.3])
    assert ppv.shape == npv.shape == (2, 3)
    assert np.isnan(metrics.at_prevalence(np.nan, 0.7, 0.1)[0])
    for wrong in [(1.1, 0.5, 0.5), (0.5, -0.1, 0.5), (0.5, 0.5, 2.57)]:
        with pytest.raises(InputError, match="fractions"):
            metrics.at_prevalence(*wrong)


def test_check_returns_the_class_order():
    frame = made_up((2, 3, 4, 5))
    assert metrics.check_predictions(frame) == FOUR
    assert metrics.check_predictions(frame[frame.columns[::-1]]) == FOUR[::-1]
    assert metrics.check_predictions(frame[frame["y_true"] == "viral"]) == FOUR


BAD = {  # column, row, value, what the message says
    "twice": (
        "image_id",
        2,
        "s/i0",
        "r/predictions.csv, line 4, column image_id: s/i0 stands in an earlier row",
    ),
    "class": (
        "y_true",
        1,
        "flu",
        "r/predictions.csv, line 3, column y_true: flu is none of covid, viral",
    ),
    "no class": ("y_true", 0, None, "line 2, column y_true: an empty cell"),
    "no patient": ("patient_id", 4, None, "line 6, column patient_id: an empty cell"),
    "nan": (
        "p_viral",
        3,
        np.nan,
        "line 5, column p_viral: an empty cell is not a number from 0 to 1",
    ),
    "infinite": ("p_viral", 3, np.inf, "line 5, column p_viral: inf is not a number from 0 to 1"),
    "negative": ("p_covid", 0, -0.01, "line 2, column p_covid: -0.01 is not a number from 0 to 1"),
    "above 1": ("p_covid", 0, 1.5, "line 2, column p_covid: 1.5 is not a number from 0 to 1"),
    "word": ("p_covid", 4, "high", "line 6, column p_covid: high is not a number from 0 to 1"),
    "sum": ("p_covid", 4, 0.2002, r"line 6, column p_covid\+p_viral: 1.0002 is not a sum of 1"),
}


@pytest.mark.parametrize("column, row, value, message", BAD.values(), ids=BAD)
def test_check_names_line_and_column(column, row, value, message):
    frame = predictions([0, 1, 0, 1, 0], [[0.2, 0.8]] * 5, classes=FOUR[:2]).astype(
        {column: object}
    )
    frame.index = range(10, 15)
    metrics.check_predictions(frame)
    frame.loc[frame.index[row], column] = value
    with pytest.raises(InputError, match=message) as error:
        metrics.check_predictions(
            frame.set_axis(pd.RangeIndex(2, 7, name="line")), "r/predictions.csv"
        )
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=f"predictions, row {10 + row}, column {column}"):
        metrics.check_predictions(frame)


def test_check_says_that_names_of_classes_are_text():
    frame = predictions([0, 1], [[0.2, 0.8]] * 2, classes=["1", "0"])
    metrics.check_predictions(frame)
    with pytest.raises(InputError, match="row 0, column y_true: 1 is a number, .* text"):
        metrics.check_predictions(frame.assign(y_true=[1, 0]))


def test_check_tolerates_rounding():
    metrics.check_predictions(predictions([0], [[0.20009, 0.8]]))


@pytest.mark.parametrize("column", KEYS)
def test_check_names_a_missing_column(column):
    with pytest.raises(InputError, match=f"x.csv: no column {column}$"):
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


ANY = [
    "macro avg",
    "weighted avg",
    "overall",
    "macro avg (all classes)",
    "constructor",
    "p_",
    "nan",
]


def test_a_class_may_have_the_name_of_an_average():
    """The same numbers under plain names: nothing is overwritten, no row stands twice."""
    letters = list("abcdefg")
    frame = predictions(
        np.arange(70) % 7, np.random.default_rng(0).dirichlet(np.ones(7), 70), classes=letters
    )
    plain = dict(zip(letters, ANY, strict=True))
    renamed = frame.rename(columns={f"p_{a}": f"p_{b}" for a, b in plain.items()}).assign(
        y_true=frame["y_true"].map(plain)
    )
    table, expected = metrics.per_class(renamed), metrics.per_class(frame)
    assert list(table.index[:7]) == ANY and table.index.is_unique
    np.testing.assert_array_equal(table, expected)
    assert metrics.overall(renamed) == metrics.overall(frame)
    bounds, wanted = (
        metrics.bootstrap_by_patient(renamed, replicates=50),
        metrics.bootstrap_by_patient(frame, replicates=50),
    )
    assert bounds.index.is_unique
    np.testing.assert_array_equal(bounds, wanted)
