"""``python -m companion.build readme``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from companion import headline
from cxrlib.files import InputError, write_text

MARKS = ("<!-- headline: written by make readme -->", "<!-- end of headline -->")


def options(parser: ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", default="README.md")


def run(arguments: Namespace) -> None:
    refresh_readme(Path(arguments.file))


def refresh_readme(file: Path) -> None:
    """Write the headline table between its marks."""
    try:
        before, rest = file.read_text(encoding="utf-8").split(MARKS[0])
        after = rest.split(MARKS[1])[1]
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f"{file}: no pair of headline marks ({error})") from None
    write_text(file, f"{before}{MARKS[0]}\n{headline.tables()}\n{MARKS[1]}{after}")
