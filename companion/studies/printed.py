"""The numbers that the studies print, as they print them: ``book/studies/<study>/printed.yml``,
written by hand.

The head of Study B's file says what each field means. Beside the two folders stand ``trace.csv``,
every number of both texts and what became of it, and ``not_claims.yml``, the numbers that are no
claims.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from companion.clone import clone_folder
from companion.options import read_yaml
from cxrlib.files import InputError

LETTERS = {"zhu2020": "B", "cheazemin2020": "A"}
PLACE = ("section", "table", "row", "column", "page")
REQUIRED = ("id", "kind", "where", "printed", "decimals")
OPTIONAL = {"denominator": None, "run": None, "metric": None, "check": []}
OPTIONAL |= dict.fromkeys(("quote", "unit", "relation", "note", "treated"), "")
CHOICES = {
    "kind": ("count", "setting", "formula", "cell", "sentence"),
    "relation": ("", "more than", "at least"),
}


def folder() -> Path:
    """Where the studies' files are kept: ``book/studies/`` of the clone this library runs from."""
    return clone_folder() / "book" / "studies"


def texts(name: str) -> dict:
    """Sentences and heads that the code puts in place: ``book/studies/<name>.yml``."""
    return read_yaml(folder() / f"{name}.yml")


def printed(study: str, place: str | None = None, source: Path | None = None) -> pd.DataFrame:
    """The numbers a study prints, one row each, or those of one place: ``"Table 4.2"``, ``"Section
    3.1"``, ``"Abstract"``.

    Columns are the fields of the file (:data:`REQUIRED` and :data:`OPTIONAL`), the parts of
    ``where`` (:data:`PLACE`) instead of it, ``study``, and ``place``, where the number stands, in
    words. A row with a run and no check is checked by that run's cell; a row is treated on the page
    that the file names for its table or section.

    Raises:
        InputError: no such file or place, an id occurs twice, a field is missing, unknown or has no
            known value, or ``printed`` has not the stated decimals. The line names file, row and
            field.
    """
    file = Path(source or folder()) / study / "printed.yml"
    content = read_yaml(file)
    numbers = content.get("numbers") if isinstance(content, dict) else None
    if not isinstance(numbers, list):
        raise InputError(f"{file}: lacks the list numbers")
    rows, pages = [], content.get("treated") or {}
    for n, number in enumerate(numbers, start=1):
        try:
            row = _row(number, study)
        except ValueError as error:
            raise InputError(f"{file}: number {n}: {error}") from None
        if row["id"] in {other["id"] for other in rows}:
            raise InputError(f"{file}: number {n}: id {row['id']} occurs twice")
        row["treated"] = row["treated"] or pages.get(row["table"] or row["section"], "")
        rows.append(row)
    table = pd.DataFrame(rows, dtype=object)  # None stays None
    if place is None:
        return table
    found = table[table["place"].str.partition(",")[0] == place]
    if found.empty:
        raise InputError(f"{file}: no number stands in {place!r}")
    return found.reset_index(drop=True)


def _row(number, study: str) -> dict:
    """A row of the table from an entry of the file; ValueError says which field is wrong."""
    for field in REQUIRED:
        if not isinstance(number, dict) or field not in number:
            raise ValueError(f"lacks the field {field}")
    where = number["where"]
    if not isinstance(where, dict) or not where.keys() & {"table", "section"}:
        raise ValueError(f"where is {where!r}; it needs a table or a section")
    if odd := sorted(number.keys() - {*REQUIRED, *OPTIONAL}) + sorted(where.keys() - {*PLACE}):
        raise ValueError(f"unknown field {odd[0]}")
    row = {**dict.fromkeys(PLACE), **OPTIONAL, **number, **where, "study": study}
    del row["where"]
    for field, known in CHOICES.items():
        if row[field] not in known:
            raise ValueError(f"{field} is {row[field]!r}, none of {', '.join(filter(None, known))}")
    text = row["printed"]
    if not isinstance(text, str) or len(text.partition(".")[2]) != row["decimals"]:
        raise ValueError(f"printed {text!r} is not text with {row['decimals']} decimals")
    if not row["check"] and row["run"]:
        row["check"] = [{"rule": "cell", "run": row["run"], "metric": row["metric"]}]
    if not isinstance(row["check"], list) or not row["check"]:
        raise ValueError("lacks the field check (a list), or run and metric")
    return row | {"place": _in_words(row)}


def _in_words(row: dict) -> str:
    """``Table 4.2, Viral, Recall`` or ``Section 3.3.2``."""
    if row["table"]:
        return ", ".join(filter(None, [f"Table {row['table']}", row["row"], row["column"]]))
    section = row["section"]
    return section.capitalize() if section[0].isalpha() else f"Section {section}"
