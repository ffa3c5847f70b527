"""The explorer's page in headless Chromium with the network off: its numbers against Python's, and
what a reader can do with it.
"""

import gzip
import json
import re
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest
from chapters import explorer_page
from frames import ANY, drawn, made_up, predictions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from traitlets import Float, Unicode

from companion import studies
from cxrlib import explorer as widgets
from cxrlib import metrics
from cxrlib.metrics import intervals
from cxrlib.metrics.predictions import arrays


class RocPair(widgets.RunWidget):
    """As notebook 13 has it."""

    kind, other = widgets.shared(Unicode("rocs")), widgets.shared(Unicode())


class CamSlider(widgets.Widget):
    """As notebook 05 has it."""

    kind, opacity = widgets.shared(Unicode("cam")), widgets.shared(Float(0.5, min=0, max=1))


MODULE = (Path(widgets.__file__).parent / "explorer.js").read_text(encoding="utf-8")
PAGE = explorer_page()
explorer_of, title = PAGE["explorer_of"], PAGE["title"]
HEADLINES = ["azemin-standin-resnet50", "zhu-fourclass", "zhu-binary"]
ASK = """({data, cls, subgroup, keep, questions}) => {
  const {decode, cohortOf, reading, presets, natural} = window.cxr, run = decode(data)[0];
  const cohort = cohortOf(run, cls, subgroup, keep);
  const text = (x) =>
    Number.isNaN(x) ? "nan" : x === Infinity ? "inf" : x === -Infinity ? "-inf" : x;
  return questions.map(([threshold, prevalence, printed, cost]) => {
    const found = reading(cohort, threshold, prevalence), k = cohort.count(threshold), values = {};
    for (const key in found) values[key] = found[key].map(text);
    return {values, presets: presets(cohort, prevalence, printed, cost),
            people: natural(found.sensitivity[0], found.specificity[0], prevalence),
            counts: [cohort.tp[k], cohort.positives - cohort.tp[k],
                     cohort.fp[k], cohort.negatives - cohort.fp[k]]};
  });
}"""


def show(browser, tmp_path, body: str, width=1000, **options):
    """A page from disk, offline, with everything that the browser complains of in
    ``complaints``.
    """
    file = tmp_path / "page.html"
    file.write_text(
        '<!doctype html><html lang="en"><meta'
        f' charset="utf-8"><title>t</title><body>{body}</body></html>',
        encoding="utf-8",
    )
    context = browser.new_context(
        viewport={"width": width, "height": 900}, offline=True, accept_downloads=True, **options
    )
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on(
        "request",
        lambda asked: (
            page.complaints.append(asked.url)
            if not asked.url.startswith(("file:", "data:", "blob:"))
            else None
        ),
    )
    page.goto(file.as_uri())
    return page


@pytest.fixture(scope="module")
def numbers(browser, tmp_path_factory):
    """A page that holds nothing but the module's functions, within reach."""
    names = "decode, cohortOf, reading, presets, natural"
    page = show(
        browser,
        tmp_path_factory.mktemp("numbers"),
        f'<script type="module">{MODULE}\nwindow.cxr = {{{names}}};</script>',
    )
    page.wait_for_function("window.cxr")
    yield page
    page.context.close()


@pytest.fixture(scope="module")
def headlines():
    return [studies.run(name) for name in HEADLINES]


