"""Adult radiographs that RSNA's radiologists read as normal (pneumonia challenge of 2018)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cxrlib.data.manifest import COLUMNS, SUFFIXES, Collection, check_manifest, data_folder
from cxrlib.files import InputError

COLLECTION = Collection(
    "rsna-normal",
    ("rsna-normal-224", "rsna-normal"),
    5828,
    "put radiographs labelled Normal in the RSNA pneumonia detection challenge there as"
    " images/Normal-<number>.jpg",
)


def read_manifest(data: str | Path | None = None) -> pd.DataFrame:
    """Manifest of ``rsna-normal-224``: ChestX-ray14 radiographs that RSNA's radiologists read as
    normal, whose place in the list is lost.

    So the patient is unknown and each image counts as its own. Some may be of patients whom
    :func:`cxrlib.data.chestxray14.read_manifest` has too. :class:`InputError` when the folder is
    missing or holds no ``images/Normal-*``.
    """
    root = data_folder(data)
    folder = COLLECTION.locate(root)
    files = sorted(
        file
        for file in (root / folder / "images").glob("Normal-*")
        if file.suffix.lower() in SUFFIXES
    )
    if not files:
        raise InputError(f"{root / folder}: holds no images/Normal-*; {COLLECTION.advice}")
    ids = [f"{COLLECTION.name}/{file.stem}" for file in files]
    table = pd.DataFrame(
        {
            "image_id": ids,
            "patient_id": ids,
            "path": [file.relative_to(root).as_posix() for file in files],
        }
    )
    return check_manifest(
        table.assign(source=COLLECTION.name, finding="Normal").reindex(columns=COLUMNS), folder
    )
