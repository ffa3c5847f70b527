"""Anybody's predictions: read, measured, shown on a page. No torch."""

from cxrlib.evaluate.measures import (
    PREVALENCES,
    STATISTIC_NAMES,
    Measures,
    at_prevalences,
    compare_methods,
    spreadsheet_text,
)
from cxrlib.evaluate.reading import Predictions, read_file

__all__ = [
    "PREVALENCES",
    "STATISTIC_NAMES",
    "Measures",
    "Predictions",
    "at_prevalences",
    "compare_methods",
    "read_file",
    "spreadsheet_text",
]
