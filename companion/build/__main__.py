"""``python -m companion.build``: what makers of the book use, in a clone."""

from __future__ import annotations

import sys

from companion.cli import in_one_line

COMMANDS = {
    "make": "Make the book, or the records that are missing: make book, make records.",
    "notebooks": "Rewrite the .ipynb notebooks from their .py sources, without outputs.",
    "execute": "Execute a notebook with papermill, output whole or not at all.",
    "book": "Build the book from executed notebooks and check its pages.",
    "readme": "Rewrite the headline table in README.md from the records.",
    "cams": "Draw a recorded model's maps and measure where they lie, into its record.",
    "table": "Write a table that the book reads from results/ and that is counted in the images.",
}


def main(argv: list[str] | None = None) -> int:
    """As ``cxr``'s."""
    words = sys.argv[1:] if argv is None else argv
    return in_one_line("python -m companion.build", "companion.build", COMMANDS, words)


if __name__ == "__main__":
    raise SystemExit(main())
