"""What a probability is worth: calibration, another prevalence, and decisions.

Frames, N and K are those of :mod:`cxrlib.metrics.rates`; a class is set against the rest, its p the
probability and its share among images of that p what should equal it. Intervals are
patient-clustered, two-sided, 0.95 unless another ``level`` is given.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from cxrlib.files import InputError
from cxrlib.metrics.bootstrap import MOST, REPLICATES, Resamples
from cxrlib.metrics.intervals import effective, wilson
from cxrlib.metrics.rates import arrays, position

ROUNDING = 1e-12  # of a probability that was computed, at most


def _one(frame: pd.DataFrame, cls: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Truth (N,) and p (N,) of ``cls``; of None, whether the called class is right, and its p."""
    classes, y, p = arrays(frame)
    if cls is None:
        return p.argmax(axis=1) == y, p.max(axis=1)
    return y == position(classes, cls), p[:, position(classes, cls)]


def edges(p: np.ndarray, bins: int = 10, by: str = "width") -> np.ndarray:
    """Bounds of bins of [0, 1], ascending: of equal ``width``, or of equal ``count`` (quantiles;
    equal values are never parted, so there may be fewer).

    A bin holds its lower bound, the last its upper as well. Bounds of equal width are k/n as a
    division gives them, so that 0.3 is one of ten bins (``linspace`` has 0.30000000000000004); what
    is below a bound by rounding alone, such as 1 - 0.9 below 0.1, counts as that bound.
    """
    if bins < 1 or by not in ("width", "count"):
        raise InputError(
            f"calibration: needs one bin or more, by width or count, not {bins!r} by {by!r}"
        )
    if by == "width":
        return np.arange(bins + 1) / bins
    return np.unique(
        np.concatenate([[0], np.quantile(p, np.arange(1, bins) / bins, method="higher"), [1]])
    )


