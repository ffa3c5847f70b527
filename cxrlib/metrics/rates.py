"""What predictions say: confusion matrix, the rates of each class, ROC curve, and what becomes of
them at another prevalence.

Every function takes a frame of :mod:`cxrlib.metrics.predictions` and uses **all** its rows: choose
the split first. N is the number of images, K of classes, B of bootstrap replicates. All rates are
fractions in [0, 1].

The one rule about what cannot be computed: 0/0 is NaN, without a warning, and what is made from NaN
stays NaN. So a class that is absent has NaN recall and AUC, and so have the plain averages.
(scikit-learn skips such classes instead.) Averages weighted by size do without it: its weight is 0.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import confusion_matrix, roc_curve

from cxrlib.files import InputError
from cxrlib.metrics.predictions import arrays, one_class, order_of

METRICS = ["size", "accuracy", "precision", "recall", "specificity", "f1", "auc"]
AVERAGES = ["macro avg", "weighted avg"]
COST = 10.0  # false alarms that a miss is worth
COUNTS = ["size", "TP", "FN", "FP", "TN"]


def confusion(predictions: pd.DataFrame) -> pd.DataFrame:
    """Confusion matrix (K, K): counts, rows true, columns predicted.

    An image is called the class of its largest p, ties go to the first in class order.

    Examples
    --------
    >>> frame = pd.DataFrame({
    ...     "image_id": list("abc"), "patient_id": list("ppq"), "source": "s", "split": "test",
    ...     "y_true": ["sick", "well", "well"], "p_sick": [.9, .5, .2], "p_well": [.1, .5, .8]})
    >>> confusion(frame).to_numpy().tolist()
    [[1, 0], [1, 1]]
    """
    classes, y, p = arrays(predictions)
    counts = confusion_matrix(y, p.argmax(axis=1), labels=range(len(classes)))
    return pd.DataFrame(counts, pd.Index(classes, name="true"), pd.Index(classes, name="predicted"))


def one_vs_rest(truth: np.ndarray, called: np.ndarray, score: np.ndarray) -> sparse.csr_array:
    """What each image adds to the sums that `rates` makes its statistics of: (N, 3 + 2 G + 1), of
    (N,) truth, called, score.

    Columns: positive, called, both; then G columns for the G distinct scores of the rarer side, and
    G + 1 for the gaps around them, into which an image of the commoner side falls (half into either
    gap at a tie). Sums of these, over whatever images and weights, are all that the AUC needs, and
    they are few where positives are.
    """
    truth, called = np.asarray(truth, bool), np.asarray(called, bool)
    rare, score = truth, np.asarray(score, float)
    if 2 * truth.sum() > len(truth):
        rare, score = ~truth, -score
    edges, place = np.unique(score[rare], return_inverse=True)  # (G,)
    few, many = np.flatnonzero(rare), np.flatnonzero(~rare)
    gaps = [np.searchsorted(edges, score[many], side) for side in ("left", "right")]

    def ones(rows: np.ndarray, columns: np.ndarray, width: int) -> sparse.csr_array:
        return sparse.csr_array((np.ones(len(rows)), (rows, columns)), (len(truth), width))

    either = ones(np.tile(many, 2), np.concatenate(gaps), len(edges) + 1) / 2
    cells = sparse.csr_array(np.stack([truth, called, truth & called], axis=1).astype(float))
    return sparse.hstack([cells, ones(few, place, len(edges)), either], "csr")


def rates(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Statistics of a class against the rest, from sums (..., S) of the rows of `one_vs_rest`, each
    (...).

    ``TP, FN, FP, TN``; ``sensitivity`` TP / (TP + FN), ``specificity`` TN / (TN + FP), ``ppv`` TP /
    (TP + FP), ``npv`` TN / (TN + FN), ``lr_positive`` sensitivity / (1 - specificity),
    ``lr_negative`` (1 - sensitivity) / specificity, ``accuracy`` (TP + TN) / all, ``null_accuracy``
    of always answering the commoner side, ``prevalence``, ``f1`` 2 TP / (2 TP + FP + FN), and
    ``auc``, the share of pairs in which the positive has the higher score, ties half. A ratio x/0
    is infinite, 0/0 NaN. ``size`` is TP + FN; ``recall`` and ``precision`` are other words for
    sensitivity and PPV.
    """
    positive, called, tp = np.moveaxis(np.asarray(sums, float)[..., :3], -1, 0)
    g = (sums.shape[-1] - 4) // 2
    few, gaps = sums[..., 3 : 3 + g], sums[..., 3 + g :]
    rare, common = few.sum(-1), gaps.sum(-1)
    total = rare + common
    fn, fp, tn = positive - tp, called - tp, total - positive - called + tp
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity, specificity, ppv = tp / positive, tn / (tn + fp), tp / called
        prevalence = positive / total
        return {
            "size": positive,
            "TP": tp,
            "FN": fn,
            "FP": fp,
            "TN": tn,
            "sensitivity": sensitivity,
            "specificity": specificity,
            "ppv": ppv,
            "precision": ppv,
            "recall": sensitivity,
            "npv": tn / (tn + fn),
            "lr_positive": sensitivity / (fp / (tn + fp)),
            "lr_negative": fn / positive / specificity,
            "accuracy": (tp + tn) / total,
            "null_accuracy": np.maximum(prevalence, 1 - prevalence),
            "prevalence": prevalence,
            "f1": 2 * tp / (positive + called),
            "auc": np.einsum("...g,...g", few, gaps[..., :g].cumsum(-1)) / (rare * common),
        }


