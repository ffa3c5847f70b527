"""The COVID-19 image data collection of Cohen et al. 2020, as its table lists it at one commit."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cxrlib.data.manifest import Collection, check_manifest, complete, data_folder, read_csv
from cxrlib.files import InputError, inside

SNAPSHOT = "6e57ed3"  # of 4 May 2020, read unless another is named

# Spelled in some way by the states of the COVID-19 collection: "COVID-19", "COVID-19, ARDS", since
# July 2020 "Pneumonia/Viral/COVID-19".
COVID_19 = r"(?i)(?:^|[/,])\s*COVID-19\s*(?:$|[/,])"
VIEWS = {
    view.casefold(): view for view in ("PA", "AP", "AP Supine", "AP Erect", "AP semi erect", "L")
}
MODALITIES = {"xray", "ct"}

# Words that stand in an age column of a published snapshot. They are no number of years, and are
# read as unknown;
# any other word is refused, because it is more likely a shifted column than an age.
AGE_WORDS = {"adult"}


COLLECTION = Collection(
    "covid-chestxray",
    ("covid-chestxray-dataset",),
    316,
    "git clone https://github.com/ieee8023/covid-chestxray-dataset there and check out commit"
    " 6e57ed3",
)


def read_manifest(data: str | Path | None = None, snapshot: str = SNAPSHOT) -> pd.DataFrame:
    """Radiographs (no CT) of the COVID-19 image data collection of Cohen et al. as listed at one
    commit.

    Args:
        snapshot: the beginning of a commit. ``metadata-<date>-<commit>.csv`` is read if the folder
        has one, else
            ``metadata.csv``, which is then taken for that commit on the user's word.

    Raises:
        InputError: no such snapshot, a missing column, an age that is no number, another modality
        than X-ray and CT, COVID
            in a finding that is no spelling of COVID-19, a file name listed twice or one that
            leaves the folder. The message names file, row and column.
    """
    root = data_folder(data)
    folder = COLLECTION.locate(root)
    where = f"{folder}/{_metadata_file(root / folder, snapshot).name}"
    metadata = read_metadata(root, snapshot)
    modality = metadata["modality"].str.casefold().str.replace(r"[- ]", "", regex=True)
    unclear = metadata["finding"].str.contains("covid", case=False) & ~is_covid19(metadata)
    unnamed = ~modality.isin(MODALITIES) & ((modality != "") | (metadata["finding"] != ""))
    for column, odd in (("modality", unnamed), ("finding", unclear)):
        if odd.any():  # left out, it would be missing without a word
            raise InputError(
                f"{where}: row {odd.idxmax()}: {column} {metadata.loc[odd.idxmax(), column]!r} is"
                " not known"
            )
    metadata = metadata[modality == "xray"]
    rows = []
    seen: dict[str, int] = {}
    for row, line in metadata.iterrows():
        at = f"{where}: row {row}"
        for column in ("patientid", "finding", "folder", "filename"):
            if not line[column]:
                raise InputError(f"{at}: {column} is empty")
            if column in {"folder", "filename"}:
                inside(root, line[column], where=f"{at}: {column}")
        path = f"{folder}/{line['folder']}/{line['filename']}"
        image_id = f"covid-chestxray/{Path(line['filename']).stem}"
        if image_id in seen:
            other = (
                f", so this is not commit {snapshot}: check that out"
                if where.endswith("/metadata.csv")
                else ""
            )
            raise InputError(
                f"{at}: filename {line['filename']} is listed already in row"
                f" {seen[image_id]}{other}"
            )
        seen[image_id] = row
        rows.append(
            (
                image_id,
                path,
                f"covid-chestxray/{line['patientid']}",
                line["finding"],
                VIEWS.get(" ".join(line["view"].split()).casefold(), line["view"]) or None,
                line["sex"] or None,
                _age(line["age"], at),
            )
        )
    manifest = pd.DataFrame(
        rows, columns=["image_id", "path", "patient_id", "finding", "view", "sex", "age"]
    )
    return check_manifest(complete(manifest, "covid-chestxray"), where)


def is_covid19(manifest: pd.DataFrame) -> pd.Series:
    """True for each row whose ``finding`` names COVID-19, as any state of the collection spells
    it.
    """
    return manifest["finding"].str.contains(COVID_19)


def read_metadata(data: str | Path | None = None, snapshot: str = SNAPSHOT) -> pd.DataFrame:
    """The COVID-19 collection's own table at one commit, CT included, as text
    (:func:`read_manifest` reads the radiographs of it).
    """
    root = data_folder(data)
    folder = COLLECTION.locate(root)
    table = _metadata_file(root / folder, snapshot)
    return read_csv(
        table,
        f"{folder}/{table.name}",
        ["patientid", "sex", "age", "finding", "view", "modality", "folder", "filename"],
    )


def _metadata_file(folder: Path, snapshot: str) -> Path:
    named = sorted(folder.glob(f"metadata-*-{snapshot[:7]}*.csv"))
    if named:
        return named[0]
    if (folder / "metadata.csv").is_file():
        return folder / "metadata.csv"
    known = (
        ", ".join(sorted(file.stem.rsplit("-", 1)[-1] for file in folder.glob("metadata-*.csv")))
        or "none"
    )
    raise InputError(
        f"{folder}: no metadata of snapshot {snapshot} (metadata.csv or"
        f" metadata-<date>-{snapshot}.csv; there: {known})"
    )


def _age(text: str, at: str) -> float:
    if not text or text.lower() in AGE_WORDS:
        return float("nan")
    try:
        age = float(text)
    except ValueError:
        age = -1.0
    if not 0 <= age <= 120:
        raise InputError(f"{at}: age {text!r} is not a number of years from 0 to 120")
    return age
