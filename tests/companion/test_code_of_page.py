"""The line *Code of this page*, and links from prose into the code."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("code_of_page", ROOT / "book/_ext/code_of_page.py")
code_of_page = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(code_of_page)


def test_what_a_program_uses_of_ours():
    code = """
import numpy as np
import cxrlib
from companion import studies
from companion.pages import say
from cxrlib import plots as drawn
from cxrlib.metrics import rates

say("a", np.mean([1]))
drawn.confusion(rates.per_class(studies.run("x")).sum())
cxrlib.InputError
"""
    assert code_of_page.used(code) == {
        "companion/pages.py": {"say"},
        "companion/studies/__init__.py": {"run"},
        "cxrlib/__init__.py": {"InputError"},
        "cxrlib/metrics/rates.py": {"per_class"},
        "cxrlib/plots.py": {"confusion"},
    }


@pytest.mark.parametrize("notebook", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda f: f.stem)
def test_every_notebook_uses_something(notebook):
    found = code_of_page.used(code_of_page.code_of(notebook))
    assert found and all((ROOT / file).is_file() for file in found)


def test_prose_links_to_files_that_exist():
    files = {
        name.partition("::")[0]
        for page in (ROOT / "book").glob("*.md")
        for name in re.findall(r"\{source\}`([^`]+)`", page.read_text(encoding="utf-8"))
    }
    assert len(files) > 10 and sorted(file for file in files if not (ROOT / file).exists()) == []
