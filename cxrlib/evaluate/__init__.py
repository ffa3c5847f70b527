"""Anybody's predictions: read, measured, shown on a page. No torch."""

from cxrlib.evaluate.measures import *  # noqa: F403
