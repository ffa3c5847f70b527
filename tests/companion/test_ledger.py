"""Reported numbers: the files leave out no number of the texts, and the ledger's verdicts follow
from what the cells rebuild.
"""

import re

import numpy as np
import pytest
import tracing
import yaml
from sklearn.metrics import accuracy_score, roc_auc_score

from companion import ledger, rules, studies
from companion.studies.printed import REQUIRED
from cxrlib import InputError, metrics

# Table 4.2 as it stands in the thesis, section 4.2.
TABLE_4_2 = """
COVID-19      60   1.00 0.97 1.00 1.00 0.98 1.00
Viral         148  0.82 0.90 0.82 0.97 0.86 0.96
Bacterial     242  0.97 0.88 0.97 0.93 0.93 0.98
Normal        234  0.92 0.98 0.92 0.99 0.95 0.98
Macro avg     -    0.93 0.93 0.93 0.97 0.93 0.99
Weighted avg  -    0.92 0.93 0.92 0.97 0.92 0.98
"""
COLUMNS = ["Size", "Accuracy", "Precision", "Recall", "Selectivity", "F1-score", "AUC"]


def test_table_4_2_is_whole():
    rows = studies.printed("zhu2020")
    rows = rows[rows["table"] == "4.2"].set_index(["row", "column"])["printed"]
    expected = {}
    for line in TABLE_4_2.strip().splitlines():
        *name, size, a, p, r, s, f, auc = line.split()
        for column, text in zip(COLUMNS, (size, a, p, r, s, f, auc), strict=True):
            if text != "-":
                expected[(" ".join(name), column)] = text
    assert rows.to_dict() == expected


@pytest.mark.parametrize("field", REQUIRED)
def test_missing_field_is_named(tmp_path, field):
    numbers = entries()
    del numbers[3][field]
    write(tmp_path, {"numbers": numbers})
    with pytest.raises(InputError, match=rf"x/printed\.yml: number 4: lacks the field {field}"):
        studies.printed("x", source=tmp_path)


def entries() -> list[dict]:
    file = studies.folder() / "zhu2020" / "printed.yml"
    return yaml.safe_load(file.read_text(encoding="utf-8"))["numbers"]


def write(folder, content) -> None:
    (folder / "x").mkdir(exist_ok=True)
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    (folder / "x" / "printed.yml").write_text(text)


def test_other_faults_are_one_line(tmp_path):
    number = next(number for number in entries() if number["kind"] == "cell")
    for numbers, message in [
        ([number, number], "number 2: id .* occurs twice"),
        ([{**number, "printed": 0.97}], "is not text with 2 decimals"),
        ([{**number, "printed": "0.9"}], "is not text with 2 decimals"),
        ([{**number, "colour": "red"}], "number 1: unknown field colour"),
        ([{**number, "kind": "guess"}], "number 1: kind is 'guess', none of count, setting"),
        (
            [{**number, "relation": "about"}],
            "number 1: relation is 'about', none of more than, at least",
        ),
        (
            [{**number, "where": {"column": "AUC"}}],
            "number 1: where is .* needs a table or a section",
        ),
        ([{**number, "where": "Table 4.2"}], "number 1: where is 'Table 4.2'"),
        ([{**number, "run": None}], "number 1: lacks the field check"),
        ([{**number, "check": "cell"}], "number 1: lacks the field check .a list."),
        ("nothing", "lacks the list numbers"),
    ]:
        write(tmp_path, {"numbers": numbers})
        with pytest.raises(InputError, match=message):
            studies.printed("x", source=tmp_path)
    write(tmp_path, "a: [")
    with pytest.raises(InputError, match="cannot be read as YAML"):
        studies.printed("x", source=tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        studies.printed("absent", source=tmp_path)


def test_one_place_alone():
    table = studies.printed("zhu2020", "Table 4.2")
    assert set(table["table"]) == {"4.2"} and len(table) == 6 * 6 + 4
    assert set(studies.printed("cheazemin2020", "Abstract")["section"]) == {"abstract"}
    with pytest.raises(InputError, match=r"zhu2020/printed\.yml: no number stands in 'Table 4'"):
        studies.printed("zhu2020", "Table 4")


@pytest.fixture(scope="module")
def recorded():
    return studies.run("zhu-fourclass")


def test_the_named_cells_are_rebuilt(recorded):
    """Against scikit-learn on the recorded predictions, and the interval holds the value."""
    printed = studies.printed("zhu2020", "Table 4.2")
    rates = metrics.per_class(recorded.predictions)
    bounds = metrics.bootstrap_by_patient(recorded.predictions)
    rows = ledger.compare(printed, rates, bounds).set_index("metric")
    frame = recorded.predictions
    for name in recorded.classes:
        truth = frame["y_true"] == name
        assert rows.loc[f"{name}.auc", "rebuilt"] == pytest.approx(
            roc_auc_score(truth, frame[f"p_{name}"]), abs=1e-12
        )
        assert rows.loc[f"{name}.size", "rebuilt"] == truth.sum()
        right = frame[[f"p_{c}" for c in recorded.classes]].to_numpy().argmax(
            1
        ) == recorded.classes.index(name)
        assert rows.loc[f"{name}.recall", "rebuilt"] == pytest.approx(
            right[truth].mean(), abs=1e-12
        )
    shares = rows.dropna(subset=["low"])
    assert len(shares) >= 30
    assert ((shares["low"] <= shares["rebuilt"]) & (shares["rebuilt"] <= shares["high"])).all()
    assert np.isfinite(rows["rebuilt"].astype(float)).all()


def test_the_texts_hold_no_number_that_is_neither_in_the_ledger_nor_on_the_list():
    """From the texts where they are at hand; the trace in the repository is what they give."""
    texts = {study: tracing.text(study) for study in tracing.TEXTS}
    if None in texts.values():
        pytest.skip("the two texts are not in ../shared/papers")
    assert [
        line for study, text in texts.items() for line in tracing.trace(study, text)
    ] == tracing.read()


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        (
            ("a total of 5828 images", "a total of 5829 images"),
            "azemin-2-negatives: its quote is not in section 2",
        ),
        (("Only frontal chest", "Only 17 frontal chest"), "section 2: '17' is not accounted for"),
        (("50%-60%", "half"), "not_claims.yml has '50%-60%', the text has not"),
    ],
)
def test_a_changed_text_is_noticed(changed, complaint):
    text = tracing.text("cheazemin2020")
    if text is None:
        pytest.skip("the two texts are not in ../shared/papers")
    assert changed[0] in text
    with pytest.raises(ValueError, match=re.escape(complaint)):
        tracing.trace("cheazemin2020", text.replace(*changed))


