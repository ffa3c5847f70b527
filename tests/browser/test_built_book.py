"""The built book, opened from disk in headless Chromium with the network off."""

import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from companion import status, studies

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
FIGURES = {  # pictures on each page; of the maps, those drawn without radiographs
    "book/index": 0,
    "notebooks/01_study_b_images": 5,
    "notebooks/02_study_b_methods": 6,
    "notebooks/03_study_b_binary": 4,
    "notebooks/04_study_b_four_classes": 5,
    "notebooks/05_study_b_gradcam": 9,
    "notebooks/06_study_b_how_sure": 4,
    "notebooks/11_study_a_images": 1,
    "notebooks/12_study_a_methods": 2,
    "notebooks/13_study_a_results": 6,
    "notebooks/14_study_a_efficiency": 1,
    "notebooks/19_do_they_read_lungs": 7,
    "notebooks/20_explorer": 0,
    "notebooks/21_claims": 0,
    "notebooks/22_study_b_forensics": 10,
    "notebooks/25_study_a_forensics": 7,
    "notebooks/23_calibration": 8,
    "notebooks/24_checklists": 1,
    "book/rerun": 0,
    "book/evaluate": 0,
    "book/how_it_works": 0,
    "book/api": 0,
    "book/glossary": 0,
    "book/status": 0,
}
RADIOGRAPHS = {
    "01_study_b_images": 1,
    "05_study_b_gradcam": 0,  # beside the maps, in the same pictures
    "13_study_a_results": 2,
}  # more pictures where the collections are on disk
PAGES = [f"{name}.html" for name in FIGURES]
WIDTHS = [1280, 390]


