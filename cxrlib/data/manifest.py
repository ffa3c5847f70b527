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

COLUMNS = [
    "image_id",
    "path",
    "patient_id",
    "source",
    "finding",
    "view",
    "sex",
    "age",
    "width",
    "height",
    "predefined_split",
]
SUFFIXES = {".jpeg", ".jpg", ".png"}


@dataclass(frozen=True)
class Collection:
    """Where a collection is looked for inside the data folder, and what to do when it is not
    there.
    """

    name: str
    folders: tuple[str, ...]
    images: int  # as published
    advice: str

    def locate(self, data: Path) -> str:
        """The first of :attr:`folders` that exists, relative to ``data``; :class:`InputError` when
        none does.
        """
        for folder in self.folders:
            if (data / folder).is_dir():
                return folder
        raise InputError(
            f"{data}: no {' or '.join(self.folders)} in this data folder; {self.advice}"
        )


def data_folder(data: str | Path | None = None) -> Path:
    """The folder that holds the collections: the argument, else ``CXR_DATA``, else ``data/``."""
    folder = Path(data or os.environ.get("CXR_DATA") or "data")
    if not folder.is_dir():
        raise InputError(f"{folder}: the data folder does not exist; set CXR_DATA or pass --data")
    return folder


def check_manifest(manifest: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the manifest when it keeps the contract; otherwise :class:`InputError` naming
    ``where``, row and column.
    """
    missing = [column for column in COLUMNS if column not in manifest]
    if missing:
        raise InputError(f"{where}: manifest lacks the column {missing[0]}")
    for column in ("image_id", "path", "patient_id", "source", "finding"):
        empty = manifest[column].isna() | (manifest[column].astype(str).str.strip() == "")
        if empty.any():
            raise InputError(
                f"{where}: row {int(empty.to_numpy().argmax()) + 1}: {column} is empty"
            )
    twice = manifest["image_id"].duplicated()
    if twice.any():
        row = int(twice.to_numpy().argmax())
        raise InputError(
            f"{where}: row {row + 1}: image_id {manifest['image_id'].iloc[row]} occurs twice"
        )
    return manifest[COLUMNS]


def read_csv(path: Path, where: str, columns: list[str]) -> pd.DataFrame:
    """Read a CSV as stripped text; the index is the row as a spreadsheet counts, the header being
    row 1.

    Raises:
        InputError: no UTF-8 CSV, a row longer than the header, one of ``columns`` missing or there
        twice.
    """
    try:
        table = pd.read_csv(
            path,
            header=None,
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            skip_blank_lines=False,
        )
    except (
        ValueError,
        OSError,
        EOFError,
        zlib.error,
    ) as error:  # pandas' ParserError and UnicodeDecodeError are ValueErrors
        raise InputError(f"{where}: not readable as a UTF-8 CSV file ({error})") from None
    table = table.apply(lambda values: values.str.strip())
    names, table = table.iloc[0].tolist(), table.iloc[1:]
    for column in columns:
        if names.count(column) != 1:
            raise InputError(
                f"{where}: {'has twice' if column in names else 'lacks'} the column {column}"
            )
    return table.set_axis(names, axis=1).set_axis(table.index + 1)


def complete(manifest: pd.DataFrame, source: str) -> pd.DataFrame:
    manifest = manifest.assign(source=source)
    for column in COLUMNS:
        if column not in manifest:
            manifest[column] = float("nan") if column in {"age", "width", "height"} else None
    return manifest[COLUMNS]


def present(manifest: pd.DataFrame, data: str | Path | None = None) -> pd.Series:
    """True for each image whose file is in the data folder (index as ``manifest``)."""
    root = data_folder(data)
    return manifest["path"].map(lambda path: os.path.isfile(root / path)).astype(bool)
