"""Rates, intervals and calibration of predictions. No torch."""

from cxrlib.metrics.bootstrap import (
    REPLICATES,
    bootstrap_by_patient,
    difference_by_patient,
    mean_by_patient,
)
from cxrlib.metrics.calibration import net_benefit, reliability
from cxrlib.metrics.intervals import Interval, wilson
from cxrlib.metrics.predictions import check_predictions, read_predictions
from cxrlib.metrics.rates import (
    AVERAGES,
    COST,
    METRICS,
    at_prevalence,
    confusion,
    detected,
    natural_frequencies,
    operating_point,
    overall,
    per_class,
    roc,
    suggested_thresholds,
)

__all__ = [
    "AVERAGES",
    "COST",
    "METRICS",
    "REPLICATES",
    "Interval",
    "at_prevalence",
    "bootstrap_by_patient",
    "check_predictions",
    "confusion",
    "detected",
    "difference_by_patient",
    "mean_by_patient",
    "natural_frequencies",
    "net_benefit",
    "operating_point",
    "overall",
    "per_class",
    "read_predictions",
    "reliability",
    "roc",
    "suggested_thresholds",
    "wilson",
]