def agree(page, explorer, questions):
    """Ask page and Python the same, and compare to 1e-9 (relative where a value is above one)."""
    frame, cls = explorer.frame, explorer.positive_class
    state = {
        "data": explorer.data,
        "cls": cls,
        "subgroup": explorer.subgroup,
        "keep": explorer.keep_others,
        "questions": questions,
    }
    for (threshold, prevalence, printed, cost), answer in zip(
        questions, page.evaluate(ASK, state), strict=True
    ):
        expected, point = (
            intervals.at_threshold(frame, cls, threshold, prevalence),
            metrics.operating_point(frame, cls, threshold),
        )
        assert set(answer["values"]) == set(expected.index)
        for name, row in expected.iterrows():
            np.testing.assert_allclose(
                np.array(answer["values"][name], float), row, rtol=1e-9, atol=1e-9, err_msg=name
            )
        assert answer["counts"] == [point[name] for name in ("TP", "FN", "FP", "TN")]
        rates = {
            name: point[name]
            for name in ("sensitivity", "specificity", "lr_positive", "lr_negative", "auc")
        }
        if 0 < point["prevalence"] < 1:
            rates |= {name: point[name] for name in ("ppv", "npv", "accuracy")}
            ill = round(1000 * prevalence)
            found, spared = (
                round(ill * point["sensitivity"]),
                round((1000 - ill) * point["specificity"]),
            )
            people = {"TP": found, "FN": ill - found, "FP": 1000 - ill - spared, "TN": spared}
            assert answer["people"] == {name: people[name] for name in answer["people"]}
        rates["ppv_at"], rates["npv_at"] = metrics.at_prevalence(
            point["sensitivity"], point["specificity"], prevalence
        )
        for name, value in rates.items():
            np.testing.assert_allclose(
                float(answer["values"][name][0]), value, rtol=1e-9, atol=1e-9, err_msg=name
            )
        assert answer["presets"] == metrics.suggested_thresholds(
            frame, cls, prevalence, printed, cost
        )


@given(drawn(), st.floats(0, 1), st.floats(1e-4, 0.9), st.floats(0.01, 1), st.floats(0.1, 1000))
@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_numbers_are_pythons_on_predictions_full_of_ties(
    numbers, frame, threshold, prevalence, printed, cost
):
    explorer = widgets.Explorer(frame, positive_class="covid")
    cuts = [threshold, 0.0, 1.0, *np.unique(frame["p_covid"])[:4].tolist()]
    agree(numbers, explorer, [[cut, prevalence, printed, cost] for cut in cuts])


def test_numbers_are_pythons_of_few_patients_and_of_tiny_probabilities(numbers):
    few = np.r_[np.repeat([0.9, 0.1], [15, 5]), np.linspace(0.05, 0.95, 40)]
    tiny = np.r_[1e-18 * np.arange(1, 11), 1e-20 * np.arange(10)]
    for p, size, who in [
        (few, 20, [0] * 20 + list(range(1, 41))),
        (few, 20, [0, 1] * 10 + list(range(2, 42))),
        (tiny, 10, None),
    ]:
        y = np.repeat([0, 1], [size, len(p) - size])
        frame = predictions(y, np.stack([p, 1 - p], axis=1), who, ["covid", "normal"])
        for cls in ("covid", "normal"):
            explorer = widgets.Explorer(frame, positive_class=cls)
            agree(numbers, explorer, [[0.5, 0.01, 0.7, 10.0], [0.1, 0.01, 0.7, 10.0]])
    assert intervals.at_threshold(frame, "normal", 0.5, 0.01).loc["auc", "estimate"] == 1


@pytest.mark.parametrize("name", HEADLINES)
def test_numbers_are_pythons_on_the_recorded_runs(numbers, headlines, name):
    run = headlines[HEADLINES.index(name)]
    for cls in run.classes:
        explorer = explorer_of([run], positive_class=cls)
        cuts = [0.5, 0.999, *run.predictions[f"p_{cls}"].iloc[::2000].tolist()]
        agree(numbers, explorer, [[cut, 0.0257, 0.773, 10.0] for cut in cuts])


def test_subgroups_are_pythons(numbers, headlines):
    explorer = explorer_of(headlines[1:2])
    for subgroup, keep in (
        ({"view": "PA"}, True),
        ({"view": "AP"}, False),
        ({"age": "60–79", "sex": "F"}, True),
        ({"source": "kermany"}, False),
    ):
        explorer.subgroup, explorer.keep_others = subgroup, keep
        agree(numbers, explorer, [[0.5, 0.01, 1.0, 10.0]])


