"""What a file of predictions says: confusion matrix, the thesis's per-class table, ROC.

Every function takes the predictions frame of a run record (columns ``image_id, patient_id, source, split, y_true,
p_<class>...``) and uses **all** its rows: choose the split first. N is the number of images, K of classes, B of
bootstrap replicates. All rates are fractions in [0, 1].

The one rule about what cannot be computed: 0/0 is NaN, without a warning, and what is made from NaN stays NaN. So a
class that is absent has NaN recall and AUC, and so have the averages. (scikit-learn skips such classes instead.)
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import confusion_matrix, roc_curve

from cxrlib.files import InputError

KEYS = ["image_id", "patient_id", "source", "split", "y_true"]
METRICS = ["size", "accuracy_as_printed", "accuracy", "precision", "recall", "specificity", "f1", "auc"]
AVERAGES = ["macro avg", "weighted avg"]


def check_predictions(frame: pd.DataFrame, where: str = "predictions") -> list[str]:
    """Validate a predictions frame and return its class names, in the order of the ``p_`` columns.

    Checked: the columns are there, once; there is a row; keys are filled in; ``image_id`` is unique; ``y_true`` is
    one of the classes (a class may be absent); each p is a number in [0, 1] and each row of p sums to 1 within 1e-4.

    Raises InputError, one line: ``where`` (the file), the line (header = line 1) and the column.
    """
    for column in frame.columns[frame.columns.duplicated()]:
        raise InputError(f"{where}, line 1: column {column} occurs twice")
    for column in KEYS:
        if column not in frame:
            raise InputError(f"{where}, line 1: no column {column}")
    classes = [str(column)[2:] for column in frame if str(column).startswith("p_")]
    if len(classes) < 2 or "" in classes:
        raise InputError(f"{where}, line 1: needs a column p_<class> for each of two classes or more, has {classes}")
    if frame.empty:
        raise InputError(f"{where}: no rows")

    def refuse(bad, column: str, values, why: str) -> None:
        for row in np.flatnonzero(bad)[:1]:
            raise InputError(f"{where}, line {row + 2}, column {column}: {np.asarray(values)[row]} {why}")

    for column in KEYS:
        refuse(frame[column].isna(), column, frame[column], "is a missing value")
    refuse(frame["image_id"].duplicated(), "image_id", frame["image_id"], "stands in an earlier line too")
    refuse(~frame["y_true"].isin(classes), "y_true", frame["y_true"], f"is none of {', '.join(classes)}")
    p = _probabilities(frame, classes)
    for name, values in zip(classes, p.T, strict=True):
        raw = frame[f"p_{name}"]
        refuse(~((values >= 0) & (values <= 1)), raw.name, raw, "is not a number from 0 to 1")  # NaN fails both
    refuse(np.abs(p.sum(axis=1) - 1) > 1e-4, "p_" + "+p_".join(classes), p.sum(axis=1), "is not a sum of 1")
    return classes


def _probabilities(frame: pd.DataFrame, classes: list[str]) -> np.ndarray:
    """The p_ columns as floats (N, K); what is no number is NaN."""
    return frame[[f"p_{name}" for name in classes]].apply(pd.to_numeric, errors="coerce").to_numpy(float)


def arrays(frame: pd.DataFrame) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Class names, y (N,) as positions in them, p (N, K)."""
    classes = check_predictions(frame)
    return classes, pd.Index(classes).get_indexer(frame["y_true"]), _probabilities(frame, classes)


def confusion(frame: pd.DataFrame) -> pd.DataFrame:
    """Counts (K, K), rows true, columns predicted: the class of largest p, ties to the first in class order."""
    classes, y, p = arrays(frame)
    counts = confusion_matrix(y, p.argmax(axis=1), labels=range(len(classes)))
    return pd.DataFrame(counts, pd.Index(classes, name="true"), pd.Index(classes, name="predicted"))


