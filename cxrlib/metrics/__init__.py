"""Rates, intervals and calibration of predictions. No torch."""

from cxrlib.metrics.rates import *  # noqa: F403
