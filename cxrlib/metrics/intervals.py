"""How far a number could be off: the intervals of Wilson, Clopper and Pearson, and DeLong, and the
bootstrap over patients.

Images of one patient are alike, so patients are drawn, not images. Frames, N, K and B are those of
:mod:`cxrlib.metrics.rates`, P is the number of patients; every interval is two-sided, its ``level``
0.95 unless another is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import betaincinv, ndtr, ndtri
from scipy.stats import rankdata

from cxrlib.files import InputError
from cxrlib.metrics.bootstrap import FEW, REPLICATES, Resamples, percentiles, tail, wide
from cxrlib.metrics.rates import (
    METRICS,
    arrays,
    each_class,
    one_vs_rest,
    order_of,
    position,
    rates,
    rows_of,
    table_cells,
    table_of,
)


def _trials(k, n) -> tuple[np.ndarray, np.ndarray]:
    """k successes of n trials as floats of one shape; no trials are NaN trials."""
    k, n = np.broadcast_arrays(np.asarray(k, float), np.asarray(n, float))
    if not ((k >= 0) & (k <= n) & np.isfinite(n)).all():
        raise InputError("interval of a share: needs 0 <= k <= n")
    return k, np.where(n == 0, np.nan, n)


def wilson(k, n, level: float = 0.95):
    """Wilson's score interval (low, high) of k successes in n trials; k and n are numbers or arrays
    that broadcast.

    With z the normal quantile of (1 + level)/2 and p = k/n: (p + z²/2n ± z sqrt(p(1 - p)/n +
    z²/4n²)) / (1 + z²/n) (Wilson 1927, J. Am. Stat. Assoc. 22:209). n = 0 gives (NaN, NaN). It
    takes the trials as independent: where patients have several images, `effective` says how many
    trials to count.

    Raises InputError unless 0 <= k <= n and 0 < level < 1.

    >>> low, high = wilson(60, 60)
    >>> print(f"{low:.3f} {high:.3f}")
    0.940 1.000
    """
    z, (k, n) = ndtri(tail(level)), _trials(k, n)
    p, width = k / n, 1 + z**2 / n
    centre, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = (
        np.where(p == 0, 0, (centre - half) / width),
        np.where(p == 1, 1, (centre + half) / width),
    )  # exact ends
    return low[()], high[()]  # numbers for numbers


def effective(patients) -> float:
    """How many patients with one image each these images' patients (N,) are worth at least: N² / Σ
    m², of m images each (Kish 1965, Survey Sampling).

    That is so if all images of a patient say the same; as many as there are patients where each has
    as many images, else fewer.
    """
    m = np.bincount(pd.factorize(np.asarray(patients))[0])
    return float(m.sum() ** 2 / (m.astype(float) ** 2).sum()) if len(m) else 0.0


def clopper_pearson(k, n, level: float = 0.95):
    """The exact interval (low, high) of k in n, as in `wilson`: the shares of which k or more, and
    k or fewer, are not too rare.

    It holds at least ``level`` whatever the share, so it is wider than Wilson's (Clopper and
    Pearson 1934, Biometrika 26:404).

    >>> low, high = clopper_pearson(60, 60)
    >>> print(f"{low:.4f} {high:.4f}")
    0.9404 1.0000
    """
    upper, (k, n) = tail(level), _trials(k, n)
    none, every = k == 0, k == n
    low = np.where(none, 0, betaincinv(np.where(none, 1, k), n - k + 1, 1 - upper)) + 0 * n
    high = np.where(every, 1, betaincinv(k + 1, np.where(every, 1, n - k), upper)) + 0 * n
    return low[()], high[()]


def bootstrap(
    frame: pd.DataFrame,
    cls: str,
    threshold: float = 0.5,
    statistics: Sequence[str | Callable] = ("auc", "sensitivity", "specificity", "ppv", "npv"),
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = 0.95,
    fill: bool = True,
) -> pd.DataFrame:
    """Statistics of ``cls`` against the rest, called where p >= ``threshold``, with intervals from
    patients drawn anew.

    ``statistics`` are names of `cxrlib.metrics.rates`, or functions that take weights (b, N), how
    often each image counts, and return (b,); they stand in the result under their ``__name__``.
    Columns: ``estimate``, ``low`` and ``high`` (percentiles), ``bca_low`` and ``bca_high``:
    bias-corrected, and accelerated by the jackknife over patients within strata (Efron 1987, J. Am.
    Stat. Assoc. 82:171; replicates equal to the estimate count half below it). NaN where resampling
    cannot tell: the statistic is undefined in a replicate, or differs in none (an estimate of
    exactly 0 or 1), or it rests on positives, or on negatives, of fewer than four patients; the
    sensitivity rests on positives alone, the specificity on negatives. There, unless ``fill`` is
    False, `over_patients` stands under ``low`` and ``high`` of a share.

    It works on sums by patient (`Resamples`), not on the images of each replicate, and is therefore
    fast: see ``python -m benchmarks bootstrap``.

    Raises InputError for an unknown class or statistic.
    """
    tail(level)
    labels = [each if isinstance(each, str) else each.__name__ for each in statistics]
    names, own = (
        [each for each in statistics if isinstance(each, str) is named] for named in (True, False)
    )
    found = Resamples(frame, replicates, seed)
    index = position(found.classes, cls)
    truth, score = found.y == index, found.p[:, index]
    values = one_vs_rest(truth, score >= threshold, found.scores(truth, order_of(found.p, index)))
    for name in set(names) - set(known := rates(values.sum(axis=0))):
        raise InputError(f"bootstrap: no statistic {name!r}, only {', '.join(known)}")

    def of_sums(sums):
        cells = rates(sums)
        return np.stack([cells[name] for name in names], axis=1)

    def of_weights(weights):
        return np.stack([each(weights) for each in own], axis=1)

    parts = [found.summary(values, of_sums, names, level)] if names else []
    parts += (
        [
            found.summary(
                sparse.eye_array(len(frame)), of_weights, [each.__name__ for each in own], level
            )
        ]
        if own
        else []
    )
    rows, called, patients = (
        pd.concat(parts).loc[labels],
        score >= threshold,
        frame["patient_id"].to_numpy(),
    )
    sides = {"sensitivity": [truth], "specificity": [~truth]}
    few = [name for name in labels if not found.enough(*sides.get(name, [truth, ~truth]))]
    rows.loc[few, ["low", "high", "bca_low", "bca_high"]] = np.nan
    among = {
        "sensitivity": truth,
        "specificity": ~truth,
        "ppv": called,
        "npv": ~called,
        "accuracy": called | ~called,
    }
    for name in [
        name for name in names if fill and name in among and np.isnan(rows.loc[name, "low"])
    ]:
        rows.loc[name, ["low", "high"]] = over_patients(
            rows.loc[name, "estimate"], patients[among[name]], level
        )
    return rows


def over_patients(share: float, patients, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval (low, high) of a share of images, over their patients (N,): as many trials
    as the images are worth (`effective`).

    Of a share of exactly 0 or 1 all images of every patient do say the same, so each patient is one
    trial. No images give (NaN, NaN).
    """
    patients = np.asarray(patients)
    n = effective(patients) if 0 < share < 1 else len(pd.unique(patients))
    return wilson(n * share, n, level) if n else (np.nan, np.nan)


