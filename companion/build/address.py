"""``python -m companion.build address``: what follows from the address of the repository.

It is typed in one place, ``Repository`` under ``[project.urls]`` in ``pyproject.toml``. While it is
not there, links and buttons say so instead of leading nowhere.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import jinja2

from companion.build import notebooks
from companion.clone import between_marks, replaced, text_of
from cxrlib import __version__
from cxrlib.files import InputError, write_text

GITHUB = "https://github.com/"
# a notebook's first cell of code, with the line that begins it
CELL = re.compile(r"^# %%[^\n]*\n# @title In Colab.*?(?=^# %%)", re.S | re.M)


def address(check: bool = False) -> None:
    """Write the repository's address, typed in pyproject.toml alone, wherever it is needed.

    check: write nothing; 2 where one differs
    """
    texts = {file: text for file, text in written(Path(".")).items() if text != text_of(file)}
    if check and texts:
        names = ", ".join(map(str, texts))
        raise InputError(f"{names}: not as pyproject.toml's address makes it: make address")
    for file, text in texts.items():
        print(f"written {write_text(file, text)}")
    if not check:
        notebooks.notebooks()


def typed(root: Path) -> str:
    """The address in ``pyproject.toml``, or an empty text.

    Raises:
        InputError: it is not https://github.com/OWNER/NAME, which Binder and Colab need.
    """
    file = root / "pyproject.toml"
    project = tomllib.loads(text_of(file))["project"]
    found = project.get("urls", {}).get("Repository", "")
    if found and not re.fullmatch(re.escape(GITHUB) + r"[\w-]+/[\w.-]+(?<!\.git)", found):
        raise InputError(f"{file}: Repository is {found!r}, expected {GITHUB}OWNER/NAME")
    return found


def written(root: Path) -> dict[Path, str]:
    """Each file that holds something of the address, with the text that it should have.

    Raises:
        InputError: a file lacks the place for it.
    """
    found = typed(root)
    owner, _, name = found.removeprefix(GITHUB).partition("/")
    values = {"address": found, "owner": owner, "name": name, "tag": f"v{__version__}"}
    template = jinja2.Template(text_of(root / "book" / "_address.jinja"))
    texts = {}
    for place in ("_config.yml", "CITATION.cff", "README.md", "book/rerun.md"):
        made = template.render(values, file=place).strip("\n")
        texts[root / place] = between_marks(root / place, "address", made)
    cell = template.render(values, file="cell").strip("\n") + "\n\n"
    for file in sorted((root / "notebooks").glob("[0-9]*.py")):
        texts[file] = replaced(CELL, file, cell)
    return texts
