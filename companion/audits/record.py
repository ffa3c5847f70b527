"""Records of audits: what was asked of which images, and tables of what came out.

A record is a folder of ``results/audits/``: ``run.json`` and tables as CSV, those with more than
:data:`LARGE` bytes of text compressed. Reading one needs neither torch nor an image.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import time
from pathlib import Path

import pandas as pd

from companion import studies
from companion.options import heavy
from cxrlib import files, records
from cxrlib.files import InputError

LARGE = 200_000  # bytes of text, from which on a table is compressed
SAID = ("audit", "study", "what", "config", "images", "weights", "seconds")  # by whoever made it
ADDED = ("made", "recorded", "packages", "device", "git")  # by `write`
CODE = ("cxrlib", "companion", "book/studies")  # what makes a record
NAMES = {"image_id": str, "patient_id": str}


def folder(audit: str) -> Path:
    """Where an audit's record lies."""
    return studies.results_folder() / "audits" / audit


def images(ready) -> dict:
    """What a record says of images as :func:`cxrlib.transfer.pipeline.prepare` gives them:
    fingerprint, number, longest side as stored in pixels by source, and those missing.
    """
    sides = ready.rows[["width", "height"]].max(axis=1).groupby(ready.rows["source"]).max()
    missing = ready.split.loc[ready.split["missing"], "image_id"]
    found = {"fingerprint": ready.fingerprint, "images": len(ready.rows)}
    found |= {"origin": "phantom" if ready.phantom else "images", "precision": ready.precision}
    return found | {"stored": sides.astype(int).to_dict(), "missing": missing.tolist()}


def write(target: str | Path, info: dict, tables: dict[str, pd.DataFrame], device=None) -> Path:
    """Write a record whole or not at all; what is there is replaced. Returns its folder.

    Args:
        info: :data:`SAID` and whatever else there is to say; :data:`ADDED` are added, of them
        ``made`` unless it is there. tables: by name, without an ending; numbers are kept to six
        digits. device: where it was computed, as :func:`cxrlib.transfer.resnet.device` has it.

    Raises:
        InputError: a field or every table is missing, or other files are in the way.
    """
    target, pipeline = Path(target), heavy("cxrlib.transfer.pipeline", "recording an audit")
    lost = [field for field in SAID if field not in info] + ["a table"] * (not tables)
    if lost:
        raise InputError(f"{target}: a record of an audit needs {lost[0]}")
    records.refuse_foreign(target, ("run.json",))
    versions = {name: importlib.metadata.version(name) for name in pipeline.PACKAGES}
    info = {"made": f"python -m companion.build audit {info['audit']}"} | info
    info |= {"recorded": time.strftime("%Y-%m-%d", time.gmtime()), "git": pipeline.revision(CODE)}
    info |= {"packages": versions | {"python": platform.python_version()}}
    info |= {"device": pipeline.resnet.describe(pipeline.resnet.device(device))}
    with files.whole(target) as new:
        for name, table in tables.items():
            text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
            file = f"{name}.csv.gz" if len(text) > LARGE else f"{name}.csv"
            how = {"method": "gzip", "mtime": 0} if file.endswith("gz") else None
            table.to_csv(
                new / file, index=False, float_format="%.6g", lineterminator="\n", compression=how
            )
        text = json.dumps(info, indent=1, ensure_ascii=False)
        files.write_text(new / "run.json", text + "\n")
        read(new)  # what cannot be read back is not written
    return target


def read(audit: str | Path) -> tuple[dict, dict[str, pd.DataFrame]]:
    """What an audit's record says (run.json), and its tables by name: of an audit of this clone, or
    in a folder. :class:`InputError` where there is none or a file of it is damaged.
    """
    place = folder(audit) if isinstance(audit, str) else Path(audit)
    file = place / "run.json"
    try:
        info = json.loads(file.read_text(encoding="utf-8"))
        lost = [field for field in SAID + ADDED if field not in info]
        if lost:
            raise InputError(f"{file}: lacks the field {lost[0]}")
        tables = {}
        for file in sorted([*place.glob("*.csv"), *place.glob("*.csv.gz")]):
            table = pd.read_csv(file, dtype=NAMES, keep_default_na=False, na_values=[""])
            tables[file.name.partition(".")[0]] = table
    except FileNotFoundError:
        make = f"python -m companion.build audit {place.name} makes it"
        raise InputError(f"{place}: not yet recorded (no run.json); {make}") from None
    except (OSError, ValueError, TypeError, EOFError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: cannot be read ({error})") from None
    return info, tables
