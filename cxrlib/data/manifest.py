"""The manifest: one row per image, which says where its file should be, not whether it is there.

An image that a copy lacks stays in the table, so that a study's own counts hold and what is missing
can be named (:func:`present`).

Columns: ``image_id`` (``<source>/<file stem>``, unique), ``path`` (relative to the data folder,
with forward slashes), ``patient_id`` (``<source>/<id>``), ``source``, ``finding`` (as the source
spells it), ``view``, ``sex`` (``M`` or ``F``), ``age`` (years), ``width`` and ``height``
(pixels), ``predefined_split`` (``train`` or ``test``). The last six may be unknown.
"""

from __future__ import annotations

import glob
import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cxrlib.files import InputError, refuse

NEEDED = ["image_id", "path", "patient_id", "source", "finding"]  # of each image
OPTIONAL = {"view": "str", "sex": "str", "age": float, "width": float, "height": float}
OPTIONAL["predefined_split"] = "str"
COLUMNS = [*NEEDED, *OPTIONAL]
SUFFIXES = {".jpeg", ".jpg", ".png"}


class Absent(InputError):
    """The data folder, or a collection's folder in it, does not exist."""


@dataclass(frozen=True)
class Collection:
    """A public collection: where it is looked for in the data folder, and where to get it."""

    name: str  # the manifest's ``source``
    folders: tuple[str, ...]
    images: int  # as published
    advice: str

    def locate(self, data: Path) -> str:
        """The first of :attr:`folders` that exists, relative to ``data``; else :class:`Absent`."""
        for folder in self.folders:
            if (data / folder).is_dir():
                return folder
        wanted = " or ".join(self.folders)
        raise Absent(f"{data}: no {wanted} in this data folder; {self.advice}")

    def pictures(self, root: Path, *patterns: str) -> pd.Series:
        """Paths relative to ``root`` of the image files that match in the collection's folder,
        index their stems; an InputError where none does.
        """
        folder = self.locate(root)
        found = [sorted(glob.glob(pattern, root_dir=root / folder)) for pattern in patterns]
        paths = pd.Series([f"{folder}/{name}" for names in found for name in names], dtype="str")
        parts = paths.str.replace(os.sep, "/").str.extract(r"(.*/(.*)(\..*))$")
        shown = parts[parts[2].str.lower().isin(SUFFIXES)]
        if shown.empty:
            raise InputError(f"{root / folder}: holds no {' or '.join(patterns)}; {self.advice}")
        return shown.set_index(1)[0]

    def manifest(self, images: pd.DataFrame, where: str) -> pd.DataFrame:
        """What the collection says of its images with the columns of a manifest, checked."""
        return check_manifest(images.assign(source=self.name).reset_index(drop=True), where)


def data_folder(data: str | Path | None = None) -> Path:
    """The folder that holds the collections: the argument, else ``CXR_DATA``, else ``data/``."""
    folder = Path(data or os.environ.get("CXR_DATA") or "data")
    if not folder.is_dir():
        raise Absent(f"{folder}: the data folder does not exist; set CXR_DATA or pass --data")
    return folder


def check_manifest(manifest: pd.DataFrame, where: str = "manifest") -> pd.DataFrame:
    """Check the table of a collection's images against its contract.

    Parameters
    ----------
    manifest : DataFrame
        One row per image with the columns that :mod:`cxrlib.data.manifest` lists; others are left
        out. ``image_id, path, patient_id, source, finding`` are needed, and known of every image;
        of the other columns those that are missing are added, empty.
    where : str
        What the error names: the file that the table comes from.

    Returns
    -------
    DataFrame
        The manifest, its columns in the contract's order, index as ``manifest``.

    Raises
    ------
    InputError
        A needed column is missing, one of its cells is empty or an ``image_id`` occurs twice. One
        line that names ``where``, the row (the first is 1) and the column.

    Examples
    --------
    >>> import pandas as pd
    >>> import cxrlib
    >>> cxrlib.check_manifest(pd.DataFrame({"image_id": ["clinic/1"]}), "clinic.csv")
    Traceback (most recent call last):
        ...
    cxrlib.files.InputError: clinic.csv: lacks the columns path, patient_id, source, finding
    """
    table = numbered(manifest)
    require(table, NEEDED, where)
    refuse(table["image_id"].duplicated(), table["image_id"], "occurs twice", where)
    lacking = [column for column in OPTIONAL if column not in manifest]
    empty = {column: pd.Series(dtype=OPTIONAL[column]) for column in lacking}
    return manifest.assign(**empty)[COLUMNS]


def numbered(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose index counts its rows from 1, as errors call them."""
    return table.set_axis(range(1, len(table) + 1))


def require(table: pd.DataFrame, columns: list[str], where: str) -> None:
    """InputError where a table lacks some of these columns or has an empty cell in one."""
    lacking = [column for column in columns if column not in table]
    if lacking:
        word = "columns" if len(lacking) > 1 else "column"
        raise InputError(f"{where}: lacks the {word} {', '.join(lacking)}")
    for column in columns:
        empty = table[column].isna() | (table[column].astype(str).str.strip() == "")
        refuse(empty, table[column], "stands where a value is needed", where)


def read_csv(path: Path, where: str, columns: Iterable[str]) -> pd.DataFrame:
    """Read a CSV as stripped text; the index is the row as a spreadsheet counts, the header being
    row 1.

    Args:
        columns: those that are needed; of a dict, the values say what their cells look like.

    Raises:
        InputError: no UTF-8 CSV, a row longer than the header, one of ``columns`` missing or there
        twice, a cell of another form.
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
    table = table.set_axis(names, axis=1).set_axis(table.index + 1)
    for column, form in columns.items() if isinstance(columns, dict) else ():
        odd = ~table[column].str.fullmatch(form)
        refuse(odd, table[column], "is none of the collection's", where)
    return table


def present(manifest: pd.DataFrame, data: str | Path | None = None) -> pd.Series:
    """True for each image whose file is in the data folder (index as ``manifest``)."""
    root = data_folder(data)
    return manifest["path"].map(lambda path: os.path.isfile(root / path)).astype(bool)