def cluster_bootstrap(
    frame: pd.DataFrame, replicates: int = REPLICATES, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """Percentile intervals of every cell of :func:`cxrlib.metrics.rates.per_class`, from patients
    drawn anew (see `Resamples`).

    Rows as in `per_class`, and a last one ``overall``, whose ``accuracy`` is the fraction of images
    right and whose other cells are NaN. Columns are pairs, ``(metric, "low")`` and ``(metric,
    "high")``: ``table.loc["viral", ("recall", "low")]``. The same seed gives the same table.

    A cell is NaN where resampling cannot tell: it is undefined in a replicate, e.g. the precision
    of a class that is hardly ever predicted; or it differs in none, e.g. where the estimate is
    exactly 0 or 1; or it rests on a class, or on the rest of one, of fewer than four patients, as
    an average does where any of its classes does. Recall rests on the class alone, specificity on
    the rest.
    """
    tail(level)
    found = Resamples(frame, replicates, seed)
    right = np.stack([found.p.argmax(axis=1) == found.y, np.ones_like(found.y)], axis=1)  # (N, 2)
    parts = each_class(
        found.y,
        found.p,
        lambda truth, called, score: one_vs_rest(truth, called, found.scores(truth, score)),
    )
    cuts = np.cumsum([2, *(part.shape[1] for part in parts)])

    def cells(sums: np.ndarray) -> np.ndarray:  # (b, K + 3, M)
        made = table_cells([sums[:, at:to] for at, to in zip(cuts[:-1], cuts[1:], strict=True)])
        made = np.pad(made, ((0, 0), (0, 1), (0, 0)), constant_values=np.nan)
        made[:, -1, METRICS.index("accuracy")] = sums[:, 0] / sums[:, 1]  # of the images drawn
        return made

    bounds = percentiles(
        found.drawn(sparse.hstack([sparse.csr_array(right.astype(float)), *parts]), cells), level
    )  # (2, K + 3, M)
    bounds[:, ~_enough(found)] = np.nan
    rows, columns = rows_of(found.classes), pd.MultiIndex.from_product([METRICS, ["low", "high"]])
    return pd.DataFrame(np.moveaxis(bounds, 0, 2).reshape(len(rows), -1), rows, columns)


def _enough(found: Resamples) -> np.ndarray:
    """Whether each cell of `cluster_bootstrap` rests on enough patients: (K + 3, M)."""
    own, rest = (
        np.array([found.enough((found.y == k) == side) for k in range(len(found.classes))])
        for side in (True, False)
    )
    per_metric = {"recall": own, "accuracy_as_printed": own, "specificity": rest}
    cells = np.stack([per_metric.get(name, own & rest) for name in METRICS], axis=1)  # (K, M)
    return np.concatenate(
        [
            cells,
            np.repeat(cells.all(axis=0)[None], 2, axis=0),
            np.full((1, len(METRICS)), own.all()),
        ]
    )


def table(
    frame: pd.DataFrame, replicates: int = REPLICATES, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """`cluster_bootstrap`, with `over_patients` where a share has no interval by resampling (see
    `filled`).
    """
    return filled(frame, cluster_bootstrap(frame, replicates, seed, level), level)


def filled(frame: pd.DataFrame, bounds: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Intervals of `cluster_bootstrap` with Wilson's over **patients** where resampling cannot
    tell, and a share has none.

    No resample of a perfect result differs from it, so the bootstrap would call 60 of 60 certain.
    Wilson's interval over the patients whose images are in the denominator says what that many
    patients can show. F1 and AUC are no shares of patients, nor are averages over classes but that
    of recall weighted by size, which is the accuracy: NaN stays there, for "not estimable from
    these data".
    """
    _, y, p = arrays(frame)
    guess, patients, every = p.argmax(axis=1), frame["patient_id"].to_numpy(), y >= 0
    shares = [  # which images each share is of, by row; the other cells are no shares of some
        {
            "accuracy": every,
            "precision": guess == k,
            "specificity": y != k,
            "recall": y == k,
            "accuracy_as_printed": y == k,
        }
        for k in range(p.shape[1])
    ]
    shares += [{}, {"recall": every, "accuracy_as_printed": every}, {"accuracy": every}]
    cells = np.vstack([table_of(y, p), np.full(len(METRICS), (guess == y).mean())])
    ends = bounds.to_numpy().reshape(*cells.shape, 2).copy()
    ends[np.isin(cells, (0, 1))] = np.nan
    for row, part in enumerate(shares):
        for at, images in ((METRICS.index(metric), images) for metric, images in part.items()):
            if np.isnan(ends[row, at, 0]):
                ends[row, at] = over_patients(cells[row, at], patients[images], level)
    return pd.DataFrame(ends.reshape(len(cells), -1), bounds.index, bounds.columns)


def placements(truth: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each positive the share of negatives below it, of each negative the share of positives
    above, ties half.

    From midranks (Sun and Xu 2014, IEEE Signal Process. Lett. 21:1389), not pair by pair.
    """
    up, down = score[truth], score[~truth]
    ranks = rankdata(np.concatenate([up, down]))
    return (ranks[: len(up)] - rankdata(up)) / len(down), 1 - (
        ranks[len(up) :] - rankdata(down)
    ) / len(up)


def _variance(above: np.ndarray, below: np.ndarray) -> float:
    """Of an area whose placements, or of a difference whose differences of placements, these are
    (DeLong et al. 1988, Biometrics 44:837).
    """
    return above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below)


def delong(frame: pd.DataFrame, cls: str, level: float = 0.95) -> tuple[float, float, float]:
    """AUC of ``cls`` against the rest with DeLong's interval, images taken as independent: (auc,
    low, high), cut at 0 and 1.

    NaN where a side has fewer than two images; NaN ends where nothing varies, as of an area of 1.
    """
    classes, y, p = arrays(frame)
    index = position(classes, cls)
    truth, half = y == index, ndtri(tail(level))
    if min(truth.sum(), (~truth).sum()) < 2:
        return float("nan"), float("nan"), float("nan")
    above, below = placements(truth, order_of(p, index))
    auc, half = above.mean(), half * np.sqrt(_variance(above, below))
    return float(auc), *wide(np.clip([auc - half, auc + half], 0, 1)).tolist()


def delong_difference(
    first: pd.DataFrame, second: pd.DataFrame, cls: str, level: float = 0.95
) -> dict[str, float | bool]:
    """AUC of ``cls`` in ``first`` less that in ``second``, with DeLong's interval and test, images
    taken as independent.

    ``difference, low, high, z, p_value`` (two-sided, normal) and ``paired``: True for two models on
    the same images, whose covariance then counts, False for other images. NaN where a side has
    fewer than two images; all but the difference also without any variance, as of two areas of 1:
    that is not estimable.

    Raises InputError if the frames share some images but not all, or disagree about a shared
    image's class.
    """
    sides = []
    for frame in (first, second):
        classes, y, p = arrays(frame)
        index = position(classes, cls)
        sides.append((y == index, order_of(p, index)))
    order = pd.Index(second["image_id"]).get_indexer(first["image_id"])  # -1: not there
    paired = bool((order >= 0).all()) and len(first) == len(second)
    if (order >= 0).any() and not paired:
        raise InputError(
            f"delong_difference: {(order >= 0).sum()} of {len(first)} and {len(second)} images are"
            " in both; needs all or none"
        )
    if paired:
        sides[1] = tuple(part[order] for part in sides[1])
        if (sides[0][0] != sides[1][0]).any():
            raise InputError(f"delong_difference: an image is {cls} in one of the two frames only")
    found = dict.fromkeys(("difference", "low", "high", "z", "p_value"), float("nan")) | {
        "paired": paired
    }
    half = ndtri(tail(level))
    if min(min(truth.sum(), (~truth).sum()) for truth, _ in sides) < 2:
        return found
    (above, below), others = placements(*sides[0]), placements(*sides[1])
    difference = above.mean() - others[0].mean()
    variance = (
        _variance(above - others[0], below - others[1])
        if paired
        else _variance(above, below) + _variance(*others)
    )
    error = np.sqrt(variance)
    found["difference"] = float(difference)
    if half * error <= 1e-12:
        return found
    ends = {
        "low": float(max(difference - half * error, -1)),
        "high": float(min(difference + half * error, 1)),
    }
    return (
        found
        | ends
        | {"z": float(difference / error), "p_value": float(2 * ndtr(-abs(difference / error)))}
    )


def patient_mean(
    values, patients, replicates: int = REPLICATES, seed: int = 0, level: float = 0.95
) -> tuple[float, float, float]:
    """Mean of one value per image, with the percentile interval from patients drawn anew: (mean,
    low, high).

    ``values`` and ``patients`` are (N,). Images without a value (NaN) are left out; without any,
    all three are NaN. So are the ends of fewer than four patients, or where no resample differs.
    """
    upper, values = tail(level), np.asarray(values, float)
    known = ~np.isnan(values)
    if not known.any():
        return float("nan"), float("nan"), float("nan")
    patient, names = pd.factorize(np.asarray(patients)[known])
    sums, sizes = np.bincount(patient, values[known]), np.bincount(patient)
    drawn = np.random.default_rng(seed).integers(len(names), size=(replicates, len(names)))
    ends = wide(np.quantile(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), [1 - upper, upper]))
    return float(values[known].mean()), *(ends.tolist() if len(names) >= FEW else [np.nan] * 2)
