"""The parameters of a notebook: what may be given, of which type, and what is given.

A notebook declares them in its cell tagged ``parameters``, with an annotation each: ``origin:
Literal["recorded", "phantom"] = "recorded"``. Papermill alone would take a misspelt name (and say
so) or a value of another type and go on; ``cxr run`` and the book stop at either with one line.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from companion.options import read_yaml
from cxrlib.files import InputError
from cxrlib.transfer.config import fits, spelt


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
    """See inside a notebook, right after its parameters, that each is of its type, whoever runs it:
    ``parameters.check(globals())``.
    """
    kinds = namespace.get("__annotations__", {})
    check_given({name: namespace[name] for name in kinds}, kinds, "this notebook")


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