def _binned(p: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    return np.clip(np.searchsorted(bounds, p + ROUNDING, "right") - 1, 0, len(bounds) - 2)


def reliability(
    frame: pd.DataFrame,
    cls: str | None = None,
    bins: int = 10,
    by: str = "width",
    level: float = 0.95,
) -> pd.DataFrame:
    """Probability against what happened, one row per bin that holds images: ``lower, upper, images,
    patients, p, share, low, high``.

    ``p`` is the mean probability, ``share`` the share of images that are ``cls`` (of None: that are
    called rightly, where p is that of the class called). ``low`` and ``high`` are Wilson's interval
    with as many patients as the bin's images are worth if those of one patient say the same
    (`cxrlib.metrics.intervals.effective`): too wide where they do not, but a bin is too small for
    resampling patients. For the bins see `edges`.
    """
    truth, p = _one(frame, cls)
    bounds = edges(p, bins, by)
    table = pd.DataFrame(
        {
            "bin": _binned(p, bounds),
            "p": p,
            "share": truth,
            "patient": frame["patient_id"].to_numpy(),
        }
    ).groupby("bin")
    found = table.agg(
        images=("p", "size"),
        patients=("patient", "nunique"),
        p=("p", "mean"),
        share=("share", "mean"),
    )
    found.insert(0, "lower", bounds[found.index])
    found.insert(1, "upper", bounds[found.index + 1])
    worth = table["patient"].agg(effective)
    found["low"], found["high"] = wilson(found["share"] * worth, worth, level)
    return found.reset_index(drop=True)


def ece_of(table: pd.DataFrame) -> float:
    """The error of a table of `reliability`, see `ece`."""
    return float(
        (table["images"] * (table["share"] - table["p"]).abs()).sum() / table["images"].sum()
    )


def ece(frame: pd.DataFrame, cls: str | None = None, bins: int = 10, by: str = "width") -> float:
    """Expected calibration error: mean over images of how far their bin's share is from its mean p
    (Naeini et al. 2015, AAAI).

    It depends on the binning, so state it; and it is above 0 for a perfect model, by chance
    (`chance_ece`).
    """
    return ece_of(reliability(frame, cls, bins, by))


def chance_ece(
    frame: pd.DataFrame,
    cls: str | None = None,
    bins: int = 10,
    by: str = "width",
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Mean and 95th percentile of the ECE were the probabilities true: each image's class is drawn
    anew with its own p, images taken as independent.
    """
    _, p = _one(frame, cls)
    bounds, rng = edges(p, bins, by), np.random.default_rng(seed)
    at, k = _binned(p, bounds), len(bounds) - 1
    if len(p) > MOST:  # the sum of so many draws is normal
        off = rng.normal(0, np.sqrt(np.bincount(at, p * (1 - p), k)), (draws, k))
    else:
        off = [
            np.bincount(at[rng.random(len(p)) < p], minlength=k) - np.bincount(at, p, k)
            for _ in range(draws)
        ]
    found = np.abs(off).sum(axis=1) / len(p)
    return float(np.mean(found)), float(np.quantile(found, 0.95))


def brier(
    frame: pd.DataFrame, cls: str, replicates: int = REPLICATES, seed: int = 0, level: float = 0.95
) -> pd.Series:
    """Mean squared distance of p from 0 or 1 (Brier 1950), and the skill 1 - Brier / (prevalence (1
    - prevalence)), 0 for always saying the prevalence.

    ``brier, low, high, skill, skill_low, skill_high``, percentiles over patients drawn anew; NaN
    ends where positives, or negatives, are of fewer than four patients, or no resample differs (p a
    constant). Without either there is no skill: NaN.
    """
    found, (truth, p) = Resamples(frame, replicates, seed), _one(frame, cls)

    def both(sums: np.ndarray) -> np.ndarray:
        loss, positive, total = sums.T
        with np.errstate(invalid="ignore", divide="ignore"):
            share = positive / total
            always = np.where((share > 0) & (share < 1), share * (1 - share), np.nan)
            return np.stack([loss / total, 1 - loss / total / always], axis=1)

    rows = found.summary(
        np.stack([(p - truth) ** 2, truth, np.ones_like(p)], axis=1),
        both,
        ["brier", "skill"],
        level,
    )
    if not found.enough(truth, ~truth):
        rows[["low", "high"]] = np.nan
    (value, low, high), (skill, skill_low, skill_high) = rows[
        ["estimate", "low", "high"]
    ].to_numpy()
    return pd.Series(
        {
            "brier": value,
            "low": low,
            "high": high,
            "skill": skill,
            "skill_low": skill_low,
            "skill_high": skill_high,
        }
    )


def prior_shift(p: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Probabilities (N, K) of a model trained at class shares ``before`` (K,), where the shares are
    ``after`` (K,).

    p_k after_k / before_k, scaled to sum 1 (Saerens et al. 2002, Neural Comput. 14:21). It is right
    if p was right before, and if images of a class look alike in both places (label shift): a new
    hospital or a new disease is more than a new prevalence. The order of images by p stays the same
    for two classes.

    Raises InputError unless both shares are K numbers that sum to 1, ``before`` all above 0.

    >>> prior_shift(np.array([[0.5, 0.5]]), [0.5, 0.5], [0.1, 0.9]).round(3).tolist()
    [[0.1, 0.9]]
    """
    p, before, after = (np.asarray(value, float) for value in (p, before, after))
    for name, shares in (("before", before), ("after", after)):
        if shares.shape != p.shape[-1:] or not (shares >= 0).all() or abs(shares.sum() - 1) > 1e-6:
            raise InputError(f"prior_shift: {name} is not {p.shape[-1]} shares that sum to 1")
    if (before == 0).any():
        raise InputError(
            "prior_shift: a class that was absent before has no probability to be shifted"
        )
    shifted = p * after / before
    with np.errstate(invalid="ignore"):
        return shifted / shifted.sum(axis=-1, keepdims=True)


def net_benefit(
    frame: pd.DataFrame,
    cls: str,
    thresholds,
    prevalence: float | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Decision curve (Vickers and Elkin 2006, Med. Decis. Making 26:565): a row for each threshold
    t, a probability.

    ``benefit``: true positives less false positives weighed by the odds t / (1 - t), per patient
    seen: sensitivity π - (1 - specificity)(1 - π) t / (1 - t), with ``prevalence`` π that of the
    frame unless given. ``low, high``: percentiles over patients drawn anew. ``treat_all``: of
    calling everybody positive, π - (1 - π) t / (1 - t); calling nobody has 0. To act at p >= t is
    to hold that missing one ill person weighs (1 - t) / t times acting on one who is well.

    The ends are NaN where positives, or negatives, are of fewer than four patients, or no resample
    differs (nobody is called).

    The share of positives in a test set is the study's design; a net benefit at it is no clinic's.
    Raises InputError unless 0 < t < 1.
    """
    t = np.atleast_1d(np.asarray(thresholds, float))
    if not ((t > 0) & (t < 1)).all() or not (prevalence is None or 0 <= prevalence <= 1):
        raise InputError("net_benefit: thresholds are between 0 and 1, a prevalence from 0 to 1")
    order, (truth, p) = np.argsort(t), _one(frame, cls)
    place = np.searchsorted(t[order], p, "right")  # (N,) how many thresholds p reaches
    found, n, width = Resamples(frame, replicates, seed), len(p), len(t) + 1
    values = sparse.csr_array((np.ones(n), (np.arange(n), place + width * ~truth)), (n, 2 * width))

    def benefit(sums: np.ndarray) -> np.ndarray:  # (b, 2 (T + 1)) -> (b, T)
        reached = sums.reshape(-1, 2, width)[:, :, ::-1].cumsum(axis=2)[
            :, :, ::-1
        ]  # images that reach each threshold, positive and other
        ill, well = reached[:, 0, :1], reached[:, 1, :1]
        with np.errstate(invalid="ignore"):
            share = ill / (ill + well) if prevalence is None else prevalence
            hits, alarms = reached[:, 0, 1:] / ill, reached[:, 1, 1:] / well
        return np.where(share > 0, hits * share, 0) - np.where(
            share < 1, alarms * (1 - share), 0
        ) * t[order] / (1 - t[order])

    rows = found.summary(values, benefit, t[order], level)[["estimate", "low", "high"]].rename(
        columns={"estimate": "benefit"}
    )
    if not found.enough(truth, ~truth):
        rows[["low", "high"]] = np.nan
    share = truth.mean() if prevalence is None else prevalence
    return (
        rows.assign(treat_all=share - (1 - share) * t[order] / (1 - t[order]))
        .iloc[np.argsort(order)]
        .rename_axis("threshold")
    )
