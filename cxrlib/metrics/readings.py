"""What predictions say at one threshold and one prevalence, with intervals that need no resampling.

A page that shows them anew at every step of a slider cannot draw patients by the thousand. So the
variance of a share over images is linearised over patients (Taylor; the ratio estimator of a
cluster sample), which is what the bootstrap of :mod:`cxrlib.metrics.intervals` comes to where
errors are many. ``widgets/explorer.js`` has the same formulas; a test holds the two together.

Frames, N and K are those of :mod:`cxrlib.metrics.rates`; G is the number of patients. As in the
bootstrap, how many images each class has is taken as given: a study chose it. And the two sides,
positives and negatives, are taken as independent, though a patient may have images on both.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtri

from cxrlib.files import InputError
from cxrlib.metrics.bootstrap import FEW, tail
from cxrlib.metrics.intervals import placements, wilson
from cxrlib.metrics.rates import arrays, order_of, position

COST, SENSITIVITY = (
    10.0,
    0.95,
)  # of the presets: false alarms that a miss is worth, the sensitivity wanted


def _against_rest(frame: pd.DataFrame, cls: str) -> tuple[np.ndarray, np.ndarray]:
    """Truth (N,) and score (N,) of ``cls``; InputError if it has no column."""
    classes, y, p = arrays(frame)
    index = position(classes, cls)
    return y == index, p[:, index]


def share(right: np.ndarray, among: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """A share of images with Wilson's interval for as many independent images as its variance over
    patients is worth.

    ``among`` (G,) are images per patient, ``right`` (G,) those of them that count. With r = Σ right
    / Σ among, the variance of r is G/(G - 1) Σ(right - r among)² / (Σ among)² over the G patients
    with an image among them (Cochran 1977, Sampling Techniques, ch. 9A), the effective number r(1 -
    r) / variance, at least 1 and at most Σ among (Korn and Graubard 1998, Surv. Methodol. 24:193,
    there for the exact interval). Where nothing varies (r is 0 or 1, or that of every patient), or
    patients are fewer than four, it is `cxrlib.metrics.intervals.over_patients`. 0/0 is NaN.
    """
    total, patients = among.sum(), int((among > 0).sum())
    if not patients:
        return float("nan"), float("nan"), float("nan")
    r = right.sum() / total
    effective = total**2 / (among.astype(float) ** 2).sum() if 0 < r < 1 else float(patients)
    if patients >= FEW and 0 < r < 1:
        variance = patients / (patients - 1) * ((right - r * among) ** 2).sum() / total**2
        effective = min(max(r * (1 - r) / variance, 1.0), total) if variance > 1e-15 else effective
    low, high = wilson(r * effective, effective, level)
    return float(r), float(low), float(high)


def ratio(above, below) -> tuple[float, float, float]:
    """Ratio of two independent shares, each (value, low, high), with the interval that theirs imply
    (MOVER).

    Donner and Zou 2012, Stat. Methods Med. Res. 21:347, in a form without cancellation; it needs no
    correction where a share is 0 or 1. For x/0 the value and the upper end are infinite; 0/0 is
    NaN.
    """
    (s, s_low, s_high), (f, f_low, f_high) = above, below
    with np.errstate(divide="ignore", invalid="ignore"):
        left, right = s_low * (2 * s - s_low), f_low * (2 * f - f_low)
        low = (
            np.float64(left) / (s * f + np.sqrt((f_high - f) ** 2 * left + (f * (s - s_low)) ** 2))
            if left
            else 0.0
        )
        high = (
            np.float64(s * f + np.sqrt((s_high - s) ** 2 * right + (s * (f - f_low)) ** 2)) / right
            if right
            else np.inf
        )
        value = np.float64(s) / f
    return (float(value), float(low), float(high)) if value == value else (float("nan"),) * 3


def weighted(first, second, a: float, b: float) -> tuple[float, float, float]:
    """a x + b y of two independent shares, each (value, low, high), for a, b >= 0, with the
    interval that theirs imply (MOVER, as `ratio`).
    """
    (x, x_low, x_high), (y, y_low, y_high) = first, second
    value = a * x + b * y
    low = value - np.sqrt((a * (x - x_low)) ** 2 + (b * (y - y_low)) ** 2)
    return (
        float(value),
        float(low),
        float(value + np.sqrt((a * (x_high - x)) ** 2 + (b * (y_high - y)) ** 2)),
    )


def clustered_auc(
    truth: np.ndarray, score: np.ndarray, patients: np.ndarray, level: float = 0.95
) -> tuple[float, float, float]:
    """AUC with DeLong's interval for images in patients (Obuchowski 1997, Biometrics 53:567), cut
    at 0 and 1.

    With one image per patient it is `cxrlib.metrics.intervals.delong`. NaN limits where a side has
    fewer than four patients, or nothing varies.
    """
    if truth.all() or not truth.any():
        return float("nan"), float("nan"), float("nan")
    above, below = placements(truth, score)
    auc, (patient, names) = float(above.mean()), pd.factorize(patients)
    a = np.bincount(patient[truth], above - auc, len(names)) / len(
        above
    )  # (G,) what each patient adds
    b = np.bincount(patient[~truth], below - auc, len(names)) / len(below)
    g, h = len(np.unique(patient[truth])), len(np.unique(patient[~truth]))
    if min(g, h) < FEW:
        return auc, float("nan"), float("nan")
    n = len(names)
    variance = g / (g - 1) * (a @ a) + h / (h - 1) * (b @ b) + 2 * n / (n - 1) * (a @ b)
    half = ndtri(tail(level)) * np.sqrt(max(variance, 0))
    return (
        (auc, max(auc - half, 0.0), min(auc + half, 1.0))
        if half > 1e-12
        else (auc, float("nan"), float("nan"))
    )


def reading(
    frame: pd.DataFrame, cls: str, threshold: float, prevalence: float, level: float = 0.95
) -> pd.DataFrame:
    """All rates of ``cls`` against the rest, called where p >= ``threshold``: ``estimate``,
    ``low``, ``high``.

    Rows: ``sensitivity``, ``specificity`` (`share`), ``lr_positive``, ``lr_negative`` (`ratio` of
    theirs), ``auc`` (`clustered_auc`); ``ppv``, ``npv``, ``accuracy`` in the images of ``frame``
    and, for people like those pictured, at ``prevalence`` (0 to 1, both excluded) as ``ppv_at``,
    ``npv_at``, ``accuracy_at``, made of the former by Bayes (`weighted` for accuracy);
    ``all_healthy`` and ``all_healthy_at``, the accuracy of calling no one; ``net_benefit`` at the
    prevalence, per person, where a false alarm weighs t / (1 - t) of a case found (Vickers and
    Elkin 2006, Med. Decis. Mak. 26:565), and ``net_benefit_all`` of calling everyone. A given
    quantity has no interval. Without positives or without negatives all that needs both is NaN, PPV
    and NPV too.
    """
    if not 0 < prevalence < 1:
        raise InputError(f"prevalence: {prevalence!r} is not between 0 and 1")
    truth, score = _against_rest(frame, cls)
    called, (patient, _) = score >= threshold, pd.factorize(frame["patient_id"])
    hits, rejects, positives, negatives = (
        np.bincount(patient, part) for part in (truth & called, ~truth & ~called, truth, ~truth)
    )
    rows = {
        "sensitivity": share(hits, positives, level),
        "specificity": share(rejects, negatives, level),
    }
    found, spared = rows["sensitivity"], rows["specificity"]
    missed, alarmed = ((1 - x, 1 - high, 1 - low) for x, low, high in (found, spared))
    rows["lr_positive"], rows["lr_negative"] = ratio(found, alarmed), ratio(missed, spared)
    classes, _, p = arrays(frame)
    rows["auc"] = clustered_auc(
        truth, order_of(p, position(classes, cls)), frame["patient_id"].to_numpy(), level
    )
    with np.errstate(all="ignore"):
        for end, p in (("", np.float64(truth.mean())), ("_at", prevalence)):
            odds = p / (1 - p)
            rows[f"ppv{end}"] = tuple(
                float(1 / (1 + 1 / (np.float64(x) * odds))) for x in rows["lr_positive"]
            )
            rows[f"npv{end}"] = tuple(
                float(1 / (1 + x * odds)) for x in np.array(rows["lr_negative"])[[0, 2, 1]]
            )
            rows[f"accuracy{end}"] = weighted(found, spared, p, 1 - p)
        rows["all_healthy"], rows["all_healthy_at"] = (
            share(negatives, positives + negatives, level),
            (1 - prevalence, np.nan, np.nan),
        )
        cost = np.float64(threshold) / (1 - threshold) * (1 - prevalence)
        rows["net_benefit"] = tuple(x - cost for x in weighted(found, spared, prevalence, cost))
        rows["net_benefit_all"] = (prevalence - cost, np.nan, np.nan)
    return pd.DataFrame.from_dict(rows, "index", columns=["estimate", "low", "high"])


def presets(
    frame: pd.DataFrame,
    cls: str,
    prevalence: float,
    printed: float | None = None,
    cost: float = COST,
    sensitivity: float = SENSITIVITY,
) -> dict[str, float]:
    """Thresholds worth a look, by name: ``half``, ``printed``, ``youden``, ``sensitivity``,
    ``cost``.

    ``printed`` and ``sensitivity``: the highest at which the sensitivity is at least that
    (``printed`` only where given). ``youden``: the largest sum of sensitivity and specificity.
    ``cost``: the least expected cost at ``prevalence`` where a miss costs ``cost`` false alarms; 1
    where that is to call no one (a score of 1 apart). Ties go to the higher threshold. All but
    ``half`` look at the very predictions that they are then judged on. Without positives or
    negatives only ``half`` is there.
    """
    truth, score = _against_rest(frame, cls)
    found = {"half": 0.5}
    if truth.all() or not truth.any():
        return found
    cuts = np.unique(np.append(score, 1.0))[::-1]  # a call at 1 is the strictest there is
    positives, negatives = np.sort(score[truth]), np.sort(score[~truth])
    tp = len(positives) - np.searchsorted(positives, cuts)
    fp = len(negatives) - np.searchsorted(negatives, cuts)
    for name, wanted in (("printed", printed), ("sensitivity", sensitivity)):
        if wanted is not None:
            found[name] = float(cuts[np.argmax(tp / len(positives) >= wanted)])
    found["youden"] = float(cuts[np.argmax(tp * len(negatives) - fp * len(positives))])
    expected = cost * prevalence * ((len(positives) - tp) / len(positives)) + (1 - prevalence) * (
        fp / len(negatives)
    )
    found["cost"] = float(cuts[np.argmin(expected)])
    return found
