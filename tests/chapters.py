"""What stands in a chapter of the book alone, for its tests."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def defined(chapter: str, *wanted: str, **names) -> dict:
    """Functions and values of a notebook, defined alone, in its order; ``names`` are what they need
    from other cells.
    """
    tree = ast.parse((NOTEBOOKS / f"{chapter}.py").read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not set(wanted).isdisjoint(_names(node))]
    exec(compile(tree, f"{chapter}.py", "exec"), names)
    return {name: names[name] for name in wanted}


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
    import pandas as pd

    from companion import forensics, studies
    from companion.studies import subgroups
    from cxrlib.data import kermany
    from cxrlib.explorer import Explorer, payload
    from cxrlib.records import Record

    used = {"pd": pd, "forensics": forensics, "studies": studies, "subgroups": subgroups}
    used |= {"kermany": kermany, "Explorer": Explorer, "Record": Record}
    used |= {"UNKNOWN": payload.UNKNOWN, "subgroups_of": payload.subgroups_of}
    values = ("printed", "study_a", "in_test_set", "DESCRIBED", "listed")
    functions = ("share", "printed_points", "known_of", "title", "explorer_of")
    return defined("20_explorer", *values, *functions, **used)
