"""Public image collections, each read into one table: the manifest.

A manifest has one row per image and says where the file should be, not whether it is there: an
image that a copy lacks stays in the table, so that the study's own counts hold and what is missing
can be named (:func:`present`).

Columns: ``image_id`` (``<source>/<file stem>``, unique), ``path`` (relative to the data folder,
with forward slashes), ``patient_id`` (``<source>/<id>``), ``source``, ``finding`` (as the source
spells it), ``view``, ``sex`` (``M``, ``F`` or missing), ``age`` (years), ``width`` and ``height``
(pixels, where known), ``predefined_split`` (``train``, ``test`` or missing).
"""

from __future__ import annotations

import json
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cxrlib.files import (InputError, inside, sha256)

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
STUDY_B_SNAPSHOT = "6e57ed3"

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


@dataclass(frozen=True)
class Source:
    """Where a collection is looked for inside the data folder, and what to do when it is not
    there.
    """

    name: str
    folders: tuple[str, ...]
    images: int  # as published
    use: str  # what needs it
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


KERMANY = Source(
    "kermany",
    ("kermany-chest-xray-224/chest_xray", "kermany/chest_xray", "chest_xray"),
    5856,
    "Study B",
    "download ChestXRay2017.zip of doi 10.17632/rscbjbr9sj.2 and unpack chest_xray/ there",
)
COVID_CHESTXRAY = Source(
    "covid-chestxray",
    ("covid-chestxray-dataset",),
    316,
    "both studies",
    "git clone https://github.com/ieee8023/covid-chestxray-dataset there and check out commit"
    " 6e57ed3",
)
NIH = Source(
    "nih-chest-xray14",
    ("nih-chest-xray14", "nih-chest-xray14-subset"),
    112120,
    "Study A and its stand-in",
    "Study A's own rule needs them all: download images_001.tar.gz to images_012.tar.gz from"
    " https://nihcc.app.box.com/v/ChestXray-NIHCC and unpack them into nih-chest-xray14",
)
RSNA_NORMAL = Source(
    "rsna-normal",
    ("rsna-normal-224", "rsna-normal"),
    5828,
    "Study A's stand-in",
    "put radiographs labelled Normal in the RSNA pneumonia detection challenge there as"
    " images/Normal-<number>.jpg",
)
SOURCES = {source.name: source for source in (KERMANY, COVID_CHESTXRAY, NIH, RSNA_NORMAL)}


def data_folder(data: str | Path | None = None) -> Path:
    """The folder that holds the collections: the argument, else ``CXR_DATA``, else ``data/``."""
    folder = Path(data or os.environ.get("CXR_DATA") or "data")
    if not folder.is_dir():
        raise InputError(f"{folder}: the data folder does not exist; set CXR_DATA or pass --data")
    return folder


def check(manifest: pd.DataFrame, where: str) -> pd.DataFrame:
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


def kermany(data: str | Path | None = None) -> pd.DataFrame:
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
    folder = KERMANY.locate(root)
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
        raise InputError(f"{root / folder}: holds no train/, val/ or test/ image; {KERMANY.advice}")
    manifest = pd.DataFrame(
        rows, columns=["image_id", "path", "patient_id", "finding", "predefined_split"]
    )
    return check(_fill(manifest, "kermany"), folder)


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


def covid_chestxray(
    data: str | Path | None = None, snapshot: str = STUDY_B_SNAPSHOT
) -> pd.DataFrame:
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
    folder = COVID_CHESTXRAY.locate(root)
    where = f"{folder}/{_metadata_file(root / folder, snapshot).name}"
    metadata = listed(root, snapshot)
    modality = metadata["modality"].str.casefold().str.replace(r"[- ]", "", regex=True)
    unclear = metadata["finding"].str.contains("covid", case=False) & ~covid19(metadata)
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
    return check(_fill(manifest, "covid-chestxray"), where)


def covid19(manifest: pd.DataFrame) -> pd.Series:
    """True for each row whose ``finding`` names COVID-19, as any state of the collection spells
    it.
    """
    return manifest["finding"].str.contains(COVID_19)


