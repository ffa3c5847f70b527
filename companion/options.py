"""What several commands share: NAME=VALUE pairs, and modules that an install may lack."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from cxrlib.files import InputError


def heavy(module: str, doing: str) -> ModuleType:
    """Import a module that needs an optional package, when a command comes to it.

    Raises:
        InputError: the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{doing} needs {error.name}, which is not installed: make train-env, or pip install -e"
            " '.[book,train]' in a clone; in a notebook: %pip install torch torchvision safetensors"
        ) from None


SCALARS = {  # what an unquoted value may be beside text
    "bool": "true|false|yes|no|on|off",
    "null": "~|null|",
    "int": "[-+]?(0|[1-9][0-9]*)",
    "float": (
        r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)(e[-+]?[0-9]+)?|[-+]?[0-9]+e[-+]?[0-9]+"
        r"|[-+]?\.inf|\.nan"
    ),
}


class Plain(yaml.SafeLoader):
    """YAML whose numbers are what they look like: 1e-3 a number, 010 and 1:30 no other one, a date
    a text; no key twice.
    """

    yaml_implicit_resolvers: dict = {}

    def construct_mapping(self, node, deep=False):
        made = super().construct_mapping(node, deep=True)
        if len(made) != len(node.value):
            raise yaml.YAMLError("a key stands there twice")
        return made


for tag, pattern in SCALARS.items():
    whole = re.compile(f"(?i:{pattern})$")
    Plain.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", whole, None)


def pairs(texts: list[str], option: str) -> dict:
    """``NAME=VALUE`` texts as a dictionary, values read as YAML (:class:`Plain`); of a name given
    twice the last counts.
    """
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise InputError(f"{option} {text}: expected NAME=VALUE")
        found[name] = plain_value(value, f"{option} {text[:200]}")
    return found


def plain_value(text: str, where: str) -> Any:
    """One value, read as YAML (:class:`Plain`); ``where`` is what the error names."""
    try:
        return yaml.load(text, Plain)
    except Exception:  # also what PyYAML itself stumbles over: brackets a thousand deep
        raise InputError(f"{where}: the value is not valid YAML") from None


def read_yaml(file: Path) -> Any:
    """What a YAML file holds; :class:`InputError` where it cannot be read."""
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{file}: cannot be read as YAML ({error})") from None
