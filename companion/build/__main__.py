"""``python -m companion.build``: what makers of the book use, in a clone."""

from __future__ import annotations

import sys

from companion import cli

COMMANDS = {  # by module: functions, and what they do
    "companion.build.make": {
        "make": "Make the book, or the records that are missing: make book, make records."
    },
    "companion.build.notebooks": {
        "notebooks": "Rewrite the .ipynb notebooks from their .py sources, without outputs."
    },
    "companion.build.address": {
        "address": "Write the repository's address, typed in pyproject.toml, where it is needed."
    },
    "companion.build.execute": {
        "execute": "Execute a notebook with papermill, output whole or not at all."
    },
    "companion.build.book": {"book": "Build the book from executed notebooks and check its pages."},
    "companion.headline": {"readme": "Rewrite the headline table in README.md from the records."},
    "companion.audits.record": {"audit": "Make the record of an audit, in results/audits/."},
    "companion.build.table": {
        "table": "Write a table that the book reads from results/ and counts in the images.",
        "cams": "Draw a recorded model's maps and measure where they lie, into its record.",
    },
    "companion.audits.points": {
        "points": "Train networks for the audit of what they look at, into its records."
    },
}


def main(argv: list[str] | None = None) -> int:
    """As ``cxr``'s."""
    words = sys.argv[1:] if argv is None else argv
    return cli.run("python -m companion.build", COMMANDS, words)


if __name__ == "__main__":
    raise SystemExit(main())