def each_class(y: np.ndarray, p: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Truth, call and order (N,) of every class against the rest, called where its p is largest."""
    guess = p.argmax(axis=1)
    return [(y == k, guess == k, order_of(p, k)) for k in range(p.shape[1])]


def cells_of(parts: list[np.ndarray], names: list[str] = METRICS) -> np.ndarray:
    """The named `rates` from the sums of each class, (B, S) each: (B, K, M).

    One piece of code for the estimate and, where scikit-learn in a loop takes minutes, its
    bootstrap.
    """
    found = [rates(sums) for sums in parts]
    return np.stack([np.stack([each[name] for name in names], axis=1) for each in found], axis=1)


def with_averages(cells: np.ndarray) -> np.ndarray:
    """Cells (B, K, len(METRICS)) with the rows of `AVERAGES` behind: (B, K + 2, len(METRICS))."""
    size = cells[:, :, :1]
    total = size.sum(axis=1)  # (B, 1)
    macro = cells.mean(axis=1)
    weighted = np.where(size == 0, 0, cells * size).sum(axis=1) / total
    macro[:, 0] = weighted[:, 0] = total[:, 0]
    return np.concatenate([cells, macro[:, None], weighted[:, None]], axis=1)


def rows_of(classes: list[str]) -> list[str]:
    """The rows of tables over classes: their names and the `AVERAGES`.

    Where a class has such a name, the row of all classes says what it is.

    >>> rows_of(["macro avg", "well"])
    ['macro avg', 'well', 'macro avg (all classes)', 'weighted avg']
    """
    rows = list(classes)
    for name in AVERAGES:
        while name in rows:
            name += " (all classes)"
        rows.append(name)
    return rows


def per_class(predictions: pd.DataFrame) -> pd.DataFrame:
    """Rates of each class against the rest, and their averages.

    An image is called the class of its largest p, ties go to the first in class order.

    Returns
    -------
    DataFrame
        Rows: the K classes, ``macro avg`` (plain mean over the classes), ``weighted avg`` (mean
        weighted by size: a class without images has no say in it). Columns, with TP, FP, FN, TN of
        the class against the rest:

        - ``size``: images of the class; of all classes in the two average rows
        - ``accuracy``: (TP + TN) / all
        - ``precision`` TP / (TP + FP), ``recall`` TP / (TP + FN), ``specificity`` TN / (TN + FP)
        - ``f1``: 2 TP / (2 TP + FP + FN), equal to 2 P R / (P + R) wherever that is defined; 0
          where the class has errors only
        - ``auc``: area under the one-vs-rest ROC curve; NaN where the class, or everything else, is
          absent

        The weighted average of recall is the fraction of images right; its macro average is the
        balanced accuracy.

    Examples
    --------
    >>> table = per_class(pd.DataFrame(
    ...     {"image_id": list("abc"), "patient_id": list("ppq"), "source": "s", "split": "test",
    ...      "y_true": ["sick", "well", "well"], "p_sick": [.9, .5, .2], "p_well": [.1, .5, .8]}))
    >>> table.loc["sick", ["precision", "recall", "specificity", "auc"]].tolist()
    [0.5, 1.0, 0.5, 1.0]
    """
    classes, y, p = arrays(predictions)
    cells = cells_of([one_vs_rest(*one).sum(axis=0)[None] for one in each_class(y, p)])
    table = pd.DataFrame(with_averages(cells)[0], rows_of(classes), METRICS)
    return table.astype({"size": int})


def overall(predictions: pd.DataFrame) -> dict[str, float]:
    """Counts ``images``, ``patients``, ``correct``; ``accuracy`` = correct / images;
    ``macro_recall``, the balanced accuracy; ``null_accuracy``, the share of the largest class,
    which is the accuracy of always answering it.
    """
    table, correct = per_class(predictions), int(np.trace(confusion(predictions)))
    return {
        "images": len(predictions),
        "patients": int(predictions["patient_id"].nunique()),
        "correct": correct,
        "accuracy": correct / len(predictions),
        "macro_recall": float(table["recall"].iloc[-2]),
        "null_accuracy": float(table["size"].iloc[:-2].max() / len(predictions)),
    }


def operating_point(
    predictions: pd.DataFrame, cls: str, threshold: float = 0.5
) -> dict[str, float]:
    """All of `rates` for ``cls`` against the rest, called positive where its p >= ``threshold``.

    ``TP, FN, FP, TN`` are whole numbers, the other values fractions or ratios. Raises InputError if
    ``cls`` has no column.

    Examples
    --------
    >>> frame = pd.DataFrame({
    ...     "image_id": list("abcd"), "patient_id": list("abcd"), "source": "s", "split": "test",
    ...     "y_true": ["sick", "sick", "well", "well"],
    ...     "p_sick": [.9, .3, .4, .2], "p_well": [.1, .7, .6, .8],
    ... })
    >>> point = operating_point(frame, "sick", 0.4)
    >>> point["TP"], point["FP"], point["sensitivity"], point["ppv"], point["auc"]
    (1, 1, 0.5, 0.5, 0.75)
    """
    truth, p, order = one_class(predictions, cls)
    found = rates(one_vs_rest(truth, p >= threshold, order).sum(axis=0))
    return {name: int(value) if name in COUNTS else float(value) for name, value in found.items()}


def suggested_thresholds(
    predictions: pd.DataFrame,
    cls: str,
    prevalence: float,
    printed: float | None = None,
    cost: float = COST,
) -> dict[str, float]:
    """Thresholds worth a look, by name: ``half``, ``printed``, ``youden``, ``sensitivity``,
    ``cost``.

    ``printed`` and ``sensitivity``: the highest at which the sensitivity is at least that given
    (``printed`` only where it is), or 0.95. ``youden``: the largest sum of sensitivity and
    specificity. ``cost``: the least expected cost at ``prevalence`` where a miss costs so many
    false alarms; 1 where that is to call no one (a score of 1 apart). Ties go to the higher
    threshold. All but ``half`` look at the very predictions that they are then judged on. Without
    positives or negatives only ``half`` is there.
    """
    curve = roc(predictions, cls)  # with a call at 1, the strictest there is
    curve["threshold"] = curve["threshold"].clip(upper=1)
    curve = curve.drop_duplicates("threshold", keep="last").set_index("threshold")
    fpr, tpr, found = curve["fpr"], curve["tpr"], {"half": 0.5}
    if curve.isna().any(axis=None):
        return found
    for name, wanted in (("printed", printed), ("sensitivity", 0.95)):
        if wanted is not None:
            found[name] = float((tpr >= wanted).idxmax())
    found["youden"] = float((tpr - fpr).round(12).idxmax())  # equal sums are equal
    positives = (predictions["y_true"] == cls).sum()
    missed = ((1 - tpr) * positives).round() / positives  # to the digit
    found["cost"] = float((cost * prevalence * missed + (1 - prevalence) * fpr).idxmin())
    return found


def at_prevalence(
    sensitivity: ArrayLike, specificity: ArrayLike, prevalence: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """PPV and NPV at a prevalence, by Bayes; fractions or arrays that broadcast.

    PPV = s π / (s π + (1 - c)(1 - π)), NPV = c (1 - π) / (c (1 - π) + (1 - s) π) with sensitivity
    s, specificity c, prevalence π. They hold where sensitivity and specificity do, i.e. for
    patients like those tested; a spectrum of other patients changes both.

    Raises InputError for what is no fraction.

    Examples
    --------
    >>> ppv, npv = at_prevalence(0.9, 0.9, [0.5, 0.1])
    >>> ppv.round(3).tolist(), npv.round(3).tolist()
    ([0.9, 0.5], [0.9, 0.988])
    """
    s, c, prior = (np.asarray(value, float) for value in (sensitivity, specificity, prevalence))
    for value in (s, c, prior):
        if ((value < 0) | (value > 1)).any():
            raise InputError(
                "at_prevalence: sensitivity, specificity and prevalence are fractions from 0 to 1"
            )
    ill, well = s * prior, c * (1 - prior)  # and called so
    with np.errstate(invalid="ignore"):
        return ill / (ill + (1 - c) * (1 - prior)), well / (well + (1 - s) * prior)


def roc(predictions: pd.DataFrame, cls: str) -> pd.DataFrame:
    """ROC curve of ``cls`` against the rest: ``fpr``, ``tpr``, ``threshold``, by descending
    threshold.

    Every distinct probability is kept, after an infinite threshold. ``tpr`` is NaN where the class
    is absent, ``fpr`` where everything else is. Raises InputError if ``cls`` has no column.

    Examples
    --------
    >>> frame = pd.DataFrame({
    ...     "image_id": list("abc"), "patient_id": list("abc"), "source": "s", "split": "test",
    ...     "y_true": ["sick", "well", "well"], "p_sick": [.9, .5, .2], "p_well": [.1, .5, .8]})
    >>> roc(frame, "sick")["tpr"].tolist()
    [0.0, 1.0, 1.0, 1.0]
    """
    truth, p, _ = one_class(predictions, cls)
    with warnings.catch_warnings(action="ignore", category=UndefinedMetricWarning):
        curve = roc_curve(truth, p, pos_label=True, drop_intermediate=False)
    return pd.DataFrame(dict(zip(["fpr", "tpr", "threshold"], curve, strict=True)))
