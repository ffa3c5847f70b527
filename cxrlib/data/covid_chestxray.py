"""The COVID-19 image data collection of Cohen et al. 2020, as its table lists it at one commit."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cxrlib.data.manifest import Collection, data_folder, read_csv, require
from cxrlib.files import InputError, inside, refuse

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
    where, listed = _metadata_file(root, snapshot), read_metadata(root, snapshot)
    modality = listed["modality"].str.casefold().str.replace(r"[- ]", "", regex=True)
    unnamed = ~modality.isin(MODALITIES) & ((modality != "") | (listed["finding"] != ""))
    unclear = listed["finding"].str.contains("covid", case=False) & ~is_covid19(listed)
    refuse(unnamed, listed["modality"], "is not known", where)
    refuse(unclear, listed["finding"], "is not known", where)
    listed = listed[modality == "xray"]
    require(listed, NEEDED, where)
    for column in ("folder", "filename"):
        for row, name in listed[column].items():
            inside(root, name, where=f"{where}, row {row}, column {column}")
    stems = listed["filename"].map(lambda name: Path(name).stem.strip())
    unsure = where.endswith("/metadata.csv")
    other = f", so this is not commit {snapshot}: check that out" if unsure else ""
    refuse(stems.duplicated(), listed["filename"], f"is listed already{other}", where)
    known = ~listed["age"].str.casefold().isin(AGE_WORDS)
    age = pd.to_numeric(listed["age"].where(known), errors="coerce").astype(float)
    odd = known & ~age.between(0, 120)
    refuse(odd, listed["age"], "is not a number of years from 0 to 120", where)
    view = listed["view"].str.split().str.join(" ").str.casefold().map(VIEWS)
    images = {
        "image_id": "covid-chestxray/" + stems,
        "path": f"{COLLECTION.locate(root)}/" + listed["folder"] + "/" + listed["filename"],
        "patient_id": "covid-chestxray/" + listed["patientid"],
        "finding": listed["finding"],
        "view": view.fillna(listed["view"].mask(listed["view"] == "")),
        "sex": listed["sex"].mask(listed["sex"] == ""),
        "age": age,
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
    folder = root / COLLECTION.locate(root)
    named = sorted(folder.glob(f"metadata-*-{snapshot[:7]}*.csv"))
    file = [*named, folder / "metadata.csv"][0]
    if not file.is_file():
        there = sorted(other.stem.rpartition("-")[2] for other in folder.glob("metadata-*.csv"))
        raise InputError(
            f"{folder}: no metadata of snapshot {snapshot} (metadata.csv or"
            f" metadata-<date>-{snapshot}.csv; there: {', '.join(there) or 'none'})"
        )
    return file.relative_to(root).as_posix()
