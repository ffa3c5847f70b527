"""How far a number could be off: Wilson's and DeLong's intervals, and the bootstrap over patients.

Images of one patient are alike, so patients are drawn, not images. Frames, N, K and B are those of :mod:`cxrlib.metrics`; every
interval is two-sided, its ``level`` 0.95 unless another is given.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtri
from scipy.stats import rankdata

from cxrlib.files import InputError
from cxrlib.metrics import AVERAGES, METRICS, arrays, per_class, weighted_table

REPLICATES = 2000


def _tail(level: float) -> float:
    """Upper quantile of a two-sided interval: 0.975 for 0.95."""
    if not 0 < level < 1:
        raise InputError(f"level: {level!r} is not between 0 and 1")
    return (1 + level) / 2


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
    classes, y, _ = arrays(frame)
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
    """Percentile intervals of every cell of :func:`cxrlib.metrics.per_class`, from patients drawn anew (see `patient_resamples`).

    Rows as in `per_class`, and a last one ``overall``, whose ``accuracy`` is the fraction of images right and whose
    other cells are NaN. Columns are pairs, ``(metric, "low")`` and ``(metric, "high")``:
    ``table.loc["viral", ("recall", "low")]``. The same seed gives the same table.

    A cell is NaN if it is undefined in any replicate, e.g. the precision of a class that is hardly ever predicted.
    An estimate of exactly 0 or 1 gets an interval of no width, since no resample can differ: use `wilson` there.
    (Percentiles: Efron and Tibshirani 1993, An Introduction to the Bootstrap, ch. 13.)
    """
    upper = _tail(level)
    classes, y, p = arrays(frame)
    weights = patient_resamples(frame, replicates, seed)
    right = weights @ (p.argmax(axis=1) == y) / weights.sum(axis=1)  # (B,)
    blocks = np.array_split(weights, -(-weights.size // 2_000_000))  # bounds the memory, not the result
    cells = np.concatenate([weighted_table(y, p, block) for block in blocks])  # (B, K + 2, M)
    cells = np.pad(cells, ((0, 0), (0, 1), (0, 0)), constant_values=np.nan)
    cells[:, -1, METRICS.index("accuracy")] = right
    bounds = np.quantile(cells, [1 - upper, upper], axis=0)  # (2, K + 3, M)
    rows, columns = [*classes, *AVERAGES, "overall"], pd.MultiIndex.from_product([METRICS, ["low", "high"]])
    return pd.DataFrame(np.moveaxis(bounds, 0, 2).reshape(len(rows), -1), rows, columns)


def table(frame: pd.DataFrame, replicates: int = REPLICATES, seed: int = 0, level: float = 0.95) -> pd.DataFrame:
    """`cluster_bootstrap`, with Wilson's interval over **patients** where a share is exactly 0 or 1.

    No resample of a perfect result differs from it, so the bootstrap would call 60 of 60 certain. Wilson's interval of
    n out of n patients (those whose images are in the denominator) says what that many patients can show. F1 and AUC
    are no shares of patients: an interval of no width is NaN there, for "not estimable from these data".
    """
    classes, y, p = arrays(frame)
    bounds, cells = cluster_bootstrap(frame, replicates, seed, level), per_class(frame)
    guess, patients = p.argmax(axis=1), frame["patient_id"].to_numpy()
    for k, name in enumerate(classes):
        inside = {"recall": y == k, "accuracy_as_printed": y == k, "precision": guess == k, "specificity": y != k}
        for metric in METRICS[1:]:
            value, ends = cells.loc[name, metric], [(metric, "low"), (metric, "high")]
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
    classes, y, p = arrays(frame)
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
