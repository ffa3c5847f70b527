"""Intervals from resampled patients, and the one policy of intervals.

Images of one patient are alike, so whole patients are drawn, never images. The policy:

- What is computed from predictions has the percentile interval of 2,000 resamples of patients,
  drawn within the classes; a difference of two models on the same images is computed in each
  resample for both (paired).
- A share of images near 0 or 1 has Wilson's interval over patients
  (`cxrlib.metrics.intervals.share_by_patient`): up to ten patients who carry its errors, or its
  successes, whichever are fewer. There percentiles are too narrow. From twenty such patients on
  percentiles alone count; between, the ends go evenly from the one to the other, so that a share
  with one more error never reaches less far down (`share_interval`).
- Where resampling cannot tell, a share has Wilson's interval, too: a precision may be undefined in
  a resample, and fewer than four patients are too few to be drawn. What is no share (AUC, F1, an
  average over classes, a difference) has no interval there.
- There is one effective number of patients, `cxrlib.metrics.intervals.effective_number`.

Frames, N, K and B are those of :mod:`cxrlib.metrics.rates`; P is the number of patients, S of sums,
M of statistics. What makes it fast: nothing is computed on the images of a replicate, only on sums
by patient, which are added up as often as each patient is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse

from cxrlib.files import InputError
from cxrlib.metrics.intervals import (
    CARRIERS,
    FEW,
    Interval,
    by_patient,
    carriers,
    share_by_patient,
    tail,
)
from cxrlib.metrics.predictions import arrays, one_class
from cxrlib.metrics.rates import (
    METRICS,
    cells_of,
    each_class,
    one_vs_rest,
    rates,
    rows_of,
    with_averages,
)

REPLICATES = 2000
MOST = 10**9  # patients times replicates, 2 GB


class Resamples:
    """Patients resampled B times, and the sums over their images of whatever each image holds.

    Whole patients are drawn with replacement, as many as there are, within strata: a patient
    belongs to the class that most of their images have (ties: the first in class order), or all to
    one stratum without ``labels``. So classes keep about their sizes and images of one patient stay
    together. The only patient of a class would be in every resample once; such patients are drawn
    among those of the largest class (collapsed strata: Wolter 2007, Introduction to Variance
    Estimation, ch. 2).

    ``patients`` and ``labels`` are (N,), labels whole numbers. The same seed draws the same
    patients. ``patient`` (N,) is each image's patient, ``stratum`` (P,) the class each is drawn in,
    ``counts`` (P, B) how often each is drawn. A hundred thousand patients take seconds; InputError
    for more than a billion draws, which would not fit into memory.
    """

    def __init__(self, patients, labels=None, replicates: int = REPLICATES, seed: int = 0):
        if replicates < 1:
            raise InputError(f"replicates: {replicates!r} is less than 1")
        self.patient = pd.factorize(pd.Series(patients))[0]
        self.stratum = self._strata(np.zeros_like(self.patient) if labels is None else labels)
        if len(self.stratum) * replicates > MOST:
            raise InputError(
                f"bootstrap: {len(self.stratum):,} patients, {replicates:,} replicates: at most"
                f" {MOST // replicates:,} patients; give fewer patients, drawn at random"
            )
        counts = np.empty((replicates, len(self.stratum)), np.uint16)
        rng = np.random.default_rng(seed)
        for c in np.unique(self.stratum):
            members = np.flatnonzero(self.stratum == c)
            for row in counts:
                drawn = rng.integers(len(members), size=len(members))
                row[members] = np.bincount(drawn, minlength=len(members))
        self.counts = counts.T

    def _strata(self, labels: np.ndarray) -> np.ndarray:
        """The class of each patient, (P,)."""
        size = self.patient.max() + 1, labels.max() + 1
        votes = np.bincount(self.patient * size[1] + labels, minlength=size[0] * size[1])
        stratum = votes.reshape(size).argmax(axis=1)
        sizes = np.bincount(stratum)
        return np.where(sizes[stratum] < 2, sizes.argmax(), stratum)

    def enough(self, *parts: np.ndarray) -> bool:
        """Whether each of some parts of the images (N,), if there is any of it, is of so many
        patients that resampling them says how it varies.
        """
        return all(not part.any() or len(np.unique(self.patient[part])) >= FEW for part in parts)

    def drawn(self, values, statistic: Callable) -> np.ndarray:
        """``statistic`` of the sums of values (N, S) over the images drawn, (b, S) -> (b, ...), for
        all replicates: (B, ...).
        """
        images = np.ones(len(self.patient)), (self.patient, np.arange(len(self.patient)))
        values = (sparse.csr_array(images) @ sparse.csr_array(values)).T.tocsr()  # (S, P)
        step = max(1, 500_000 // max(values.shape))  # bounds the memory, not the result
        blocks = [slice(at, at + step) for at in range(0, self.counts.shape[1], step)]
        return np.concatenate(
            [statistic((values @ self.counts[:, block].astype(float, "C")).T) for block in blocks]
        )

    def intervals(
        self, values, statistic: Callable, enough: ArrayLike, level: float = 0.95
    ) -> np.ndarray:
        """Estimate and ends of the percentile interval (Efron and Tibshirani 1993, ch. 13) of M
        statistics of sums (b, S) -> (b, M): (M, 3).

        NaN ends where what a statistic rests on is not `enough`, one for all or (M,), where a
        replicate is NaN, or where none differs: what no resample moves is not certain, it is not
        estimable.
        """
        estimate = statistic(np.asarray(values.sum(axis=0))[None])[0]
        drawn, upper = self.drawn(values, statistic), tail(level)
        with np.errstate(invalid="ignore"):  # infinities side by side
            ends = np.quantile(drawn, [1 - upper, upper], axis=0)
        moved = ~np.isclose(*ends, rtol=1e-12, atol=1e-12)
        ends = np.where(moved & np.asarray(enough), ends, np.nan)
        return np.stack([estimate, *ends], axis=1)


class Intervals(pd.DataFrame):
    """A table of intervals, each ``estimate``, ``low``, ``high``, which Jupyter shows as one cell
    each: ``0.93 (0.88 to 0.97)``. What is taken of it is a plain table.
    """

    def _repr_html_(self) -> str:
        kinds = self.columns.get_level_values(-1)
        if list(kinds) != [*Interval._fields] * (len(kinds) // 3):  # columns were added
            return super()._repr_html_()
        names = self.columns.get_level_values(0)[::3]
        names = ["interval"] if self.columns.nlevels == 1 else names
        cells = self.to_numpy().reshape(len(self), -1, 3)
        shown = [[str(Interval(*values)) for values in row] for row in cells]
        return pd.DataFrame(shown, self.index, names).to_html(border=0)


def bootstrap_by_patient(
    predictions: pd.DataFrame,
    statistic: str | Sequence[str] = "per_class",
    cls: str | None = None,
    *,
    threshold: float = 0.5,
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame | Interval:
    """Statistics of predictions with intervals from resampled patients, by this module's policy.

    ``statistic`` is ``"per_class"``, for the rows of `per_class` with columns ``(metric,
    "estimate")``, ``(metric, "low")``, ``(metric, "high")``; or one name of
    `cxrlib.metrics.rates.rates`, such as ``"auc"``, for an `Interval`; or several, for a table with
    a row each. Names are of ``cls`` against the rest, called where its p is at least ``threshold``;
    without ``cls``, ``"accuracy"`` is the share of images called rightly. InputError for others,
    and for predictions that `read_predictions` would refuse.

    Ends are NaN where the policy gives none: for what is no share, where fewer than four patients
    have the images it rests on, or where no resample differs.

    >>> frame = pd.DataFrame({
    ...     "image_id": range(40), "patient_id": [i // 2 for i in range(40)], "source": "s",
    ...     "split": "test", "y_true": ["sick", "sick", "well", "well"] * 10,
    ...     "p_sick": [i * 7 % 40 / 40 for i in range(40)]}).eval("p_well = 1 - p_sick")
    >>> found = bootstrap_by_patient(frame, "auc", cls="sick", replicates=200)
    >>> found.low < found.estimate < found.high
    True
    """
    names = [statistic] if isinstance(statistic, str) else list(statistic)
    classes, y, p = arrays(predictions)
    if table := names == ["per_class"]:
        names, sides = METRICS, each_class(y, p)
    else:
        sides = [_against_rest(predictions, cls, threshold)]
    values, statistics = _sums(sides, names, table or cls is not None)
    found = Resamples(predictions["patient_id"], y, replicates, seed)
    enough, shares = _bases(found, sides, names)
    rows = found.intervals(values, statistics, enough, level)
    for row, share in zip(rows, shares, strict=True):
        if share is not None:
            row[:] = share_interval(row, *share, predictions["patient_id"], level)
    if table:
        columns = pd.MultiIndex.from_product([METRICS, Interval._fields])
        return Intervals(rows.reshape(len(classes) + 2, -1), rows_of(classes), columns)
    if isinstance(statistic, str):
        return Interval(*rows[0].tolist())
    return Intervals(rows, names, Interval._fields)


def share_interval(
    drawn: ArrayLike, right: np.ndarray, among: np.ndarray, patients: ArrayLike, level: float
) -> Interval:
    """The interval of a share by the policy, of ``drawn``, the share with its percentile interval,
    and Wilson's: ``right`` and ``among`` are those of `share_by_patient`.
    """
    few = carriers(*by_patient(right, among, patients))
    weight = np.clip(2 - few / CARRIERS, 0, 1) if np.isfinite(drawn[1]) else 1.0
    if not weight:
        return Interval(*drawn)
    wilson = share_by_patient(right, among, patients, level)
    ends = (
        np.array(wilson[1:])
        if weight == 1
        else np.average([wilson[1:], drawn[1:]], axis=0, weights=[weight, 1 - weight])
    )
    return Interval(drawn[0], *ends)


def _against_rest(predictions: pd.DataFrame, cls: str | None, threshold: float) -> tuple:
    """Truth, call and order (N,) of ``cls`` against the rest; of None what is called rightly, as if
    all images were positive.
    """
    if cls is None:
        _, y, p = arrays(predictions)
        return y >= 0, p.argmax(axis=1) == y, np.zeros(len(y))
    truth, score, order = one_class(predictions, cls)
    return truth, score >= threshold, order


def _sums(sides: list[tuple], names: Sequence[str], of_class: bool = True) -> tuple:
    """What each image adds to the sums of all sides, and the named `rates` of such sums, side by
    side, (b, S) -> (b, M); of all `METRICS` of several sides with their averages behind.
    """
    known = list(rates(np.zeros(4))) if of_class else ["accuracy"]
    for name in set(names).difference(known):
        where = "" if of_class else " without a class"
        raise InputError(f"bootstrap: no statistic {name!r}{where}, only {', '.join(known)}")
    parts = [one_vs_rest(truth, called, order) for truth, called, order in sides]
    cuts = np.cumsum([part.shape[1] for part in parts])[:-1]

    def statistics(sums: np.ndarray) -> np.ndarray:
        cells = cells_of(np.split(sums, cuts, axis=1), names)
        return (with_averages(cells) if names is METRICS else cells).reshape(len(sums), -1)

    return sparse.hstack(parts), statistics


def shares_of(truth: np.ndarray, called: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The statistics of a class against the rest that are a share of images: which count, and
    among which, (N,) each.
    """
    hit, clear = truth & called, ~truth & ~called
    shares = {"sensitivity": (hit, truth), "recall": (hit, truth), "specificity": (clear, ~truth)}
    shares |= {"ppv": (hit, called), "precision": (hit, called), "npv": (clear, ~called)}
    return shares | {"accuracy": (hit | clear, truth | ~truth)}


def _bases(found: Resamples, sides: list[tuple], names: Sequence[str]) -> tuple:
    """Of each statistic of each side, then of two averages over the sides if there are several:
    whether the positives, others or both that it rests on are `enough`, and of a share, the images
    that count and those among which they do. Of averages only recall weighted by size is a share,
    of the images called rightly.
    """
    enough, shares = [], []
    for truth, called, _ in sides:
        ill, well, known = found.enough(truth), found.enough(~truth), shares_of(truth, called)
        own = {"sensitivity": ill, "recall": ill, "specificity": well}
        enough.append([own.get(name, ill and well) for name in names])
        shares += [known.get(name) for name in names]
    if len(sides) > 1:
        enough += [np.all(enough, axis=0)] * 2
        right = np.any([truth & called for truth, called, _ in sides], axis=0)
        shares += [None] * len(names)
        shares += [(right, truth | ~truth) if name == "recall" else None for name in names]
    return np.ravel(enough), shares


def mean_by_patient(
    values: ArrayLike,
    patients: ArrayLike,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Mean of one value per image, with the percentile interval from resampled patients.

    Parameters
    ----------
    values, patients : array (N,)
        Images without a value (NaN) are left out.

    Returns
    -------
    Interval
        NaN without any value. NaN ends of fewer than four patients, or where no resample differs.

    Examples
    --------
    >>> found = mean_by_patient([0.1, 0.2, 0.4, 0.5, 0.8, 0.7], list("aabcde"))
    >>> print(f"{found.estimate:.2f}")
    0.45
    """
    values = np.asarray(values, float)
    known = ~np.isnan(values)
    if not known.any():
        return Interval(np.nan)
    found = Resamples(np.asarray(patients)[known], replicates=replicates, seed=seed)
    sums = np.stack([values[known], np.ones(known.sum())], axis=1)
    enough = found.enough(known[known])
    rows = found.intervals(sums, lambda drawn: drawn[:, :1] / drawn[:, 1:], enough, level)
    return Interval(*rows[0].tolist())


def difference_by_patient(
    first: pd.DataFrame,
    second: pd.DataFrame,
    statistic: str = "auc",
    cls: str | None = None,
    *,
    threshold: float = 0.5,
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """A statistic of ``first`` less that of ``second``, two models on the same images, with the
    percentile interval from resampled patients, the same patients for both.

    ``statistic``, ``cls`` and ``threshold`` are those of `bootstrap_by_patient`. NaN ends where
    resampling cannot tell, as of two areas of 1.

    Raises
    ------
    InputError
        The two do not hold the same images, of the same patients and classes.

    Examples
    --------
    >>> frame = pd.DataFrame({
    ...     "image_id": range(40), "patient_id": range(40), "source": "s", "split": "test",
    ...     "y_true": ["sick", "well"] * 20, "p_sick": [i * 7 % 40 / 40 for i in range(40)]})
    >>> first = frame.assign(p_well=1 - frame["p_sick"])
    >>> second = first.assign(p_sick=first["p_sick"] / 2, p_well=1 - first["p_sick"] / 2)
    >>> difference_by_patient(first, second, "auc", "sick").estimate
    0.0
    """
    order = pd.Index(second["image_id"]).get_indexer(first["image_id"])  # -1: not there
    if len(first) != len(second) or (order < 0).any():
        raise InputError(
            f"difference_by_patient: {(order >= 0).sum()} of {len(first)} and {len(second)} images"
            " are in both; needs all"
        )
    second = second.iloc[order]
    for column in ("y_true", "patient_id"):
        if (first[column].to_numpy() != second[column].to_numpy()).any():
            raise InputError(f"difference_by_patient: an image's {column} is not that of the other")
    sides = [_against_rest(frame, cls, threshold) for frame in (first, second)]
    values, both = _sums(sides, [statistic], cls is not None)
    found = Resamples(first["patient_id"], arrays(first)[1], replicates, seed)
    enough, _ = _bases(found, sides[:1], [statistic])
    rows = found.intervals(values, lambda sums: np.diff(both(sums)[:, ::-1]), enough, level)
    return Interval(*rows[0].tolist())
