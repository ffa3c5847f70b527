"""What several commands share: options, NAME=VALUE pairs, modules that an install may lack."""

from __future__ import annotations

import importlib
import re
from argparse import ArgumentParser
from types import ModuleType

import yaml

from cxrlib.files import InputError

SHARED = {
    "--data": "data folder (default: CXR_DATA, else data/)",
    "--results": "folder of the records (default: results/ of this clone)",
    "--device": "cpu, cuda or mps (default: the best there is)",
}


def add_shared(parser: ArgumentParser, *names: str) -> None:
    """Add options that mean the same in every command."""
    for name in names:
        parser.add_argument(name, help=SHARED[name])


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
            " '.[book,train]' in a clone"
        ) from None


class Plain(yaml.SafeLoader):
    """YAML whose numbers are what they look like: 1e-3 a number, 010 and 1:30 no other one, a date
    a text; no key twice.
    """

    def construct_mapping(self, node, deep=False):
        made = super().construct_mapping(node, deep=True)
        if len(made) != len(node.value):
            raise yaml.YAMLError("a key stands there twice")
        return made


KEPT = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:null"}
NUMBERS = {
    "int": r"[-+]?(0|[1-9][0-9]*)",
    "float": (
        r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    ),
}
Plain.yaml_implicit_resolvers = {
    first: [pair for pair in found if pair[0] in KEPT]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for tag, pattern in NUMBERS.items():
    whole = re.compile(f"({pattern})$")
    Plain.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", whole, list("-+.0123456789"))


def pairs(texts: list[str], option: str) -> dict:
    """``NAME=VALUE`` texts as a dictionary, values read as YAML (:class:`Plain`); of a name given
    twice the last counts.
    """
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise InputError(f"{option} {text}: expected NAME=VALUE")
        try:
            found[name] = yaml.load(value, Plain)
        except Exception:  # also what PyYAML itself stumbles over: brackets a thousand deep
            raise InputError(f"{option} {text[:200]}: the value is not valid YAML") from None
    return found
