"""Printed numbers: the files leave out no number of the texts, and a fault in one is one line."""

import re

import pytest
import tracing
import yaml

from companion import studies
from companion.studies.printed import REQUIRED
from cxrlib import InputError

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
        ([{**number, "table": "4.1"}], "number 1: unknown field table"),
        (
            [{**number, "where": {"table": "4.1", "printed": "1"}}],
            "number 1: unknown field printed",
        ),
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
