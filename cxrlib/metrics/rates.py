"""What a file of predictions says: confusion matrix, the thesis's per-class table, ROC.

Every function takes the predictions frame of a run record (columns ``image_id, patient_id, source,
split, y_true, p_<class>...``) and uses **all** its rows: choose the split first. N is the number of
images, K of classes, B of bootstrap replicates. All rates are fractions in [0, 1].

The one rule about what cannot be computed: 0/0 is NaN, without a warning, and what is made from NaN
stays NaN. So a class that is absent has NaN recall and AUC, and so have the plain averages.
(scikit-learn skips such classes instead.) Averages weighted by size do without it: its weight is 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import confusion_matrix, roc_curve

from cxrlib.files import InputError, line

KEYS = ["image_id", "patient_id", "source", "split", "y_true"]
METRICS = [
    "size",
    "accuracy_as_printed",
    "accuracy",
    "precision",
    "recall",
    "specificity",
    "f1",
    "auc",
]
AVERAGES = ["macro avg", "weighted avg"]


def check_predictions(
    frame: pd.DataFrame, where: str = "predictions", lines: Sequence[int] | None = None
) -> list[str]:
    """Validate a predictions frame and return its class names, in the order of the ``p_`` columns.

    Checked: the columns are there, once; there is a row; keys are filled in; ``image_id`` is
    unique; ``y_true`` is one of the classes (a class may be absent); each p is a number in [0, 1]
    and each row of p sums to 1 within 1e-4, or within what rounding all of them to d decimals
    allows, K ½ 10⁻ᵈ (`decimals`).

    Raises InputError, one line: ``where`` (the file), the line (``lines`` gives each row's; without
    it the header is line 1) and the column.
    """
    for column in frame.columns[frame.columns.duplicated()]:
        raise InputError(f"{where}, line 1: column {column} occurs twice")
    for column in KEYS:
        if column not in frame:
            raise InputError(f"{where}, line 1: no column {column}")
    classes = [str(column)[2:] for column in frame if str(column).startswith("p_")]
    if len(classes) < 2 or "" in classes:
        raise InputError(
            f"{where}, line 1: needs a column p_<class> for each of two classes or more, has"
            f" {classes}"
        )
    if frame.empty:
        raise InputError(f"{where}: no rows")

    def refuse(bad, column: str, values, why: str) -> None:
        for row in np.flatnonzero(bad)[:1]:
            at = row + 2 if lines is None else lines[row]
            what = line(np.asarray(values)[row], 100) or "nothing"
            raise InputError(f"{where}, line {at}, column {column}: {what} {why}")

    for column in KEYS:
        refuse(frame[column].isna(), column, frame[column], "is a missing value")
    refuse(
        frame["image_id"].duplicated(),
        "image_id",
        frame["image_id"],
        "stands in an earlier line too",
    )
    refuse(
        ~frame["y_true"].isin(classes),
        "y_true",
        frame["y_true"],
        f"is none of {line(', '.join(classes), 300)}",
    )
    p = _probabilities(frame, classes)
    for name, values in zip(classes, p.T, strict=True):
        raw = frame[f"p_{name}"]
        refuse(
            ~((values >= 0) & (values <= 1)), raw.name, raw, "is not a number from 0 to 1"
        )  # NaN fails both
    off = np.abs(p.sum(axis=1) - 1)
    if off.max() > 1e-4:
        d = decimals(p)
        allowed = max(1e-4, len(classes) / 2 * 10.0**-d if d else 0)
        refuse(
            off > allowed * (1 + 1e-9),
            "p_" + "+p_".join(classes),
            p.sum(axis=1),
            "is not a sum of 1",
        )
    return classes


def decimals(p: np.ndarray) -> int:
    """The fewest decimals, 1 to 9, that write all of p (N, K); 0 where none or more are needed."""
    for d in range(10):
        if (np.rint(p * 10.0**d) / 10.0**d == p).all():
            return d
    return 0


def _probabilities(frame: pd.DataFrame, classes: list[str]) -> np.ndarray:
    """The p_ columns as floats (N, K); what is no number is NaN."""
    return (
        frame[[f"p_{name}" for name in classes]]
        .apply(pd.to_numeric, errors="coerce")
        .to_numpy(float)
    )


def arrays(frame: pd.DataFrame) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Class names, y (N,) as positions in them, p (N, K)."""
    classes = check_predictions(frame)
    return classes, pd.Index(classes).get_indexer(frame["y_true"]), _probabilities(frame, classes)


