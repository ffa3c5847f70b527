"""The ledger's page, opened from disk with the network off: filters, address, counts, download,
without JavaScript, on a phone.
"""

import csv
import io
import re
from collections import Counter
from pathlib import Path

import pytest

from companion import checks, claims

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "_build" / "html" / "notebooks" / "21_claims.html"
SHOWN = (
    "[...document.querySelectorAll('table.ledger tbody tr')].filter(r => r.offsetParent !== null)"
)


@pytest.fixture(scope="module")
def ledger():
    return claims.ledger()


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


def test_counts_are_those_of_the_table_and_of_the_command(page, ledger):
    verdicts = page.evaluate(f"{SHOWN}.map(r => r.querySelector('.verdict').innerText)")
    assert ids(page) == ledger["id"].tolist() and verdicts == ledger["verdict"].tolist()
    assert tiles(page) == {verdict: Counter(verdicts)[verdict] for verdict in checks.VERDICTS}
    assert page.inner_text(".claims [role=status]") == f"{len(ledger)} of {len(ledger)} numbers."
    assert page.locator("main").get_by_text(f"one row of a ledger: {len(ledger)} rows").count() == 1


def test_filters_and_the_address(page, ledger):
    page.select_option("select[name=study]", "B")
    page.select_option("select[name=place]", "Table 4.2")
    page.select_option("select[name=verdict]", "differs")
    wanted = ledger[
        (ledger["study"] == "B")
        & ledger["place"].str.startswith("Table 4.2")
        & (ledger["verdict"] == "differs")
    ]
    assert ids(page) == wanted["id"].tolist() != []
    assert page.inner_text(".claims [role=status]") == f"{len(wanted)} of {len(ledger)} numbers."
    assert page.evaluate("location.hash") == "#study=B&place=Table+4.2&verdict=differs"
    page.fill("input[name=text]", "RECALL viral")
    assert "zhu-t4.2-viral-recall" not in ids(page)  # it agrees
    page.select_option("select[name=verdict]", "")
    assert set(ids(page)) == {
        "zhu-t4.2-viral-recall",
        "zhu-t4.2-viral-accuracy",
    }  # "printed is the recall"
    assert tiles(page)["agrees"] == 1 and tiles(page)["differs"] == 0
    page.click("button[type=reset]")
    page.wait_for_function(f"{SHOWN}.length === {len(ledger)}")
    assert page.evaluate("location.hash") == ""


def test_a_tile_is_a_filter_for_the_keyboard_too(page, ledger):
    tile = page.locator(".tiles button[data-verdict='cannot be true']")
    tile.focus()
    page.keyboard.press("Enter")
    assert ids(page) == ledger.loc[ledger["verdict"] == "cannot be true", "id"].tolist()
    assert (
        tile.get_attribute("aria-pressed") == "true"
        and page.input_value("select[name=verdict]") == "cannot be true"
    )
    page.keyboard.press("Space")
    assert len(ids(page)) == len(ledger) and tile.get_attribute("aria-pressed") == "false"


def test_an_address_opens_filtered_and_a_wrong_one_whole(page, ledger):
    page.goto(f"{PAGE.as_uri()}#study=A&verdict=not+testable+here")
    page.wait_for_function(f"{SHOWN}.length < {len(ledger)}")
    assert (
        ids(page)
        == ledger.loc[
            (ledger["study"] == "A") & (ledger["verdict"] == "not testable here"), "id"
        ].tolist()
    )
    page.goto(f"{PAGE.as_uri()}#study=C&verdict=<b>")
    page.wait_for_function(f"{SHOWN}.length === {len(ledger)}")
    page.goto(f"{PAGE.as_uri()}#the-rules")  # a heading is no filter
    assert len(ids(page)) == len(ledger)


def downloaded(page, selector) -> list[dict]:
    with page.expect_download() as caught:
        page.click(selector)
    return list(csv.DictReader(io.StringIO(Path(caught.value.path()).read_text(encoding="utf-8"))))


def test_download_holds_every_row_or_those_shown(page, ledger):
    rows = downloaded(page, "a.csv")
    assert [row["id"] for row in rows] == ledger["id"].tolist()
    assert list(rows[0]) == [*claims.SHOWN, "rebuilt_as"]
    for key in ("verdict", "why", "printed", "quote"):
        assert [row[key] for row in rows] == ledger[key].tolist()
    assert not page.locator("button.shown").is_visible()
    page.select_option("select[name=place]", "Section 2.1")
    assert [row["id"] for row in downloaded(page, "button.shown")] == ids(page) != []


def test_without_javascript_everything_is_shown(browser, ledger):
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(PAGE.as_uri())
    assert page.locator("table.ledger tbody tr").count() == len(ledger)
    assert all(
        row.is_visible() for row in page.locator("table.ledger tbody tr").all()[:: len(ledger) // 8]
    )
    assert not page.locator(".claims form").is_visible() and page.locator("a.csv").is_visible()
    context.close()


def test_links_of_the_rows(page, ledger):
    """To a page of the book that is there, and to what a run lacked."""
    targets = set(
        page.evaluate(
            "[...document.querySelectorAll('table.ledger a')].map(a => a.getAttribute('href'))"
        )
    )
    inside = {target for target in targets if target.startswith("#")}
    assert inside == {f"#lacked-{name}" for name in claims.lacked(ledger)} and all(
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


def test_html_in_a_quote_is_text(page, monkeypatch, tmp_path):
    """The notebook's own function on a hostile row."""
    source = (ROOT / "notebooks" / "21_claims.py").read_text(encoding="utf-8")
    made = re.search(
        r"(?s)# %% tags=\[\"remove-cell\"\]\ndef title.*?(?=\n# %% \[markdown\])", source
    )[0]
    hostile = claims.ledger(["cheazemin2020"]).head(1).copy()
    for field in ("id", "said", "why", "also", "place"):
        hostile[field] = (
            f'x"><img src=x onerror="document.title=1">{field}<script>document.title=1</script>'
        )
    hostile["quote"] = (
        "<script>document.title=1</script>*<img src=x onerror=document.title=1>*</td>"
    )
    scope = {"ledger": hostile, "counts": None}
    exec(
        "import base64, re\nimport pandas as pd\nfrom html import escape\nfrom pathlib import"
        " Path\nfrom companion import claims\nfrom companion.checks import VERDICTS",
        scope,
    )
    scope["counts"] = scope["pd"].DataFrame(0, index=list(checks.VERDICTS), columns=["A", "B"])
    exec(made, scope)
    page.set_content(scope["page"](hostile))
    page.wait_for_timeout(200)
    assert page.title() != "1" and page.locator("img, script").count() == 0
    assert page.locator("td", has_text="<script>").count() >= 2