@pytest.fixture(
    scope="module",
    params=[(page, width) for page in PAGES for width in WIDTHS],
    ids=lambda value: f"{Path(value[0]).stem}-{value[1]}",
)
def opened(request, browser):
    """A page as a reader sees it offline, with everything that the browser complained of."""
    page_name, width = request.param
    assert (HTML / page_name).is_file(), "build the book first: make book"
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
    page = context.new_page()
    page.complaints = []
    page.on(
        "console",
        lambda message: (
            page.complaints.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("requestfailed", lambda failed: page.complaints.append(f"failed: {failed.url}"))
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto((HTML / page_name).as_uri())
    page.wait_for_load_state("load")
    page.wait_for_timeout(300)
    yield page
    context.close()


def test_nothing_is_complained_of_and_nothing_asked_of_the_network(opened):
    assert opened.complaints == []
    assert [url for url in opened.asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_page_weighs_less_than_a_megabyte(opened):
    """What it loads, as files, without the predictions in its widgets; but for pages with
    radiographs, which are not published.
    """
    shown = any(name in opened.url for name in RADIOGRAPHS)
    if shown and not opened.query_selector(".no-radiographs"):
        return
    held = opened.evaluate(
        "[...document.querySelectorAll('script[type=\"application/json\"]')].reduce((sum, each) =>"
        " sum + each.textContent.length, 0)"
    )
    files = {Path(unquote(urlparse(url).path)) for url in opened.asked if url.startswith("file:")}
    sizes = {file.name: file.stat().st_size for file in files}
    assert len(sizes) > 10 and sum(sizes.values()) - held < 1_000_000, sizes


def test_page_is_not_wider_than_the_window(opened):
    width = opened.viewport_size["width"]
    assert opened.evaluate("document.documentElement.scrollWidth") <= width


def test_figures_are_there_and_legible(opened):
    width = opened.viewport_size["width"]
    sizes = opened.evaluate(
        "[...document.querySelectorAll('.cell_output img:not(.cxr img)')].map(i => { const r ="
        " i.getBoundingClientRect(); return [i.naturalWidth, r.width, r.height, r.left, i.alt,"
        " !!i.closest('.tag_small')] })"
    )
    more = (
        sum(count for name, count in RADIOGRAPHS.items() if name in opened.url)
        if not opened.query_selector(".no-radiographs")
        else 0
    )
    assert len(sizes) == next(count for name, count in FIGURES.items() if name in opened.url) + more
    for natural, shown, height, left, alt, small in sizes:
        assert natural >= 450, "the picture did not load, or is too coarse"
        assert (300 if small else 450) <= shown <= max(natural, 600) + 1 and 100 <= height <= 900, (
            "legible on a phone too, where the cell scrolls"
        )
        assert left >= 0 and (left + shown <= width + 1 or width < 600)
        assert len(alt) > 40 and "_images" not in alt, (
            "a figure needs a text for those who cannot see it"
        )


def test_not_a_medical_device_is_said(opened):
    assert "not a medical device" in opened.inner_text("body").lower()


def test_formulas_are_drawn(opened):
    formulas = opened.evaluate(
        "[...document.querySelectorAll('math')].map(m => m.getBoundingClientRect().height)"
    )
    assert all(height > 5 for height in formulas)
    if "04_study_b" in opened.url:
        assert formulas


def test_numbers_on_the_page_are_those_of_the_predictions(opened):
    """Recomputed with plain scikit-learn from the recorded predictions."""
    if "04_study_b" not in opened.url:
        assert "glue:text" not in opened.inner_text("body")
        return
    frame = studies.run("zhu-fourclass").predictions
    classes = list(studies.ZHU_CLASSES)
    guess = [classes[k] for k in frame[[f"p_{name}" for name in classes]].to_numpy().argmax(1)]
    text = re.sub(r"\s+", " ", opened.inner_text("article"))
    right = (np.array(guess) == frame["y_true"]).sum()
    assert f"{right} of {len(frame)} images were right, {right / len(frame):.3f}" in text
    cells = opened.evaluate(
        "[...document.querySelectorAll('table.printed-rebuilt tbody tr')].map(r =>"
        " [...r.cells].map(c => c.innerText.trim()))"
    )
    rebuilt = [row for row in cells if row[1] == "rebuilt"]
    for name, row in zip(classes, rebuilt, strict=False):
        assert row[-1] == f"{roc_auc_score(frame['y_true'] == name, frame[f'p_{name}']):.3f}"


def test_status_page_counts_the_inventory(opened):
    if "status" not in opened.url:
        return
    tables = opened.evaluate(
        "[...document.querySelectorAll('article table')].map(t => [...t.tBodies[0].rows].map(r =>"
        " [...r.cells].map(c => c.innerText.trim())))"
    )
    assert [len(table) for table in tables] == [23, 12, len(studies.RECORDS)]
    assert {row[2] for table in tables[:2] for row in table} <= set(status.STATES)
    for table, title in zip(tables, opened.locator("article h2").all_inner_texts(), strict=False):
        counts = Counter(row[2] for row in table)
        assert all(f"{n} {state}" in title for state, n in counts.items() if state in status.STATES)
    links = opened.evaluate(
        "[...document.querySelectorAll('article table')].slice(0, 2).flatMap(t =>"
        " [...t.querySelectorAll('a')].map(a => a.getAttribute('href')))"
    )
    assert len(links) >= 33, "each table and figure has a link"
    for link in links:
        file, _, anchor = link.partition("#")
        text = (HTML / "book" / file).read_text(encoding="utf-8")
        assert f'id="{anchor}"' in text, f"{file} has no {anchor}"


@pytest.mark.parametrize(
    ("text", "anchor"),
    [("Table 4.2", "table-4-2"), ("figure 2.2", "figure-2-2"), ("Figure 5", "a-figure-5")],
)
def test_search_finds_an_item_first(browser, text, anchor):
    page = browser.new_page()
    page.goto((HTML / "search.html").as_uri() + f"?q={text}")
    first = page.locator("#search-results li a").first
    first.wait_for()
    assert first.get_attribute("href").endswith(f"#{anchor}")
    page.close()


def test_tables_2_2_and_2_3_are_the_printed_ones(opened):
    """The rebuilt numbers, read off the page, against the thesis as quoted in the fact sheet."""
    if "01_study_b" not in opened.url:
        return
    tables = opened.evaluate(
        "[...document.querySelectorAll('table.numbers')].map(t => [...t.tBodies[0].rows].map(r =>"
        " [...r.cells].map(c => c.innerText.trim().replace(',', ''))))"
    )
    printed = (
        [[5232, 624, 5856], [4128, 60, 4188]],
        [[1376, 60, 1436], [1345, 148, 1493], [2538, 242, 2780], [1349, 234, 1583]],
    )
    for table, rows in zip(tables[-2:], printed, strict=True):
        assert [[int(row[column]) for column in (2, 4, 6)] for row in table] == rows
        assert [[int(row[column]) for column in (1, 3, 5)] for row in table] == rows
        assert {row[7] for row in table} == {"equal"}


LINK = r'<(?:a|img|link|script)\b[^<>]*\s(?:href|src)="([^"]+)"'  # none shown as code


def test_links_within_the_book_lead_somewhere():
    broken = []
    for page in HTML.rglob("*.html"):
        if page.is_relative_to(HTML / "_static"):
            continue  # the theme's templates, no pages
        for target in re.findall(LINK, page.read_text(encoding="utf-8")):
            parts = urlparse(target)
            if parts.scheme or not parts.path or target.startswith(("#", "data:")):
                continue
            if not (page.parent / unquote(parts.path)).exists():
                broken.append(f"{page.relative_to(HTML)} -> {target}")
    assert broken == []


@pytest.mark.parametrize(
    ("page_name", "questions"),
    [("22_study_b_forensics", 10), ("25_study_a_forensics", 7), ("19_do_they_read_lungs", 10)],
)
def test_questions_of_a_pages_table_lead_to_their_sections(browser, page_name, questions):
    page = browser.new_page()
    page.goto((HTML / f"notebooks/{page_name}.html").as_uri())
    asked = page.evaluate(
        "[...document.querySelectorAll('article table')[0].querySelectorAll('a')].map(a =>"
        " [a.innerText, document.querySelector(a.hash).querySelector('h2')?.firstChild.textContent"
        " ?? document.querySelector(a.hash).parentElement.querySelector('h2').firstChild"
        ".textContent])"
    )
    assert len(asked) == questions and all(link == heading for link, heading in asked)
    page.close()


def test_every_matrix_that_gives_table_4_2(browser):
    """72 lines, no two alike; those counts that differ among them keep the sums of their rows."""
    page = browser.new_page()
    page.goto((HTML / "notebooks/22_study_b_forensics.html").as_uri())
    heads = page.locator("#every-matrix thead th").all_text_contents()
    rows = page.evaluate(
        "[...document.querySelectorAll('#every-matrix tbody tr')].map(r => [...r.cells].map(c =>"
        " +c.textContent))"
    )
    assert len(rows) == len({tuple(row) for row in rows}) == 72
    for name in ("Viral", "Bacterial", "Normal"):
        places = [k for k, head in enumerate(heads) if head.startswith(name)]
        assert len({sum(row[k] for k in places) for row in rows}) == 1 and len(places) >= 2
    page.close()


REFUSED = """
const refuse = () => { throw new DOMException("Access is denied.", "SecurityError"); };
for (const name of ["localStorage", "sessionStorage"])
  Object.defineProperty(window, name, { configurable: true, get: refuse });
"""


def test_theme_and_search_work_where_storage_is_refused(browser):
    context = browser.new_context(offline=True)
    context.add_init_script(REFUSED)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((HTML / "book/evaluate.html").as_uri())
    button, seen = page.locator("button.theme-switch-button:visible").first, set()
    for _ in range(3):
        button.click()
        seen.add(page.evaluate("document.documentElement.dataset.mode"))
    assert seen == {"auto", "light", "dark"} and errors == []
    page.goto((HTML / "search.html").as_uri() + "?q=calibration")
    page.wait_for_selector("#search-results li")
    assert page.locator("#search-results li").count() > 2 and not [
        error for error in errors if "denied" in error
    ]
    context.close()