def test_scores_arrive_as_they_were(numbers, headlines):
    odd = np.array([0.1 + 0.2, 1 / 3, 1e-17, 5e-324, 1.0, 0.0, 0.123456789, 1.44112347e-06])
    frames = [
        predictions(np.zeros(len(p), int), np.stack([p, 1 - p], axis=1))
        for p in (odd, odd[[4, 5, 6, 7]])
    ]
    short = np.arange(0, 1001, 7) / 1000  # sent in whole numbers
    both = np.stack([short, (1 - short).round(3)], axis=1)
    frames.append(predictions(np.zeros(len(short), int), both))
    for frame in [*frames, *(run.predictions for run in headlines)]:
        got = numbers.evaluate(
            "(data) => window.cxr.decode(data)[0].p.map((p) => [...p])",
            widgets.Explorer(frame).data,
        )
        assert (arrays(frame)[2] == np.array(got).T).all()


@pytest.fixture(scope="module")
def made(headlines):
    return explorer_of(headlines, share=True).html()


@pytest.fixture
def explorer_page(browser, tmp_path, made):
    page = show(browser, tmp_path, made)
    page.wait_for_selector(".cxr-alive")
    yield page
    assert page.complaints == []
    page.context.close()


def test_a_link_opened_directly_shows_the_explorer(browser, tmp_path, made):
    page = show(browser, tmp_path, f"<p style='height: 3000px'>above</p>{made}")
    page.wait_for_selector(".cxr-alive")
    assert page.evaluate("scrollY") == 0
    opened = f"{page.url.split('#')[0]}#explorer:run=zhu-binary"
    page.goto("about:blank")
    page.goto(opened)
    page.wait_for_function("scrollY > 2900")
    page.context.close()


def click(page, selector: str, x: float, y: float) -> None:
    """Click at shares of an element's width and height."""
    box = page.locator(selector).bounding_box()
    page.locator(selector).click(position={"x": box["width"] * x, "y": box["height"] * y})


def rate(page, measure: str) -> str:
    rows = page.evaluate(
        "[...document.querySelectorAll('.cxr-readings tbody tr')].map(r =>"
        " [r.cells[0].firstChild.data, ...[...r.cells].slice(1).map(c => c.innerText)])"
    )
    return next(row for row in rows if row[0] == measure)[1:]


def threshold_of(page) -> float:
    return float(page.get_by_label("Threshold, exact").input_value())


def test_the_page_shows_pythons_table(explorer_page, headlines):
    made = explorer_of(headlines)
    expected = made.table().loc["sensitivity"] * 100
    assert (
        rate(explorer_page, "Sensitivity")[0]
        == f"{expected['estimate']:.1f} % {expected['low']:.1f}–{expected['high']:.1f} %"
    )
    ppv = made.table().loc["ppv_at"] * 100
    assert (
        rate(explorer_page, "PPV")[1]
        == f"{ppv['estimate']:.1f} % {ppv['low']:.1f}–{ppv['high']:.1f} %"
    )
    people = explorer_page.locator(".cxr-legend b").all_inner_texts()
    assert sum(int(text) for text in people) == 1000
    assert explorer_page.locator(".cxr-plain").is_hidden()


def test_dragging_the_distribution_moves_threshold_and_people(explorer_page):
    box = explorer_page.locator("svg.cxr-scores").bounding_box()
    before = explorer_page.locator(".cxr-legend b").all_inner_texts()
    explorer_page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 90)
    explorer_page.mouse.down()
    explorer_page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 90, steps=4)
    explorer_page.mouse.up()
    explorer_page.mouse.move(
        box["x"] + box["width"] * 0.2, box["y"] + 90
    )  # released: no longer followed
    assert 0.75 < threshold_of(explorer_page) < 0.85
    after = explorer_page.locator(".cxr-legend b").all_inner_texts()
    assert int(after[2]) < int(before[2]), "fewer false alarms at a higher threshold"


