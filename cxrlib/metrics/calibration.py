"""What a probability is worth: calibration, another prevalence, and decisions.

Frames, N and K are those of :mod:`cxrlib.metrics.rates`; a class is set against the rest, its p the
probability and its share among images of that p what should equal it. Intervals are
patient-clustered, two-sided, 0.95.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse

from cxrlib.files import InputError
from cxrlib.metrics.bootstrap import Resamples
from cxrlib.metrics.intervals import Interval, share_by_patient
from cxrlib.metrics.predictions import arrays, one_class

ROUNDING = 1e-12  # of a probability that was computed, at most


def edges(p: np.ndarray, bins: int = 10, by: str = "width") -> np.ndarray:
    """Bounds of bins of [0, 1], ascending: of equal ``width``, or of equal ``count`` (quantiles;
    equal values are never parted, so there may be fewer).

    A bin holds its lower bound, the last its upper as well. Bounds of equal width are k/n as a
    division gives them, so that 0.3 is one of ten bins (``linspace`` has 0.30000000000000004); what
    is below a bound by rounding alone, such as 1 - 0.9 below 0.1, counts as that bound.
    """
    if bins < 1 or by not in ("width", "count"):
        raise InputError(f"calibration: one bin or more, by width or count, not {bins!r} by {by!r}")
    if by == "width":
        return np.arange(bins + 1) / bins
    inner = np.quantile(p, np.arange(1, bins) / bins, method="higher")
    return np.unique([0, *inner, 1])


def _binned(p: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    return np.clip(np.searchsorted(bounds, p + ROUNDING, "right") - 1, 0, len(bounds) - 2)


def reliability(
    predictions: pd.DataFrame, cls: str, bins: int = 10, by: str = "width"
) -> pd.DataFrame:
    """Probability against what happened, one row per bin that holds images.

    Returns
    -------
    DataFrame
        ``lower, upper, images, patients, p, share, low, high``: ``p`` is the mean probability,
        ``share`` the share of images that are ``cls``, with Wilson's interval over patients
        (`cxrlib.metrics.intervals.share_by_patient`). For the bins see `edges`.

    Examples
    --------
    >>> frame = pd.DataFrame({
    ...     "image_id": list("abc"), "patient_id": list("ppq"), "source": "s", "split": "test",
    ...     "y_true": ["sick", "well", "well"], "p_sick": [.9, .5, .2], "p_well": [.1, .5, .8]})
    >>> reliability(frame, "sick", bins=2)[["images", "share"]].to_numpy().tolist()
    [[1.0, 0.0], [2.0, 0.5]]
    """
    truth, p = one_class(predictions, cls)[:2]
    bounds, patients = edges(p, bins, by), pd.factorize(predictions["patient_id"])[0]
    at, rows = _binned(p, bounds), []
    for k in np.unique(at):
        inside = at == k
        share = share_by_patient(truth, inside, patients)
        counts = [inside.sum(), len(np.unique(patients[inside]))]
        rows.append([bounds[k], bounds[k + 1], *counts, p[inside].mean(), *share])
    columns = ["lower", "upper", "images", "patients", "p", "share", "low", "high"]
    return pd.DataFrame(rows, columns=columns).astype({"images": int, "patients": int})


def brier(predictions: pd.DataFrame, cls: str) -> pd.DataFrame:
    """Mean squared distance of p from 0 or 1 (Brier 1950), and the skill 1 - Brier / (prevalence (1
    - prevalence)), 0 for always saying the prevalence.

    A row each, ``brier`` and ``skill``: ``estimate, low, high``, percentiles over resampled
    patients; NaN ends where positives, or negatives, are of fewer than four patients, or no
    resample differs (p a constant). Without either there is no skill: NaN.
    """
    truth, p = one_class(predictions, cls)[:2]

    def both(sums: np.ndarray) -> np.ndarray:
        loss, positive, total = sums.T
        with np.errstate(invalid="ignore", divide="ignore"):
            share = positive / total
            always = np.where((share > 0) & (share < 1), share * (1 - share), np.nan)
            return np.stack([loss / total, 1 - loss / total / always], axis=1)

    found = Resamples(predictions["patient_id"], arrays(predictions)[1])
    values = np.stack([(p - truth) ** 2, truth, np.ones_like(p)], axis=1)
    rows = found.intervals(values, both, found.enough(truth, ~truth))
    return pd.DataFrame(rows, ["brier", "skill"], Interval._fields)


def net_benefit(
    predictions: pd.DataFrame, cls: str, thresholds: ArrayLike, prevalence: float | None = None
) -> pd.DataFrame:
    """Decision curve (Vickers and Elkin 2006, Med. Decis. Making 26:565): a row for each threshold
    t, a probability.

    ``benefit``: true positives less false positives weighed by the odds t / (1 - t), per patient
    seen: sensitivity π - (1 - specificity)(1 - π) t / (1 - t), with ``prevalence`` π that of the
    frame unless given. ``low, high``: percentiles over resampled patients. ``treat_all``: of
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
    truth, p = one_class(predictions, cls)[:2]
    ascending, n, width = np.sort(t), len(p), len(t) + 1
    place = np.searchsorted(ascending, p, "right") + width * ~truth  # how many thresholds p reaches
    values = sparse.csr_array((np.ones(n), (np.arange(n), place)), (n, 2 * width))
    odds = ascending / (1 - ascending)

    def benefit(sums: np.ndarray) -> np.ndarray:  # (b, 2 (T + 1)) -> (b, T)
        sides = sums.reshape(-1, 2, width)[:, :, ::-1]
        reached = sides.cumsum(axis=2)[:, :, ::-1]  # each threshold, of positives and of others
        ill, well = reached[:, 0, :1], reached[:, 1, :1]
        with np.errstate(invalid="ignore"):
            share = ill / (ill + well) if prevalence is None else prevalence
            hits, alarms = reached[:, 0, 1:] / ill, reached[:, 1, 1:] / well
        gained, lost = np.where(share > 0, hits * share, 0), np.where(share < 1, alarms, 0)
        return gained - lost * (1 - share) * odds

    found = Resamples(predictions["patient_id"], arrays(predictions)[1])
    rows = found.intervals(values, benefit, found.enough(truth, ~truth))
    table = pd.DataFrame(rows, pd.Index(ascending, name="threshold"), ["benefit", "low", "high"])
    share = truth.mean() if prevalence is None else prevalence
    return table.assign(treat_all=share - (1 - share) * odds).iloc[np.argsort(np.argsort(t))]
