"""Definitions show under the pointer, on focus and at the first tap, and go again."""

from pathlib import Path

import pytest

HTML = Path(__file__).resolve().parents[2] / "_build" / "html"
PAGE = (HTML / "book" / "status.html").as_uri()


@pytest.fixture
def glossary_text(browser) -> str:
    page = browser.new_page()
    page.goto((HTML / "book" / "glossary.html").as_uri())
    text = page.locator("#term-stand-in ~ dd, dt:has(#term-stand-in) ~ dd").first.inner_text()
    page.close()
    return text


def opened(browser, **options):
    page = browser.new_context(offline=True, **options).new_page()
    page.goto(PAGE)
    return page, page.locator("a.term", has_text="stand-in").first, page.locator("#definition")


def test_with_the_mouse_and_the_keyboard(browser, glossary_text):
    page, term, box = opened(browser)
    assert not box.is_visible()
    term.hover()
    assert box.inner_text() == glossary_text
    box.hover()
    page.wait_for_timeout(400)
    assert box.is_visible(), "the pointer may go onto it"
    page.mouse.move(0, 0)
    box.wait_for(state="hidden")
    term.focus()
    assert box.is_visible() and term.get_attribute("aria-describedby") == "definition"
    page.keyboard.press("Escape")
    assert not box.is_visible() and page.url == PAGE
    page.keyboard.press("Enter")
    page.wait_for_url("**/glossary.html#term-stand-in")
    page.context.close()


def test_by_touch(browser, glossary_text):
    page, term, box = opened(browser, has_touch=True, viewport={"width": 390, "height": 800})
    term.tap()
    assert box.inner_text() == glossary_text and page.url == PAGE
    sides = box.bounding_box()
    assert sides["x"] >= 0 and sides["x"] + sides["width"] <= 390
    term.tap()
    page.wait_for_url("**/glossary.html#term-stand-in")
    page.context.close()


def test_without_javascript_it_is_a_link(browser):
    page, term, box = opened(browser, java_script_enabled=False)
    assert box.count() == 0
    term.click()
    page.wait_for_url("**/glossary.html#term-stand-in")
    page.context.close()