def order_of(p: np.ndarray, index: int) -> np.ndarray:
    """What orders the images (N,) by a class of p (N, K): its own p. Of two classes whose p is but
    what the other's leaves of 1, the other's, negated: 1 - 1e-20 and 1 - 1e-18 are both 1.
    """
    own = p[:, index]
    if p.shape[1] != 2:
        return own
    other = p[:, 1 - index]
    return -other if (own == 1 - other).all() and (other != 1 - own).any() else own


def confusion(frame: pd.DataFrame) -> pd.DataFrame:
    """Counts (K, K), rows true, columns predicted: the class of largest p, ties to the first in
    class order.
    """
    classes, y, p = arrays(frame)
    counts = confusion_matrix(y, p.argmax(axis=1), labels=range(len(classes)))
    return pd.DataFrame(counts, pd.Index(classes, name="true"), pd.Index(classes, name="predicted"))


def detected(frame: pd.DataFrame, cls: str) -> tuple[int, int, int, int]:
    """Images of ``cls`` found and how many there are, others taken for it and how many there are,
    by :func:`confusion`.
    """
    counts = confusion(frame)
    found, size = int(counts.loc[cls, cls]), int(counts.loc[cls].sum())
    return found, size, int(counts[cls].sum()) - found, int(counts.to_numpy().sum()) - size


