"""``cxr claims``."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace

import pandas as pd

from companion import ledger, studies
from companion.rules import VERDICTS
from cxrlib.files import InputError


def options(parser: ArgumentParser) -> None:
    parser.add_argument("--study", help="A or B, or its id")
    parser.add_argument("--verdict", help="only these, e.g. differs")
    what = "rules, what the runs lacked, and all fields of companion.ledger.PUBLISHED, as JSON"
    parser.add_argument("--json", action="store_true", help=what)


def run(arguments: Namespace) -> None:
    ids = {name: study for study, letter in studies.LETTERS.items() for name in (study, letter)}
    for option, known in (("study", ids), ("verdict", VERDICTS)):
        asked = getattr(arguments, option)
        if asked not in {None, *known}:
            raise InputError(f"--{option} {asked}: there are {', '.join(known)}")
    table = ledger.claims([ids[arguments.study]] if arguments.study else None)
    if arguments.verdict:
        table = table[table["verdict"] == arguments.verdict]
    print(as_json(table) if arguments.json else as_text(table))


def as_json(table: pd.DataFrame) -> str:
    """The ledger for programs; what is not known is null."""
    rows = [
        {key: None if value != value else value for key, value in row.items()}
        for row in table[ledger.PUBLISHED].to_dict("records")
    ]
    whole = {"rules": VERDICTS, "lacked": ledger.shortfalls(table), "claims": rows}
    return json.dumps(whole, indent=1, ensure_ascii=False)


def as_text(table: pd.DataFrame) -> str:
    """The ledger for a terminal: a line each, and how many there are of each verdict."""
    lines = [("", "Place", "Printed", "Rebuilt", "Verdict", "Id")]
    for row in table.to_dict("records"):
        shown = (row["study"], row["place"], row["said"], ledger.rebuilt_in_words(row))
        lines.append((*shown, row["verdict"], row["id"]))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    counts = table["verdict"].value_counts()
    each = ", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in VERDICTS)
    return "\n".join([*texts, f"{len(table)} numbers: {each}"])
