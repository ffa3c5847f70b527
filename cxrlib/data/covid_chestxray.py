"""The COVID-19 image data collection of Cohen et al. 2020, as its table lists it at one commit."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cxrlib.data.manifest import Collection, data_folder, read_csv
from cxrlib.files import InputError, inside

SNAPSHOT = "6e57ed3"  # of 4 May 2020, read unless another is named
COLLECTION = Collection(
    "covid-chestxray",
    ("covid-chestxray-dataset",),
    316,
    "git clone https://github.com/ieee8023/covid-chestxray-dataset there and check out commit"
    " 6e57ed3",
)
NEEDED = ["patientid", "finding", "folder", "filename"]  # of each radiograph

# Spelled in some way by the states of the collection: "COVID-19", "COVID-19, ARDS", since July 2020
# "Pneumonia/Viral/COVID-19".
COVID_19 = r"(?i)(?:^|[/,])\s*COVID-19\s*(?:$|[/,])"
VIEWS = {
    view.casefold(): view for view in ("PA", "AP", "AP Supine", "AP Erect", "AP semi erect", "L")
}
MODALITIES = {"xray", "ct"}

# Words in an age column of a published snapshot, read as unknown. Any other word is refused: it is
# more likely a shifted column than an age.
AGE_WORDS = {"", "adult"}


def read_manifest(data: str | Path | None = None, snapshot: str = SNAPSHOT) -> pd.DataFrame:
    """The radiographs (no CT) that the collection listed at one commit.

    Args:
        snapshot: the beginning of a commit. ``metadata-<date>-<commit>.csv`` is read if the folder
            has one, else ``metadata.csv``, which is then taken for that commit on the user's word.

    Raises:
        InputError: no such snapshot, a missing column, an age that is no number, another modality
            than X-ray and CT, COVID in a finding that is no spelling of COVID-19, a file name
            listed twice or one that leaves the folder. The message names file, row and column.
    """
    root = data_folder(data)
    where = _metadata_file(root, snapshot)
    listed = _radiographs(read_metadata(root, snapshot), where)
    for column in NEEDED:
        empty = listed[column] == ""
        if empty.any():
            raise InputError(f"{where}: row {empty.idxmax()}: {column} is empty")
    for column in ("folder", "filename"):
        for row, name in listed[column].items():
            inside(root, name, where=f"{where}: row {row}: {column}")
    stems = listed["filename"].map(lambda name: Path(name).stem.strip())
    if stems.duplicated().any():
        row = stems.duplicated().idxmax()
        first = (stems == stems[row]).idxmax()
        unsure = where.endswith("/metadata.csv")
        other = f", so this is not commit {snapshot}: check that out" if unsure else ""
        raise InputError(
            f"{where}: row {row}: filename {listed['filename'][row]} is listed already in row"
            f" {first}{other}"
        )
    view = listed["view"].str.split().str.join(" ").str.casefold().map(VIEWS)
    images = {
        "image_id": "covid-chestxray/" + stems,
        "path": f"{COLLECTION.locate(root)}/" + listed["folder"] + "/" + listed["filename"],
        "patient_id": "covid-chestxray/" + listed["patientid"],
        "finding": listed["finding"],
        "view": view.fillna(listed["view"].mask(listed["view"] == "")),
        "sex": listed["sex"].mask(listed["sex"] == ""),
        "age": _ages(listed["age"], where),
    }
    return COLLECTION.manifest(pd.DataFrame(images), where)


def is_covid19(manifest: pd.DataFrame) -> pd.Series:
    """True where ``finding`` names COVID-19, as any state of the collection spells it."""
    return manifest["finding"].str.contains(COVID_19)


def read_metadata(data: str | Path | None = None, snapshot: str = SNAPSHOT) -> pd.DataFrame:
    """The collection's own table at one commit, CT included, as text (:func:`read_manifest` reads
    the radiographs of it).
    """
    root = data_folder(data)
    where = _metadata_file(root, snapshot)
    return read_csv(root / where, where, [*NEEDED, "sex", "age", "view", "modality"])


def _metadata_file(root: Path, snapshot: str) -> str:
    """Path of the collection's table, relative to the data folder."""
    folder = COLLECTION.locate(root)
    named = [file.name for file in sorted((root / folder).glob(f"metadata-*-{snapshot[:7]}*.csv"))]
    if not named and (root / folder / "metadata.csv").is_file():
        named = ["metadata.csv"]
    if not named:
        there = (file.stem.rpartition("-")[2] for file in (root / folder).glob("metadata-*.csv"))
        raise InputError(
            f"{root / folder}: no metadata of snapshot {snapshot} (metadata.csv or"
            f" metadata-<date>-{snapshot}.csv; there: {', '.join(sorted(there)) or 'none'})"
        )
    return f"{folder}/{named[0]}"


def _radiographs(listed: pd.DataFrame, where: str) -> pd.DataFrame:
    """The rows that are radiographs. What is not known is refused, not left out without a word."""
    modality = listed["modality"].str.casefold().str.replace(r"[- ]", "", regex=True)
    unnamed = ~modality.isin(MODALITIES) & ((modality != "") | (listed["finding"] != ""))
    unclear = listed["finding"].str.contains("covid", case=False) & ~is_covid19(listed)
    _refuse(listed["modality"], unnamed, where, "is not known")
    _refuse(listed["finding"], unclear, where, "is not known")
    return listed[modality == "xray"]


def _ages(texts: pd.Series, where: str) -> pd.Series:
    known = ~texts.str.casefold().isin(AGE_WORDS)
    ages = pd.to_numeric(texts.where(known), errors="coerce").astype(float)
    odd = known & ~ages.between(0, 120)
    _refuse(texts, odd, where, "is not a number of years from 0 to 120")
    return ages


def _refuse(cells: pd.Series, odd: pd.Series, where: str, says: str) -> None:
    """InputError that names the first of the cells of a column that are ``odd``."""
    if odd.any():
        row = odd.idxmax()
        raise InputError(f"{where}: row {row}: {cells.name} {cells[row]!r} {says}")
