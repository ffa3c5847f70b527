"""cxrlib: the thin library under a reproducible companion to two studies of COVID-19 in chest
radiographs.

Nothing here is a medical device. Importing the package imports no torch; the modules that train or
predict do.
"""

from importlib import import_module

from cxrlib.files import InputError

__version__ = "0.2.0"

_LATER = {  # public names whose modules need torch, or take long to load
    "Explorer": "cxrlib.explorer",
    "check_manifest": "cxrlib.data.manifest",
    "fold_by_patient": "cxrlib.data.splits",
    "leakage": "cxrlib.data.splits",
    "oversample": "cxrlib.data.splits",
    "read_radiograph": "cxrlib.data.radiographs",
    "split_by_patient": "cxrlib.data.splits",
    "predict": "cxrlib.inference",
}
__all__ = ["InputError", "__version__", *_LATER]


def __getattr__(name: str):
    if name not in _LATER:
        raise AttributeError(f"module 'cxrlib' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
