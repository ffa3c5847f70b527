"""Anybody's predictions: read, measured, shown on a page. No torch."""

from cxrlib.evaluate.measures import STATISTIC_NAMES as STATISTIC_NAMES
from cxrlib.evaluate.measures import Measures as Measures
from cxrlib.evaluate.measures import spreadsheet_text as spreadsheet_text
from cxrlib.evaluate.reading import Predictions as Predictions
from cxrlib.evaluate.reading import read_file as read_file