def lung_masks(data: str | Path | None = None) -> dict[str, Path]:
    """Files of the lung masks that the COVID-19 collection ships (made by a network, lungVAE), by
    ``image_id``; none is no error.
    """
    root = data_folder(data)
    folder = root / COVID_CHESTXRAY.locate(root) / "annotations" / "lungVAE-masks"
    return {
        f"covid-chestxray/{file.name.split('_mask.png')[0]}": file
        for file in sorted(folder.glob("[!.]*_mask.png*"))
    }  # some end in .png.png


def lung_boxes(
    data: str | Path | None = None,
) -> dict[str, list[tuple[float, float, float, float]]]:
    """Boxes about each lung, drawn by people, that the COVID-19 collection ships (COCO JSON), by
    ``image_id``; none is no error.

    A box is left, top, right, bottom in shares of the picture's width and height.
    :class:`InputError` for a damaged file.
    """
    root = data_folder(data)
    file = (
        root
        / COVID_CHESTXRAY.locate(root)
        / "annotations"
        / "imageannotation_ai_lung_bounding_boxes.json"
    )
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        found: dict[str, list] = {}
        pictures = {picture["id"]: picture for picture in content["images"]}
        for drawn in content["annotations"]:
            picture, (x, y, w, h) = pictures[drawn["image_id"]], drawn["bbox"]
            if None in (x, y, w, h):
                continue  # one annotation of the published file has no place
            across, down = picture["width"], picture["height"]
            image_id = f"covid-chestxray/{Path(picture['file_name']).stem}"
            found.setdefault(image_id, []).append(
                (x / across, y / down, (x + w) / across, (y + h) / down)
            )
        return found
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise InputError(
            f"{file.name}: lung boxes cannot be read ({type(error).__name__}: {error})"
        ) from None


def listed(data: str | Path | None = None, snapshot: str = STUDY_B_SNAPSHOT) -> pd.DataFrame:
    """The COVID-19 collection's own table at one commit, CT included, as text
    (:func:`covid_chestxray` reads the radiographs of it).
    """
    root = data_folder(data)
    folder = COVID_CHESTXRAY.locate(root)
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


def _fill(manifest: pd.DataFrame, source: str) -> pd.DataFrame:
    manifest = manifest.assign(source=source)
    for column in COLUMNS:
        if column not in manifest:
            manifest[column] = float("nan") if column in {"age", "width", "height"} else None
    return manifest[COLUMNS]


def present(manifest: pd.DataFrame, data: str | Path | None = None) -> pd.Series:
    """True for each image whose file is in the data folder (index as ``manifest``)."""
    root = data_folder(data)
    return manifest["path"].map(lambda path: os.path.isfile(root / path)).astype(bool)


def hashes(manifest: pd.DataFrame, data: str | Path | None = None) -> pd.Series:
    """SHA-256 of each file, in the order of ``manifest``; every file must be present."""
    root = data_folder(data)
    return manifest["path"].map(lambda path: sha256(root / path))


def report(data: str | Path | None = None) -> pd.DataFrame:
    """Per source: where it was looked for, images found and missing, and what to do. Never raises
    for an absent source.
    """
    from cxrlib.data import chestxray14

    rows = []
    readers = (kermany, covid_chestxray, chestxray14.manifest, chestxray14.rsna_normal)
    for source, read in zip(SOURCES.values(), readers, strict=True):
        row = {
            "source": source.name,
            "use": source.use,
            "looked_for": " or ".join(source.folders),
            "found": 0,
            "missing": source.images,
            "absent": [],
            "advice": "",
        }
        try:
            root = data_folder(data)
            row["looked_for"] = str(root / source.locate(root))
            manifest = read(root)
            here = present(manifest, root)
            row["found"] = int(here.sum())
            row["absent"] = manifest.loc[~here, "path"].tolist()
            row["missing"] = max(source.images - row["found"], len(row["absent"]))
            row["advice"] = source.advice if row["missing"] else "nothing"
            if len(manifest) > source.images:
                row["advice"] = (
                    f"it lists {len(manifest):,} images, so another state than the"
                    f" {source.images:,} of {source.use}; {source.advice}"
                )
        except InputError as error:
            row["advice"] = str(error)
        rows.append(row)
    return pd.DataFrame(rows)
