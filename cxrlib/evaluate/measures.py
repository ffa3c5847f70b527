"""What is measured of predictions, with the intervals of `cxrlib.metrics.bootstrap`'s policy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxrlib import metrics
from cxrlib.evaluate.reading import Predictions
from cxrlib.files import printable
from cxrlib.metrics import calibration

AT_THRESHOLD = ["auc", "sensitivity", "specificity", "ppv", "npv"]
STATISTIC_NAMES = {
    "auc": "AUC",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "f1": "F1",
    "recall": "Recall",
    "precision": "Precision",
    "brier": "Brier score",
    "skill": "Brier skill",
}


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
        self.rates = metrics.bootstrap_by_patient(
            frame, AT_THRESHOLD, cls, threshold=self.threshold
        )
        self.classes = metrics.bootstrap_by_patient(frame)
        self.brier = calibration.brier(frame, cls)

    def at(self, prevalence: float) -> tuple[float, float]:
        """PPV and NPV of this sensitivity and specificity at a prevalence."""
        ppv, npv = metrics.at_prevalence(
            self.point["sensitivity"], self.point["specificity"], prevalence
        )
        return float(ppv), float(npv)

    def tidy(self) -> pd.DataFrame:
        """All numbers in one table: ``section, class, statistic, estimate, low, high``."""
        cls = self.found.positive
        parts = {
            (f"threshold {self.threshold:g}", cls): self.rates,
            ("calibration", cls): self.brier,
        }
        for name in self.classes.index:
            row = self.classes.loc[name].unstack().loc[metrics.METRICS[1:]]
            parts["most probable class", name] = row[["estimate", "low", "high"]]
        there = pd.DataFrame({"estimate": self.at(self.share)}, ["ppv", "npv"])
        parts[f"prevalence {self.share:.4g}", cls] = there.assign(low=np.nan, high=np.nan)
        keys = ["section", "class", "statistic"]
        return pd.concat(parts, names=keys).reset_index()


def spreadsheet_text(value):
    """Text that a spreadsheet will not take for a formula, and a terminal not for a command."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
