"""Records of audits: what was asked of which images, and tables of what came out.

A record is a folder of ``results/audits/``: ``run.json`` and tables as CSV, those with more than
:data:`LARGE` bytes of text compressed. Reading one needs neither torch nor an image.
"""

from __future__ import annotations

import gzip
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
MODULES = {  # of the package: the audits in it, each a function of that name
    "duplicates": "duplicates",
    "models": "other-adults lungs-out marks cam-texture",
    "probes": "blackout-probes one-pipeline-probes leave-source-out leakage"
    " frozen-against-finetuned",
}
AUDITS = {name: module for module, names in MODULES.items() for name in names.split()}


def audit(
    name: str, data: str | None = None, output: str | None = None, device: str | None = None
) -> None:
    """Make the record of an audit, which the book reads.

    name: its folder in results/audits/; another name lists them all
    output: folder (default: NAME in the folder of the records of audits)
    """
    if name not in AUDITS:
        raise InputError(f"audit {name}: there are {', '.join(AUDITS)}")
    module = heavy(f"companion.audits.{AUDITS[name]}", "an audit")
    began = time.perf_counter()
    said, tables = getattr(module, name.replace("-", "_"))(data, device)
    said = {"audit": name, "seconds": round(time.perf_counter() - began, 1)} | said
    print(write(output or folder(name), said, tables, device))


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


def machine(device=None) -> dict:
    """What made a record: revision of the code, versions of packages, and the device."""
    pipeline = heavy("cxrlib.transfer.pipeline", "recording an audit")
    packages = {name: importlib.metadata.version(name) for name in pipeline.PACKAGES}
    on = pipeline.resnet.describe(pipeline.resnet.device(device))
    packages["python"] = platform.python_version()
    return {"git": pipeline.revision(CODE), "packages": packages, "device": on}


def write(target: str | Path, info: dict, tables: dict[str, pd.DataFrame], device=None) -> Path:
    """Write a record whole or not at all; what is there is replaced. Returns its folder.

    Args:
        info: :data:`SAID` and whatever else there is to say; :data:`ADDED` are added, of them
        ``made`` unless it is there. tables: by name, without an ending; numbers are kept to six
        digits. device: where it was computed, as :func:`cxrlib.transfer.resnet.device` has it.

    Raises:
        InputError: a field is missing, or other files are in the way.
    """
    records.refuse_foreign(Path(target), ("run.json",))
    info = {"made": f"python -m companion.build audit {info['audit']}"} | info
    info |= {"recorded": time.strftime("%Y-%m-%d", time.gmtime())} | machine(device)
    with files.whole(target) as new:
        for name, table in tables.items():
            text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
            if len(text) > LARGE:
                (new / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
            else:
                files.write_text(new / f"{name}.csv", text)
        files.write_text(new / "run.json", json.dumps(info, indent=1, ensure_ascii=False) + "\n")
        read(new)  # what cannot be read back is not written
    return Path(target)


def read(audit: str | Path) -> tuple[dict, dict[str, pd.DataFrame]]:
    """What an audit's record says (run.json), and its tables by name: of an audit of this clone, or
    in a folder. :class:`InputError` where there is none or a file of it is damaged.
    """
    place = folder(audit) if isinstance(audit, str) else audit
    file, tables = place / "run.json", {}
    if not file.is_file():
        make = f"python -m companion.build audit {place.name} makes it"
        raise InputError(f"{place}: not yet recorded (no run.json); {make}")
    try:
        info = json.loads(file.read_text(encoding="utf-8"))
        for field in SAID + ADDED:
            if field not in info:
                raise ValueError(f"it lacks the field {field}")
        for file in sorted([*place.glob("*.csv"), *place.glob("*.csv.gz")]):
            table = pd.read_csv(file, dtype=NAMES, keep_default_na=False, na_values=[""])
            tables[file.name.partition(".")[0]] = table
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file}: cannot be read ({error})") from None
    return info, tables
