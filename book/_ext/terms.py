"""Sphinx extension: a link to the glossary carries the definition, which ``terms.js`` shows."""

import re
from html import escape

from docutils import nodes

LINK = re.compile(
    r'<a class="reference internal" href="([^"]*#(term-[^"]+))">'
    r'(?=<span class="xref std std-term">)'
)


def definitions(env) -> dict[str, str]:
    """The text of each definition of the glossary, by its anchors."""
    if not hasattr(env, "definitions"):
        env.definitions = {}
        pages = {
            place[0] for (kind, _), place in env.domains["std"].objects.items() if kind == "term"
        }
        for page in pages:
            for item in env.get_doctree(page).findall(nodes.definition_list_item):
                text = " ".join(node.astext() for node in item.findall(nodes.definition))
                for term in item.findall(nodes.term):
                    env.definitions |= dict.fromkeys(term["ids"], " ".join(text.split()))
    return env.definitions


def add_definitions(app, pagename, templatename, context, doctree) -> None:
    """Write the definitions into a page's links."""
    known = definitions(app.env)

    def link(found: re.Match) -> str:
        text = escape(known[found[2]])
        return f'<a class="term" href="{found[1]}" data-definition="{text}">'

    context["body"] = LINK.sub(link, context.get("body", ""))


def setup(app):
    app.connect("html-page-context", add_definitions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