def weighted_auc(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted rank statistic P(positive scores above negative) + P(tie)/2, one per row of weights: (B, N) -> (B,)."""
    order = np.argsort(score)
    starts = np.flatnonzero(np.diff(score[order], prepend=-1))  # (G,) where each group of equal scores begins
    weights = weights[:, order]
    pos = np.add.reduceat(weights * positive[order], starts, axis=1)  # (B, G)
    neg = np.add.reduceat(weights, starts, axis=1) - pos  # (B, G)
    below = neg.cumsum(axis=1) - neg
    return (pos * (below + neg / 2)).sum(axis=1) / (pos.sum(axis=1) * neg.sum(axis=1))


def weighted_table(y: np.ndarray, p: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The cells of `per_class` under each row of weights (B, N): (B, K + 2, len(METRICS)).

    One piece of code for the estimate (weights of 1) and, where scikit-learn in a loop takes minutes, its bootstrap.
    """
    truth, guess = np.eye(p.shape[1])[y], np.eye(p.shape[1])[p.argmax(axis=1)]  # (N, K) indicators
    weights = np.asarray(weights, float)
    size, called, tp = weights @ truth, weights @ guess, weights @ (truth * guess)  # (B, K)
    total = weights.sum(axis=1, keepdims=True)  # (B, 1)
    tn = total - size - called + tp
    with np.errstate(invalid="ignore"):
        auc = np.stack([weighted_auc(t, s, weights) for t, s in zip(truth.T, p.T, strict=True)], axis=1)
        recall, precision, specificity = tp / size, tp / called, tn / (total - size)
        f1 = 2 * tp / (size + called)
    cells = np.stack([size, recall, (tp + tn) / total, precision, recall, specificity, f1, auc], axis=2)
    macro, weighted = cells.mean(axis=1), (cells * size[:, :, None]).sum(axis=1) / total
    macro[:, 0] = weighted[:, 0] = total[:, 0]
    return np.concatenate([cells, macro[:, None], weighted[:, None]], axis=1)


def per_class(frame: pd.DataFrame) -> pd.DataFrame:
    """The thesis's Table 4.2 from its own definitions (section 3.4.1), each class against the rest.

    Rows: the K classes, ``macro avg`` (plain mean over the classes), ``weighted avg`` (mean weighted by size).
    Columns, with TP, FP, FN, TN of the class against the rest:

    - ``size``: images of the class; of all classes in the two average rows
    - ``accuracy_as_printed``: equal to ``recall``. The table's "Accuracy" column is its Recall column in every row,
      which the formula of section 3.4.1 does not give: it is the share of right answers *within* the class
    - ``accuracy``: (TP + TN) / all, the formula of section 3.4.1
    - ``precision`` TP / (TP + FP), ``recall`` TP / (TP + FN), ``specificity`` TN / (TN + FP)
    - ``f1``: 2 TP / (2 TP + FP + FN). Equal to the printed 2 P R / (P + R) wherever that is defined; 0 where the
      class has errors only
    - ``auc``: area under the one-vs-rest ROC curve; NaN where the class, or everything else, is absent

    The weighted average of recall is the fraction of images right; its macro average is the balanced accuracy.

    >>> table = per_class(pd.DataFrame(
    ...     {"image_id": list("abc"), "patient_id": list("ppq"), "source": "s", "split": "test",
    ...      "y_true": ["sick", "well", "well"], "p_sick": [.9, .5, .2], "p_well": [.1, .5, .8]}))
    >>> table.loc["sick", ["precision", "recall", "specificity", "auc"]].tolist()
    [0.5, 1.0, 0.5, 1.0]
    """
    classes, y, p = arrays(frame)
    table = pd.DataFrame(weighted_table(y, p, np.ones((1, len(y))))[0], classes + AVERAGES, METRICS)
    return table.astype({"size": int})


def overall(frame: pd.DataFrame) -> dict[str, float]:
    """Counts ``images``, ``patients``, ``correct``; ``accuracy`` = correct / images; ``macro_recall``, the balanced
    accuracy; ``null_accuracy``, the share of the largest class, which is the accuracy of always answering it."""
    table, correct = per_class(frame), int(np.trace(confusion(frame)))
    return {
        "images": len(frame),
        "patients": int(frame["patient_id"].nunique()),
        "correct": correct,
        "accuracy": correct / len(frame),
        "macro_recall": float(table.loc["macro avg", "recall"]),
        "null_accuracy": float(table["size"].iloc[:-2].max() / len(frame)),
    }


def roc(frame: pd.DataFrame, cls: str) -> pd.DataFrame:
    """ROC curve of ``cls`` against the rest: ``fpr``, ``tpr``, ``threshold``, by descending threshold.

    Every distinct probability is kept, after an infinite threshold. ``tpr`` is NaN where the class is absent, ``fpr``
    where everything else is. Raises InputError if ``cls`` has no column.
    """
    classes, y, p = arrays(frame)
    if cls not in classes:
        raise InputError(f"predictions: no class {cls!r}, only {', '.join(classes)}")
    index = classes.index(cls)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        curve = roc_curve(y == index, p[:, index], pos_label=True, drop_intermediate=False)
    return pd.DataFrame(dict(zip(["fpr", "tpr", "threshold"], curve, strict=True)))
