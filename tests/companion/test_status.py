"""The status page says what the executed notebooks show and what the records are, and nothing
else.
"""

import json
from pathlib import Path

import nbformat
import pytest
import yaml

from companion import pages, status, studies
from cxrlib.files import InputError

ROOT = Path(__file__).resolve().parents[2]


def notebook(file: Path, **cells: str | None) -> None:
    """Cells that claim items: ``Table_1="text"`` with that output, ``Table_1=None`` not
    executed.
    """
    made = nbformat.v4.new_notebook()
    for item, text in cells.items():
        outputs = (
            [] if text is None else [nbformat.v4.new_output("display_data", {"text/html": text})]
        )
        made.cells.append(
            nbformat.v4.new_code_cell(
                "x", metadata={"cxr": {"items": [item.replace("_", " ")]}}, outputs=outputs
            )
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, file)


@pytest.fixture
def book(tmp_path):
    """Sources and stage of a small book; five items of Study B."""
    items = [{"item": f"Table {n}", "title": "t"} for n in range(1, 5)] + [
        {"item": "Figure 1", "title": "f", "parts": ["A", "B"]}
    ]
    (tmp_path / "source" / "book").mkdir(parents=True)
    (tmp_path / "source" / "book" / "inventory.yml").write_text(yaml.safe_dump({"zhu2020": items}))
    notebook(
        tmp_path / "source" / "notebooks" / "01_a.ipynb",
        Table_1=None,
        Table_2=None,
        Figure_1_A=None,
        Figure_1_B=None,
    )
    notebook(tmp_path / "source" / "notebooks" / "02_b.ipynb", Table_3=None)
    notebook(
        tmp_path / "stage" / "notebooks" / "01_a.ipynb",
        Table_1="1",
        Table_2="<p>The map alone",
        Figure_1_A="1",
        Figure_1_B="1",
    )
    notebook(
        tmp_path / "stage" / "notebooks" / "02_b.ipynb"
    )  # its record is missing: a notice stands in for the cells
    return tmp_path / "stage", tmp_path / "source"


def test_states_are_read_from_the_executed_cells(book):
    found = {row[1]: row[3:] for row in status.states(*book)}
    assert found == {
        "Table 1": ("01_a.ipynb", status.REBUILT),
        "Table 2": ("01_a.ipynb", status.MARKS["The map alone"]),
        "Table 3": ("02_b.ipynb", status.WAITING),
        "Table 4": ("", status.OPEN),
        "Figure 1": ("01_a.ipynb", status.REBUILT),
    }


def test_an_item_is_as_far_as_its_last_part(book):
    notebook(book[0] / "notebooks" / "01_a.ipynb", Figure_1_A="1", Figure_1_B=None)
    assert {row[1]: row[4] for row in status.states(*book)}["Figure 1"] == status.WAITING


def test_marks_are_what_the_pages_say():
    said = (
        pages.no_radiographs().data
        + pages.no_radiographs(map_alone=True).data
        + (ROOT / "notebooks" / "05_study_b_gradcam.py").read_text(encoding="utf-8")
    )
    assert all(mark in said for mark in status.MARKS)


def test_page_counts_and_links(book, tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path / "results"))
    text = status.page(*book)
    assert (
        "Study B, Zhu 2020: 3 of 5 items" in text
        and "| Table 3 | t | [02](../notebooks/02_b.ipynb) | waits for its record |" in text
    )
    assert f"Records: 0 of {len(studies.RECORDS)}" in text and text.count(
        "not yet recorded"
    ) == len(studies.RECORDS)
    info = json.loads((ROOT / "results" / "zhu-fourclass" / "run.json").read_text(encoding="utf-8"))
    target = tmp_path / "results" / "zhu-fourclass-redraws" / "seed-2" / "run.json"
    target.parent.mkdir(parents=True)
    target.write_text(
        json.dumps(
            info
            | {
                "epochs": {"run": 3, "planned": 6},
                "seconds": {"training": 119},
                "device": {"name": "box"},
            }
        )
    )
    assert "| zhu-fourclass-redraws/seed-2 | 3, 6 | box | 2 |" in status.page(*book)


def test_inventory_is_the_studies_lists():
    """22 items in the thesis's lists of figures and tables; eleven in the paper; every one named
    once.
    """
    items = status.inventory(ROOT / "book" / "inventory.yml")
    names = {study: [item["item"] for item in found] for study, found in items.items()}
    assert {study: len(set(found)) for study, found in names.items()} == {
        "zhu2020": 22,
        "cheazemin2020": 11,
    }
    figures = [
        "2.1",
        "2.2",
        "2.3",
        "3.1",
        "3.2",
        "3.3",
        "3.4",
        "3.5",
        *(f"4.{n}" for n in range(1, 10)),
    ]
    tables = ["2.1", "2.2", "2.3", "4.1", "4.2"]
    assert sorted(names["zhu2020"]) == sorted(
        [f"Figure {n}" for n in figures] + [f"Table {n}" for n in tables]
    )


@pytest.mark.parametrize("damage", ["[", "- 1", "zhu2020: [{item: Table 1}]", "other: []"])
def test_damaged_inventory_is_one_line(tmp_path, damage):
    (tmp_path / "inventory.yml").write_text(damage)
    with pytest.raises(InputError, match=r"inventory\.yml: cannot be read as an inventory"):
        status.inventory(tmp_path / "inventory.yml")


def test_how_an_item_was_rebuilt_is_said_with_its_state(book):
    file = book[1] / "book" / "inventory.yml"
    items = [{"item": f"Table {n}", "title": "t", "by": "by a stand-in"} for n in (1, 3)]
    file.write_text(yaml.safe_dump({"zhu2020": items}))
    assert [row[4] for row in status.states(*book)] == [
        f"{status.REBUILT}, by a stand-in",
        status.WAITING,
    ]


def test_study_as_own_rule_is_named_below_the_records(book):
    assert "were not to be had: azemin-adjudicated." in status.page(*book).split("## Records")[1]
