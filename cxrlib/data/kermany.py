"""Paediatric radiographs of Kermany et al. 2018 (Mendeley data, doi 10.17632/rscbjbr9sj.2)."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from cxrlib.data.manifest import SUFFIXES, Collection, check_manifest, complete, data_folder
from cxrlib.files import InputError

COLLECTION = Collection(
    "kermany",
    ("kermany-chest-xray-224/chest_xray", "kermany/chest_xray", "chest_xray"),
    5856,
    "download ChestXRay2017.zip of doi 10.17632/rscbjbr9sj.2 and unpack chest_xray/ there",
)


def read_manifest(data: str | Path | None = None) -> pd.DataFrame:
    """Paediatric radiographs of Kermany et al. 2018: 5,856 images, of which the source sets 624
    apart for testing.

    Reads ``{train,val,test}/{NORMAL,PNEUMONIA}/``. The 16 images of the common copy's ``val``
    belong to the original training set and are given back to it. ``finding`` is ``normal``,
    ``virus`` or ``bacteria``. ``patient_id`` joins the class to the number in the file name, the
    better of two readings (:func:`cxrlib.data.splits.leakage` counts both).

    Raises:
        InputError: no such folder, or a file whose name tells neither class nor patient.
    """
    root = data_folder(data)
    folder = COLLECTION.locate(root)
    rows = []
    for file in sorted((root / folder).glob("*/*/*")):
        split, label = file.parts[-3:-1]
        if (
            file.name.startswith(".")
            or file.suffix.lower() not in SUFFIXES
            or split not in {"train", "val", "test"}
        ):
            continue  # Thumbs.db and its like
        path = file.relative_to(root).as_posix()
        finding, number = _kermany_name(path, label, file.name)
        rows.append(
            (
                f"kermany/{file.stem}",
                path,
                f"kermany/{finding}-{number}",
                finding,
                "test" if split == "test" else "train",
            )
        )
    if not rows:
        raise InputError(
            f"{root / folder}: holds no train/, val/ or test/ image; {COLLECTION.advice}"
        )
    manifest = pd.DataFrame(
        rows, columns=["image_id", "path", "patient_id", "finding", "predefined_split"]
    )
    return check_manifest(complete(manifest, "kermany"), folder)


def _kermany_name(path: str, label: str, name: str) -> tuple[str, str]:
    pneumonia = re.fullmatch(r"(person\d+)_(bacteria|virus)_\d+(_\d+)?\.(?i:jpeg|jpg|png)", name)
    normal = re.fullmatch(r"((NORMAL2-)?IM-\d+)(-\d+)*\.(?i:jpeg|jpg|png)", name)
    if label == "PNEUMONIA" and pneumonia:
        return pneumonia[2], pneumonia[1]
    if label == "NORMAL" and normal:
        return "normal", normal[1]
    raise InputError(
        f"{path}: file name is not one of the collection's (patient number and class are read"
        " from it)"
    )
