"""Patients drawn anew: the bootstrap under every interval that allows for several images of a
patient.

Frames, N, K and B are those of :mod:`cxrlib.metrics.rates`; P is the number of patients, S of sums,
M of statistics. What makes it fast: nothing is computed on the images of a replicate, only on sums
by patient, which are added up as often as each patient is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import ndtr, ndtri

from cxrlib.files import InputError
from cxrlib.metrics.rates import arrays

REPLICATES = 2000
MOST = 20_000  # patients of a class, and distinct scores, up to which nothing is grouped
GROUPS, PLACES = 2_000, 500  # groups of patients, and of scores, above that
# patients that resampling needs: of 3, one in 27 resamples is of one patient alone, and no
# percentile lies beyond that
FEW = 4


def tail(level: float) -> float:
    """Upper quantile of a two-sided interval: 0.975 for 0.95."""
    if not 0 < level < 1:
        raise InputError(f"level: {level!r} is not between 0 and 1")
    return (1 + level) / 2


class Resamples:
    """Patients of a frame drawn anew B times, and the sums over their images of whatever each image
    holds.

    Whole patients are drawn with replacement, as many as there are, within strata: a patient
    belongs to the class that most of their images have (ties: the first in class order). So classes
    keep about their sizes and images of one patient stay together. The only patient of a class
    would be in every resample once; such patients are drawn among those of the largest class
    (collapsed strata: Wolter 2007, Introduction to Variance Estimation, ch. 2). What rests on few
    patients has no interval, see `enough`. Where a class has more than 20,000 patients, they are
    put into 2,000 groups of equal size at random, and groups are drawn as if each were a patient:
    the spread is the same but for chance (random groups: Wolter 2007, ch. 2).

    The same seed draws the same patients. ``patient`` (N,) is each image's patient, or group,
    ``stratum`` (P,) the class each is drawn in, ``counts`` (P, B) how often each is drawn;
    ``classes``, ``y`` and ``p`` are those of `cxrlib.metrics.rates.arrays`.
    """

    def __init__(self, frame: pd.DataFrame, replicates: int = REPLICATES, seed: int = 0):
        if replicates < 1:
            raise InputError(f"replicates: {replicates!r} is less than 1")
        self.classes, self.y, self.p = arrays(frame)
        self.patient, k = pd.factorize(frame["patient_id"])[0], len(self.classes)
        votes = np.bincount(
            self.patient * k + self.y, minlength=(self.patient.max() + 1) * k
        ).reshape(-1, k)
        stratum = votes.argmax(axis=1)
        sizes = np.bincount(stratum)
        self._group(np.where(sizes[stratum] < 2, sizes.argmax(), stratum))
        self.counts = np.empty((len(self.stratum), replicates), np.uint16)
        rng = np.random.default_rng(seed)
        for c in np.unique(self.stratum):
            members = np.flatnonzero(self.stratum == c)
            step = max(1, 300_000 // len(members))  # replicates at a time, in the processor's cache
            for start in range(0, replicates, step):
                b = min(step, replicates - start)
                drawn = rng.integers(len(members), size=(b, len(members)))
                drawn *= b
                drawn += np.arange(b)[:, None]  # a number for each patient and replicate
                self.counts[members, start : start + b] = np.bincount(
                    drawn.ravel(), minlength=drawn.size
                ).reshape(-1, b)

    def _group(self, stratum: np.ndarray) -> None:
        """Set ``stratum``, and group the patients of each stratum that has too many."""
        group, self.stratum, rng = np.arange(len(stratum)), stratum, np.random.default_rng(0)
        for c in np.flatnonzero(np.bincount(stratum) > MOST):
            members = np.flatnonzero(stratum == c)
            group[members] = members[rng.permutation(len(members)) % GROUPS]
        if (group != np.arange(len(group))).any():
            kept, group = np.unique(group, return_inverse=True)
            self.patient, self.stratum = group[self.patient], stratum[kept]

    def enough(self, *parts: np.ndarray) -> bool:
        """Whether each of these parts of the images (N,), where there are any, is of so many
        patients that drawing them anew says how it varies.
        """
        return all(
            np.count_nonzero(np.bincount(self.patient[part])) >= FEW for part in parts if part.any()
        )

    def scores(self, truth: np.ndarray, score: np.ndarray) -> np.ndarray:
        """``score`` (N,) as it is, or above 20,000 distinct scores of the rarer side each image's
        place among 500 quantiles of either side, which bounds the work for an AUC and moves it by
        about a hundred-thousandth."""
        sides = [np.unique(score[truth]), np.unique(score[~truth])]
        if len(sides[0 if 2 * truth.sum() <= len(truth) else 1]) <= MOST:
            return score
        return np.searchsorted(
            np.unique(np.concatenate([side[:: -(-len(side) // PLACES)] for side in sides])),
            score,
            "right",
        ).astype(float)

    def _by_patient(self, values) -> sparse.csr_array:
        who = sparse.csr_array(
            (np.ones(len(self.patient)), (self.patient, np.arange(len(self.patient))))
        )
        return who @ sparse.csr_array(values)  # (P, S)

    def drawn(self, values, statistic: Callable) -> np.ndarray:
        """``statistic`` of the sums of values (N, S) over the images drawn, (b, S) -> (b, ...), for
        all replicates: (B, ...).
        """
        values = self._by_patient(values).T.tocsr()  # (S, P)
        step = max(1, 500_000 // max(values.shape))  # bounds the memory, not the result
        blocks = [slice(at, at + step) for at in range(0, self.counts.shape[1], step)]
        return np.concatenate(
            [statistic((values @ self.counts[:, block].astype(float)).T) for block in blocks]
        )

    def left_out(self, values, statistic: Callable) -> np.ndarray:
        """The same with each patient left out once, for the jackknife: (P, ...)."""
        values = self._by_patient(values)
        step, total = max(1, 500_000 // values.shape[1]), values.sum(axis=0)
        return np.concatenate(
            [
                statistic(total - values[at : at + step].toarray())
                for at in range(0, values.shape[0], step)
            ]
        )

    def summary(
        self, values, statistic: Callable, labels: Sequence[str], level: float = 0.95
    ) -> pd.DataFrame:
        """A row for each of M statistics (b, S) -> (b, M): ``estimate, low, high, bca_low,
        bca_high``, see `bootstrap`.
        """
        estimate, drawn = (
            statistic(np.asarray(values.sum(axis=0))[None])[0],
            self.drawn(values, statistic),
        )
        ends = [
            *percentiles(drawn, level),
            *wide(bca(drawn, estimate, self.left_out(values, statistic), self.stratum, level)),
        ]
        return pd.DataFrame(
            np.stack([estimate, *ends], axis=1),
            list(labels),
            ["estimate", "low", "high", "bca_low", "bca_high"],
        )


def patient_resamples(
    frame: pd.DataFrame, replicates: int = REPLICATES, seed: int = 0
) -> np.ndarray:
    """How often each image is drawn in each replicate of `Resamples`: integer weights (B, N)."""
    found = Resamples(frame, replicates, seed)
    return found.counts[found.patient].T.astype(np.int32)


def wide(ends: np.ndarray) -> np.ndarray:
    """Intervals (2, ...), NaN where they have no width but for rounding: what no resample moves is
    not certain, it is not estimable.
    """
    return np.where(np.isclose(*ends, rtol=1e-12, atol=1e-12), np.nan, ends)


def percentiles(drawn: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Percentile interval (2, ...) of replicates (B, ...); NaN where any replicate is, or none
    differs (Efron and Tibshirani 1993, ch. 13).
    """
    with np.errstate(invalid="ignore"):  # infinities side by side
        return wide(np.quantile(drawn, [1 - tail(level), tail(level)], axis=0))


def bca(
    drawn: np.ndarray, estimate: np.ndarray, left: np.ndarray, stratum: np.ndarray, level: float
) -> np.ndarray:
    """BCa interval (2, M) of replicates (B, M), estimates (M,) and leave-one-out estimates (P,
    M).
    """
    tied = np.isclose(drawn, estimate, rtol=1e-12, atol=0)
    z0 = ndtri(((drawn < estimate) & ~tied).mean(axis=0) + tied.mean(axis=0) / 2)
    influence = np.zeros_like(left)
    with np.errstate(invalid="ignore", divide="ignore"):
        for c in np.unique(stratum):
            part = left[stratum == c]
            influence[stratum == c] = (len(part) - 1) / len(part) * (part.mean(axis=0) - part)
        a = (influence**3).sum(axis=0) / (6 * (influence**2).sum(axis=0) ** 1.5)
        z = z0 + ndtri([[1 - tail(level)], [tail(level)]])  # (2, M)
        shares = ndtr(z0 + z / (1 - a * z))
    ends = [
        np.quantile(drawn[:, k], shares[:, k]) if np.isfinite(shares[:, k]).all() else [np.nan] * 2
        for k in range(len(estimate))
    ]
    return np.reshape(ends, (-1, 2)).T
