"""cxrlib: a thin library for chest radiographs: splits by patient, transfer learning, metrics with
intervals over patients, Grad-CAM.

Nothing here is a medical device. Importing the package imports no torch; the names that train,
predict or draw load what they need when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from cxrlib.data.manifest import check_manifest
from cxrlib.data.radiographs import read_radiograph
from cxrlib.data.splits import fold_by_patient, leakage, oversample, split_by_patient
from cxrlib.files import InputError
from cxrlib.metrics import (
    Interval,
    at_prevalence,
    bootstrap_by_patient,
    confusion,
    difference_by_patient,
    mean_by_patient,
    net_benefit,
    operating_point,
    per_class,
    read_predictions,
    reliability,
    roc,
    wilson,
)
from cxrlib.records import Record, read_record, write_record
from cxrlib.transfer.config import Config

if TYPE_CHECKING:  # for editors and type checkers, which do not see what _LATER names
    from cxrlib.explorer import Explorer
    from cxrlib.gradcam import grad_cam, localise
    from cxrlib.inference import predict
    from cxrlib.transfer.fit import fit

__version__ = "0.2.0"

_LATER = {  # public names whose modules need torch, or take long to load
    "Explorer": "cxrlib.explorer",
    "fit": "cxrlib.transfer.fit",
    "grad_cam": "cxrlib.gradcam",
    "localise": "cxrlib.gradcam",
    "predict": "cxrlib.inference",
}
__all__ = [
    "Config",
    "Explorer",
    "InputError",
    "Interval",
    "Record",
    "at_prevalence",
    "bootstrap_by_patient",
    "check_manifest",
    "confusion",
    "difference_by_patient",
    "fit",
    "fold_by_patient",
    "grad_cam",
    "leakage",
    "localise",
    "mean_by_patient",
    "net_benefit",
    "operating_point",
    "oversample",
    "per_class",
    "predict",
    "read_predictions",
    "read_radiograph",
    "read_record",
    "reliability",
    "roc",
    "split_by_patient",
    "wilson",
    "write_record",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str):
    if name not in _LATER:
        raise AttributeError(f"module 'cxrlib' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
