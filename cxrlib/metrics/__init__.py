"""Rates, intervals and calibration of predictions. No torch."""

from cxrlib.metrics.bootstrap import REPLICATES as REPLICATES
from cxrlib.metrics.bootstrap import bootstrap_by_patient as bootstrap_by_patient
from cxrlib.metrics.bootstrap import difference_by_patient as difference_by_patient
from cxrlib.metrics.bootstrap import mean_by_patient as mean_by_patient
from cxrlib.metrics.calibration import net_benefit as net_benefit
from cxrlib.metrics.calibration import reliability as reliability
from cxrlib.metrics.intervals import Interval as Interval
from cxrlib.metrics.intervals import wilson as wilson
from cxrlib.metrics.predictions import check_predictions as check_predictions
from cxrlib.metrics.predictions import read_predictions as read_predictions
from cxrlib.metrics.rates import AVERAGES as AVERAGES
from cxrlib.metrics.rates import METRICS as METRICS
from cxrlib.metrics.rates import at_prevalence as at_prevalence
from cxrlib.metrics.rates import confusion as confusion
from cxrlib.metrics.rates import operating_point as operating_point
from cxrlib.metrics.rates import overall as overall
from cxrlib.metrics.rates import per_class as per_class
from cxrlib.metrics.rates import roc as roc
from cxrlib.metrics.rates import suggested_thresholds as suggested_thresholds
