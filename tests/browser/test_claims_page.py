"""The ledger's page, opened from disk with the network off: filters, address, counts, download,
without JavaScript, on a phone.
"""

import csv
import io
from collections import Counter
from pathlib import Path

import jinja2
import pandas as pd
import pytest

from companion import ledger, rules

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "_build" / "html" / "notebooks" / "21_claims.html"
SHOWN = (
    "[...document.querySelectorAll('table.ledger tbody tr')].filter(r => r.offsetParent !== null)"
)


@pytest.fixture(scope="module")
def claims():
    return ledger.claims()


@pytest.fixture
def page(browser):
    """The page as opened; any complaint of the console fails the test."""
    assert PAGE.is_file(), "build the book first: make book"
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, offline=True, accept_downloads=True
    )
    opened, complaints = context.new_page(), []
    opened.on(
        "console",
        lambda message: (
            complaints.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(PAGE.as_uri())
    yield opened
    context.close()
    assert complaints == []


def ids(page) -> list[str]:
    return page.evaluate(f"{SHOWN}.map(r => r.id)")


def tiles(page) -> dict[str, int]:
    return dict(
        page.evaluate(
            "[...document.querySelectorAll('.claims .tiles button')].map(b => [b.dataset.verdict,"
            " +b.querySelector('.count').innerText])"
        )
    )


def test_counts_are_those_of_the_table_and_of_the_command(page, claims):
    verdicts = page.evaluate(f"{SHOWN}.map(r => r.querySelector('.verdict').innerText)")
    assert ids(page) == claims["id"].tolist() and verdicts == claims["verdict"].tolist()
    assert tiles(page) == {verdict: Counter(verdicts)[verdict] for verdict in rules.VERDICTS}
    assert page.inner_text(".claims [role=status]") == f"{len(claims)} of {len(claims)} numbers."
    assert f"Of {len(claims)} numbers" in page.inner_text("main")


def test_filters_and_the_address(page, claims):
    page.select_option("select[name=study]", "B")
    page.select_option("select[name=place]", "Table 4.2")
    page.select_option("select[name=verdict]", "differs")
    wanted = claims[
        (claims["study"] == "B")
        & claims["place"].str.startswith("Table 4.2")
        & (claims["verdict"] == "differs")
    ]
    assert ids(page) == wanted["id"].tolist() != []
    assert page.inner_text(".claims [role=status]") == f"{len(wanted)} of {len(claims)} numbers."
    assert page.evaluate("location.hash") == "#study=B&place=Table+4.2&verdict=differs"
    page.fill("input[name=text]", "RECALL viral")
    assert "zhu-t4.2-viral-recall" not in ids(page)  # it agrees
    page.select_option("select[name=verdict]", "")
    assert set(ids(page)) == {
        "zhu-t4.2-viral-recall",
        "zhu-t4.2-viral-accuracy",
    }  # "printed is the recall"
    assert tiles(page)["agrees"] == 1 and tiles(page)["differs"] == 0
    by_study = page.locator(".tiles .parts").all_inner_texts()
    assert sorted(by_study) == ["A 0, B 0"] * 3 + ["A 0, B 1"] * 2
    page.click("button[type=reset]")
    page.wait_for_function(f"{SHOWN}.length === {len(claims)}")
    assert page.evaluate("location.hash") == ""


def test_a_tile_is_a_filter_for_the_keyboard_too(page, claims):
    tile = page.locator(".tiles button[data-verdict='cannot be true']")
    tile.focus()
    page.keyboard.press("Enter")
    assert ids(page) == claims.loc[claims["verdict"] == "cannot be true", "id"].tolist()
    assert (
        tile.get_attribute("aria-pressed") == "true"
        and page.input_value("select[name=verdict]") == "cannot be true"
    )
    page.keyboard.press("Space")
    assert len(ids(page)) == len(claims) and tile.get_attribute("aria-pressed") == "false"


def test_an_address_opens_filtered_and_a_wrong_one_whole(page, claims):
    page.goto(f"{PAGE.as_uri()}#study=A&verdict=not+testable+here")
    page.wait_for_function(f"{SHOWN}.length < {len(claims)}")
    assert (
        ids(page)
        == claims.loc[
            (claims["study"] == "A") & (claims["verdict"] == "not testable here"), "id"
        ].tolist()
    )
    page.goto(f"{PAGE.as_uri()}#study=C&verdict=<b>")
    page.wait_for_function(f"{SHOWN}.length === {len(claims)}")
    page.goto(f"{PAGE.as_uri()}#the-rules")  # a heading is no filter
    assert len(ids(page)) == len(claims)


def downloaded(page, selector) -> list[dict]:
    with page.expect_download() as caught:
        page.click(selector)
    return list(csv.DictReader(io.StringIO(Path(caught.value.path()).read_text(encoding="utf-8"))))


def test_download_holds_every_row_or_those_shown(page, claims):
    rows = downloaded(page, "a.csv")
    assert [row["id"] for row in rows] == claims["id"].tolist()
    assert list(rows[0]) == [*ledger.PUBLISHED, "rebuilt_as"]
    for key in ("verdict", "why", "printed", "quote"):
        assert [row[key] for row in rows] == claims[key].tolist()
    assert not page.locator("button.shown").is_visible()
    page.select_option("select[name=place]", "Section 2.1")
    assert [row["id"] for row in downloaded(page, "button.shown")] == ids(page) != []


def test_without_javascript_everything_is_shown(browser, claims):
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(PAGE.as_uri())
    assert page.locator("table.ledger tbody tr").count() == len(claims)
    assert all(
        row.is_visible() for row in page.locator("table.ledger tbody tr").all()[:: len(claims) // 8]
    )
    assert not page.locator(".claims form").is_visible() and page.locator("a.csv").is_visible()
    context.close()


def test_links_of_the_rows(page, claims):
    """To a page of the book that is there, and to what a run lacked."""
    targets = set(
        page.evaluate(
            "[...document.querySelectorAll('table.ledger a')].map(a => a.getAttribute('href'))"
        )
    )
    inside = {target for target in targets if target.startswith("#")}
    assert inside == {f"#lacked-{name}" for name in ledger.shortfalls(claims)} and all(
        page.locator(target).count() == 1 for target in inside
    )
    assert targets - inside and all((PAGE.parent / target).is_file() for target in targets - inside)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window_and_text_can_be_read(browser, width, scheme):
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True
    )
    page = context.new_page()
    page.goto(PAGE.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = page.evaluate(
        f"{SHOWN}.filter(r => r.getBoundingClientRect().right > innerWidth).length"
    )
    assert wide == 0
    if width == 390:
        assert (
            page.evaluate(
                "getComputedStyle(document.querySelector('table.ledger td'), '::before').content"
            )
            == '"Words: "'
        )
    context.close()


def test_html_in_a_quote_is_text(page):
    """The page's template with a hostile row."""
    hostile = 'x"><img src=x onerror="document.title=1">{}<script>document.title=1</script>'
    fields = (
        "id study part place verdict before number after said rebuilt_as why also page page_title"
    )
    row = {field: hostile.format(field) for field in fields.split()} | {"records": [hostile]}
    counts = pd.DataFrame(0, index=list(rules.VERDICTS), columns=["A", "B"])
    folder = jinja2.FileSystemLoader(ROOT / "book")
    template = jinja2.Environment(loader=folder, autoescape=True).get_template("_claims.html.jinja")
    page.set_content(template.render(rows=[row], counts=counts, csv=""))
    page.wait_for_timeout(200)
    assert page.title() != "1" and page.locator("img, script").count() == 0
    assert page.locator("td", has_text="<script>").count() >= 2
