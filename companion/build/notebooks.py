"""``python -m companion.build notebooks``: each notebook is edited as .py; the .ipynb beside it is
made from that.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import jupytext
import nbformat

from companion.clone import text_of
from cxrlib.files import InputError, write_text


def notebooks(check: bool = False) -> None:
    """Rewrite the .ipynb notebooks from their .py sources, without outputs.

    check: write nothing; 2 where one differs
    """
    for file in pair_folder(Path("notebooks"), check):
        print(f"written {file}")


def paired_text(source: Path) -> str:
    """The .ipynb text of a percent-format ``.py`` notebook: no outputs, cell ids by place, so that
    it changes only with its source.

    Its metadata holds what :func:`told_apart` needs to see later that somebody edited it.
    """
    made = jupytext.reads(text_of(source), fmt="py:percent")
    if not made.cells:
        raise InputError(f"{source}: holds no cell of a notebook")
    made.metadata["jupytext"] = {"formats": "ipynb,py:percent", "notebook_metadata_filter": "cxr"}
    made.metadata["paired"] = content_hash(made)
    made.nbformat, made.nbformat_minor = 4, 5
    for place, cell in enumerate(made.cells, start=1):
        cell["id"] = f"cell-{place:02d}"
    return nbformat.writes(made) + "\n"


def content_hash(made: dict) -> str:
    """A hash of a notebook's cells: their types, texts and tags, and nothing that opening and
    saving it changes.
    """
    cells = []
    for cell in made["cells"]:
        text, tags = "".join(cell["source"]).strip(), sorted(cell["metadata"].get("tags", []))
        cells.append([cell["cell_type"], text, tags])
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:16]


def told_apart(source: Path, target: Path, there: str, made: str) -> None:
    """See that ``there``, the text of the notebook ``target`` to be replaced by ``made`` from
    ``source``, holds no edits that would be lost.

    Told by content, since a clone scrambles the files' times.

    Raises:
        InputError: it does, or cannot be read; the line names both files and what to do.
    """
    try:
        held = json.loads(there)
        now, paired = content_hash(held), held["metadata"].get("paired")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{target}: cannot be read as a notebook ({error}); if you delete it, it is made from"
            f" {source}"
        ) from None
    if now not in (paired, content_hash(json.loads(made))):
        raise InputError(
            f"{target}: was edited, and {source} beside it says something else; jupytext --to"
            f" py:percent {target} takes the edits over, deleting {target} drops them"
        )


def pair_folder(folder: Path, check: bool = False) -> list[Path]:
    """Write the ``.ipynb`` beside every notebook source in ``folder`` whose pair is missing or
    differs; returns those written.

    Raises:
        InputError: a pair was edited by itself (:func:`told_apart`), or one of the two is not there
        to be paired, or with ``check`` any differs; nothing is written then.
    """
    for alone in sorted(folder.glob("[0-9]*.ipynb")):
        if not alone.with_suffix(".py").is_file():
            raise InputError(
                f"{alone}: has no {alone.stem}.py beside it; jupytext --to py:percent {alone}"
                " makes it"
            )
    texts = {source: paired_text(source) for source in sorted(folder.glob("[0-9]*.py"))}
    if not texts:
        raise InputError(f"{folder}: holds no notebook")
    differing = {}
    for source, text in texts.items():
        target = source.with_suffix(".ipynb")
        if not target.is_file():
            differing[target] = text
        elif (there := text_of(target)) != text:
            told_apart(source, target, there, text)
            differing[target] = text
    if check and differing:
        names = ", ".join(target.name for target in differing)
        raise InputError(f"{folder}: {names} differ from their .py: make notebooks")
    return [write_text(target, text) for target, text in differing.items()]
