"""Adult radiographs that RSNA's radiologists read as normal (pneumonia challenge of 2018)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cxrlib.data.manifest import SUFFIXES, Collection, data_folder
from cxrlib.files import InputError

COLLECTION = Collection(
    "rsna-normal",
    ("rsna-normal-224", "rsna-normal"),
    5828,
    "put radiographs labelled Normal in the RSNA pneumonia detection challenge there as"
    " images/Normal-<number>.jpg",
)


def read_manifest(data: str | Path | None = None) -> pd.DataFrame:
    """ChestX-ray14 radiographs ``images/Normal-*``, whose place in that collection's list is lost.

    So the patient is unknown and each image counts as its own. Some may be of patients whom
    :func:`cxrlib.data.chestxray14.read_manifest` has too. :class:`InputError` when the folder is
    missing or holds no such image.
    """
    root = data_folder(data)
    folder = COLLECTION.locate(root)
    files = sorted((root / folder / "images").glob("Normal-*"))
    files = [file for file in files if file.suffix.lower() in SUFFIXES]
    if not files:
        raise InputError(f"{root / folder}: holds no images/Normal-*; {COLLECTION.advice}")
    images = pd.DataFrame({"image_id": [f"{COLLECTION.name}/{file.stem}" for file in files]})
    images["path"] = [file.relative_to(root).as_posix() for file in files]
    whole = images.assign(patient_id=images["image_id"], finding="Normal")
    return COLLECTION.manifest(whole, folder)
