"""The status page: which item of which study is rebuilt and where, and what ran, when, how long and
on what.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import jinja2
import pandas as pd
import yaml

from companion import studies
from companion.clone import clone_folder
from cxrlib.files import InputError

STUDIES = {"zhu2020": "Study B, Zhu 2020", "cheazemin2020": "Study A, Che Azemin et al. 2020"}
REBUILT, WAITING, OPEN = "rebuilt", "waits for its record", "not yet built"
MARKS = {  # what an output says of itself: the state that follows
    "this is another image of the same patient": "rebuilt with another image of the patient",
    "not among the images of the study": "rebuilt; the picture is none of the study's images",
    "The map alone": "rebuilt; the radiograph is shown only where it is on disk",
    "The radiographs are not shown": "built; shown only where the radiographs are on disk",
}


def inventory(file: Path) -> dict[str, list[dict]]:
    """``book/inventory.yml``: by study, items with ``item``, ``title`` and perhaps ``parts`` and
    ``by`` (how, if not as the study did). :class:`InputError` for a damaged one.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        for study, items in content.items():
            if study not in STUDIES or any({"item", "title"} - item.keys() for item in items):
                raise ValueError(f"study {study}: unknown, or an item lacks item or title")
        return content
    except (OSError, ValueError, AttributeError, TypeError, yaml.YAMLError) as error:
        raise InputError(f"{file}: cannot be read as an inventory ({error})") from None


def anchor(study: str, name: str) -> str:
    """Where an item is on its page: its name in lower case with dashes, after ``a-`` for Study A:
    ``table-4-2``, ``a-figure-5``.
    """
    return {"cheazemin2020": "a-"}.get(study, "") + re.sub(r"[^a-z0-9]+", "-", name.lower())


def name_of(item: dict, part: str) -> str:
    """What a cell calls an item, or a part of it: ``Figure 2.2 A``."""
    return f"{item['item']} {part}".strip()


def shown(notebook: Path) -> dict[str, str]:
    """Items that the cells of a notebook claim, with their state: rebuilt when the executed cell
    has an output, else waiting.
    """
    found = {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        text = json.dumps(cell.get("outputs") or "")
        marked = [state for mark, state in MARKS.items() if mark in text]
        state = [*marked, REBUILT][0] if cell.get("outputs") else WAITING
        found |= dict.fromkeys(cell["metadata"].get("cxr", {}).get("items", []), state)
    return found


def states(stage: Path, source: Path) -> list[tuple[str, str, str, str, str]]:
    """``(study, item, title, page, state)`` for the whole inventory, from executed notebooks in
    ``stage`` and their sources in ``source``.
    """
    where: dict[str, tuple[str, str]] = {}
    for folder in (source, stage):  # an executed cell counts for more than its source
        for notebook in sorted((folder / "notebooks").glob("[0-9]*.ipynb")):
            where |= {item: (notebook.name, state) for item, state in shown(notebook).items()}
    rows, order = [], [REBUILT, *MARKS.values(), WAITING, OPEN]
    for study, items in inventory(source / "book" / "inventory.yml").items():
        for item in items:
            names = [name_of(item, part) for part in item.get("parts", [""])]
            parts = [where.get(name, ("", OPEN)) for name in names]
            state = max((state for _, state in parts), key=order.index)  # as far as its last part
            if "by" in item and state not in (WAITING, OPEN):
                state += f", {item['by']}"
            rows.append((study, item["item"], item["title"], parts[0][0], state))
    return rows


def records() -> list[tuple[str, ...]]:
    """Of every record the book knows: name, epochs run and planned, device, minutes, date, code."""
    rows = []
    for name in studies.RECORDS:
        if not studies.recorded(name):
            rows.append((name, "*not yet recorded*", "", "", "", ""))
            continue
        file = studies.results_folder() / name / "run.json"
        info = json.loads(file.read_text(encoding="utf-8"))
        epochs = f"{info['epochs']['run']}, {info['epochs']['planned']}"
        minutes = info["seconds"]["training"] / 60
        minutes = f"{minutes:.0f}" if minutes >= 0.5 else "<1"
        code = info["git"]["revision"][:7] + (", changed" if info["git"]["dirty"] else "")
        rows.append((name, epochs, info["device"]["name"], minutes, info.get("recorded", ""), code))
    return rows


def page(stage: Path, source: Path) -> str:
    """The generated part of the status page, in Markdown, by ``book/_status.md.jinja``."""
    text = (clone_folder() / "book" / "_status.md.jinja").read_text(encoding="utf-8")
    items = pd.DataFrame(states(stage, source), columns=["study", "item", "title", "page", "state"])
    items["done"] = ~items["state"].isin([WAITING, OPEN])
    phantoms = studies.results_folder().glob("phantom-*/run.json")
    return jinja2.Template(text).render(
        titles=STUDIES,
        items={study: found.to_dict("records") for study, found in items.groupby("study")},
        records=records(),
        absent=[name for name in studies.STUDY_A if name not in studies.RECORDS],
        recorded=studies.recorded,
        phantoms=sorted(file.parent.name for file in phantoms),
    )
