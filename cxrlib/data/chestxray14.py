"""NIH's ChestX-ray14 (Wang et al. 2017): its list, radiologists' labels for a part of it, and the
radiographs on disk.

The list, ``Data_Entry_2017_v2020.csv``, names 112,120 images with findings mined from the text of
the reports. Of 4,376 of them radiologists settled the findings together (Majkowska et al. 2020,
``google2019_nih-chest-xray-labels.csv``). Either file, plain or gzipped, is read from the
collection's folder, else from inside the installed package torchxrayvision, which ships both and is
not imported for it (it would import torch).
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from pathlib import Path

import pandas as pd

from cxrlib.data.manifest import (
    COLUMNS,
    SUFFIXES,
    Collection,
    check_manifest,
    data_folder,
    read_csv,
)
from cxrlib.files import InputError

COLLECTION = Collection(
    "nih-chest-xray14",
    ("nih-chest-xray14", "nih-chest-xray14-subset"),
    112120,
    "download images_001.tar.gz to images_012.tar.gz from"
    " https://nihcc.app.box.com/v/ChestXray-NIHCC and unpack them into nih-chest-xray14",
)
LIST, ADJUDICATED = "Data_Entry_2017_v2020.csv", "google2019_nih-chest-xray-labels.csv"
NAMES = {
    "Image Index": "image_id",
    "Patient ID": "patient_id",
    "Finding Labels": "finding",
    "View Position": "view",
    "Patient Gender": "sex",
    "Patient Age": "age",
}
OLDEST = 120  # years; published lists hold 155 and 414, which are read as unknown


def read_labels(data: str | Path | None = None) -> pd.DataFrame:
    """The list: ``image_id, patient_id, finding`` (text-mined, joined by ``|``), ``view`` (PA, AP),
    ``sex`` (M, F), ``age`` (years).

    112,120 rows of 30,805 patients, on disk or not. An age above 120 is read as unknown.

    Raises:
        InputError: the file is neither in the folder nor in torchxrayvision, lacks a column, names
        an image twice or as no image of
            the collection is named, or holds a patient, view, sex or age that is none. The message
            names file, row and column.
    """
    return _read(LIST, {}, data)


def read_adjudicated(data: str | Path | None = None) -> pd.DataFrame:
    """The radiologists' labels: the columns of :func:`read_labels` as this file gives them, ``set``
    (``val`` or ``test``) and ``opacity`` (bool).

    4,376 rows; errors as there. The ages are those of an older list: some differ from
    :func:`read_labels`, mostly by a year.
    """
    table = _read(ADJUDICATED, {"Set Id": r"val|test", "Airspace opacity": r"YES|NO"}, data)
    return table.assign(set=table.pop("Set Id"), opacity=table.pop("Airspace opacity") == "YES")


def _read(name: str, more: dict[str, str], data: str | Path | None) -> pd.DataFrame:
    file = _find(name, data)
    where = f"{file.parent.name}/{file.name}"
    table = read_csv(file, where, [*NAMES, *more])[[*NAMES, *more]]
    forms = {
        "Image Index": r"\d{8}_\d{3}\.png",
        "Patient ID": r"\d{1,8}",
        "Finding Labels": r".+",
        "View Position": r"PA|AP",
    }
    forms |= {"Patient Gender": r"[MF]?", "Patient Age": r"(\d{1,4}(\.\d+)?)?", **more}
    for column, form in forms.items():
        right = table[column].str.fullmatch(form)
        if not right.all():
            row = right.idxmin()
            raise InputError(
                f"{where}: row {row}: {column} {table.at[row, column]!r} is none of the"
                " collection's"
            )
    twice = table["Image Index"].duplicated()
    if twice.any():
        raise InputError(
            f"{where}: row {twice.idxmax()}: Image Index {table.at[twice.idxmax(), 'Image Index']}"
            " is listed already"
        )
    table = table.rename(columns=NAMES).reset_index(drop=True)
    age = pd.to_numeric(table["age"])
    return table.assign(
        image_id=f"{COLLECTION.name}/" + table["image_id"].str.removesuffix(".png"),
        patient_id=f"{COLLECTION.name}/" + table["patient_id"].astype(int).astype(str),
        sex=table["sex"].where(table["sex"] != "", None),
        age=age.where(age <= OLDEST).astype(float),
    )


def _find(name: str, data: str | Path | None) -> Path:
    folders = []
    with contextlib.suppress(InputError):  # without the radiographs the list alone will do
        root = data_folder(data)
        folders.append(root / COLLECTION.locate(root))
    package = importlib.util.find_spec("torchxrayvision")
    folders += [
        Path(folder) / "data" for folder in (package and package.submodule_search_locations) or []
    ]
    for file in [folder / (name + end) for folder in folders for end in ("", ".gz")]:
        if file.is_file():
            return file
    raise InputError(
        f"{name}: not in {' or '.join(COLLECTION.folders)} of the data folder, and no"
        " torchxrayvision, which ships it: pip install torchxrayvision"
    )


def read_manifest(data: str | Path | None = None, absent: bool = True) -> pd.DataFrame:
    """Manifest of ChestX-ray14: every image of the list, found by its stem in ``images/`` or
    ``images_001/images/`` … of the folder.

    PNG of the full download and JPEG copies are read alike. An image that is not there stays with
    the path it would have in ``images/``; with ``absent`` false it is left out, which spares
    112,120 looks at the disk.

    Raises:
        InputError: no such folder or no image in it, a stem there twice, an image that the list
        does not name; and as :func:`read_labels`.
    """
    root = data_folder(data)
    folder = COLLECTION.locate(root)
    found: dict[str, str] = {}
    for place in [root / folder / "images", *sorted((root / folder).glob("images_*/images"))]:
        for name in sorted(os.listdir(place)) if place.is_dir() else []:
            stem, suffix = os.path.splitext(name)
            if name.startswith(".") or suffix.lower() not in SUFFIXES:
                continue
            path = f"{place.relative_to(root).as_posix()}/{name}"
            if found.setdefault(stem, path) != path:
                raise InputError(f"{path}: the same image is there as {found[stem]}")
    if not found:
        raise InputError(
            f"{root / folder}: holds no image in images/ or images_001/images/ and so on;"
            f" {COLLECTION.advice}"
        )
    table = read_labels(root)
    stems = table["image_id"].str.removeprefix(f"{COLLECTION.name}/")
    unlisted = sorted(found.keys() - set(stems))
    if unlisted:
        raise InputError(f"{found[unlisted[0]]}: no image of this name is in {LIST}")
    table["path"] = stems.map(found).fillna(f"{folder}/images/" + stems + ".png")
    table = table.assign(source=COLLECTION.name).reindex(columns=COLUMNS)
    return check_manifest(
        table if absent else table[stems.isin(found.keys())].reset_index(drop=True), folder
    )
