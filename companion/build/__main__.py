"""``python -m companion.build``: what makers of the book use, in a clone."""

from __future__ import annotations

import sys

from companion import cli

COMMANDS = {  # the module of each, and what it does
    "make": ("build.make", "Make the book, or the missing records: make book, make records."),
    "notebooks": ("build.notebooks", "Rewrite the .ipynb notebooks from their .py sources."),
    "address": ("build.address", "Write the repository's address, typed in pyproject.toml."),
    "execute": ("build.execute", "Execute a notebook, output whole or not at all."),
    "book": ("build.book", "Build the book from executed notebooks and check its pages."),
    "readme": ("headline", "Rewrite the headline table in README.md from the records."),
    "audit": ("audits.record", "Make the record of an audit, in results/audits/."),
    "table": ("build.table", "Write a table that the book reads from results/."),
    "cams": ("studies.maps", "Draw a recorded model's maps and measure where they lie."),
    "points": ("audits.points", "Train networks for the audit of what they look at."),
}


def main(argv: list[str] | None = None) -> int:
    """As ``cxr``'s."""
    words = sys.argv[1:] if argv is None else argv
    return cli.run("python -m companion.build", COMMANDS, words)


if __name__ == "__main__":
    raise SystemExit(main())