def test_the_trace_and_the_ledger_name_the_same_claims():
    """What a stranger without the texts can check: every row has its place in the text, every other
    number its reason.
    """
    lines = tracing.read()
    traced = {(line["study"], line["claim"]) for line in lines if line["claim"]}
    rows = {
        (study, row["id"]): row
        for study in studies.LETTERS
        for row in studies.printed(study).to_dict("records")
    }
    assert traced == rows.keys()
    assert all(bool(line["claim"]) != bool(line["reason"]) for line in lines)
    for line in lines:
        row = rows.get((line["study"], line["claim"]))
        if row is not None:
            assert line["place"] == (row["section"] or row["place"])
            assert line["number"] == "million" or tracing.value(line["number"]) == float(
                row["printed"]
            )
        elif line["number"]:
            assert line["times"] == 1 and line["before"] + line["after"]
    rules = yaml.safe_load((studies.folder() / "not_claims.yml").read_text(encoding="utf-8"))
    reasons = {rule["reason"] for rule in rules["names"]} | {
        rule["reason"] for places in rules["places"].values() for rule in places
    }
    reasons |= {reason for parts in rules["parts"].values() for reason in parts.values()}
    assert {line["reason"] for line in lines if line["reason"]} == reasons


def test_tokens_of_a_text():
    found = tracing.NUMBER.findall(
        "Two of 6,216 (3.5%), 50%-60%, 8-fold, ResNet18: twice a million, five-fold;"
        " one-vs-all, 1,2"
    )
    assert found == [
        "Two",
        "6,216",
        "3.5",
        "50",
        "60",
        "8",
        "18",
        "twice",
        "million",
        "five",
        "one",
        "1",
        "2",
    ]
    assert [tracing.value(word) for word in ("6,216", "Thousands", "eight", "doubled", "all")] == [
        6216,
        1000,
        8,
        2,
        100,
    ]


@pytest.mark.parametrize("study", studies.LETTERS)
def test_a_quote_holds_the_number_it_is_quoted_for(study):
    for row in studies.printed(study).to_dict("records"):
        assert row["treated"].startswith("notebooks/"), row["id"]
        if row["table"] and not row["quote"]:
            continue
        assert len(row["quote"].split("*")) == 3, row["id"]
        words = tracing.CLAIMED.findall(row["quote"].split("*")[1])
        assert {tracing.value(word) for word in words if word != "million" or len(words) == 1} == {
            float(row["printed"])
        }, row["id"]


@pytest.fixture(scope="module")
def claims():
    return ledger.claims().set_index("id")


def test_every_number_has_one_verdict_and_a_reason(claims):
    assert (
        len(claims) == sum(len(studies.printed(study)) for study in studies.LETTERS)
        and claims.index.is_unique
    )
    assert set(claims["verdict"]) == set(rules.VERDICTS)
    assert claims["why"].str.endswith(".").all()
    assert (claims["low"].isna() == claims["high"].isna()).all() and not (
        claims["low"] > claims["rebuilt"]
    ).any()


