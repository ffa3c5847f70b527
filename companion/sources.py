"""What of the public collections is in the data folder, for ``cxr sources``, and synthetic ones in
their place, for ``cxr phantom``.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import pandas as pd

from cxrlib.data import chestxray14, covid_chestxray, kermany, lungs, rsna
from cxrlib.data import phantom as phantoms
from cxrlib.data.manifest import data_folder, present
from cxrlib.files import InputError, line, printable

COLLECTIONS = (kermany, covid_chestxray, chestxray14, rsna)
NAMED = 20  # missing files of a collection that are all named
USE = {
    "kermany": "Study B",
    "covid-chestxray": "both studies",
    "nih-chest-xray14": "Study A and its stand-in",
    "rsna-normal": "Study A's stand-in",
}


def report(data: str | Path | None = None) -> pd.DataFrame:
    """Per collection: where it was looked for, images found and missing, and what to do. Never
    raises for an absent one.
    """
    rows, whole = [], chestxray14.COLLECTION.advice
    for collection in COLLECTIONS:
        source = collection.COLLECTION
        row = {
            "source": source.name,
            "use": USE[source.name],
            "looked_for": " or ".join(source.folders),
            "found": 0,
            "missing": source.images,
            "absent": [],
            "advice": "",
        }
        try:
            root = data_folder(data)
            row["looked_for"] = str(root / source.locate(root))
            manifest = collection.read_manifest(root)
            here = present(manifest, root)
            row["found"] = int(here.sum())
            row["absent"] = manifest.loc[~here, "path"].tolist()
            row["missing"] = max(source.images - row["found"], len(row["absent"]))
            row["advice"] = source.advice if row["missing"] else "nothing"
            if len(manifest) > source.images:
                row["advice"] = (
                    f"it lists {len(manifest):,} images, so another state than the"
                    f" {source.images:,} of {row['use']}; {source.advice}"
                )
        except InputError as error:
            row["advice"] = str(error)
        row["advice"] = row["advice"].replace(whole, f"Study A's own rule needs them all: {whole}")
        rows.append(row)
    return pd.DataFrame(rows)


def sources(data: str | None = None) -> None:
    """Say where each image collection was looked for, what is there and what is missing."""
    data_folder(data)  # said once, not of each source
    for row in report(data).itertuples():
        print(f"{row.source}, for {row.use}")
        print(f"  looked for  {row.looked_for}")
        print(f"  found       {row.found} of {row.found + row.missing} images")
        for path in row.absent if len(row.absent) <= NAMED else row.absent[:1]:
            print(f"  missing     {printable(path)}")
        if len(row.absent) > NAMED:
            print(f"  missing     and {len(row.absent) - 1:,} more")
        print(f"  to do       {line(row.advice)}")
    with contextlib.suppress(InputError):  # said above already
        masks, boxes = lungs.masks(data), lungs.boxes(data)
        print(f"lung regions, for maps: {len(masks)} images with masks, {len(boxes)} with boxes")


def phantom(folder: str, n: int = 200, seed: int = 0, artefact: str | None = None) -> None:
    """Write synthetic radiographs in the layout of the real collections.

    n: images, 40 or more (default 200)
    artefact: class whose images carry a planted tag
    """
    truth = phantoms.write(folder, n, seed, artefact=artefact)
    print(f"{len(truth)} synthetic radiographs in {folder}")
