"""The status page: which item of which study is rebuilt and where, and what ran, when, how long and
on what.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd

from companion import studies
from companion.options import read_yaml
from companion.studies.printed import texts
from cxrlib.files import InputError

STUDIES = {"zhu2020": "Study B, Zhu 2020", "cheazemin2020": "Study A, Che Azemin et al. 2020"}
STATES = texts("states")  # of an item, from best to worst
REBUILT, STAND_IN, NO_PICTURE, NOT_REBUILT = STATES
NO_RADIOGRAPHS = "no-radiographs"  # the class of companion.pages.no_radiographs


def inventory(file: Path) -> dict[str, list[dict]]:
    """``book/inventory.yml``: by study, items with ``item``, ``title`` and perhaps ``parts``,
    ``by`` (what stands in) or ``lacking`` (why it is not rebuilt). :class:`InputError` for a
    damaged one.
    """
    content = read_yaml(file)
    if not isinstance(content, dict) or not content.keys() <= STUDIES.keys():
        raise InputError(f"{file}: expected the items of {' and '.join(STUDIES)}")
    for study, items in content.items():
        for item in items or [{}]:
            if not isinstance(item, dict) or not {"item", "title"} <= item.keys():
                raise InputError(f"{file}: {study}: {item} lacks item or title")
    return content


def anchor(study: str, name: str) -> str:
    """Where an item is on its page: its name in lower case with dashes, after ``a-`` for Study A:
    ``table-4-2``, ``a-figure-5``.
    """
    return {"cheazemin2020": "a-"}.get(study, "") + re.sub(r"[^a-z0-9]+", "-", name.lower())


def name_of(item: dict, part: str) -> str:
    """What a cell calls an item, or a part of it: ``Figure 2.2 A``."""
    return f"{item['item']} {part}".strip()


def shown(notebook: Path) -> dict[str, str]:
    """Items that the cells of a notebook claim, each with the state of the last of its cells as far
    as their outputs tell it.
    """
    found: dict[str, str] = {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        outputs = cell.get("outputs")
        state = NO_PICTURE if NO_RADIOGRAPHS in json.dumps(outputs) else REBUILT
        for item in cell["metadata"].get("cxr", {}).get("items", []):
            found[item] = worst(found.get(item, REBUILT), state if outputs else NOT_REBUILT)
    return found


def radiographs_shown(stage: Path) -> bool:
    """Whether an executed page in ``stage`` shows radiographs: one that can (it calls one of two
    functions of :mod:`companion.pages`), and nowhere says that it does not.
    """
    pages = [file.read_text(encoding="utf-8") for file in stage.glob("notebooks/[0-9]*.ipynb")]
    able = re.compile(r"pages\.(no_radiographs|show_map)\(").search
    return any(able(page) and NO_RADIOGRAPHS not in page for page in pages)


def worst(*states: str) -> str:
    """Of several states the one furthest from rebuilt."""
    return max(states, key=list(STATES).index)


def states(stage: Path, source: Path) -> pd.DataFrame:
    """A row for each item of the inventory: ``study``, ``item``, ``title``, ``page`` (a notebook,
    or empty), ``anchor`` (empty where the page as executed lacks it), ``state`` and ``note``; from
    executed notebooks in ``stage`` and their sources in ``source``.
    """
    where: dict[str, tuple[str, str, bool]] = {}
    for folder in (source, stage):  # an executed cell counts for more than its source
        for file in sorted((folder / "notebooks").glob("[0-9]*.ipynb")):
            for item, state in shown(file).items():
                where[item] = (file.name, state, folder == stage)
    rows = []
    for study, items in inventory(source / "book" / "inventory.yml").items():
        for item in items:
            names = [name_of(item, part) for part in item.get("parts", [""])]
            parts = [where.get(name, ("", NOT_REBUILT, False)) for name in names]
            page, _, executed = parts[0]
            state = worst(*(part[1] for part in parts), STAND_IN if "by" in item else REBUILT)
            note = item.get("by", "")
            if state == NOT_REBUILT:
                note = "waits for its record" if page else "not yet built"
            if "lacking" in item:
                state, note = NOT_REBUILT, item["lacking"]
            link = anchor(study, item["item"]) if executed else ""
            rows.append((study, item["item"], item["title"], page, link, state, note))
    columns = ["study", "item", "title", "page", "anchor", "state", "note"]
    return pd.DataFrame(rows, columns=columns)


def counted(found: pd.DataFrame) -> str:
    """How many of these items are in each state: ``16 rebuilt, 6 without their picture``."""
    counts = found["state"].value_counts()
    return ", ".join(f"{counts[state]} {state}" for state in STATES if state in counts)


def facts(items: pd.DataFrame) -> dict:
    """What the status page and its summary are filled with, from the items of :func:`states`."""
    folder, by_study = studies.results_folder(), dict(list(items.groupby("study")))
    records = dict.fromkeys(studies.RECORDS)  # of each the content of its run.json
    for name in filter(studies.recorded, records):
        records[name] = json.loads((folder / name / "run.json").read_text(encoding="utf-8"))
    return {
        "titles": STUDIES,
        "states": STATES,
        "items": {study: found.to_dict("records") for study, found in by_study.items()},
        "counted": {study: counted(found) for study, found in by_study.items()},
        "records": records,
        "absent": [name for name in studies.STUDY_A if name not in studies.RECORDS],
        "recorded": studies.recorded,
        "phantoms": sorted(file.parent.name for file in folder.glob("phantom-*/run.json")),
    }