def test_the_curves_and_the_prevalence_can_be_dragged_too(explorer_page):
    click(explorer_page, "svg.cxr-roc", 0.15, 0.8)
    assert threshold_of(explorer_page) > 0.9, (
        "the corner of the ROC plane is the strictest threshold"
    )
    click(explorer_page, "svg.cxr-prevalence", 0.95, 0.5)
    assert float(explorer_page.get_by_label("Prevalence, exact").input_value()) > 70
    assert float(rate(explorer_page, "PPV")[1].split(" %")[0]) > 70


def test_keyboard_and_exact_numbers(explorer_page):
    slider = explorer_page.get_by_role("slider", name="Threshold")
    slider.focus()
    for _ in range(3):
        explorer_page.keyboard.press("ArrowRight")
    assert (
        threshold_of(explorer_page) == 0.503
        and slider.get_attribute("aria-valuetext") == "threshold 0.503"
    )
    exact = explorer_page.get_by_label("Threshold, exact")
    exact.fill("0.876543211")
    exact.press("Enter")
    assert threshold_of(explorer_page) == 0.876543211
    exact.fill("nonsense")
    exact.press("Enter")
    assert (
        explorer_page.get_by_role("button", name="Youden, on these images").get_attribute(
            "aria-pressed"
        )
        == "false"
    )
    exact.blur()
    explorer_page.get_by_role("button", name="Youden, on these images").press("Enter")
    assert (
        explorer_page.get_by_role("button", name="Youden, on these images").get_attribute(
            "aria-pressed"
        )
        == "true"
    )
    said = explorer_page.get_by_role("status")
    explorer_page.wait_for_function(
        "document.querySelector('.cxr-live').textContent.includes('1,000 people')"
    )
    assert "PPV" in said.inner_text()
    names = explorer_page.evaluate(
        "[...document.querySelectorAll('.cxr input, .cxr select, .cxr button')].map(e => (e.labels"
        " && e.labels[0] && e.labels[0].innerText.trim()) || e.ariaLabel || e.innerText)"
    )
    assert all(names), "every control has a name"


def test_everything_lives_in_the_address(explorer_page):
    explorer_page.get_by_label("Run", exact=True).select_option("zhu-fourclass")
    explorer_page.get_by_label("Called positive").select_option("viral")
    explorer_page.get_by_label("Age", exact=True).select_option("0–17")
    explorer_page.get_by_label("Prevalence, exact").fill("20")
    explorer_page.get_by_label("Prevalence, exact").press("Enter")
    explorer_page.wait_for_function("location.hash.includes('prevalence=0.2')")
    rates, link = rate(explorer_page, "PPV"), explorer_page.url
    explorer_page.goto("about:blank")
    explorer_page.goto(link)
    explorer_page.wait_for_selector(".cxr-alive")
    assert (
        rate(explorer_page, "PPV") == rates
        and explorer_page.get_by_label("Age", exact=True).input_value() == "0–17"
    )
    explorer_page.evaluate(
        "location.hash = '#explorer:run=zhu-binary&threshold=7&prevalence=x&in-view=<img"
        " src=x>&scale=no'"
    )
    explorer_page.wait_for_function("document.querySelector('.cxr select').value === 'zhu-binary'")
    assert threshold_of(explorer_page) == 0.5, "what makes no sense is passed over"
    told = explorer_page.locator(".cxr-told").text_content()
    assert (
        all(
            word in told
            for word in ("threshold 7", "prevalence x", "in-view <img src=x>", "scale no")
        )
        and "run" not in told
    )
    explorer_page.evaluate("location.hash = '#explorer:run=zhu-fourclass&threshold=0.4&in-view=PA'")
    explorer_page.wait_for_function(
        "document.querySelector('.cxr select').value === 'zhu-fourclass'"
    )
    explorer_page.get_by_label("Prevalence, exact").fill(
        "2.57"
    )  # 0.025699999999999997 as it comes out of the division
    explorer_page.get_by_label("Prevalence, exact").press("Enter")
    explorer_page.wait_for_function("/prevalence=0.0257($|&)/.test(location.hash)")


