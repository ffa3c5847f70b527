"""Which room may know which, and what may be imported late; `make lint` looks at circles."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import cxrlib

ROOT = Path(__file__).resolve().parents[1]
LATE = {  # optional or heavy, from outside; and what only some systems have
    *("torch", "torchvision", "torchxrayvision", "pydicom", "skimage", "tqdm"),
    *("jupytext", "nbformat", "papermill", "jupyter_client", "IPython", "myst_nb"),
    *("anywidget", "fcntl"),
}


NEED_TORCH = {"cxrlib.transfer", "cxrlib.gradcam", "cxrlib.inference"}  # the companion may wait


def names(*patterns: str) -> list[str]:
    """Files of the repository by pattern."""
    return sorted(str(f.relative_to(ROOT)) for p in patterns for f in ROOT.glob(p) if f.is_file())


def late(file: Path) -> Iterator[str]:
    """Modules that a file imports inside a function."""
    for function in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for node in ast.walk(function):
                if isinstance(node, ast.Import):
                    yield from (alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom):
                    yield node.module


@pytest.mark.parametrize("file", names("cxrlib/**/*.py", "companion/**/*.py"))
def test_only_what_is_heavy_is_imported_late(file):
    found = {name for name in late(ROOT / file) if name.partition(".")[0] not in LATE}
    assert found - (NEED_TORCH if file.startswith("companion") else set()) == set()


@pytest.mark.parametrize("file", names("cxrlib/**/*.*"))
def test_the_library_knows_no_study_and_no_companion(file):
    if not file.endswith(".pyc"):
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.findall(r"(?i)zhu|azemin|^\s*(?:from|import) companion", text, re.M) == []


@pytest.mark.parametrize("name", sorted({*cxrlib.__all__} - {"__version__"}))
def test_a_public_name_is_documented_and_typed(name):
    thing = getattr(cxrlib, name)
    assert inspect.getdoc(thing)
    if inspect.isfunction(thing):
        signature = inspect.signature(thing)
        given = [*signature.parameters.values()]
        assert [p.name for p in given if p.annotation is p.empty] == []
        assert signature.return_annotation is not signature.empty
        assert importlib.import_module(thing.__module__).__name__.startswith("cxrlib")
