"""The checklists: whole, numbered as their makers number them, and every answer either a rule or a
judgement with its reason.
"""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "notebooks" / "24_checklists.py").read_text(encoding="utf-8")
RULES = {name.rstrip("_") for name in re.findall(r"(?m)^def (\w+)\(who\):", SOURCE)} - {"printed"}
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
    used = set()
    for item in content["items"]:
        assert set(item) == {"item", "title", "A", "B", "here"} and 0 < len(item["title"]) < 70
        for who in ("A", "B", "here"):
            if isinstance(item[who], str):
                assert item[who] in RULES, item["item"]
                used.add(item[who])
            else:
                answer, reason = item[who]
                assert answer in answers and reason.endswith("."), item["item"]
                assert not re.search(r"\d+(\.\d+)? ?%", reason), "numbers come from rules"
    assert used


def test_every_rule_is_used():
    named = {
        item[who]
        for name in ("claim", "tripod_ai", "probast")
        for item in read(name)["items"]
        for who in ("A", "B", "here")
        if isinstance(item[who], str)
    }
    assert named == RULES


def test_the_sources_of_the_lists_are_in_the_bibliography():
    known = set(
        re.findall(r"@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text(encoding="utf-8"))
    )
    assert {read(name)["cite"] for name in ("claim", "tripod_ai", "probast")} <= known
