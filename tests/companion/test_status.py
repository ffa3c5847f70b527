"""The status page says what the executed notebooks show and what the records are, and nothing
else.
"""

import json
from pathlib import Path

import nbformat
import pytest
import yaml

from companion import pages, status, studies
from companion.clone import filled
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
        Table_2=pages.no_radiographs(map_alone=True).data,
        Figure_1_A="1",
        Figure_1_B="1",
    )
    notebook(
        tmp_path / "stage" / "notebooks" / "02_b.ipynb"
    )  # its record is missing: a notice stands in for the cells
    return tmp_path / "stage", tmp_path / "source"


def found(book, *columns: str) -> dict[str, tuple]:
    table = status.states(*book).set_index("item")[list(columns)]
    return dict(zip(table.index, table.itertuples(index=False, name=None), strict=True))


def test_states_are_read_from_the_executed_cells(book):
    assert found(book, "page", "anchor", "state", "note") == {
        "Table 1": ("01_a.ipynb", "table-1", status.REBUILT, ""),
        "Table 2": ("01_a.ipynb", "table-2", status.NO_PICTURE, ""),
        "Table 3": ("02_b.ipynb", "", status.NOT_REBUILT, "waits for its record"),
        "Table 4": ("", "", status.NOT_REBUILT, "not yet built"),
        "Figure 1": ("01_a.ipynb", "figure-1", status.REBUILT, ""),
    }


def test_a_build_shows_radiographs_where_a_page_that_can_has_none_missing(tmp_path):
    def page(name: str, code: str, output: str) -> None:
        out = nbformat.v4.new_output("display_data", {"text/html": output})
        cell = nbformat.v4.new_code_cell(code, outputs=[out])
        (tmp_path / "notebooks").mkdir(exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "notebooks" / name)

    page("01_a.ipynb", "plots.radiographs(phantoms)", "a picture")
    page("02_b.ipynb", "pages.show_map(name)", pages.no_radiographs(map_alone=True).data)
    page("03_c.ipynb", "display(pages.no_radiographs())", pages.no_radiographs().data)
    assert not status.radiographs_shown(tmp_path)
    page("03_c.ipynb", "display(pages.no_radiographs())", "a picture")
    assert status.radiographs_shown(tmp_path)


def test_an_item_is_as_far_as_its_last_part(book):
    notebook(book[0] / "notebooks" / "01_a.ipynb", Figure_1_A="1", Figure_1_B=None)
    assert found(book, "state")["Figure 1"] == (status.NOT_REBUILT,)


def page(items, name="_status") -> str:
    return filled(ROOT / "book" / f"{name}.md.jinja", status.facts(items))


def test_page_counts_and_links(book, tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path / "results"))
    items = status.states(*book)
    text = page(items)
    count = "2 rebuilt, 1 without its picture, 2 not rebuilt"
    assert f"## Study B, Zhu 2020: {count}" in text
    assert page(items, "_states") == f"- Study B, Zhu 2020: {count}\n"
    assert "| [Table 1](#table-1) | t | rebuilt |  |" in text
    assert "| [Table 3](../notebooks/02_b.ipynb) | t | not rebuilt | waits for its record |" in text
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
    assert "| zhu-fourclass-redraws/seed-2 | 3, 6 | box | 2 |" in page(items)


def test_inventory_is_the_studies_lists():
    """22 items in the thesis's lists of figures and tables, eleven in the paper, each once; and one
    of each that is neither and could not be rebuilt.
    """
    items = status.inventory(ROOT / "book" / "inventory.yml")
    names = {study: [item["item"] for item in found] for study, found in items.items()}
    assert [len(set(found)) for found in names.values()] == [23, 12]
    assert names["zhu2020"].pop() == "Tuning" and names["cheazemin2020"][-1] == "GPU factor"
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


DAMAGES = ["[", "- 1", "zhu2020: [{item: Table 1}]", "zhu2020:", "zhu2020: [Table 1]", "other: []"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_inventory_is_one_line(tmp_path, damage):
    (tmp_path / "inventory.yml").write_text(damage)
    with pytest.raises(InputError, match=r"inventory\.yml: "):
        status.inventory(tmp_path / "inventory.yml")


def test_what_stands_in_or_is_lacking_is_said_with_the_state(book):
    file = book[1] / "book" / "inventory.yml"
    items = [{"item": f"Table {n}", "title": "t", "by": "another"} for n in (1, 2, 3)]
    items += [{"item": "Figure 1", "title": "f", "lacking": "no data"}]
    file.write_text(yaml.safe_dump({"zhu2020": items}))
    assert found(book, "state", "note") == {
        "Table 1": (status.STAND_IN, "another"),
        "Table 2": (status.NO_PICTURE, "another"),
        "Table 3": (status.NOT_REBUILT, "waits for its record"),
        "Figure 1": (status.NOT_REBUILT, "no data"),
    }


def test_study_as_own_rule_is_named_below_the_records(book):
    text = page(status.states(*book))
    assert "azemin-adjudicated." in text.split("## Records")[1]


def test_gpu_is_lacking_as_long_as_none_was_measured():
    """Whoever measures one writes so into the inventory."""
    devices = [
        json.loads(file.read_text(encoding="utf-8"))["device"]["type"]
        for file in (ROOT / "results" / "efficiency").glob("*.json")
    ]
    items = status.inventory(ROOT / "book" / "inventory.yml")["cheazemin2020"]
    assert devices and ("lacking" in items[-1]) == (set(devices) == {"cpu"})


@pytest.mark.parametrize(
    ("study", "item", "anchor"),
    [("zhu2020", "Figure 2.2 A", "figure-2-2-a"), ("cheazemin2020", "Table 1", "a-table-1")],
)
def test_anchors(study, item, anchor):
    assert status.anchor(study, item) == anchor