def test_the_scores_have_a_scale(explorer_page, headlines):
    """Each side's tallest bar, counted anew: 44 bars over the axis, here log odds or probability as
    the page chose.
    """

    def tallest():
        names = explorer_page.locator(".cxr-a .cxr-names span").all_inner_texts()
        return [
            int(re.search(r"\(tallest bar ([\d,]+)\)", name)[1].replace(",", "")) for name in names
        ]

    found = tallest()
    explorer_page.get_by_role("button", name="Axis: ").click()
    other = tallest()
    frame = headlines[0].predictions
    sides = [frame.loc[(frame["y_true"] == "covid") == side, "p_covid"] for side in (True, False)]
    linear = [int(np.histogram(side, bins=44, range=(0, 1))[0].max()) for side in sides]
    assert linear in (found, other) and found != other


@pytest.mark.parametrize("words, kept", [("Threshold, exact", "0.5"), ("Prevalence, exact", "1")])
def test_a_box_takes_back_what_it_cannot_use(explorer_page, words, kept):
    box = explorer_page.get_by_label(words, exact=True)
    for text in ("abc", "-1", "101", ""):
        box.fill(text)
        box.press("Enter")
        assert box.input_value() == kept


def test_python_links_lead_where_they_say(explorer_page, headlines):
    link = explorer_of(headlines).link(
        run="zhu-fourclass",
        positive_class="bacterial",
        threshold=0.25,
        prevalence=0.05,
        subgroup={"view": "AP"},
    )
    explorer_page.goto(explorer_page.url.split("#")[0] + link)
    explorer_page.wait_for_function(
        "document.querySelectorAll('.cxr select')[1].value === 'bacterial'"
    )
    assert (
        threshold_of(explorer_page) == 0.25
        and explorer_page.get_by_label("View", exact=True).input_value() == "AP"
    )


def test_a_subgroup_without_the_other_class_says_so(explorer_page):
    explorer_page.get_by_label("View", exact=True).select_option("PA")
    note = explorer_page.locator(".cxr-note")
    assert "No image of No finding is in this subgroup" in note.inner_text()
    assert (
        explorer_page.locator(".cxr-people").is_hidden()
        and explorer_page.locator(".cxr-sentence").is_hidden()
    )
    assert (
        rate(explorer_page, "Specificity")[0].strip() == "–"
        and rate(explorer_page, "Sensitivity")[0] != "–"
    )
    explorer_page.get_by_role("checkbox").check()
    assert explorer_page.locator(".cxr-people").is_visible()
    assert note.is_hidden() and rate(explorer_page, "Specificity")[0].startswith("36.0 %")


def test_csv_and_svg(explorer_page, headlines, tmp_path):
    explorer_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    explorer_page.get_by_role("button", name="Copy the numbers as CSV").click()
    explorer_page.wait_for_selector(".cxr-told:has-text('copied')")
    (tmp_path / "copied.csv").write_text(
        explorer_page.evaluate("navigator.clipboard.readText()"), encoding="utf-8"
    )
    table, expected = (
        pd.read_csv(tmp_path / "copied.csv").set_index("measure"),
        explorer_of(headlines).table(),
    )
    for name in expected.index:
        np.testing.assert_allclose(
            table.loc[name, ["estimate", "low", "high"]].to_numpy(float),
            expected.loc[name],
            rtol=1e-9,
            atol=1e-9,
        )
    with explorer_page.expect_download() as waiting:
        explorer_page.get_by_role("button", name="Save the figures as SVG").click()
    text = Path(waiting.value.path()).read_text(encoding="utf-8")
    drawing = explorer_page.context.new_page()
    drawing.set_content(text)
    box = drawing.locator("svg").first.bounding_box()
    assert box["width"] > 500 and drawing.locator("svg svg").count() == 5 and "var(" not in text


