"""What of the public collections is in the data folder, for ``cxr sources``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cxrlib.data import chestxray14, covid_chestxray, kermany, rsna
from cxrlib.data.manifest import data_folder, present
from cxrlib.files import InputError

COLLECTIONS = (kermany, covid_chestxray, chestxray14, rsna)
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
