"""cxrlib: the thin library under a reproducible companion to two studies of COVID-19 in chest
radiographs.

Nothing here is a medical device. Importing the package imports no torch; the modules that train or
predict do.
"""

from cxrlib.files import InputError

__version__ = "0.1.0"

__all__ = ["InputError", "__version__"]
