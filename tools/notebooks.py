"""What of each notebook's code a reader sees: lines shown, folded and removed, and its parameters.

``python tools/notebooks.py`` prints a table; it ends with 1 where more than a tenth of a notebook's
lines are removed from its page.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import nbformat
from count import code_lines

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from companion import parameters

MOST_REMOVED = 0.1
REMOVED = {"remove-cell", "remove-input"}
FOLDED = {"hide-input", "hide-cell"}


def shares(notebook: nbformat.NotebookNode) -> dict[str, list[int]]:
    """Lines of code of each cell that is shown, folded or removed."""
    found: dict[str, list[int]] = {"shown": [], "folded": [], "removed": []}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            tags = set(cell.metadata.get("tags", []))
            kind = "removed" if tags & REMOVED else "folded" if tags & FOLDED else "shown"
            found[kind].append(code_lines(cell.source))
    return found


def main() -> int:
    """Print the table; 1 where a notebook hides too much."""
    too_much = []
    print(f"{'notebook':26} {'shown':>6} {'folded':>6} {'removed':>7} {'median':>6}  parameters")
    for file in sorted(Path("notebooks").glob("[0-9]*.ipynb")):
        notebook = nbformat.read(file, 4)
        found = shares(notebook)
        lines = {kind: sum(cells) for kind, cells in found.items()}
        median = statistics.median(sum(found.values(), []))
        names = ", ".join(parameters.declared(notebook)[0]) or "none"
        row = f"{lines['shown']:6} {lines['folded']:6} {lines['removed']:7} {median:6.0f}"
        print(f"{file.stem:26} {row}  {names}")
        if lines["removed"] > MOST_REMOVED * sum(lines.values()):
            too_much.append(file.stem)
    if too_much:
        print(f"more than a tenth of the code is removed: {', '.join(too_much)}")
    return 1 if too_much else 0


if __name__ == "__main__":
    raise SystemExit(main())