def test_no_stand_in_agrees_with_study_a(claims):
    rests = claims[(claims["study"] == "A") & claims["records"].map(bool)]
    assert (
        len(rests) == 8
        and set(rests["verdict"]) == {"not testable here"}
        and rests["rebuilt"].notna().all()
    )


def test_accuracy_that_is_recall_stands_beside_accuracy(claims):
    """Every class of Table 4.2 by scikit-learn, one class against the rest; the averages over
    classes, plain and by images.
    """
    frame = studies.run("zhu-fourclass").predictions
    classes = ["covid", "viral", "bacterial", "normal"]
    called = frame[[f"p_{name}" for name in classes]].to_numpy().argmax(axis=1)
    each = [accuracy_score(frame["y_true"] == name, called == k) for k, name in enumerate(classes)]
    sizes = [(frame["y_true"] == name).sum() for name in classes]
    rows = [f"zhu-t4.2-{name}-accuracy" for name in [*classes, "macro-avg", "weighted-avg"]]
    assert claims.loc[rows, "by_formula"].tolist() == pytest.approx(
        [*each, np.mean(each), np.average(each, weights=sizes)]
    )
    assert ledger.rebuilt_in_words(claims.loc[rows[1]]).startswith(
        f"recall {claims.loc[rows[1], 'rebuilt']:.3f} ("
    )
    assert f"; accuracy {each[1]:.3f} (" in ledger.rebuilt_in_words(claims.loc[rows[1]])
    known = claims["by_formula"].notna()
    assert (
        known.sum() == 11 and claims.loc[known, "also"].str.contains("by the study's formula").all()
    )


@pytest.mark.parametrize(
    ("name", "verdict"),
    {
        "zhu-2.1-images": "cannot be true",  # 6,216 where Table 2.1 adds to 6,088
        "zhu-t4.2-macro-avg-auc": "cannot be true",  # 0.99 of 1.00, 0.96, 0.98, 0.98
        "zhu-5-auc": "cannot be true",  # the same in the conclusion
        "zhu-t4.2-viral-accuracy": "cannot be true",  # 0.82, by its own formula 0.94
        "zhu-t4.2-covid-accuracy": "agrees",  # 1.00, by its own formula 0.997
        "zhu-t4.2-weighted-avg-auc": "agrees",
        "zhu-2.1-patients": "differs",  # one for each image
        "zhu-t4.2-normal-recall": "differs",
        "zhu-t2.2-covid-train": "exact",  # 172 images, 24 times
        "zhu-3.1-layers": "exact",
        "azemin-2-prevalence": "exact",
        "azemin-3-auc": "not testable here",
        "azemin-3-efficiency": "not testable here",
        "azemin-4-google-test": "exact",  # more than 1900: 1,962
    }.items(),
)
def test_verdicts_of_the_fact_sheet(claims, name, verdict):
    assert claims.loc[name, "verdict"] == verdict, claims.loc[name, "why"]


def test_verdicts_are_typed_nowhere():
    text = "".join(
        file.read_text(encoding="utf-8") for file in studies.folder().glob("*/printed.yml")
    )
    assert not [
        verdict for verdict in rules.VERDICTS if re.search(rf"(?m)^[^#].*\b{verdict}\b", text)
    ]


def test_places_and_numbers_in_words(claims):
    assert claims.loc["zhu-t4.2-viral-recall", "place"] == "Table 4.2, Viral, Recall"
    assert claims.loc["azemin-t1-batch", "place"] == "Table 1, Mini batch size"
    assert claims.loc["zhu-4.2-aucs", ["place", "said"]].tolist() == [
        "Section 4.2",
        "more than 96 %",
    ]
    assert claims.loc["zhu-abstract-models", ["place", "said"]].tolist() == ["Abstract", "2"]


def test_one_study_alone(claims):
    assert (
        ledger.claims(["cheazemin2020"])["id"].tolist()
        == claims.index[claims["study"] == "A"].tolist()
    )


def test_a_missing_record_is_said(monkeypatch, tmp_path):
    """Counts of images and results wait for their record; nothing else does."""
    for part in ("flow", "networks"):
        (tmp_path / part).symlink_to(studies.results_folder() / part)
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path))
    rows = ledger.claims(["zhu2020"]).set_index("id")
    waits = rows[rows["why"].str.contains("not yet recorded; cxr train zhu-")]
    assert {"zhu-t4.2-viral-auc", "zhu-t4.1-covid-recall", "zhu-t2.1-viral-images"} <= set(
        waits.index
    )
    assert (
        set(waits["verdict"]) == {"not testable here"}
        and rows.loc["zhu-2.1-covid-images", "verdict"] == "exact"
    )
    assert (
        rows.loc["zhu-t4.2-macro-avg-auc", "verdict"] == "cannot be true"
    )  # by the printed numbers alone
    assert "not yet recorded" in rows.loc["zhu-t4.2-macro-avg-auc", "also"] and rows[
        "rebuilt"
    ].isna().sum() >= len(waits)
