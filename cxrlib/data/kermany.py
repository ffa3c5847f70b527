"""Paediatric radiographs of Kermany et al. 2018 (doi 10.17632/rscbjbr9sj.2)."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from cxrlib.data import splits
from cxrlib.data.manifest import Collection, data_folder
from cxrlib.files import InputError

COLLECTION = Collection(
    "kermany",
    ("kermany-chest-xray-224/chest_xray", "kermany/chest_xray", "chest_xray"),
    5856,
    "download ChestXRay2017.zip of doi 10.17632/rscbjbr9sj.2 and unpack chest_xray/ there",
)
NAMES = {  # by folder: the patient's number and, of pneumonia, the germ
    "PNEUMONIA": r"(?P<number>person\d+)_(?P<finding>bacteria|virus)_\d+(_\d+)?",
    "NORMAL": r"(?P<number>(NORMAL2-)?IM-\d+)(-\d+)*",
}


def read_manifest(data: str | Path | None = None) -> pd.DataFrame:
    """The collection's 5,856 images, of which the source sets 624 apart for testing.

    Reads ``{train,val,test}/{NORMAL,PNEUMONIA}/``. The 16 images of the common copy's ``val``
    belong to the original training set and are given back to it. ``finding`` is ``normal``,
    ``virus`` or ``bacteria``. ``patient_id`` joins the class to the number in the file name, the
    better of two readings (:func:`count_leakage` counts both).

    Raises:
        InputError: no such folder, or a file whose name tells neither class nor patient.
    """
    root = data_folder(data)
    rows = []
    for stem, path in COLLECTION.pictures(root, "test/*/*", "train/*/*", "val/*/*").items():
        split, label = path.split("/")[-3:-1]
        name = re.fullmatch(NAMES.get(label, "no name"), stem)
        if not name:
            raise InputError(
                f"{path}: file name is not one of the collection's (patient number and"
                " class are read from it)"
            )
        finding = name.groupdict().get("finding", "normal")
        patient = f"kermany/{finding}-{name['number']}"
        part = "test" if split == "test" else "train"
        rows.append((f"kermany/{stem}", path, patient, finding, part))
    columns = ["image_id", "path", "patient_id", "finding", "predefined_split"]
    return COLLECTION.manifest(pd.DataFrame(rows, columns=columns), COLLECTION.locate(root))


def count_leakage(manifest: pd.DataFrame, split: pd.Series) -> pd.DataFrame:
    """:func:`cxrlib.data.splits.leakage` under both readings of the file names.

    ``personN`` occurs with bacterial and with viral images. If the numbering runs per class,
    ``patient_id`` tells patients apart (row ``class and number``); if it runs through both, only
    the number does (row ``number alone``). The names alone do not decide.
    """
    numbers = manifest["patient_id"].str.replace(r"(?<=/)(bacteria|virus|normal)-", "", regex=True)
    both = {
        "class and number": splits.leakage(manifest, split),
        "number alone": splits.leakage(manifest.assign(patient_id=numbers), split),
    }
    return pd.DataFrame(both).T
