"""The checklists: whole, numbered as their makers number them, every answer with its reason, and
no answer that what can be looked at contradicts.
"""

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from companion import studies
from cxrlib.data import splits

ROOT = Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "notebooks" / "24_checklists.py").read_text(encoding="utf-8")
COUNTED = set(re.findall(r'(?m)^    "(\w+)": ', SOURCE.split("COUNTED = {")[1].split("\n}")[0]))
LISTS = ("claim", "tripod_ai", "probast")
REPORTING = {"yes", "partly", "no", "?", "n/a"}


def read(name: str) -> dict:
    return yaml.load(
        (ROOT / "book" / "checklists" / f"{name}.yml").read_text(encoding="utf-8"), yaml.BaseLoader
    )


@pytest.mark.parametrize(
    ("name", "numbers", "answers"),
    [
        ("claim", [str(n) for n in range(1, 43)], REPORTING),
        # the parts of TRIPOD+AI by number: 1 to 27, those with letters in order
        (
            "tripod_ai",
            [
                f"{n}{letter}"
                for n in range(1, 28)
                for letter in {
                    3: "abc",
                    5: "ab",
                    6: "abc",
                    8: "abc",
                    9: "abc",
                    12: "abcdefg",
                    18: "abcdef",
                    20: "abc",
                    23: "ab",
                    27: "abc",
                }.get(n, [""])
            ],
            REPORTING,
        ),
        (
            "probast",
            [
                f"{domain}.{n}"
                for domain, size in enumerate((2, 3, 6, 9), 1)
                for n in range(1, size + 1)
            ],
            {"Y", "PY", "PN", "N", "NI"},
        ),
    ],
)
def test_a_list_is_whole(name, numbers, answers):
    content = read(name)
    assert [item["item"] for item in content["items"]] == numbers
    for item in content["items"]:
        assert set(item) == {"item", "title", "A", "B", "here"} and 0 < len(item["title"]) < 70
        for who in ("A", "B", "here"):
            answer, reason = item[who]
            assert answer in answers and reason.endswith("."), item["item"]
            assert not re.search(r"\d+(\.\d+)? ?%", reason.replace("95 %", "")), item["item"]


def test_what_is_counted_is_used_and_known():
    reasons = "".join(
        item[who][1] for name in LISTS for item in read(name)["items"] for who in ("A", "B", "here")
    )
    assert set(re.findall(r"\{(\w+)\}", reasons)) == COUNTED


def answer(name: str, number: str, who: str) -> str:
    return next(item[who][0] for item in read(name)["items"] if item["item"] == number)


def test_answers_agree_with_what_can_be_looked_at():
    recorded = [
        studies.run(name) for name in ("zhu-fourclass", "zhu-binary", "azemin-standin-resnet50")
    ]
    published = [(run.folder / "model.safetensors").is_file() for run in recorded]
    expected = "yes" if all(published) else "partly" if any(published) else "no"
    assert answer("tripod_ai", "22", "here") == expected
    assert answer("probast", "4.9", "here") == {"yes": "Y", "partly": "PY", "no": "N"}[expected]
    covid = [run.predictions.query("y_true == 'covid'")["patient_id"].nunique() for run in recorded]
    assert answer("probast", "4.1", "here") == ("Y" if min(covid) >= 100 else "N")
    lost = any(run.info["data"]["missing"] for run in recorded)
    assert answer("probast", "4.3", "here") == ("N" if lost else "Y")
    for run in recorded[:2]:
        shared = splits.leakage(run.split, run.split["split"])["shared_patients"]
        assert (answer("claim", "21", "here") == "yes") == (shared == 0)
    assert all(run.info["packages"] and run.info["config"] for run in recorded)
    for name in ("LICENSE", "constraints.txt", "notebooks/23_calibration.py"):
        assert (ROOT / name).is_file()


@pytest.mark.parametrize(("letter", "study"), [("A", "cheazemin2020"), ("B", "zhu2020")])
def test_no_number_of_a_text_is_a_confidence_level_or_an_age(letter, study):
    trace = pd.read_csv(studies.folder() / "trace.csv", keep_default_na=False)
    others = trace[(trace["study"] == study) & (trace["claim"] == "")]["number"]
    assert not others.isin(["90", "95", "99"]).any() and answer("claim", "29", letter) == "no"
    rows = studies.printed(study)
    people = rows["quote"].str.contains(r"\b(?:age|aged|sex|male|female|women|men)\b")
    assert not (people | rows["unit"].eq("years")).any() and answer("claim", "34", letter) == "no"


def test_the_sources_of_the_lists_are_in_the_bibliography():
    known = set(
        re.findall(r"@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text(encoding="utf-8"))
    )
    assert {read(name)["cite"] for name in LISTS} <= known
