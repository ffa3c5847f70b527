"""Rates, intervals and calibration of predictions. No torch."""

# ruff: noqa: F401 (names for `from cxrlib import metrics`)

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
