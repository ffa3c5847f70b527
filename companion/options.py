"""What several commands share: NAME=VALUE pairs, and modules that an install may lack."""

from __future__ import annotations

import importlib
import json
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


def pairs(texts: list[str], option: str) -> dict:
    """``NAME=VALUE`` texts as a dictionary, values as :func:`plain_value` reads them; of a
    name given twice the last counts.
    """
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise InputError(f"{option} {text}: expected NAME=VALUE")
        found[name] = plain_value(value, f"{option} {text[:200]}")
    return found


def plain_value(text: str, where: str) -> Any:
    """One value: a number, list, dictionary, true, false or null as JSON has them, else a text;
    ``where`` is what the error names.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if text.startswith(("[", "{")):
            raise InputError(
                f'{where}: the value is not valid JSON, such as [10, 30] or {{"covid": 8}}'
            ) from None
        return text


def read_yaml(file: Path) -> Any:
    """What a YAML file holds; :class:`InputError` where it cannot be read."""
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{file}: cannot be read as YAML ({error})") from None
