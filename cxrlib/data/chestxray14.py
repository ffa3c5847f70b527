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
from pathlib import Path

import pandas as pd

from cxrlib.data.manifest import Collection, data_folder, read_csv
from cxrlib.files import InputError, refuse

COLLECTION = Collection(
    "nih-chest-xray14",
    ("nih-chest-xray14", "nih-chest-xray14-subset"),
    112120,
    "download images_001.tar.gz to images_012.tar.gz from"
    " https://nihcc.app.box.com/v/ChestXray-NIHCC and unpack them into nih-chest-xray14",
)
LIST, ADJUDICATED = "Data_Entry_2017_v2020.csv", "google2019_nih-chest-xray-labels.csv"
NAMES = {  # column: its name here, and what its cells look like
    "Image Index": ("image_id", r"\d{8}_\d{3}\.png"),
    "Patient ID": ("patient_id", r"\d{1,8}"),
    "Finding Labels": ("finding", r".+"),
    "View Position": ("view", r"PA|AP"),
    "Patient Gender": ("sex", r"[MF]?"),
    "Patient Age": ("age", r"(\d{1,4}(\.\d+)?)?"),
}
MORE_NAMES = {"Set Id": ("set", r"val|test"), "Airspace opacity": ("opacity", r"YES|NO")}
OLDEST = 120  # years; published lists hold 155 and 414, which are read as unknown


def read_labels(data: str | Path | None = None) -> pd.DataFrame:
    """The list: ``image_id, patient_id, finding`` (text-mined, joined by ``|``), ``view`` (PA, AP),
    ``sex`` (M, F), ``age`` (years).

    112,120 rows of 30,805 patients, on disk or not. An age above 120 is read as unknown.

    Raises:
        InputError: the file is neither in the folder nor in torchxrayvision, lacks a column, names
            an image twice or as no image of the collection is named, or holds a patient, view, sex
            or age that is none. The message names file, row and column.
    """
    return _read(LIST, NAMES, data)


def read_adjudicated(data: str | Path | None = None) -> pd.DataFrame:
    """The radiologists' labels: the columns of :func:`read_labels` as this file gives them, ``set``
    (``val`` or ``test``) and ``opacity`` (bool).

    4,376 rows; errors as there. The ages are those of an older list: some differ from
    :func:`read_labels`, mostly by a year.
    """
    table = _read(ADJUDICATED, NAMES | MORE_NAMES, data)
    return table.assign(opacity=table["opacity"] == "YES")


def _read(name: str, names: dict[str, tuple[str, str]], data: str | Path | None) -> pd.DataFrame:
    file = _find(name, data)
    where = f"{file.parent.name}/{file.name}"
    table = read_csv(file, where, {column: form for column, (_, form) in names.items()})
    refuse(table["Image Index"].duplicated(), table["Image Index"], "is listed already", where)
    table = table[[*names]]
    table = table.rename(columns={column: new for column, (new, _) in names.items()})
    table["image_id"] = f"{COLLECTION.name}/" + table["image_id"].str.removesuffix(".png")
    table["patient_id"] = f"{COLLECTION.name}/" + table["patient_id"].astype(int).astype(str)
    table["sex"] = table["sex"].mask(table["sex"] == "")
    age = pd.to_numeric(table["age"]).astype(float)
    return table.assign(age=age.where(age <= OLDEST)).reset_index(drop=True)


def _find(name: str, data: str | Path | None) -> Path:
    folders = []
    with contextlib.suppress(InputError):  # without the radiographs the list alone will do
        root = data_folder(data)
        folders.append(root / COLLECTION.locate(root))
    if package := importlib.util.find_spec("torchxrayvision"):
        folders += [Path(place) / "data" for place in package.submodule_search_locations or []]
    for folder in folders:
        for file in (folder / name, folder / f"{name}.gz"):
            if file.is_file():
                return file
    raise InputError(
        f"{name}: not in {' or '.join(COLLECTION.folders)} of the data folder, and no"
        " torchxrayvision, which ships it: pip install torchxrayvision"
    )


def read_manifest(data: str | Path | None = None, absent: bool = True) -> pd.DataFrame:
    """Every image of the list, found by its stem in ``images/`` or ``images_001/images/`` … of the
    folder.

    PNG of the full download and JPEG copies are read alike. An image that is not there stays with
    the path it would have in ``images/``; with ``absent`` false it is left out, which spares
    112,120 looks at the disk.

    Raises:
        InputError: no such folder or no image in it, a stem there twice, an image that the list
            does not name; and as :func:`read_labels`.
    """
    root = data_folder(data)
    found = COLLECTION.pictures(root, "images/*", "images_*/images/*")
    for stem in found.index[found.index.duplicated()]:
        raise InputError(f"{' and '.join(found[stem])} are the same image")
    table, folder = read_labels(root), COLLECTION.locate(root)
    stems = table["image_id"].str.removeprefix(f"{COLLECTION.name}/")
    for stem in found.index.difference(stems):
        raise InputError(f"{found[stem]}: no image of this name is in {LIST}")
    table["path"] = stems.map(found).fillna(f"{folder}/images/" + stems + ".png")
    return COLLECTION.manifest(table if absent else table[stems.isin(found.index)], folder)
