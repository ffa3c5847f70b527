"""Sphinx extension: links into the code.

Every page ends with a line *Code of this page*: its source, and for a notebook what it calls of the
library and of the companion. In prose ``{source}`cxrlib/files.py``` links to a file of the
repository, ``{source}`cxrlib/files.py::atomic``` to where a function begins; a name that is not
there is a warning, which ends the build.
"""

import ast
import json
import re
from pathlib import Path

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

import cxrlib

ROOT = Path(cxrlib.__file__).resolve().parents[1]
PACKAGES = ("cxrlib", "companion")


def file_of(module: str) -> str | None:
    """A module's file in the repository."""
    place = module.replace(".", "/")
    found = [f"{place}.py", f"{place}/__init__.py"]
    return next((file for file in found if (ROOT / file).is_file()), None)


def imported(tree: ast.AST) -> dict[str, str]:
    """Names that a program gives to what it imports of ours, and what they stand for; those that
    begin with an underscore are none of its subject.
    """
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in PACKAGES:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in PACKAGES:
                    names[alias.name] = alias.name
    return {name: what for name, what in names.items() if not name.startswith("_")}


def used(code: str) -> dict[str, set[str]]:
    """What a program uses of ours: names by the file that they are imported from."""
    tree, found = ast.parse(code), {}
    names = imported(tree)
    for name in names.values():
        module, _, one = name.rpartition(".")
        if file_of(module) and not file_of(name):
            found.setdefault(file_of(module), set()).add(one)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = names.get(node.value.id, "")
            if file_of(module) and not file_of(f"{module}.{node.attr}"):
                found.setdefault(file_of(module), set()).add(node.attr)
    return found


def code_of(notebook: Path) -> str:
    """A notebook's code, without lines that are not Python."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return re.sub(r"^[%!].*$", "", "\n".join(code), flags=re.M)


def link(app, file: str, line: int | None = None, text: str = "") -> nodes.Node:
    """A reference to a file in the repository; its name alone while that has no address."""
    options = app.config.html_theme_options
    if not options["repository_url"]:
        return nodes.literal("", text or file)
    address = f"{options['repository_url']}/blob/{options['repository_branch']}/{file}"
    made = nodes.reference("", "", refuri=f"{address}#L{line}" if line else address)
    made += nodes.literal("", text or file)
    return made


def add_line(app, doctree) -> None:
    """End a page with its code."""
    page = Path(app.env.doc2path(app.env.docname))
    source = Path(app.env.docname).with_suffix(".py" if page.suffix == ".ipynb" else page.suffix)
    line = nodes.paragraph("", "Code of this page: ", classes=["code-of-page"])
    line += link(app, source.as_posix())
    if page.suffix == ".ipynb":
        for file, names in sorted(used(code_of(page)).items()):
            line += nodes.Text("; ")
            line += link(app, file)
            line += nodes.Text(f": {', '.join(sorted(names))}")
    doctree += line


class Source(SphinxRole):
    """``{source}`FILE``` or ``{source}`FILE::NAME```."""

    def run(self):
        file, _, name = self.text.partition("::")
        line = None
        if (ROOT / file).is_file() and name:
            text = (ROOT / file).read_text(encoding="utf-8")
            begun = re.search(rf"^\s*(?:def|class|function) {name}\b|^{name}\b", text, re.M)
            line = text.count("\n", 0, begun.end()) + 1 if begun else None
        if not (ROOT / file).exists() or (name and line is None):
            place = self.get_location()
            logging.getLogger(__name__).warning(
                "no %s in the repository", self.text, location=place
            )
        return [link(self.env.app, file, line, name or file)], []


def setup(app):
    app.add_role("source", Source())
    app.connect("doctree-read", add_line)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
