"""``python -m companion.build audit``: audits of models and images, into results/audits/."""

from __future__ import annotations

import time

from companion.audits import record
from companion.options import heavy
from cxrlib.files import InputError

# An audit's function takes the data folder and the device and gives what its record says
# (companion.audits.record.SAID, but for the audit's name and the seconds) and its tables.
AUDITS: dict[str, tuple[str, str]] = {  # name: module, function
    "duplicates": ("duplicates", "audit"),
    "other-adults": ("models", "other_adults"),
    "lungs-out": ("models", "lungs_out"),
    "marks": ("models", "marks"),
    "cam-texture": ("models", "cam_texture"),
    "blackout-probes": ("probes", "blackout"),
    "one-pipeline-probes": ("sources", "one_pipeline"),
    "leave-source-out": ("sources", "leave_source_out"),
    "frozen-against-finetuned": ("mistakes", "frozen_against_finetuned"),
    "leakage": ("mistakes", "leakage"),
}


def audit(
    name: str, data: str | None = None, output: str | None = None, device: str | None = None
) -> None:
    """Make the record of an audit, which the book reads.

    name: its folder in results/audits/; another name lists them all
    output: folder (default: NAME in the folder of the records of audits)
    """
    if name not in AUDITS:
        raise InputError(f"audit {name}: there are {', '.join(AUDITS)}")
    module, function = AUDITS[name]
    began = time.perf_counter()
    said, tables = getattr(heavy(f"companion.audits.{module}", "an audit"), function)(data, device)
    said = {"audit": name, "seconds": round(time.perf_counter() - began, 1)} | said
    target = record.write(output or record.folder(name), said, tables, device)
    rows = ", ".join(f"{table} {len(tables[table])} rows" for table in tables)
    print(f"{rows}\n{target}")
