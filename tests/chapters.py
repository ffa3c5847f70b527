"""What stands in a chapter of the book alone, for its tests."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def defined(chapter: str, *wanted: str, **names) -> dict:
    """Functions and values of a notebook, defined after its imports and without its other cells;
    ``names`` are what they need from these.
    """
    tree = ast.parse((NOTEBOOKS / f"{chapter}.py").read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    found = [node for node in tree.body if not set(wanted).isdisjoint(_names(node))]
    space: dict = {}
    for nodes in (imports, found):
        exec(compile(ast.Module(nodes, []), f"{chapter}.py", "exec"), space)
        space |= names
    return {name: space[name] for name in wanted}


def _names(node: ast.stmt) -> list[str]:
    """What a statement defines."""
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [getattr(node, "name", "")]


def function(chapter: str, name: str, **names) -> Callable:
    """One function of a notebook."""
    return defined(chapter, name, **names)[name]


def explorer_page() -> dict:
    """What the explorer's page knows of recorded runs: ``printed_points``, ``known_of``, ``title``
    and ``explorer_of``.
    """
    values = ("printed", "study_a", "in_test_set", "DESCRIBED", "listed")
    functions = ("share", "printed_points", "known_of", "title", "explorer_of")
    return defined("20_explorer", *values, *functions)
