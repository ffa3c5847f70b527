"""What is measured of predictions: every statistic by every method, at a threshold and at other
prevalences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxrlib import metrics
from cxrlib.evaluate.reading import Predictions
from cxrlib.files import printable
from cxrlib.metrics import calibration, intervals
from cxrlib.metrics.bootstrap import shares_of

PREVALENCES = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]
SHARES = {
    "sensitivity": ("TP", "FN"),
    "specificity": ("TN", "FP"),
    "ppv": ("TP", "FP"),
    "npv": ("TN", "FN"),
}
OVER_PATIENTS, PERCENTILES = "Wilson, patients", "Bootstrap, percentiles"  # names of methods
NARROW = "; too narrow: takes a class's 0 or 1 for certain"
STATISTIC_NAMES = {
    "auc": "AUC",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "accuracy": "Accuracy",
    "null_accuracy": "Accuracy of always answering the commoner side",
    "prevalence": "Share of positives",
    "lr_positive": "Positive likelihood ratio",
    "lr_negative": "Negative likelihood ratio",
    "f1": "F1",
    "recall": "Recall",
    "precision": "Precision",
}


def compare_methods(frame: pd.DataFrame, cls: str, threshold: float = 0.5) -> pd.DataFrame:
    """The same statistics by every method: a row for each ``statistic`` and ``method``, with ``n``
    (images), ``estimate, low, high``.

    Shares: Wilson and Clopper-Pearson over images, Wilson over patients
    (`intervals.share_by_patient`), percentiles and BCa of patients drawn anew. AUC: DeLong over
    images, and the latter two. The bootstrap's ends are NaN where resampling cannot tell
    (`bootstrap_by_patient`), DeLong's of an area of 0 or 1.
    """
    point, names = metrics.operating_point(frame, cls, threshold), ["auc", *SHARES]
    truth, called = (frame["y_true"] == cls).to_numpy(), (frame[f"p_{cls}"] >= threshold).to_numpy()
    shares = shares_of(truth, called)
    area = intervals.auc_interval(frame, cls, by="image_id")
    rows = [("auc", "DeLong, images", len(frame), *area)]
    for name, (right, wrong) in SHARES.items():
        k, n = point[right], point[right] + point[wrong]
        rows.append((name, "Wilson, images", n, point[name], *intervals.wilson(k, n)))
        rows.append(
            (name, "Clopper–Pearson, images", n, point[name], *intervals.clopper_pearson(k, n))
        )
        over = intervals.share_by_patient(*shares[name], frame["patient_id"])
        rows.append((name, OVER_PATIENTS, n, *over))
    for kind, method in (("percentile", PERCENTILES), ("bca", "Bootstrap, BCa")):
        drawn = metrics.bootstrap_by_patient(frame, names, cls, threshold=threshold, kind=kind)
        for name, row in drawn.iterrows():
            n = len(frame) if name == "auc" else sum(point[part] for part in SHARES[name])
            rows.append((name, method, n, point[name], row["low"], row["high"]))
    found = pd.DataFrame(rows, columns=["statistic", "method", "n", "estimate", "low", "high"])
    return found.sort_values(
        "statistic", key=lambda column: column.map(names.index), kind="stable", ignore_index=True
    )


def at_prevalences(sensitivity: float, specificity: float, prevalences) -> pd.DataFrame:
    """``ppv, npv``, false alarms for each true positive (``alarms``) and ``TP, FN, FP, TN`` per
    1,000 people, a row for each prevalence.
    """
    share = np.asarray(prevalences, float)
    ppv, npv = metrics.at_prevalence(sensitivity, specificity, share)
    with np.errstate(invalid="ignore", divide="ignore"):
        rows = pd.DataFrame(
            {"prevalence": share, "ppv": ppv, "npv": npv, "alarms": (1 - ppv) / ppv}
        )
    if np.isnan([sensitivity, specificity]).any():
        return rows.assign(TP=np.nan, FN=np.nan, FP=np.nan, TN=np.nan)
    return rows.join(
        pd.DataFrame(
            [metrics.natural_frequencies(sensitivity, specificity, value) for value in share]
        )
    )


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
        asked = self.prevalence is not None
        self.share = self.prevalence if asked else self.point["prevalence"]
        self.compared = compare_methods(frame, cls, self.threshold)
        self.cells, self.bounds = metrics.per_class(frame), metrics.bootstrap_by_patient(frame)
        self.drawn = metrics.bootstrap_by_patient(frame, kind="percentile")
        self.brier = calibration.brier(frame, cls)
        self.reliability = {
            by: calibration.reliability(frame, cls, by=by) for by in ("width", "count")
        }
        errors = map(calibration.calibration_error, self.reliability.values())
        self.ece = dict(zip(self.reliability, errors, strict=True))

    def tidy(self) -> pd.DataFrame:
        """All numbers in one table: ``section, class, statistic, method, estimate, low, high``."""
        rows = [
            (f"threshold {self.threshold:g}", self.found.positive, *row)
            for row in self.compared.drop(columns="n").itertuples(index=False)
        ]
        classes = len(self.found.classes)
        for row, name in enumerate(self.cells.index):
            for metric in metrics.METRICS[1:]:
                ends = self.bounds.loc[name, [(metric, "low"), (metric, "high")]]
                value = self.cells.loc[name, metric]
                known, certain = (
                    ends.notna().all(),
                    self.cells[metric].iloc[:classes].isin([0, 1]).any(),
                )
                drawn = (
                    known
                    and value not in (0, 1)
                    and self.drawn.loc[name, (metric, "low")] == ends.iloc[0]
                )
                method = OVER_PATIENTS if known and not drawn else PERCENTILES
                method += NARROW if drawn and certain and row >= classes else ""
                rows.append(("most probable class", name, metric, method, value, *ends))
        cls, none = self.found.positive, (np.nan, np.nan)
        for name, text in (("brier", "brier"), ("skill", "brier skill")):
            rows.append(("calibration", cls, text, PERCENTILES, *self.brier.loc[name]))
        rows += [
            ("calibration", cls, "ece", f"10 bins of equal {by}", value, *none)
            for by, value in self.ece.items()
        ]
        there = at_prevalences(
            self.point["sensitivity"], self.point["specificity"], [self.share]
        ).iloc[0]
        rows += [
            (f"prevalence {self.share:.4g}", cls, name, "Bayes", there[name], *none)
            for name in ("ppv", "npv", "alarms")
        ]
        return pd.DataFrame(
            rows, columns=["section", "class", "statistic", "method", "estimate", "low", "high"]
        )


def spreadsheet_text(value):
    """Text that a spreadsheet will not take for a formula, and a terminal not for a command."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
