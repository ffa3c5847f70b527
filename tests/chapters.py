"""Functions that stand in a chapter of the book alone, for its tests."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def function(chapter: str, name: str, **names) -> Callable:
    """A function of a notebook, defined alone; ``names`` are what it needs from other cells."""
    tree = ast.parse((NOTEBOOKS / f"{chapter}.py").read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if getattr(node, "name", "") == name]
    exec(compile(tree, f"{chapter}.py", "exec"), names)
    return names[name]
