"""Files of predictions as people have them, hostile ones, and what a browser makes of
the page.
"""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from frames import ANY, FOUR, drawn, made_up, predictions
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as skl

from companion import cli
from cxrlib import evaluate, metrics
from cxrlib.evaluate import report
from cxrlib.files import InputError
from cxrlib.formatting import with_interval
from cxrlib.metrics import calibration, intervals

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def four() -> pd.DataFrame:
    return made_up((20, 50, 60, 74))


def binary(n=60, seed=0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    return pd.DataFrame({"y_true": y, "p": np.clip(rng.normal(0.35 + 0.3 * y, 0.2), 0, 1).round(6)})


def written(path: Path, content: str | bytes | pd.DataFrame, **options) -> Path:
    if isinstance(content, pd.DataFrame):
        content.to_csv(path, index=False, **options)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_the_contract_is_read_as_it_is(tmp_path, four):
    found = evaluate.read_file(written(tmp_path / "p.csv", four))
    assert found.classes == FOUR and found.positive == "covid" and found.notes == []
    pd.testing.assert_frame_equal(metrics.per_class(found.frame), metrics.per_class(four))
    pd.testing.assert_frame_equal(
        metrics.bootstrap_by_patient(found.frame, replicates=50),
        metrics.bootstrap_by_patient(four, replicates=50),
    )  # patients are those of the file
    assert found.frame["image_id"].tolist() == four["image_id"].tolist()


FORMS = {
    "plain": {},
    "a mark": {"encoding": "utf-8-sig"},
    "lines as on Windows": {"lineterminator": "\r\n"},
    "lines of an old Macintosh": {"lineterminator": "\r"},
    "quotes": {"quoting": 1},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_forms_of_a_file(tmp_path, four, form):
    four = four.assign(image_id=four["image_id"] + 'é, 1;5 "x"')  # separators in a quoted name
    found = evaluate.read_file(written(tmp_path / "p.csv", four, **form)).frame
    for name in four.columns.difference(["source", "split"]):
        assert found[name].tolist() == four[name].tolist(), "to the last digit"


def test_one_column_of_probabilities(tmp_path):
    frame = binary()
    found = evaluate.read_file(written(tmp_path / "p.csv", frame))
    assert found.classes == ["positive", "negative"] and found.positive == "positive"
    assert len(found.notes) == 1 and "each image is taken as a patient" in found.notes[0]
    point = metrics.operating_point(found.frame, "positive", 0.5)
    assert point["auc"] == pytest.approx(skl.roc_auc_score(frame["y_true"], frame["p"]))
    assert point["TP"] == ((frame["p"] >= 0.5) & (frame["y_true"] == 1)).sum()
    assert found.frame["patient_id"].nunique() == len(frame)


def test_the_positive_class(tmp_path, four):
    file = written(tmp_path / "p.csv", four)
    assert evaluate.read_file(file, "viral").positive == "viral"
    with pytest.raises(InputError, match="--positive flu: .* no such class, only covid, viral"):
        evaluate.read_file(file, "flu")
    frame = binary().assign(p_0=lambda f: 1 - f["p"], p_1=lambda f: f["p"]).drop(columns="p")
    assert evaluate.read_file(written(file, frame)).positive == "1"


def test_names_that_pandas_would_take_for_nothing(tmp_path):
    frame = pd.DataFrame(
        {
            "y_true": ["None", "NA", "nan", "NA"],
            "p_None": [0.7, 0.2, 0.1, 0.3],
            "p_NA": [0.2, 0.7, 0.1, 0.6],
            "p_nan": [0.1, 0.1, 0.8, 0.1],
        }
    )
    found = evaluate.read_file(written(tmp_path / "p.csv", frame))
    assert found.classes == ["None", "NA", "nan"] and metrics.overall(found.frame)["correct"] == 4


def test_spaces_and_columns_of_no_use(tmp_path):
    found = evaluate.read_file(
        written(
            tmp_path / "p.csv", " y_true , p_a, p_b,age,age\na , 0.7, 0.3,41,x\nb, 0.1, 0.9,,\n"
        )
    )
    assert found.classes == ["a", "b"] and metrics.overall(found.frame)["correct"] == 2


def test_several_splits_are_named(tmp_path, four):
    found = evaluate.read_file(
        written(tmp_path / "p.csv", four.assign(split=["train", "test"] * (len(four) // 2)))
    )
    assert found.notes == ["All rows are used, of the splits train, test alike."]


GOOD = "y_true,p_a,p_b\na,0.6,0.4\nb,0.3,0.7\na,0.5,0.5\n"
BAD = {
    "empty": (b"", "p.csv"),
    "blank": (b"\n \n", "p.csv"),
    "mark alone": (b"\xef\xbb\xbf", "p.csv"),
    "mark of utf-16 alone": (b"\xff\xfe", "p.csv"),
    "header alone": ("y_true,p_a,p_b\n", "no rows"),
    "no truth": (GOOD.replace("y_true", "label"), "needs commas and a column y_true, has label"),
    "no probability": ("y_true\na\n", "line 1: needs commas and a column p or p_<class>"),
    "nameless class": ("y_true,p_,p_a\na,1,0\n", "needs a column p_<class> for each"),
    "nameless alone": ("y_true,p_\n1,1\n", "needs a column p_<class> for each"),
    "twice": ("y_true,p_a,p_a\na,1,0\n", "line 1: column p_a occurs twice"),
    "p and more": ("y_true,p,p_a\n1,1,0\n", "p stands alone, without p, p_a"),
    "nan": (GOOD.replace("0.3", "nan"), "line 3, column p_a: nan is not a number from 0 to 1"),
    "hole": (GOOD.replace("0.3", ""), "line 3, column p_a: .*is not a number"),
    "infinite": (GOOD.replace("0.3", "inf"), "line 3, column p_a: inf is not"),
    "word": (GOOD.replace("0.3", "low"), "line 3, column p_a: low is not a number"),
    "percent": (
        GOOD.replace("0.6,0.4", "60,40"),
        "line 2, column p_a: 60.* is not a number from 0 to 1",
    ),
    "sum": (GOOD.replace("0.3", "0.6"), r"line 3, column p_a\+p_b: 1.[23]\d* is not a sum of 1"),
    "odd class": (GOOD.replace("b,", "c,"), "line 3, column y_true: c is none of a, b"),
    "no class": (GOOD.replace("\nb,", "\n,"), "line 3, column y_true: an empty cell"),
    "more cells": (GOOD.replace("0.3,0.7", "0.3,0.7,0.9"), "line 3: 4 cells, the line of names"),
    "fewer cells": (GOOD.replace("0.3,0.7", "0.3"), "line 3: 2 cells, the line of names has 3"),
    "one p, three answers": (
        "y_true,p\n1,0.5\nperhaps,0.2\n",
        "line 3, column y_true: perhaps is neither 1 nor 0",
    ),
    "one p above 1": ("y_true,p\n1,0.5\n0,7\n", "line 3, column p: 7 is not"),
    "decimal commas among commas": (
        "y_true,p\n1,0,93\n0,0,08\n",
        "line 2: 3 cells, the line of names has 2",
    ),
    "a comma too many": ("y_true,p\n1,0.5\n0,0,08\n", "line 3: 3 cells"),
    "image twice": ("image_id,y_true,p\ni,1,0.5\ni,0,0.1\n", "line 3, column image_id: i"),
    "no image": ("image_id,y_true,p\ni,1,0.5\n,0,0.1\n", "line 3, column image_id"),
    "no patient": (
        "patient_id,y_true,p\ni,1,0.5\n,0,0.1\n",
        "line 3, column patient_id: an empty cell",
    ),
    "junk": (bytes(range(256)) * 40, "p.csv"),
    "zeros": (bytes(1000), "p.csv"),
    "gzip": (gzip.compress(GOOD.encode() * 50), "cannot be read as CSV in UTF-8"),
    "utf-16": (GOOD.encode("utf-16"), "cannot be read as CSV in UTF-8"),
    "Latin-1": ("y_true,p\n1,0.5\n0,é\n".encode("latin-1"), "cannot be read as CSV in UTF-8"),
    "late Latin-1": (b"y_true,p\n" + b"1,0.5\n" * 20_000 + b"0,\xe9\n", "as CSV in UTF-8"),
    "open quote": ('y_true,p\n"1,0.5\n' + "0,0.1\n" * 3, "p.csv"),
    "odd utf-16": (GOOD.encode("utf-16")[:-1] + b"\xd8", "p.csv"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(200)), "p.csv"),
}


@pytest.mark.parametrize("content, message", BAD.values(), ids=BAD)
def test_hostile_files_get_one_line_and_leave_nothing(capsys, tmp_path, content, message):
    file, outputs = (
        written(tmp_path / "p.csv", content),
        ["--html", str(tmp_path / "o" / "r.html"), "--output", str(tmp_path / "o" / "t.csv")],
    )
    with pytest.raises(InputError, match=message):
        evaluate.read_file(file)
    assert cli.main(["evaluate", str(file), *outputs]) == 2
    out, err = capsys.readouterr()
    assert (
        out == ""
        and err.count("\n") == 1
        and err.startswith("cxr: ")
        and str(file) in err
        and len(err) < 600
    )
    assert [each.name for each in tmp_path.iterdir()] == ["p.csv"]


def test_workbook_and_folder_and_nothing(capsys, tmp_path):
    with zipfile.ZipFile(tmp_path / "p.xlsx", "w") as book:
        book.writestr("sheet.xml", "<x/>" * 500)
    (tmp_path / "folder").mkdir()
    for name in ("p.xlsx", "folder", "none.csv"):
        assert cli.main(["evaluate", str(tmp_path / name)]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and name in err


@pytest.mark.parametrize(
    "option, value",
    [
        ("--threshold", "1.5"),
        ("--threshold", "nan"),
        ("--prevalence", "1"),
        ("--prevalence", "0"),
        ("--prevalence", "2.57"),
        ("--positive", "c"),
        ("--html", "p.csv"),
        ("--html", "t.csv"),
    ],
)
def test_options_out_of_range(capsys, tmp_path, monkeypatch, option, value):
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "p.csv", GOOD)
    assert cli.main(["evaluate", "p.csv", "--output", "t.csv", option, value]) == 2
    out, err = capsys.readouterr()
    assert (
        out == ""
        and err.count("\n") == 1
        and option in err
        and (tmp_path / "p.csv").read_text(encoding="utf-8") == GOOD
    )
    assert not (tmp_path / "t.csv").exists()


def test_the_numbers_are_those_of_the_library(capsys, tmp_path, four):
    file = written(tmp_path / "p.csv", four)
    assert (
        cli.main(
            [
                "evaluate",
                str(file),
                "--positive",
                "viral",
                "--threshold",
                "0.4",
                "--prevalence",
                "0.01",
            ]
        )
        == 0
    )
    out, err = capsys.readouterr()
    table = pd.read_csv(io.StringIO(out))
    assert err == "" and list(table) == ["section", "class", "statistic", "estimate", "low", "high"]
    cell = table.set_index(["section", "class", "statistic"])[["estimate", "low", "high"]]
    point = metrics.operating_point(four, "viral", 0.4)
    drawn = metrics.bootstrap_by_patient(four, ["auc", "ppv"], "viral", threshold=0.4)
    for name, expected in drawn.iterrows():
        assert cell.loc["threshold 0.4", "viral", name].tolist() == pytest.approx(expected.tolist())
    expected = metrics.bootstrap_by_patient(four).loc["normal", "recall"].tolist()
    assert cell.loc["most probable class", "normal", "recall"].tolist() == pytest.approx(expected)
    expected = metrics.at_prevalence(point["sensitivity"], point["specificity"], 0.01)[0]
    assert cell.loc["prevalence 0.01", "viral", "ppv"]["estimate"] == pytest.approx(expected)
    truth = four["y_true"] == "viral"
    assert cell.loc["calibration", "viral", "brier"]["estimate"] == pytest.approx(
        skl.brier_score_loss(truth, four["p_viral"])
    )


def test_a_share_of_all_or_none_has_one_interval_over_patients(capsys, tmp_path):
    """Three sick patients of 1, 1 and 6 images, all found; no resample differs, so Wilson's
    interval counts each once, and the area has none.
    """
    sick = "".join(f"{patient},1,0.9\n" for patient in "abcccccc")
    well = "".join(f"w{k},0,{0.2 + 0.6 * (k < 3)}\n" for k in range(20))
    file = written(tmp_path / "p.csv", f"patient_id,y_true,p\n{sick}{well}")
    assert cli.main(["evaluate", str(file)]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert len(table) == len(table.drop_duplicates(["section", "class", "statistic"]))
    found = table[table["class"] == "positive"].set_index("statistic")
    three = 3 / (3 + 1.959963984540054**2)  # n / (n + z²)
    for name in ("sensitivity", "recall"):
        ends = found.loc[name, ["estimate", "low", "high"]].tolist()
        assert ends == pytest.approx([1, three, 1])
    assert found.loc["auc", ["low", "high"]].isna().all(axis=None)


ODD = {
    "one class": "y_true,p_a,p_b\n" + "a,0.6,0.4\n" * 5,
    "one row": "y_true,p_a,p_b\na,0.6,0.4\n",
    "one patient": "patient_id,y_true,p\n" + "x,1,0.7\nx,0,0.2\nx,1,0.1\n",
    "nobody called": "y_true,p\n" + "1,0.1\n0,0.2\n" * 4,
    "everybody called": "y_true,p\n" + "1,0.9\n0,0.8\n" * 4,
    "perfect": "y_true,p\n" + "1,1\n0,0\n" * 4,
    "all wrong": "y_true,p\n" + "1,0\n0,1\n" * 4,
    "one value": "y_true,p\n" + "1,0.5\n0,0.5\n" * 4,
    "twenty classes": (
        "y_true,"
        + ",".join(f"p_k{k}" for k in range(20))
        + "\n"
        + "".join(
            f"k{k % 20}," + ",".join("0.62" if j == k % 19 else "0.02" for j in range(20)) + "\n"
            for k in range(60)
        )
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("content", ODD.values(), ids=ODD)
def test_odd_files_get_the_right_answer(capsys, tmp_path, content):
    file = written(tmp_path / "p.csv", content)
    assert (
        cli.main(
            [
                "evaluate",
                str(file),
                "--html",
                str(tmp_path / "r.html"),
                "--output",
                str(tmp_path / "t.csv"),
            ]
        )
        == 0
    )
    table, frame = pd.read_csv(tmp_path / "t.csv"), evaluate.read_file(file).frame
    rows = table[table["section"].str.startswith("threshold")].set_index("statistic")["estimate"]
    point = metrics.operating_point(frame, evaluate.read_file(file).positive, 0.5)
    for name in ("auc", "sensitivity", "specificity", "ppv", "npv"):
        np.testing.assert_allclose(rows.get(name, np.nan), point[name], atol=1e-8)
    assert "Traceback" not in capsys.readouterr().err and (tmp_path / "r.html").read_text(
        encoding="utf-8"
    ).endswith("</html>\n")


NAMES = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "_hidden", "ok\x1b[31m", "\u202eabc"]


@pytest.mark.parametrize("name", [*NAMES, "x" * 25, "$\\frac{a$", "<script>alert(2)</script>"])
def test_names_that_a_figure_or_a_spreadsheet_would_not_show_as_they_are(tmp_path, capsys, name):
    frame = pd.DataFrame({"y_true": [name, "b"], f"p_{name}": [0.7, 0.2], "p_b": [0.3, 0.8]})
    assert cli.main(["evaluate", str(written(tmp_path / "p.csv", frame))]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "begins with a letter or digit" in err
    assert "\x1b" not in err and "\u202e" not in err


EVIL = ["x<img src=x onerror=a>", "x<script>a</script>", 'x"><svg onload=b>', "x</style><b>c</b>"]
EVIL += ["javascript:alert(5)", "x&lt;b&gt;", "x{{7*7}}", "x' onmouseover='d"]


@pytest.mark.parametrize("width, scheme", [(1280, "light"), (390, "dark")])
def test_a_page_of_hostile_names_in_a_browser(tmp_path, browser, width, scheme):
    rng = np.random.default_rng(0)
    y, p = np.arange(64) % 8, rng.dirichlet(np.ones(8), 64)
    frame = pd.DataFrame(
        {
            "image_id": [f"{EVIL[k % 8]}{k}" for k in range(64)],
            "y_true": np.array(EVIL, object)[y],
            **{f"p_{name}": p[:, k] for k, name in enumerate(EVIL)},
        }
    )
    file = written(
        tmp_path / "<img src=x onerror=alert(0)>.csv", frame.assign(split=frame["y_true"])
    )
    assert cli.main(["evaluate", str(file), "--html", str(tmp_path / "r.html")]) == 0
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page, seen = context.new_page(), []
    for event in ("console", "pageerror", "dialog", "requestfailed"):
        page.on(event, lambda what, event=event: seen.append((event, str(what))))
    page.on(
        "request",
        lambda request: (
            seen.append(("request", request.url))
            if not request.url.startswith(("file:", "data:"))
            else None
        ),
    )
    page.goto((tmp_path / "r.html").as_uri())
    page.wait_for_timeout(300)
    assert seen == []
    assert (
        page.evaluate(
            "document.querySelectorAll('script, svg, iframe, object, link, [onerror], [onload],"
            " [onmouseover], a').length"
        )
        == 0
    )
    sources = page.evaluate(
        "[...document.images].map(i => [i.src.slice(0, 22), i.naturalWidth > 400, i.alt.length >"
        " 20])"
    )
    assert len(sources) == 3 and all(
        each == ["data:image/png;base64,", True, True] for each in sources
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    text = page.inner_text("main")
    assert (
        all(name in text for name in EVIL)
        and file.name in text
        and page.title() == f"Predictions in {file.name}"
    )
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    context.close()


def test_the_page_says_what_the_table_says(tmp_path, browser, four):
    found = evaluate.read_file(written(tmp_path / "p.csv", four))
    (tmp_path / "r.html").write_text(
        report.page(evaluate.Measures(found, 0.5, 0.01), "p.csv"), encoding="utf-8"
    )
    page = browser.new_page()
    page.goto((tmp_path / "r.html").as_uri())
    tables = page.evaluate(
        "[...document.querySelectorAll('table')].map(t => [...t.rows].map(r => [...r.cells].map(c"
        " => c.innerText.trim())))"
    )
    point = metrics.operating_point(four, "covid", 0.5)
    names = ["auc", "sensitivity", "specificity", "ppv", "npv"]
    assert [row[0] for row in tables[0][1:6]] == [evaluate.STATISTIC_NAMES[name] for name in names]
    drawn = metrics.bootstrap_by_patient(four, names, "covid")
    for row, name in zip(tables[0][1:6], names, strict=True):
        assert row[1] == with_interval(*drawn.loc[name]) and row[1].startswith(f"{point[name]:.3f}")
    assert [row[0] for row in tables[1][1:]] == [*FOUR, "macro avg", "weighted avg"]
    assert (
        f"{metrics.at_prevalence(point['sensitivity'], point['specificity'], 0.01)[0]:.3f}"
        in next(row for row in tables[2] if row[0] == "1 %")
    )
    assert "not a medical device" in page.inner_text("main")
    page.close()


def test_the_explorer_of_a_file(tmp_path, browser, capsys):
    rng = np.random.default_rng(1)
    truth = rng.random(200) < 0.3
    p = np.clip(rng.beta(2, 3, 200) + 0.3 * truth, 0, 1).round(3)
    file, page_file = (
        written(tmp_path / "mine.csv", pd.DataFrame({"y_true": truth.astype(int), "p": p})),
        tmp_path / "explorer.html",
    )
    assert (
        cli.main(
            [
                "evaluate",
                str(file),
                "--threshold",
                "0.6",
                "--prevalence",
                "0.02",
                "--explorer",
                str(page_file),
            ]
        )
        == 0
    )
    assert capsys.readouterr().out.split() == [str(page_file)]
    context = browser.new_context(offline=True)
    page, seen = context.new_page(), []
    for event in ("console", "pageerror", "requestfailed"):
        page.on(event, lambda what, event=event: seen.append((event, str(what))))
    page.goto(page_file.as_uri())
    page.wait_for_selector(".cxr-alive")
    ppv, _ = metrics.at_prevalence(
        sensitivity := (p >= 0.6)[truth].mean(), (p < 0.6)[~truth].mean(), 0.02
    )
    assert 0 < sensitivity < 1 and page.locator(".cxr-big b").inner_text() == f"{100 * ppv:.1f} %"
    assert "not a medical device" in page.inner_text("body").lower() and seen == []
    context.close()
    for options in (
        ["--explorer", str(file)],
        ["--explorer", str(page_file), "--html", str(page_file)],
    ):
        assert cli.main(
            ["evaluate", str(file), *options]
        ) == 2 and capsys.readouterr().err.splitlines()[-1].startswith("cxr: --")


SIGNED = [
    "net_benefit",
    "net_benefit_at",
    "skill",
    "lr_positive",
    "lr_negative",
]  # may be below 0, or above 1


@settings(max_examples=25)
@given(drawn(), st.sampled_from([0.2, 0.25, 1 / 3, 0.5]))
def test_every_interval_has_a_width_and_holds_its_estimate(frame, threshold):
    """Of everything that is shown, on files full of ties, of few patients and of classes without
    images.
    """
    cls = frame["y_true"].iloc[0]
    shown = (
        evaluate.Measures(evaluate.Predictions(frame, cls), threshold)
        .tidy()
        .rename(columns={"statistic": "name"})
    )
    curve = calibration.net_benefit(frame, cls, [0.1, threshold]).rename(
        columns={"benefit": "estimate"}
    )
    told = [
        intervals.auc_interval(frame, cls),
        metrics.mean_by_patient(frame[f"p_{cls}"], frame["patient_id"], replicates=100),
    ]
    rows = pd.concat(
        [
            shown,
            intervals.at_threshold(frame, cls, threshold, 0.1).rename_axis("name").reset_index(),
            curve.assign(name="net_benefit"),
            pd.DataFrame(told, columns=["estimate", "low", "high"]),
        ]
    )[["name", "estimate", "low", "high"]]
    assert (rows["low"].isna() == rows["high"].isna()).all()
    rows = rows.dropna(subset="low")
    assert (rows["high"] - rows["low"] > 1e-12).all(), rows
    assert (rows["low"] - 1e-9 <= rows["estimate"]).all() and (
        rows["estimate"] <= rows["high"] + 1e-9
    ).all(), rows
    shares = rows[~rows["name"].isin(SIGNED)]
    assert shares["low"].min() >= -1e-12 and shares["high"].max() <= 1 + 1e-12 or shares.empty


# names that a table, a legend, JavaScript or the direction of writing gives a meaning to
GIVEN = [name for name in ANY if name[0].isalnum() and len(name) < 25 and name != "COVID-19"]


@pytest.fixture(scope="module")
def any_name(tmp_path_factory) -> Path:
    """A file of predictions whose classes have any name."""
    k = len(GIVEN)
    frame = predictions(
        np.arange(6 * k) % k, np.random.default_rng(3).dirichlet(np.ones(k), 6 * k), classes=GIVEN
    )
    return written(tmp_path_factory.mktemp("any") / "שלום.csv", frame)


def test_any_name_of_a_class_works(any_name, tmp_path, capsys):
    assert (
        cli.main(
            [
                "evaluate",
                str(any_name),
                "--output",
                str(tmp_path / "t.csv"),
                "--positive",
                "macro avg",
            ]
        )
        == 0
    )
    table = pd.read_csv(tmp_path / "t.csv", keep_default_na=False)
    recalls = (
        table[table["section"].str.startswith("most") & (table["statistic"] == "recall")]
        .set_index("class")["estimate"]
        .astype(float)
    )
    assert len(recalls) == len(GIVEN) + 2 and recalls.index.is_unique
    found = evaluate.read_file(any_name).frame
    guess = np.array(GIVEN)[found[[f"p_{name}" for name in GIVEN]].to_numpy().argmax(axis=1)]
    for name in ("macro avg", "overall", "nan", "constructor"):
        assert recalls[name] == pytest.approx(
            skl.recall_score(found["y_true"] == name, guess == name), abs=1e-8
        ), name
    assert recalls["macro avg (all classes)"] == pytest.approx(
        skl.recall_score(found["y_true"].astype(str), guess, average="macro"), abs=1e-8
    )


@pytest.mark.parametrize("width", [1280, 320])
def test_any_name_on_the_page(any_name, tmp_path, browser, width):
    """Whole, wrapped, and a name from right to left does not change sides with its number."""
    assert (
        cli.main(
            ["evaluate", str(any_name), "--html", str(tmp_path / "r.html"), "--positive", "שלום"]
        )
        == 0
    )
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto((tmp_path / "r.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cells = page.evaluate(
        "[...document.querySelectorAll('table')].map(t => [...t.rows].map(r => [...r.cells].map(c"
        " => c.innerText.trim())))"
    )
    assert [row[0] for row in cells[1][1:]] == [
        *GIVEN,
        "macro avg (all classes)",
        "weighted avg (all classes)",
    ]
    if width > 1000:  # all on one line
        assert page.evaluate(SIDES, ["שלום", "6"])
    page.close()


# Whether the name stands left of the number that follows it.
SIDES = """([name, number]) => {
  const node = [...document.querySelectorAll("p bdi")].find((each) => each.textContent === name);
  const range = document.createRange(), text = node.nextSibling, at = text.data.indexOf(number);
  range.setStart(text, at), range.setEnd(text, at + number.length);
  const [a, b] = [node.getBoundingClientRect(), range.getBoundingClientRect()];
  return a.right <= b.left + 1 || a.bottom <= b.top + 1;
}"""
