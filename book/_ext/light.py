"""Sphinx extension: pages are sent without the parts of the theme that none of them uses.

When the book is built, icons come from the theme's fonts, cut down to the signs that a rule names,
and not from its script, which holds two thousand; style sheets keep the rules for classes that a
page or a script names; and the index of the search is loaded by the search page alone. Where the
theme's files do not look as expected they are left as they are, with a warning.
"""

import re
from io import BytesIO
from logging import WARNING, getLogger
from pathlib import Path

from fontTools import subset, ttLib
from sphinx.util import logging

logger = logging.getLogger(__name__)
getLogger("fontTools").setLevel(WARNING)  # it tells of each table of a font
SHEET = "styles/pydata-sphinx-theme.css"
ICONS = re.compile(r'<script[^>]* src="[^"]*scripts/fontawesome\.js[^"]*"></script>\s*')
RULE = re.compile(r"([^{}]+)\{[^{}]*\}")
SIGN = re.compile(r'"\\(f[0-9a-f]{3})"')
WOFF2 = re.compile(r'url\(([^)]*fa-[\w-]+)\.woff2\) format\("woff2"\),')
DRAWN = r'-xmark:before{content:"\f'  # icons are signs of a font, where no script draws them
SEARCH = re.compile(
    r'<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"></script>\s*'
)


def lighten(app, exception) -> None:
    """Cut what no page uses, once all are written."""
    if exception or app.builder.name != "html":
        return
    out = Path(app.outdir)
    static = out / "_static"
    pages = [file for file in out.rglob("*.html") if static not in file.parents]
    for page in pages:
        if page.name != "search.html":
            replace(page, lambda text: SEARCH.sub("", text))
    words: set[str] = set()
    for file in [*pages, *static.rglob("*.js")]:
        if file.name != "fontawesome.js":
            words |= set(re.findall(r"[\w-]+", file.read_text(encoding="utf-8")))
    for file in static.rglob("*.css"):
        replace(file, lambda text: used_rules(text, words))
    sheet = (static / SHEET).read_text(encoding="utf-8")
    loaded = any(ICONS.search(page.read_text(encoding="utf-8")) for page in pages)
    if not (loaded and WOFF2.search(sheet) and DRAWN in sheet):
        logger.warning("the theme's icons are not as expected: pages are heavier than they need be")
        return
    signs = {int(sign, 16) for sign in SIGN.findall(sheet)}
    for font in static.rglob("fa-*.ttf"):
        font.write_bytes(used_signs(font.read_bytes(), signs))
    replace(static / SHEET, lambda text: WOFF2.sub("", text))
    for page in pages:
        replace(page, lambda text: ICONS.sub("", text))


def replace(file: Path, change) -> None:
    """Write a file's text as ``change`` makes it."""
    before = file.read_text(encoding="utf-8")
    after = change(before)
    if after != before:
        file.write_text(after, encoding="utf-8")


def used_rules(sheet: str, words: set[str]) -> str:
    """A style sheet without the rules of which every selector asks for a class that no page has."""
    plain = re.sub(r"/\*.*?\*/", "", sheet, flags=re.S)

    def keep(rule: re.Match) -> str:
        selectors = re.sub(r":not\([^)]*\)", "", rule[1]).split(",")
        asked = [re.findall(r"\.(-?[A-Za-z_][\w-]*)", selector) for selector in selectors]
        return rule[0] if any(words.issuperset(classes) for classes in asked) else ""

    return RULE.sub(keep, plain) if plain.count("{") == plain.count("}") else sheet


def used_signs(font: bytes, signs: set[int]) -> bytes:
    """A font with these signs alone."""
    made, written = ttLib.TTFont(BytesIO(font)), BytesIO()
    cutter = subset.Subsetter()
    cutter.populate(unicodes=signs)
    cutter.subset(made)
    made.save(written)
    return written.getvalue()


def setup(app):
    app.connect("build-finished", lighten, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
