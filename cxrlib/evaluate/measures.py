"""What is measured of predictions: every statistic by every method, at a threshold and at other
prevalences.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from cxrlib import metrics
from cxrlib.evaluate.reading import Predictions
from cxrlib.files import printable
from cxrlib.metrics import calibration, intervals
from cxrlib.metrics.bootstrap import shares_of

PREVALENCES = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]
OVER_PATIENTS, PERCENTILES = "Wilson, patients", "Bootstrap, percentiles"  # names of methods
NARROW = "; too narrow: takes a class's 0 or 1 for certain"
STATISTIC_NAMES = {
    "auc": "AUC",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "f1": "F1",
    "recall": "Recall",
    "precision": "Precision",
}


def compare_methods(frame: pd.DataFrame, cls: str, threshold: float = 0.5) -> pd.DataFrame:
    """The same statistics by every method: a row for each ``statistic`` and ``method``, with ``n``
    (images), ``estimate, low, high``.

    Shares: Wilson and Clopper-Pearson over images, Wilson over patients
    (`intervals.share_by_patient`), percentiles and BCa of resampled patients. AUC: DeLong over
    images, and the latter two. The bootstrap's ends are NaN where resampling cannot tell
    (`bootstrap_by_patient`), DeLong's of an area of 0 or 1.
    """
    truth, called = (frame["y_true"] == cls).to_numpy(), (frame[f"p_{cls}"] >= threshold).to_numpy()
    names, shares = ["auc", "sensitivity", "specificity", "ppv", "npv"], shares_of(truth, called)
    rows = [("auc", "DeLong, images", *intervals.auc_interval(frame, cls, by="image_id"))]
    sizes = {"auc": len(frame)} | {name: shares[name][1].sum() for name in names[1:]}
    for name in names[1:]:
        right, n = shares[name][0].sum(), sizes[name]
        over = intervals.share_by_patient(*shares[name], frame["patient_id"])
        exact = binomtest(right, n).proportion_ci() if n else (np.nan, np.nan)
        rows.append((name, "Wilson, images", over.estimate, *intervals.wilson(right, n)))
        rows.append((name, "Clopper–Pearson, images", over.estimate, *exact))
        rows.append((name, OVER_PATIENTS, *over))
    for kind, method in (("percentile", PERCENTILES), ("bca", "Bootstrap, BCa")):
        drawn = metrics.bootstrap_by_patient(frame, names, cls, threshold=threshold, kind=kind)
        rows += [(row.Index, method, *row[1:]) for row in drawn.itertuples()]
    found = pd.DataFrame(rows, columns=["statistic", "method", "estimate", "low", "high"])
    found.insert(2, "n", found["statistic"].map(sizes))
    order = found["statistic"].map(names.index).argsort(kind="stable")
    return found.iloc[order].reset_index(drop=True)


def at_prevalences(sensitivity: float, specificity: float, prevalences) -> pd.DataFrame:
    """``ppv, npv`` and false alarms for each true positive (``alarms``), a row for each
    ``prevalence``.
    """
    share = np.asarray(prevalences, float)
    ppv, npv = metrics.at_prevalence(sensitivity, specificity, share)
    with np.errstate(invalid="ignore", divide="ignore"):
        alarms = (1 - ppv) / ppv
    return pd.DataFrame({"prevalence": share, "ppv": ppv, "npv": npv, "alarms": alarms})


@dataclass
class Measures:
    """Everything that is measured of predictions at a threshold, once for the table and the page;
    ``prevalence`` is that asked for, or None.
    """

    found: Predictions
    threshold: float = 0.5
    prevalence: float | None = None

    def __post_init__(self):
        frame, cls = self.found.frame, self.found.positive
        self.point = metrics.operating_point(frame, cls, self.threshold)
        self.share = self.prevalence or self.point["prevalence"]
        self.compared = compare_methods(frame, cls, self.threshold)
        self.bounds = metrics.bootstrap_by_patient(frame)
        self.drawn = metrics.bootstrap_by_patient(frame, kind="percentile")
        self.brier = calibration.brier(frame, cls)
        bins = {by: calibration.reliability(frame, cls, by=by) for by in ("width", "count")}
        self.ece = {by: calibration.calibration_error(table) for by, table in bins.items()}
        self.reliability = bins

    def tidy(self) -> pd.DataFrame:
        """All numbers in one table: ``section, class, statistic, method, estimate, low, high``."""
        cls, point, none = self.found.positive, self.point, (np.nan, np.nan)
        compared = self.compared.drop(columns="n").itertuples(index=False)
        rows = [(f"threshold {self.threshold:g}", cls, *row) for row in compared]
        rows += self._of_classes()
        for name, found in self.brier.set_axis(["brier", "brier skill"]).iterrows():
            rows.append(("calibration", cls, name, PERCENTILES, *found))
        for by, value in self.ece.items():
            rows.append(("calibration", cls, "ece", f"10 bins of equal {by}", value, *none))
        there = at_prevalences(point["sensitivity"], point["specificity"], [self.share])
        for name in ("ppv", "npv", "alarms"):
            at = f"prevalence {self.share:.4g}"
            rows.append((at, cls, name, "Bayes", there[name].iloc[0], *none))
        heads = ["section", "class", "statistic", "method", "estimate", "low", "high"]
        return pd.DataFrame(rows, columns=heads)

    def _of_classes(self) -> Iterator[tuple]:
        """Each class against the rest, called where most probable, and the averages."""
        for row, name in enumerate(self.bounds.index):
            average = row >= len(self.found.classes)
            for metric in metrics.METRICS[1:]:
                value, low, high = self.bounds.loc[name, metric]
                drawn = self.drawn.loc[name, (metric, "low")] == low
                method = PERCENTILES if drawn or np.isnan(low) else OVER_PATIENTS
                certain = self.bounds[metric, "estimate"].iloc[:-2].isin([0, 1]).any()
                method += NARROW if drawn and average and certain else ""
                yield "most probable class", name, metric, method, value, low, high


def spreadsheet_text(value):
    """Text that a spreadsheet will not take for a formula, and a terminal not for a command."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
