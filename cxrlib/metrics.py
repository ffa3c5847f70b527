"""What a file of predictions is worth: confusion matrix, the thesis's per-class table, ROC, intervals.

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
from scipy.special import ndtri
from scipy.stats import rankdata
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import confusion_matrix, roc_curve

from cxrlib.files import InputError

KEYS = ["image_id", "patient_id", "source", "split", "y_true"]
METRICS = ["size", "accuracy_as_printed", "accuracy", "precision", "recall", "specificity", "f1", "auc"]
REPLICATES = 2000
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


def _arrays(frame: pd.DataFrame) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Class names, y (N,) as positions in them, p (N, K)."""
    classes = check_predictions(frame)
    return classes, pd.Index(classes).get_indexer(frame["y_true"]), _probabilities(frame, classes)


def confusion(frame: pd.DataFrame) -> pd.DataFrame:
    """Counts (K, K), rows true, columns predicted: the class of largest p, ties to the first in class order."""
    classes, y, p = _arrays(frame)
    counts = confusion_matrix(y, p.argmax(axis=1), labels=range(len(classes)))
    return pd.DataFrame(counts, pd.Index(classes, name="true"), pd.Index(classes, name="predicted"))


def _auc(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted rank statistic P(positive scores above negative) + P(tie)/2, one per row of weights: (B, N) -> (B,)."""
    order = np.argsort(score)
    starts = np.flatnonzero(np.diff(score[order], prepend=-1))  # (G,) where each group of equal scores begins
    weights = weights[:, order]
    pos = np.add.reduceat(weights * positive[order], starts, axis=1)  # (B, G)
    neg = np.add.reduceat(weights, starts, axis=1) - pos  # (B, G)
    below = neg.cumsum(axis=1) - neg
    return (pos * (below + neg / 2)).sum(axis=1) / (pos.sum(axis=1) * neg.sum(axis=1))


def _table(y: np.ndarray, p: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The cells of `per_class` under each row of weights (B, N): (B, K + 2, len(METRICS)).

    One piece of code for the estimate (weights of 1) and, where scikit-learn in a loop takes minutes, its bootstrap.
    """
    truth, guess = np.eye(p.shape[1])[y], np.eye(p.shape[1])[p.argmax(axis=1)]  # (N, K) indicators
    weights = np.asarray(weights, float)
    size, called, tp = weights @ truth, weights @ guess, weights @ (truth * guess)  # (B, K)
    total = weights.sum(axis=1, keepdims=True)  # (B, 1)
    tn = total - size - called + tp
    with np.errstate(invalid="ignore"):
        auc = np.stack([_auc(t, s, weights) for t, s in zip(truth.T, p.T, strict=True)], axis=1)
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
    classes, y, p = _arrays(frame)
    table = pd.DataFrame(_table(y, p, np.ones((1, len(y))))[0], classes + AVERAGES, METRICS)
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


def _tail(level: float) -> float:
    """Upper quantile of a two-sided interval: 0.975 for 0.95."""
    if not 0 < level < 1:
        raise InputError(f"level: {level!r} is not between 0 and 1")
    return (1 + level) / 2


def roc(frame: pd.DataFrame, cls: str) -> pd.DataFrame:
    """ROC curve of ``cls`` against the rest: ``fpr``, ``tpr``, ``threshold``, by descending threshold.

    Every distinct probability is kept, after an infinite threshold. ``tpr`` is NaN where the class is absent, ``fpr``
    where everything else is. Raises InputError if ``cls`` has no column.
    """
    classes, y, p = _arrays(frame)
    if cls not in classes:
        raise InputError(f"predictions: no class {cls!r}, only {', '.join(classes)}")
    index = classes.index(cls)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        curve = roc_curve(y == index, p[:, index], pos_label=True, drop_intermediate=False)
    return pd.DataFrame(dict(zip(["fpr", "tpr", "threshold"], curve, strict=True)))


def wilson(k, n, level: float = 0.95):
    """Wilson's score interval (low, high) of k successes in n trials; k and n are numbers or arrays that broadcast.

    With z the normal quantile of (1 + level)/2 and p = k/n: (p + z²/2n ± z sqrt(p(1 - p)/n + z²/4n²)) / (1 + z²/n)
    (Wilson 1927, J. Am. Stat. Assoc. 22:209). n = 0 gives (NaN, NaN). It takes the trials as independent: count
    patients, not images, where a patient has several.

    Raises InputError unless 0 <= k <= n and 0 < level < 1.

    >>> low, high = wilson(60, 60)
    >>> print(f"{low:.3f} {high:.3f}")
    0.940 1.000
    """
    z = ndtri(_tail(level))
    k, n = np.broadcast_arrays(np.asarray(k, float), np.asarray(n, float))
    if not ((k >= 0) & (k <= n) & np.isfinite(n)).all():
        raise InputError("wilson: needs 0 <= k <= n")
    n = np.where(n == 0, np.nan, n)
    p, width = k / n, 1 + z**2 / n
    centre, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = np.where(p == 0, 0, (centre - half) / width), np.where(p == 1, 1, (centre + half) / width)  # exact ends
    return low[()], high[()]  # numbers for numbers


def patient_resamples(frame: pd.DataFrame, replicates: int = REPLICATES, seed: int = 0) -> np.ndarray:
    """How often each image is drawn in each bootstrap replicate: integer weights (B, N).

    Whole patients are drawn with replacement, as many as there are, within strata: a patient belongs to the class
    that most of their images have (ties: the first in class order). So classes keep about their sizes and images of
    one patient stay together. A class whose images all come from one patient does not vary, which understates it.
    """
    classes, y, _ = _arrays(frame)
    if replicates < 1:
        raise InputError(f"replicates: {replicates!r} is less than 1")
    rng = np.random.default_rng(seed)
    patient, names = pd.factorize(frame["patient_id"])  # (N,) positions in names
    votes = np.zeros((len(names), len(classes)), int)
    np.add.at(votes, (patient, y), 1)
    stratum = votes.argmax(axis=1)
    counts = np.zeros((replicates, len(names)), np.int32)
    for c in np.unique(stratum):
        members = np.flatnonzero(stratum == c)
        drawn = rng.integers(len(members), size=(replicates, len(members)))
        drawn += len(members) * np.arange(replicates)[:, None]  # one range of numbers per replicate
        counts[:, members] = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
    return counts[:, patient]


def cluster_bootstrap(frame: pd.DataFrame, replicates: int = REPLICATES, seed: int = 0, level: float = 0.95) -> pd.DataFrame:
    """Percentile intervals of every cell of `per_class`, from patients drawn anew (see `patient_resamples`).

    Rows as in `per_class`, and a last one ``overall``, whose ``accuracy`` is the fraction of images right and whose
    other cells are NaN. Columns are pairs, ``(metric, "low")`` and ``(metric, "high")``:
    ``table.loc["viral", ("recall", "low")]``. The same seed gives the same table.

    A cell is NaN if it is undefined in any replicate, e.g. the precision of a class that is hardly ever predicted.
    An estimate of exactly 0 or 1 gets an interval of no width, since no resample can differ: use `wilson` there.
    (Percentiles: Efron and Tibshirani 1993, An Introduction to the Bootstrap, ch. 13.)
    """
    upper = _tail(level)
    classes, y, p = _arrays(frame)
    weights = patient_resamples(frame, replicates, seed)
    right = weights @ (p.argmax(axis=1) == y) / weights.sum(axis=1)  # (B,)
    blocks = np.array_split(weights, -(-weights.size // 2_000_000))  # bounds the memory, not the result
    cells = np.concatenate([_table(y, p, block) for block in blocks])  # (B, K + 2, M)
    cells = np.pad(cells, ((0, 0), (0, 1), (0, 0)), constant_values=np.nan)
    cells[:, -1, METRICS.index("accuracy")] = right
    bounds = np.quantile(cells, [1 - upper, upper], axis=0)  # (2, K + 3, M)
    rows, columns = [*classes, *AVERAGES, "overall"], pd.MultiIndex.from_product([METRICS, ["low", "high"]])
    return pd.DataFrame(np.moveaxis(bounds, 0, 2).reshape(len(rows), -1), rows, columns)


def intervals(frame: pd.DataFrame, replicates: int = REPLICATES, seed: int = 0, level: float = 0.95) -> pd.DataFrame:
    """`cluster_bootstrap`, with Wilson's interval over **patients** where a share is exactly 0 or 1.

    No resample of a perfect result differs from it, so the bootstrap would call 60 of 60 certain. Wilson's interval of
    n out of n patients (those whose images are in the denominator) says what that many patients can show. F1 and AUC
    are no shares of patients: an interval of no width is NaN there, for "not estimable from these data".
    """
    classes, y, p = _arrays(frame)
    bounds, table = cluster_bootstrap(frame, replicates, seed, level), per_class(frame)
    guess, patients = p.argmax(axis=1), frame["patient_id"].to_numpy()
    for k, name in enumerate(classes):
        inside = {"recall": y == k, "accuracy_as_printed": y == k, "precision": guess == k, "specificity": y != k}
        for metric in METRICS[1:]:
            value, ends = table.loc[name, metric], [(metric, "low"), (metric, "high")]
            if value in (0, 1):
                n = len(np.unique(patients[inside.get(metric, y >= 0)]))
                share = metric not in ("f1", "auc")
                bounds.loc[name, ends] = wilson(n * value, n, level) if share else (np.nan, np.nan)
    return bounds


def delong(frame: pd.DataFrame, cls: str, level: float = 0.95) -> tuple[float, float, float]:
    """AUC of ``cls`` against the rest with DeLong's interval, images taken as independent: (auc, low, high), cut at 0 and 1.

    The variance is that of the placements: for each positive the share of negatives below it, for each negative the share of
    positives above, ties half (DeLong et al. 1988, Biometrics 44:837), from midranks (Sun and Xu 2014, IEEE Signal Process. Lett. 21:1389).
    NaN where a side has fewer than two images.
    """
    classes, y, p = _arrays(frame)
    if cls not in classes:
        raise InputError(f"predictions: no class {cls!r}, only {', '.join(classes)}")
    index = classes.index(cls)
    up, down = p[y == index, index], p[y != index, index]
    if len(up) < 2 or len(down) < 2:
        return float("nan"), float("nan"), float("nan")
    ranks = rankdata(np.concatenate([up, down]))
    above = (ranks[: len(up)] - rankdata(up)) / len(down)  # of each positive
    below = 1 - (ranks[len(up) :] - rankdata(down)) / len(up)  # of each negative
    auc, error = above.mean(), np.sqrt(above.var(ddof=1) / len(up) + below.var(ddof=1) / len(down))
    half = ndtri(_tail(level)) * error
    return float(auc), float(max(auc - half, 0)), float(min(auc + half, 1))


def patient_mean(values, patients, replicates: int = REPLICATES, seed: int = 0, level: float = 0.95) -> tuple[float, float, float]:
    """Mean of one value per image, with the percentile interval from patients drawn anew: (mean, low, high).

    ``values`` and ``patients`` are (N,). Images without a value (NaN) are left out; without any, all three are NaN.
    """
    upper, values = _tail(level), np.asarray(values, float)
    known = ~np.isnan(values)
    if not known.any():
        return float("nan"), float("nan"), float("nan")
    patient, names = pd.factorize(np.asarray(patients)[known])
    sums, sizes = np.bincount(patient, values[known]), np.bincount(patient)
    drawn = np.random.default_rng(seed).integers(len(names), size=(replicates, len(names)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), [1 - upper, upper])
    return float(values[known].mean()), float(low), float(high)
