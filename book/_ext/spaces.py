"""Sphinx extension: a number and its per cent sign stay on one line, by a no-break space."""

import re

from docutils import nodes

CODE = (nodes.FixedTextElement, nodes.literal, nodes.raw, nodes.math, nodes.math_block)
GAP = re.compile(r"(^|\d) (?=%)")  # a glued number is a text of its own, and the sign begins one


def tie(app, doctree, docname) -> None:
    for text in list(doctree.findall(nodes.Text)):
        tied = GAP.sub("\\1\N{NO-BREAK SPACE}", text)
        if tied != text and not isinstance(text.parent, CODE):
            text.parent.replace(text, nodes.Text(tied))


def setup(app):
    app.connect("doctree-resolved", tie)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
