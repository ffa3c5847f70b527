"""Intervals that have a formula: of a share, of an area under the ROC curve, and of what is made of
them.

Images of one patient are alike, so patients are counted, not images. Frames and N are those of
:mod:`cxrlib.metrics.predictions`, P is the number of patients, M of scores; every interval is
two-sided, its ``level`` 0.95 unless another is given. :mod:`cxrlib.metrics.bootstrap` has the
intervals from resampled patients, and the policy of which is used where.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import ndtri
from scipy.stats import rankdata

from cxrlib import formatting
from cxrlib.files import InputError
from cxrlib.metrics.predictions import one_class

# patients that a variance over them needs: of 3, one resample in 27 is of one patient alone, and no
# percentile lies beyond that
FEW = 4
# Patients who carry the errors of a share, or its successes, whichever are fewer: up to so many a
# percentile says too little, and from twice as many on it says enough. `python -m
# benchmarks.coverage` has the simulation that both numbers here are from.
CARRIERS = 10
ALIKE = 3  # patients whose images are taken to say the same, on top of those that carry errors


class Interval(NamedTuple):
    """An estimate with the ends of its interval; NaN ends where it has none.

    Examples
    --------
    >>> found = Interval(0.5, 0.25, 0.75)
    >>> found.high - found.low
    0.5
    >>> print(found)
    0.50 (0.25 to 0.75)
    """

    estimate: float
    low: float = np.nan
    high: float = np.nan

    def __str__(self) -> str:
        """Two decimals, or as many as tell the two ends apart."""
        width = self.high - self.low
        decimals = max(2, -math.floor(math.log10(width))) if 0 < width < np.inf else 2
        estimate, low, high = (formatting.number(value, decimals) for value in self)
        return estimate if low == high == formatting.DASH else f"{estimate} ({low} to {high})"

    def _repr_pretty_(self, printer, cycle: bool) -> None:
        """What Jupyter shows of it."""
        printer.text(str(self))


UNKNOWN = Interval(np.nan)


def tail(level: float) -> float:
    """Upper quantile of a two-sided interval: 0.975 for 0.95."""
    if not 0 < level < 1:
        raise InputError(f"level: {level!r} is not between 0 and 1")
    return (1 + level) / 2


def wilson(k: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Any, Any]:
    """Wilson's score interval (low, high) of k successes in n trials.

    With z the normal quantile of (1 + level)/2 and p = k/n: (p + z²/2n ± z sqrt(p(1 - p)/n +
    z²/4n²)) / (1 + z²/n) (Wilson 1927, J. Am. Stat. Assoc. 22:209). It takes the trials as
    independent: where patients have several images, see `share_by_patient`.

    Parameters
    ----------
    k, n : float or array
        They broadcast, and need not be whole. n = 0 gives (NaN, NaN).

    Raises
    ------
    InputError
        Unless 0 <= k <= n and 0 < level < 1.

    Examples
    --------
    >>> low, high = wilson(60, 60)
    >>> print(f"{low:.3f} {high:.3f}")
    0.940 1.000
    """
    z, k, n = ndtri(tail(level)), np.asarray(k, float), np.asarray(n, float)
    if not ((k >= 0) & (k <= n) & np.isfinite(n)).all():
        raise InputError("interval of a share: needs 0 <= k <= n")
    n = np.where(n == 0, np.nan, n)
    p, width = k / n, 1 + z**2 / n
    centre, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low = np.where(p == 0, 0, (centre - half) / width)  # exact ends
    high = np.where(p == 1, 1, (centre + half) / width)
    return low[()], high[()]  # numbers for numbers


def carriers(right: np.ndarray, among: np.ndarray) -> int:
    """How many patients carry the errors of a share, or its successes, whichever are fewer.

    ``among`` (P,) are images per patient, ``right`` (P,) those of them that count.

    >>> carriers(np.array([2, 1, 2, 0]), np.array([2, 2, 2, 0]))
    1
    """
    return int(min(np.count_nonzero(right < among), np.count_nonzero(right)))


def effective_number(right: np.ndarray, among: np.ndarray) -> float:
    """How many independent images a share of images of several patients is worth.

    ``among`` (P,) are images per patient, ``right`` (P,) those of them that count, r the share. The
    variance of r over patients is P/(P - 1) Σ(right - r among)² / (Σ among)² (Cochran 1977,
    Sampling Techniques, ch. 9A), the number that it gives r(1 - r) / variance, at least 1 and at
    most the images (Korn and Graubard 1998, Surv. Methodol. 24:193).

    Such a variance is itself uncertain where few patients carry the errors, or the successes
    (`carriers`, c of them). So its inflation, images / number, is averaged with that of patients
    whose images all say the same, Σ among² / Σ among (Kish 1965, Survey Sampling): c parts of the
    former, three of the latter. The latter alone counts where there is no variance, of fewer than
    four patients or of patients that are all alike. Where r is 0 or 1, each patient is one. No
    images are worth 0.

    >>> effective_number(np.array([2, 2, 2]), np.array([2, 2, 2]))
    3.0
    """
    total, patients = among.sum(), np.count_nonzero(among)
    if not patients or right.sum() in (0, total):
        return float(patients)
    r, same = right.sum() / total, (among.astype(float) ** 2).sum() / total
    if patients >= FEW:
        variance = patients / (patients - 1) * ((right - r * among) ** 2).sum() / total**2
        if variance > 1e-15:
            own = total / np.clip(r * (1 - r) / variance, 1, total)
            c = carriers(right, among)
            return float(total * (c + ALIKE) / (c * own + ALIKE * same))
    return float(total / same)


def share_by_patient(
    right: ArrayLike, among: ArrayLike, patients: ArrayLike, level: float = 0.95
) -> Interval:
    """The share of ``right`` among images, with Wilson's interval for as many trials as their
    patients are worth (`effective_number`).

    ``right``, ``among`` and ``patients`` are (N,), the first two bool; images outside ``among`` do
    not count. 0/0 is NaN.

    >>> found = share_by_patient([True] * 6, [True] * 6, list("aabbcc"))
    >>> bool(found.low == wilson(3, 3)[0])
    True
    """
    counted, sizes = by_patient(right, among, patients)
    if not sizes.any():
        return UNKNOWN
    share, n = counted.sum() / sizes.sum(), effective_number(counted, sizes)
    low, high = wilson(share * n, n, level)
    return Interval(float(share), float(low), float(high))


def by_patient(right: ArrayLike, among: ArrayLike, patients: ArrayLike) -> tuple:
    """Of each patient, how many images are ``right`` and how many are ``among`` those that count:
    (P,) each.
    """
    patient, among = pd.factorize(pd.Series(patients))[0], np.asarray(among, bool)
    return np.bincount(patient, among & np.asarray(right, bool)), np.bincount(patient, among)


def delong(truth: np.ndarray, scores: np.ndarray, patients) -> tuple[np.ndarray, np.ndarray]:
    """Areas under the ROC curve of M scores of the same images, (M,), and their covariance (M, M).

    ``truth`` (N,) bool, ``scores`` (M, N), ``patients`` (N,). DeLong et al. 1988, Biometrics
    44:837, for images in patients: Obuchowski 1997, Biometrics 53:567; with an own patient for each
    image it is the former. An image's placement is the share of the other side that it stands on
    the right side of, ties half, from midranks (Sun and Xu 2014, IEEE Signal Process. Lett.
    21:1389).
    """
    patient = pd.factorize(pd.Series(patients))[0]
    n, ill, well = patient.max() + 1, np.count_nonzero(truth), np.count_nonzero(~truth)
    areas, up, down = [], [], []
    for score in scores:
        ranks = rankdata(np.concatenate([score[truth], score[~truth]]))
        above = (ranks[:ill] - rankdata(score[truth])) / well
        below = 1 - (ranks[ill:] - rankdata(score[~truth])) / ill
        areas.append(above.mean())
        up.append(np.bincount(patient[truth], above - areas[-1], n) / ill)  # (P,) a patient's part
        down.append(np.bincount(patient[~truth], below - areas[-1], n) / well)
    a, b = np.array(up), np.array(down)
    both, groups = a @ b.T, (patient[truth], patient[~truth], patient)
    sizes = np.array([len(np.unique(group)) for group in groups])
    with np.errstate(divide="ignore", invalid="ignore"):  # one patient has no variance
        g, h, all_of_them = sizes / (sizes - 1)
        return np.array(areas), g * a @ a.T + h * b @ b.T + all_of_them * (both + both.T)


def auc_interval(
    predictions: pd.DataFrame, cls: str, level: float = 0.95, by: str = "patient_id"
) -> Interval:
    """AUC of ``cls`` against the rest with DeLong's interval over patients, cut at 0 and 1.

    ``by="image_id"`` takes images as independent. NaN ends where a side has fewer than four
    patients, or nothing varies, as of an area of 1; NaN altogether without positives or negatives.
    """
    truth, _, order = one_class(predictions, cls)
    patients = predictions[by].to_numpy()
    sides = [len(pd.unique(patients[side])) for side in (truth, ~truth)]
    if not all(sides):
        return UNKNOWN
    (auc,), variance = delong(truth, order[None], patients)
    half = ndtri(tail(level)) * np.sqrt(max(variance.item(), 0)) if min(sides) >= FEW else 0
    if half <= 1e-12:
        return Interval(float(auc))
    return Interval(float(auc), float(max(auc - half, 0)), float(min(auc + half, 1)))


def ratio(above: Interval, below: Interval) -> Interval:
    """Ratio of two independent shares, with the interval that theirs imply (MOVER).

    Donner and Zou 2012, Stat. Methods Med. Res. 21:347, in a form without cancellation; it needs no
    correction where a share is 0 or 1. For x/0 the value and the upper end are infinite; 0/0 is
    NaN.
    """
    (s, s_low, s_high), (f, f_low, f_high) = (map(np.float64, each) for each in (above, below))
    low, high = np.float64(0), np.float64(np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        left, right = s_low * (2 * s - s_low), f_low * (2 * f - f_low)
        if left:
            low = left / (s * f + np.sqrt((f_high - f) ** 2 * left + (f * (s - s_low)) ** 2))
        if right:
            high = (s * f + np.sqrt((s_high - s) ** 2 * right + (s * (f - f_low)) ** 2)) / right
        value = s / f
    return UNKNOWN if np.isnan(value) else Interval(float(value), float(low), float(high))


def weighted(first: Interval, second: Interval, a: float, b: float) -> Interval:
    """a x + b y of two independent shares, for a, b >= 0, with the interval that theirs imply
    (MOVER, as `ratio`).
    """
    (x, x_low, x_high), (y, y_low, y_high) = first, second
    value = a * x + b * y
    low = value - np.sqrt((a * (x - x_low)) ** 2 + (b * (y - y_low)) ** 2)
    high = value + np.sqrt((a * (x_high - x)) ** 2 + (b * (y_high - y)) ** 2)
    return Interval(float(value), float(low), float(high))


def other_side(share: Interval) -> Interval:
    """1 less a share."""
    return Interval(1 - share.estimate, 1 - share.high, 1 - share.low)


def predictive_values(
    sensitivity: Interval, specificity: Interval, prevalence: float
) -> tuple[Interval, Interval]:
    """PPV and NPV at a prevalence, by Bayes of the likelihood ratios, with the intervals that those
    of sensitivity and specificity imply (`ratio`). The prevalence is taken as given.

    >>> ppv, npv = predictive_values(Interval(1, 0.9, 1), Interval(1, 0.99, 1), 0.01)
    >>> print(ppv)
    1.00 (0.50 to 1.00)
    """
    with np.errstate(all="ignore"):
        odds = np.float64(prevalence) / (1 - prevalence)
        likely = np.array(ratio(sensitivity, other_side(specificity)))
        unlikely = np.array(ratio(other_side(sensitivity), specificity))[[0, 2, 1]]
        ppv, npv = 1 / (1 + 1 / (likely * odds)), 1 / (1 + unlikely * odds)
    return Interval(*ppv.tolist()), Interval(*npv.tolist())


def at_threshold(
    predictions: pd.DataFrame, cls: str, threshold: float, prevalence: float
) -> pd.DataFrame:
    """All rates of ``cls`` against the rest, called where p >= ``threshold``: ``estimate``,
    ``low``, ``high``, by formulas, as the explorer shows them at every step of a slider.

    Rows: ``sensitivity``, ``specificity`` (`share_by_patient`), ``lr_positive``, ``lr_negative``
    (`ratio` of theirs), ``auc`` (`auc_interval`); ``ppv``, ``npv``, ``accuracy`` in the images at
    hand and, for people like those pictured, at ``prevalence`` (0 to 1, both excluded) as
    ``ppv_at``, ``npv_at``, ``accuracy_at``, made of the former by Bayes (`weighted` for accuracy);
    ``all_healthy`` and ``all_healthy_at``, the accuracy of calling no one; ``net_benefit`` at the
    prevalence, per person, where a false alarm weighs t / (1 - t) of a case found (Vickers and
    Elkin 2006, Med. Decis. Mak. 26:565), and ``net_benefit_all`` of calling everyone.

    A given quantity has no interval. How many images each class has is taken as given: a study
    chose it. Positives and negatives are taken as independent, though a patient may have images on
    both sides. Without positives or without negatives all that needs both is NaN, PPV and NPV too.
    ``explorer/explorer.js`` has the same formulas; a test holds the two together.
    """
    if not 0 < prevalence < 1:
        raise InputError(f"prevalence: {prevalence!r} is not between 0 and 1")
    truth, score, _ = one_class(predictions, cls)
    called, patients = score >= threshold, pd.factorize(predictions["patient_id"])[0]
    found = share_by_patient(called, truth, patients)
    spared = share_by_patient(~called, ~truth, patients)
    missed, alarmed = other_side(found), other_side(spared)
    rows = {"sensitivity": found, "specificity": spared, "auc": auc_interval(predictions, cls)}
    rows |= {"lr_positive": ratio(found, alarmed), "lr_negative": ratio(missed, spared)}
    with np.errstate(all="ignore"):
        for end, p in (("", np.float64(truth.mean())), ("_at", prevalence)):
            rows[f"ppv{end}"], rows[f"npv{end}"] = predictive_values(found, spared, p)
            rows[f"accuracy{end}"] = weighted(found, spared, p, 1 - p)
        rows["all_healthy"] = share_by_patient(~truth, truth | ~truth, patients)
        rows["all_healthy_at"] = Interval(1 - prevalence)
        cost = np.float64(threshold) / (1 - threshold) * (1 - prevalence)
        rows["net_benefit"] = np.array(weighted(found, spared, prevalence, cost)) - cost
        rows["net_benefit_all"] = Interval(prevalence - cost)
    return pd.DataFrame.from_dict(rows, "index", columns=Interval._fields)