def test_print_shows_the_table_and_no_controls(explorer_page):
    explorer_page.emulate_media(media="print")
    assert (
        explorer_page.locator(".cxr-readings").is_visible()
        and explorer_page.locator(".cxr-people").is_visible()
    )
    assert all(
        not control.is_visible()
        for control in explorer_page.locator(
            ".cxr button, .cxr select, .cxr input[type=range]"
        ).all()
    )


@pytest.mark.parametrize("how", ["book", "system", "jupyter"])
def test_theme_is_followed(browser, tmp_path, how):
    page = show(
        browser,
        tmp_path,
        widgets.Explorer(made_up()).html(),
        color_scheme="dark" if how == "system" else "light",
    )
    ask = (
        "() => [...document.querySelectorAll('.cxr-in, .cxr-readings th,"
        " path.cxr-person.cxr-TP')].slice(0, 3).map(e => [getComputedStyle(e).backgroundColor,"
        " getComputedStyle(e).color, getComputedStyle(e).fill])"
    )
    page.wait_for_selector(".cxr-alive")
    if how != "system":
        light = page.evaluate(ask)
        change = {
            "book": "document.documentElement.dataset.theme = 'dark'",
            "jupyter": "document.body.dataset.jpThemeLight = 'false'",
        }[how]
        page.evaluate(
            f"{change}; document.body.style.setProperty('--pst-color-background', '#111')"
        )
        assert page.evaluate(ask) != light
    background = page.evaluate(
        "getComputedStyle(document.querySelector('.cxr-in')).backgroundColor"
    )
    assert all(int(level) < 60 for level in re.findall(r"\d+", background)[:3])
    assert page.complaints == []
    page.context.close()


@pytest.mark.parametrize("width", [390, 320])
def test_it_fits_a_phone(browser, tmp_path, made, width):
    page = show(
        browser,
        tmp_path,
        f'<meta name="viewport" content="width=device-width">{made}',
        width=width,
        has_touch=True,
        is_mobile=True,
    )
    page.wait_for_selector(".cxr-alive")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator("svg.cxr-scores").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * 0.75, box["y"] + 90)
    assert 0.65 < threshold_of(page) < 0.85
    assert page.complaints == []
    page.context.close()


def test_without_javascript_there_is_a_table(browser, tmp_path, made):
    page = show(browser, tmp_path, made, java_script_enabled=False)
    rows = page.locator(".cxr-plain tbody tr")
    assert page.locator(".cxr-plain").is_visible() and rows.count() == 15
    assert "Youden" in page.locator(".cxr-plain").inner_text() and page.locator("svg").count() == 0
    page.context.close()


EVIL = [
    "<img src=x onerror=window.hit=1>",
    "</script><script>window.hit=2</script>",
    '"><svg onload=window.hit=3>',
    "=cmd|' /C calc'!A0",
]


