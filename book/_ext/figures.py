"""Sphinx extension: the studies' figures and tables have anchors and captions, stand in the index,
and so are found by the search.

A cell whose metadata ``cxr.items`` names an item of ``book/inventory.yml`` bears its anchor
(:func:`companion.status.anchor`), unless a figure, a heading or HTML on its page bears it already.
A link without a text of its own, such as ``{ref}`table-4-2```, says the study's number, *Table
4.2*. A figure whose code is folded ends with a link to it.
"""

import functools
import json
import re

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

from companion import status
from companion.clone import clone_folder

logger = logging.getLogger(__name__)
TABLE = re.compile(r'<figure id="([\w-]+)" class="table">')  # as companion.pages.table writes it
PICTURES = {"image/png", "image/svg+xml"}


@functools.cache
def anchors() -> dict[str, dict[str, str]]:
    """By the name under which a cell claims an item, or a part of one: the anchors and what each
    leads to. The first part has the anchor of the whole, too.
    """
    found = {}
    for study, items in status.inventory(clone_folder() / "book" / "inventory.yml").items():
        for item in items:
            names = [status.name_of(item, part) for part in item.get("parts", [""])]
            found |= {name: {status.anchor(study, name): name} for name in names}
            found[names[0]][status.anchor(study, item["item"])] = item["item"]
    return found


def one_output_a_figure(app, docname: str, source: list[str]) -> None:
    """In a notebook that is read: a figure is named after its item and holds one output of its
    cell, the first picture or else the first of all. What else the cell shows follows below.
    """
    if not str(app.env.doc2path(docname)).endswith(".ipynb"):
        return
    notebook = json.loads(source[0])
    cells = []
    for cell in notebook["cells"]:
        cells.append(cell)
        figure = cell["metadata"].get("mystnb", {}).get("figure")
        if not figure:
            continue
        for item in cell["metadata"].get("cxr", {}).get("items", [])[:1]:
            figure.setdefault("name", next(iter(anchors()[item])))
        outputs = cell.get("outputs", [])
        pictures = [output for output in outputs if PICTURES & set(output.get("data", ()))]
        others = [output for output in outputs if "data" in output]
        first = (pictures or others)[:1]
        rest = [output for output in outputs if output not in first]
        if first and rest:
            cell["outputs"] = first
            below = {"metadata": {"tags": ["remove-input"]}, "id": f"{cell['id']}-rest"}
            cells.append(cell | below | {"outputs": rest})
    source[0] = json.dumps(notebook | {"cells": cells})


class Anchors(SphinxTransform):
    """Anchors, and entries for the index, before Sphinx collects both."""

    default_priority = 700

    def apply(self, **kwargs) -> None:
        for cell in list(self.document.findall(is_cell)):
            items = claimed(cell)
            taken = set(tables(cell)) | self.document.ids.keys()
            for name in items.keys() - taken:
                cell["ids"].append(name)
                self.document.ids[name] = cell
            entries = [("single", item, name, "main", None) for name, item in items.items()]
            if entries:
                cell.parent.insert(cell.parent.index(cell), addnodes.index(entries=entries))
            for figure in cell.findall(nodes.figure):
                link_to_code(cell, figure)


def is_cell(node: nodes.Node) -> bool:
    """A code cell of a notebook."""
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def link_to_code(cell: nodes.container, figure: nodes.figure) -> None:
    """End a figure's caption with a link to the code, where that is folded above it."""
    code = [node for node in cell.children if node.get("nb_element") == "cell_code_source"]
    captions = list(figure.findall(nodes.caption))
    if "hide-input" in cell["cell_metadata"].get("tags", []) and code and captions:
        if not code[0]["ids"]:
            names = [*figure["ids"], *cell["ids"], f"cell-{cell['cell_index']}"]
            code[0]["ids"].append(f"{names[0]}-code")
        link = nodes.reference("", "Code", refid=code[0]["ids"][0], classes=["to-code"])
        captions[0] += [nodes.Text(" "), link]


def claimed(cell: nodes.container) -> dict[str, str]:
    """Anchors of the items that a cell claims, and the items' names."""
    found: dict[str, str] = {}
    for item in cell["cell_metadata"].get("cxr", {}).get("items", []):
        found |= anchors().get(item, {})
    return found


def tables(cell: nodes.container) -> list[str]:
    """Anchors of tables that a cell shows as HTML."""
    return [name for raw in cell.findall(nodes.raw) for name in TABLE.findall(raw.astext())]


def name_links(app, doctree) -> None:
    """Links to a page's items, and to tables that are HTML, find them and say what they lead to."""
    links = app.env.get_domain("std")
    for cell in doctree.findall(is_cell):
        for name, text in (dict.fromkeys(tables(cell), "Table") | claimed(cell)).items():
            if links.labels.get(name, [app.env.docname])[0] != app.env.docname:
                logger.warning("%s stands on page %s, too", name, links.labels[name][0])
            links.anonlabels[name] = app.env.docname, name
            links.labels[name] = app.env.docname, name, text


def without_numbers_of_its_own(app, config) -> None:
    """Sphinx does not count figures: they bear the study's numbers. An extension of jupyter-book's
    turns that on whatever ``_config.yml`` says.
    """
    config.numfig = False


def setup(app):
    app.connect("config-inited", without_numbers_of_its_own, priority=999)
    app.connect("source-read", one_output_a_figure)
    app.add_transform(Anchors)
    app.connect("doctree-read", name_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
