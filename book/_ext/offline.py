"""Sphinx extension: pages that need no network.

Formulas become MathML, which browsers draw themselves. Before any other script runs the one that
stands in for a refused storage. The live-code loader that jupyter-book puts on every page (twice,
which is an error in the console) is taken out, because it fetches its script from elsewhere.
"""

from docutils import nodes
from latex2mathml.converter import convert


def _inline(self, node):
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _display(self, node):
    self.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode


def _without_thebe(app, pagename, templatename, context, doctree):
    def thebe(script) -> bool:
        return (
            "thebe"
            in (
                str(getattr(script, "filename", None)) + str(getattr(script, "attributes", ""))
            ).lower()
        )

    if "script_files" in context:
        context["script_files"] = [
            script for script in context["script_files"] if not thebe(script)
        ]


def _storage_first(app, pagename, templatename, context, doctree):
    context["metatags"] = (
        context.get("metatags", "")
        + f'<script src="{context["pathto"]("_static/storage.js", 1)}"></script>'
    )


def setup(app):
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    app.connect("html-page-context", _without_thebe, priority=990)
    app.connect("html-page-context", _storage_first)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