@pytest.mark.parametrize("width", [1000, 320])
def test_any_name_works(browser, tmp_path, width):
    """Of a class, a run, a grouping and its values; the view goes through the address and back."""
    k = len(ANY)
    frame = predictions(
        np.arange(6 * k) % k, np.random.default_rng(3).dirichlet(np.ones(k), 6 * k), classes=ANY
    )
    odd = np.arange(6 * k) % 2 == 1
    known = pd.DataFrame(
        {
            "image_id": frame["image_id"],
            "__proto__": np.where(odd, "constructor", "b"),
            "toString": np.where(odd, "y", "x"),
        }
    )
    page = show(
        browser,
        tmp_path,
        widgets.Explorer({"שלום": frame, ANY[14]: frame}, subgroups=known, share=True).html(),
        width=width,
    )
    page.wait_for_selector(".cxr-alive")
    for name in ANY:
        page.get_by_label("Called positive").select_option(name)
        page.wait_for_timeout(20)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        auc = intervals.at_threshold(frame, name, 0.5, 0.01).loc["auc", "estimate"]
        assert rate(page, "AUC")[0].startswith(f"{auc:.3f}"), name
    page.get_by_label("Called positive").select_option("שלום")
    legend = page.locator(".cxr-a .cxr-names span").first
    assert legend.inner_text().startswith("\u2068שלום\u2069, 6 ")
    page.get_by_label("__proto__", exact=True).select_option("constructor")
    page.wait_for_function("location.hash.includes('in-__proto__=constructor')")
    rates, link = rate(page, "AUC"), page.url
    for way in (
        link,
        link.replace("#explorer:", "#explorer%3A"),
        link.split("#")[0] + "#" + quote(link.split("#")[1], safe=""),
    ):
        page.goto("about:blank")
        page.goto(way)
        page.wait_for_selector(".cxr-alive")
        assert (
            rate(page, "AUC") == rates
            and page.get_by_label("__proto__", exact=True).input_value() == "constructor"
        )
        assert (
            page.get_by_label("Called positive").input_value() == "שלום"
            and page.locator(".cxr-told").text_content() == ""
        )
    page.evaluate("location.hash = '#explorer%3Arun=none&toString=1&constructor=2'")
    page.wait_for_function(
        "document.querySelector('.cxr-told').textContent.includes('run none, toString 1,"
        " constructor 2')"
    )
    assert page.complaints == []
    page.context.close()


def test_colours_of_the_readers_choice_and_paper(explorer_page):
    """What a background says, a border, a shape or a system colour says too."""
    ask = """(selector) => [...document.querySelectorAll(selector)].map((e) => {
      const s = getComputedStyle(e), b = getComputedStyle(e, '::before');
      return [s.borderTopWidth, s.outlineStyle, s.forcedColorAdjust, b.borderTopWidth,
              b.borderTopColor, b.borderRadius, b.forcedColorAdjust]; })"""
    pressed, not_pressed = "button[aria-pressed=true]", "button[aria-pressed=false]"
    explorer_page.emulate_media(forced_colors="active")
    assert {tuple(each[:3]) for each in explorer_page.evaluate(ask, pressed)} == {
        ("3px", "solid", "none")
    }
    assert {tuple(each[:2]) for each in explorer_page.evaluate(ask, not_pressed)} == {
        ("1px", "none")
    }
    for media in ({"forced_colors": "active"}, {"forced_colors": "none", "media": "print"}):
        explorer_page.emulate_media(**media)
        swatches = explorer_page.evaluate(ask, ".cxr-a .cxr-swatch")
        assert len(swatches) == 2 and all(
            float(each[3].removesuffix("px")) > 3 and each[6] == "none" for each in swatches
        )
        assert swatches[0][4] != swatches[1][4] and swatches[0][5] != swatches[1][5], (
            "another colour and another shape"
        )


def test_nothing_from_the_predictions_runs(browser, tmp_path):
    frame = made_up(sizes=(12, 12, 12))[
        ["image_id", "patient_id", "source", "split", "y_true", "p_covid", "p_viral", "p_bacterial"]
    ]
    frame = frame.rename(
        columns={
            "p_covid": f"p_{EVIL[0]}",
            "p_viral": f"p_{EVIL[1]}",
            "p_bacterial": f"p_{EVIL[3]}",
        }
    )
    frame["y_true"] = frame["y_true"].map(
        {"covid": EVIL[0], "viral": EVIL[1], "bacterial": EVIL[3]}
    )
    frame["image_id"] = [f"{EVIL[i % 3]}{i}" for i in range(len(frame))]
    frame["patient_id"], frame["source"] = (
        frame["image_id"],
        [EVIL[i % 3] for i in range(len(frame))],
    )
    known = pd.DataFrame(
        {"image_id": frame["image_id"], EVIL[0]: [EVIL[i % 2] for i in range(len(frame))]}
    )
    page = show(
        browser,
        tmp_path,
        widgets.Explorer({EVIL[1]: frame}, subgroups=known, marks={EVIL[2]: 0.1}, share=True).html()
        + RocPair({EVIL[0]: frame, EVIL[1]: frame}, other=EVIL[1]).html(),
    )
    page.wait_for_selector(".cxr-alive")
    page.locator(".cxr-choices select").nth(1).select_option(index=1)
    page.wait_for_timeout(700)
    assert page.evaluate("window.hit") is None and page.locator("img").count() == 0
    assert EVIL[1] in page.locator(".cxr-choices option").all_inner_texts()
    assert page.complaints == []
    page.context.close()


