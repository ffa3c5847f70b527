"""The parameters of a notebook: what may be given, of which type, and what is given.

A notebook declares them in its cell tagged ``parameters``, with an annotation each: ``origin:
Literal["recorded", "phantom"] = "recorded"``. Papermill alone would take a misspelt name or a value
of another type and go on; here either stops the run with one line.
"""

from __future__ import annotations

import ast
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from companion.options import read_yaml
from cxrlib.files import InputError

IPYTHON = {"In", "Out", "exit", "quit", "get_ipython", "open"}  # its own names in a notebook


def declared(notebook: Mapping) -> tuple[dict[str, Any], dict[str, Any]]:
    """The types and the defaults of a notebook's parameters, by name, as its code states them."""
    kinds, defaults = {}, {}
    for cell in notebook["cells"]:
        if "parameters" in cell["metadata"].get("tags", []):
            for node in ast.parse("".join(cell["source"])).body:
                if isinstance(node, ast.AnnAssign):
                    name = ast.unparse(node.target)
                    kinds[name] = eval(ast.unparse(node.annotation), {"Literal": Literal})
                    defaults[name] = ast.literal_eval(node.value)
    return kinds, defaults


def fits(value: Any, kind: Any) -> bool:
    """Whether a value is of an annotated type; a whole number is a ``float`` too."""
    origin, within = get_origin(kind), get_args(kind)
    if origin is Literal:
        return value in within
    if origin in {typing.Union, types.UnionType}:
        return any(fits(value, each) for each in within)
    if origin is list:
        return isinstance(value, list) and all(fits(each, within[0]) for each in value)
    if kind in {None, type(None)}:
        return value is None
    return type(value) is kind or (kind is float and type(value) is int)


def spelt(kind: Any) -> str:
    """A type in words: ``recorded or phantom or images``; ``a number``."""
    if get_args(kind) and get_origin(kind) is not list:
        return " or ".join(map(spelt, get_args(kind)))
    names = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
    return names.get(kind, str(kind))


def check_given(given: Mapping[str, Any], kinds: Mapping[str, Any], where: str | Path) -> None:
    """See that each parameter that is given exists and is of its type.

    Raises:
        InputError: the first that is not; the line names it and what there is.
    """
    for name, value in given.items():
        if name not in kinds:
            known = ", ".join(kinds) or "none"
            raise InputError(f"{where}: no parameter {name}; there are {known}")
        if not fits(value, kinds[name]):
            wanted = spelt(kinds[name])
            raise InputError(f"{where}: parameter {name} is {value!r}, expected {wanted}")


def check(namespace: Mapping[str, Any]) -> None:
    """The same inside a notebook, right after its parameters, whoever runs it:
    ``parameters.check(globals())``. Constants in capitals are none.
    """
    kinds = namespace.get("__annotations__", {})
    values = {
        name: value
        for name, value in namespace.items()
        if not name.startswith("_")
        and not name.isupper()
        and name not in IPYTHON
        and not callable(value)
        and not isinstance(value, types.ModuleType)
    }
    check_given(values, kinds, "this notebook")


def published(name: str, file: Path = Path("book/parameters.yml")) -> dict[str, Any]:
    """What the book sets in the notebook ``name`` otherwise than the notebook itself.

    Raises:
        InputError: the file cannot be read, or names a notebook that is not there.
    """
    whole = read_yaml(file) or {}
    for notebook in whole:
        given = whole[notebook] if isinstance(whole, dict) else None
        if not isinstance(given, dict) or not Path(f"notebooks/{notebook}.py").is_file():
            raise InputError(
                f"{file}: {notebook}: expected a notebook, and parameters, NAME: VALUE"
            )
    return whole.get(name, {})
