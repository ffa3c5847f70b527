"""The manifest: one row per image, which says where its file should be, not whether it is there.

An image that a copy lacks stays in the table, so that a study's own counts hold and what is missing
can be named (:func:`present`).

Columns: ``image_id`` (``<source>/<file stem>``, unique), ``path`` (relative to the data folder,
with forward slashes), ``patient_id`` (``<source>/<id>``), ``source``, ``finding`` (as the source
spells it), ``view``, ``sex`` (``M``, ``F`` or missing), ``age`` (years), ``width`` and ``height``
(pixels, where known), ``predefined_split`` (``train``, ``test`` or missing).
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cxrlib.files import InputError

NEEDED = ["image_id", "path", "patient_id", "source", "finding"]  # of each image
COLUMNS = [*NEEDED, "view", "sex", "age", "width", "height", "predefined_split"]
SUFFIXES = {".jpeg", ".jpg", ".png"}


@dataclass(frozen=True)
class Collection:
    """A public collection: where it is looked for in the data folder, and where to get it."""

    name: str  # the manifest's ``source``
    folders: tuple[str, ...]
    images: int  # as published
    advice: str

    def locate(self, data: Path) -> str:
        """The first of :attr:`folders` that exists, relative to ``data``; else an InputError."""
        for folder in self.folders:
            if (data / folder).is_dir():
                return folder
        wanted = " or ".join(self.folders)
        raise InputError(f"{data}: no {wanted} in this data folder; {self.advice}")

    def manifest(self, images: pd.DataFrame, where: str) -> pd.DataFrame:
        """What the collection says of its images with the columns of a manifest, checked."""
        whole = images.assign(source=self.name).reindex(columns=COLUMNS)
        return check_manifest(whole.reset_index(drop=True), where)


def data_folder(data: str | Path | None = None) -> Path:
    """The folder that holds the collections: the argument, else ``CXR_DATA``, else ``data/``."""
    folder = Path(data or os.environ.get("CXR_DATA") or "data")
    if not folder.is_dir():
        raise InputError(f"{folder}: the data folder does not exist; set CXR_DATA or pass --data")
    return folder


def check_manifest(manifest: pd.DataFrame, where: str = "manifest") -> pd.DataFrame:
    """Check the table of a collection's images against its contract.

    Parameters
    ----------
    manifest : DataFrame
        One row per image with the columns that :mod:`cxrlib.data.manifest` lists; others are left
        out. ``image_id, path, patient_id, source, finding`` are known of every image.
    where : str
        What the error names: the file that the table comes from.

    Returns
    -------
    DataFrame
        The manifest, its columns in the contract's order.

    Raises
    ------
    InputError
        A column is missing, a cell is empty or an ``image_id`` occurs twice. One line that names
        ``where``, the row (the first is 1) and the column.

    Examples
    --------
    >>> import pandas as pd
    >>> import cxrlib
    >>> cxrlib.check_manifest(pd.DataFrame({"image_id": ["clinic/1"]}), "clinic.csv")
    Traceback (most recent call last):
        ...
    cxrlib.files.InputError: clinic.csv: manifest lacks the column path
    """
    for column in COLUMNS:
        if column not in manifest:
            raise InputError(f"{where}: manifest lacks the column {column}")
    for column in NEEDED:
        empty = manifest[column].isna() | (manifest[column].astype(str).str.strip() == "")
        if empty.any():
            row = int(empty.to_numpy().argmax()) + 1
            raise InputError(f"{where}: row {row}: {column} is empty")
    twice = manifest["image_id"].duplicated().to_numpy()
    if twice.any():
        image = manifest["image_id"].iloc[twice.argmax()]
        raise InputError(f"{where}: row {twice.argmax() + 1}: image_id {image} occurs twice")
    return manifest[COLUMNS]


def read_csv(path: Path, where: str, columns: list[str]) -> pd.DataFrame:
    """Read a CSV as stripped text; the index is the row as a spreadsheet counts, the header being
    row 1.

    Raises:
        InputError: no UTF-8 CSV, a row longer than the header, one of ``columns`` missing or there
        twice.
    """
    as_text = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"}
    try:
        table = pd.read_csv(path, header=None, skip_blank_lines=False, **as_text)
    except (ValueError, OSError, EOFError, zlib.error) as error:  # pandas' own are ValueErrors
        raise InputError(f"{where}: not readable as a UTF-8 CSV file ({error})") from None
    table = table.apply(lambda values: values.str.strip())
    names, table = table.iloc[0].tolist(), table.iloc[1:]
    for column in columns:
        if names.count(column) != 1:
            fault = "has twice" if column in names else "lacks"
            raise InputError(f"{where}: {fault} the column {column}")
    return table.set_axis(names, axis=1).set_axis(table.index + 1)


def present(manifest: pd.DataFrame, data: str | Path | None = None) -> pd.Series:
    """True for each image whose file is in the data folder (index as ``manifest``)."""
    root = data_folder(data)
    return manifest["path"].map(lambda path: os.path.isfile(root / path)).astype(bool)
