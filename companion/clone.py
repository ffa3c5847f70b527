"""The clone of the repository that the companion runs from, and what is written into its texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import jinja2

from cxrlib.files import InputError


def clone_folder() -> Path:
    """The clone: records, printed numbers and prose are there and in no installed copy.

    Raises:
        InputError: this is such a copy.
    """
    folder = Path(__file__).resolve().parents[1]
    if not (folder / "pyproject.toml").is_file():
        raise InputError(
            "this copy of the companion is not in a clone of its repository, which holds the"
            " records and the printed numbers: clone it and pip install -e . there"
        )
    return folder


def text_of(file: Path) -> str:
    """A text file that the book is made from.

    Raises:
        InputError: it is not UTF-8, or holds marks of an unfinished merge.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{file}: is not UTF-8 text ({error.reason} at byte {error.start})"
        ) from None
    if marks := re.search(r"^(<{7}|>{7}) ", text, re.M):
        line = text.count("\n", 0, marks.start()) + 1
        raise InputError(f"{file}: line {line} is the mark of a merge conflict; settle it first")
    return text


def filled(template: Path, facts: Mapping) -> str:
    """A text of the book whose blanks, in Jinja's marks, are filled with ``facts``."""
    return jinja2.Template(text_of(template), trim_blocks=True).render(facts)


def between_marks(file: Path, name: str, made: str) -> str:
    """The file's text with ``made`` between its marks, ``NAME: written by`` and ``end of NAME``."""
    marks = rf"({name}: written by [^\n]*\n).*?([^\n]*end of {name})"
    made = f"{made}\n".replace("\\", r"\\") if made else ""
    return replaced(re.compile(marks, re.S), file, rf"\g<1>{made}\g<2>")


def replaced(pattern: re.Pattern, file: Path, made: str) -> str:
    """The file's text with the one place that ``pattern`` finds replaced by ``made``, a template as
    :func:`re.sub` takes it.

    Raises:
        InputError: it has no such place, or several.
    """
    text, places = pattern.subn(made, text_of(file))
    if places != 1:
        raise InputError(f"{file}: {places} places for what is written there, expected one")
    return text
