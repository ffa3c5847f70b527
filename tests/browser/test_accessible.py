"""axe-core on every page, all that is folded unfolded: nothing critical or serious."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

HTML = Path(__file__).resolve().parents[2] / "_build" / "html"
CHAPTERS = sorted(Path(__file__).resolve().parents[2].glob("notebooks/[0-9]*.py"))
PAGES = [f"notebooks/{file.stem}" for file in CHAPTERS]
PAGES += [f"book/{name}" for name in ("index", "rerun", "evaluate", "how_it_works", "api")]
PAGES += ["book/adapt", "book/glossary", "book/status", "book/references", "search", "genindex"]
AS_SEEN = [
    (1280, "light"),
    pytest.param(390, "light", marks=pytest.mark.slow),
    pytest.param(1280, "dark", marks=pytest.mark.slow),
    pytest.param(390, "dark", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("width", "scheme"), AS_SEEN)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_serious(browser, name, width, scheme):
    file = HTML / f"{name}.html"
    assert file.is_file(), "build the book first: make book"
    size = {"width": width, "height": 900}
    page = browser.new_page(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.evaluate("dispatchEvent(new Event('resize'))")
    page.evaluate("document.getAnimations().forEach(animation => animation.finish())")
    # the nodes of what passes are not listed: half of the time goes into that
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    page.close()
    serious = [
        (each["id"], node["html"][:200], node["failureSummary"][:300])
        for each in found
        if each["impact"] in ("critical", "serious")
        for node in each["nodes"]
    ]
    assert serious == []