def _entries(
    truth: np.ndarray, called: np.ndarray, score: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Row, column and value of what is not 0 in `one_vs_rest`, and its number of columns."""
    truth, called, score = (
        np.asarray(truth, bool),
        np.asarray(called, bool),
        np.asarray(score, float),
    )
    few, score = (truth, score) if 2 * truth.sum() <= len(truth) else (~truth, -score)
    edges, place = np.unique(score[few], return_inverse=True)  # (G,)
    few, many = np.flatnonzero(few), np.flatnonzero(~few)
    gaps = [np.searchsorted(edges, score[many], side) for side in ("left", "right")]
    rows = [*(np.flatnonzero(part) for part in (truth, called, truth & called)), few, many, many]
    columns = [np.full(len(part), k) for k, part in enumerate(rows[:3])] + [
        3 + place,
        *(3 + len(edges) + gap for gap in gaps),
    ]
    values = np.concatenate([np.ones(sum(map(len, rows[:4]))), np.full(2 * len(many), 0.5)])
    return np.concatenate(rows), np.concatenate(columns), values, 4 + 2 * len(edges)


def one_vs_rest(truth: np.ndarray, called: np.ndarray, score: np.ndarray) -> sparse.csr_array:
    """What each image adds to the sums that `rates` makes its statistics of: (N, 3 + 2 G + 1), of
    (N,) truth, called, score.

    Columns: positive, called, both; then G columns for the G distinct scores of the rarer side, and
    G + 1 for the gaps around them, into which an image of the commoner side falls (half into either
    gap at a tie). Sums of these, over whatever images and weights, are all that the AUC needs, and
    they are few where positives are.
    """
    rows, columns, values, width = _entries(truth, called, score)
    return sparse.csr_array((values, (rows, columns)), (len(truth), width))


def sums_of(truth: np.ndarray, called: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The sums over all images, (S,): ``one_vs_rest(…).sum(axis=0)`` without the matrix."""
    _, columns, values, width = _entries(truth, called, score)
    return np.bincount(columns, values, width)


def rates(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Statistics of a class against the rest, from sums (..., S) of the rows of `one_vs_rest`, each
    (...).

    ``TP, FN, FP, TN``; ``sensitivity`` TP / (TP + FN), ``specificity`` TN / (TN + FP), ``ppv`` TP /
    (TP + FP), ``npv`` TN / (TN + FN), ``lr_positive`` sensitivity / (1 - specificity),
    ``lr_negative`` (1 - sensitivity) / specificity, ``accuracy`` (TP + TN) / all, ``null_accuracy``
    of always answering the commoner side, ``prevalence``, ``f1`` 2 TP / (2 TP + FP + FN), and
    ``auc``, the share of pairs in which the positive has the higher score, ties half. A ratio x/0
    is infinite, 0/0 NaN.
    """
    positive, called, tp = np.moveaxis(np.asarray(sums, float)[..., :3], -1, 0)
    g = (sums.shape[-1] - 4) // 2
    few, gaps = sums[..., 3 : 3 + g], sums[..., 3 + g :]
    rare, common = few.sum(-1), gaps.sum(-1)
    total = rare + common
    fn, fp, tn = positive - tp, called - tp, total - positive - called + tp
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity, specificity, prevalence = tp / positive, tn / (tn + fp), positive / total
        return {
            "TP": tp,
            "FN": fn,
            "FP": fp,
            "TN": tn,
            "sensitivity": sensitivity,
            "specificity": specificity,
            "ppv": tp / called,
            "npv": tn / (tn + fn),
            "lr_positive": sensitivity / (fp / (tn + fp)),
            "lr_negative": fn / positive / specificity,
            "accuracy": (tp + tn) / total,
            "null_accuracy": np.maximum(prevalence, 1 - prevalence),
            "prevalence": prevalence,
            "f1": 2 * tp / (positive + called),
            "auc": np.einsum("...g,...g", few, gaps[..., :g].cumsum(-1)) / (rare * common),
        }


def table_cells(parts: list[np.ndarray]) -> np.ndarray:
    """The cells of `per_class` from the sums of each class, (B, S) each: (B, K + 2, len(METRICS)).

    One piece of code for the estimate and, where scikit-learn in a loop takes minutes, its
    bootstrap.
    """
    found = [rates(sums) for sums in parts]
    names = ["sensitivity", "accuracy", "ppv", "sensitivity", "specificity", "f1", "auc"]
    cells = np.stack(
        [
            np.stack([each["TP"] + each["FN"], *(each[name] for name in names)], axis=1)
            for each in found
        ],
        axis=1,
    )
    total = sum(each["TP"] + each["FN"] for each in found)[:, None]  # (B, 1)
    size = cells[:, :, :1]
    macro, weighted = cells.mean(axis=1), np.where(size == 0, 0, cells * size).sum(axis=1) / total
    macro[:, 0] = weighted[:, 0] = total[:, 0]
    return np.concatenate([cells, macro[:, None], weighted[:, None]], axis=1)


def each_class(y: np.ndarray, p: np.ndarray, made: Callable = one_vs_rest) -> list:
    """`one_vs_rest`, or what else is ``made`` of truth, called and score, of every class, called
    where its p is largest (ties to the first class).
    """
    guess = p.argmax(axis=1)
    return [made(y == k, guess == k, order_of(p, k)) for k in range(p.shape[1])]


def table_of(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The cells of `per_class`, (K + 2, len(METRICS)), from y (N,) positions of the classes and p
    (N, K).
    """
    return table_cells([sums[None] for sums in each_class(y, p, sums_of)])[0]


def rows_of(classes: list[str]) -> list[str]:
    """The rows of tables over classes: their names, the `AVERAGES` and ``overall``.

    Where a class has such a name, the row of all classes says what it is.

    >>> rows_of(["overall", "well"])
    ['overall', 'well', 'macro avg', 'weighted avg', 'overall (all classes)']
    """
    rows = list(classes)
    for name in (*AVERAGES, "overall"):
        while name in rows:
            name += " (all classes)"
        rows.append(name)
    return rows


def per_class(frame: pd.DataFrame) -> pd.DataFrame:
    """The thesis's Table 4.2 from its own definitions (section 3.4.1), each class against the rest.

    Rows (`rows_of`): the K classes, ``macro avg`` (plain mean over the classes), ``weighted avg``
    (mean weighted by size: a class without images has no say in it). Columns, with TP, FP, FN, TN
    of the class against the rest:

    - ``size``: images of the class; of all classes in the two average rows
    - ``accuracy_as_printed``: equal to ``recall``. The table's "Accuracy" column is its Recall
      column in every row, which the formula of section 3.4.1 does not give: it is the share of
      right answers *within* the class
    - ``accuracy``: (TP + TN) / all, the formula of section 3.4.1
    - ``precision`` TP / (TP + FP), ``recall`` TP / (TP + FN), ``specificity`` TN / (TN + FP)
    - ``f1``: 2 TP / (2 TP + FP + FN). Equal to the printed 2 P R / (P + R) wherever that is
      defined; 0 where the class has errors only
    - ``auc``: area under the one-vs-rest ROC curve; NaN where the class, or everything else, is
      absent

    The weighted average of recall is the fraction of images right; its macro average is the
    balanced accuracy.

    >>> table = per_class(pd.DataFrame(
    ...     {"image_id": list("abc"), "patient_id": list("ppq"), "source": "s", "split": "test",
    ...      "y_true": ["sick", "well", "well"], "p_sick": [.9, .5, .2], "p_well": [.1, .5, .8]}))
    >>> table.loc["sick", ["precision", "recall", "specificity", "auc"]].tolist()
    [0.5, 1.0, 0.5, 1.0]
    """
    classes, y, p = arrays(frame)
    return pd.DataFrame(table_of(y, p), rows_of(classes)[:-1], METRICS).astype({"size": int})


def overall(frame: pd.DataFrame) -> dict[str, float]:
    """Counts ``images``, ``patients``, ``correct``; ``accuracy`` = correct / images;
    ``macro_recall``, the balanced accuracy; ``null_accuracy``, the share of the largest class,
    which is the accuracy of always answering it.
    """
    table, correct = per_class(frame), int(np.trace(confusion(frame)))
    return {
        "images": len(frame),
        "patients": int(frame["patient_id"].nunique()),
        "correct": correct,
        "accuracy": correct / len(frame),
        "macro_recall": float(table["recall"].iloc[-2]),
        "null_accuracy": float(table["size"].iloc[:-2].max() / len(frame)),
    }


def position(classes: list[str], cls: str) -> int:
    """Where ``cls`` stands in the class order; InputError if it has no column."""
    if cls not in classes:
        raise InputError(f"predictions: no class {cls!r}, only {', '.join(classes)}")
    return classes.index(cls)


def operating_point(frame: pd.DataFrame, cls: str, threshold: float) -> dict[str, float]:
    """All of `rates` for ``cls`` against the rest, called positive where its p >= ``threshold``;
    counts are whole numbers.

    >>> frame = pd.DataFrame({
    ...     "image_id": list("abcd"), "patient_id": list("abcd"), "source": "s", "split": "test",
    ...     "y_true": ["sick", "sick", "well", "well"],
    ...     "p_sick": [.9, .3, .4, .2], "p_well": [.1, .7, .6, .8],
    ... })
    >>> point = operating_point(frame, "sick", 0.4)
    >>> point["TP"], point["FP"], point["sensitivity"], point["ppv"], point["auc"]
    (1, 1, 0.5, 0.5, 0.75)
    """
    classes, y, p = arrays(frame)
    index = position(classes, cls)
    found = rates(sums_of(y == index, p[:, index] >= threshold, order_of(p, index)))
    return {
        name: int(value) if name in ("TP", "FN", "FP", "TN") else float(value)
        for name, value in found.items()
    }


def at_prevalence(sensitivity, specificity, prevalence):
    """PPV and NPV at a prevalence, by Bayes; fractions or arrays that broadcast.

    PPV = s π / (s π + (1 - c)(1 - π)), NPV = c (1 - π) / (c (1 - π) + (1 - s) π) with sensitivity
    s, specificity c, prevalence π. They hold where sensitivity and specificity do, i.e. for
    patients like those tested; a spectrum of other patients changes both.

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
    with np.errstate(invalid="ignore"):
        return s * prior / (s * prior + (1 - c) * (1 - prior)), c * (1 - prior) / (
            c * (1 - prior) + (1 - s) * prior
        )


def natural_frequencies(
    sensitivity: float, specificity: float, prevalence: float, people: int = 1000
) -> dict[str, int]:
    """``TP, FN, FP, TN`` among so many people, whole numbers that add up: the ill are rounded
    first, then those found among the ill and among the well. InputError for what is no fraction
    (NaN too).

    >>> natural_frequencies(0.9, 0.91, 0.01)
    {'TP': 9, 'FN': 1, 'FP': 89, 'TN': 901}
    """
    if not all(0 <= value <= 1 for value in (sensitivity, specificity, prevalence)) or people < 1:
        raise InputError("natural_frequencies: needs fractions from 0 to 1 and one person or more")
    ill = round(people * prevalence)
    found, spared = round(ill * sensitivity), round((people - ill) * specificity)
    return {"TP": found, "FN": ill - found, "FP": people - ill - spared, "TN": spared}


def roc(frame: pd.DataFrame, cls: str) -> pd.DataFrame:
    """ROC curve of ``cls`` against the rest: ``fpr``, ``tpr``, ``threshold``, by descending
    threshold.

    Every distinct probability is kept, after an infinite threshold. ``tpr`` is NaN where the class
    is absent, ``fpr`` where everything else is. Raises InputError if ``cls`` has no column.
    """
    classes, y, p = arrays(frame)
    index = position(classes, cls)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        curve = roc_curve(y == index, p[:, index], pos_label=True, drop_intermediate=False)
    return pd.DataFrame(dict(zip(["fpr", "tpr", "threshold"], curve, strict=True)))