def test_the_relatives_answer(browser, tmp_path, headlines):
    ppv = widgets.Ppv((0.773, 0.7, 0.83), (0.718, 0.706, 0.73), marks={"Study A": 0.0257})
    dot = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAAC"
    map_of = {"heat": dot, "picture": dot, "height": 300, "width": 400, "label": "A map"}
    cam = CamSlider(data=map_of)
    pair = RocPair(
        {run.name: run.predictions for run in headlines[1:]},
        titles={run.name: title(run) for run in headlines[1:]},
        positive_class="covid",
        other=headlines[-1].name,
    )
    page = show(browser, tmp_path, ppv.html() + pair.html() + cam.html())
    page.wait_for_function("document.querySelectorAll('.cxr-alive').length === 3")
    page.get_by_role("button", name="2.57 % (Study A)").click()
    assert (
        page.locator(".cxr-big b").inner_text()
        == f"{100 * metrics.at_prevalence(0.773, 0.718, 0.0257)[0]:.1f} %"
    )
    page.get_by_label("Opacity of the map, exact").fill("20")
    page.get_by_label("Opacity of the map, exact").press("Enter")
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.cxr-cam img + img')).opacity")
        == "0.2"
    )
    box = page.locator(".cxr-cam").bounding_box()
    assert box["width"] / box["height"] == pytest.approx(4 / 3, rel=0.02)
    auc = page.locator(
        "table:has(caption:text('Both runs')) tr:has-text('AUC') td b"
    ).all_inner_texts()
    assert auc == [
        f"{intervals.at_threshold(run.predictions, 'covid', 0.5, 0.5).loc['auc', 'estimate']:.3f}"
        for run in headlines[1:]
    ]
    page.get_by_label("Threshold, of both, exact").fill("1")
    page.get_by_label("Threshold, of both, exact").press("Enter")
    assert page.locator(
        "table:has(caption:text('Both runs')) tr:has-text('Sensitivity') td b"
    ).all_inner_texts() == ["0.0 %", "0.0 %"]
    assert page.complaints == []
    page.context.close()


def test_what_every_reader_downloads_is_small(headlines):
    families = (
        "azemin-standin-resnet50-variants",
        "zhu-fourclass-redraws",
        "zhu-binary-redraws",
        "zhu-fourclass-shown",
        "zhu-binary-shown",
    )
    page = explorer_of(
        [*headlines, *(run for name in families for run in studies.family(name)[0][:6])], share=True
    ).html()
    assert len(gzip.compress(page.encode())) < 400_000
    assert (
        json.loads(re.search(r'<script type="application/json">(.*?)</script>', page, re.S)[1])[
            "share"
        ]
        is True
    )


def test_the_module_asks_for_nothing():
    assert not re.search(
        r"\beval\(|new"
        r" Function|innerHTML|outerHTML|insertAdjacentHTML|import\s*\(|fetch\(|</script",
        MODULE,
    )
    assert set(re.findall(r"https?://[^\"'` ]+", MODULE)) == {"http://www.w3.org/2000/svg"}
