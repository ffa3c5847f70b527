"""Sphinx extension: what readers' tools complain of in the HTML that docutils writes."""


def mend(app, pagename, templatename, context, doctree) -> None:
    """A bibliography is no list to ARIA, as its entries are no items of one."""
    role = '<div role="list" class="citation-list">'
    context["body"] = context.get("body", "").replace(role, role.replace(' role="list"', ""))


def setup(app):
    app.connect("html-page-context", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
