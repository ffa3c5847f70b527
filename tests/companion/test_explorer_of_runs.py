"""What the explorer of recorded runs is told of them, on its page."""

import pandas as pd
import pytest
from chapters import explorer_page

from companion import studies
from cxrlib.explorer.payload import UNKNOWN

PAGE = explorer_page()


def test_printed_points_are_the_studies():
    azemin = PAGE["printed_points"](studies.run("azemin-standin-resnet50"))
    assert list(azemin) == ["covid"]  # abstract of Che Azemin et al. 2020
    assert azemin["covid"]["text"] == ["77.3 %", "71.8 %"]
    assert azemin["covid"]["sensitivity"] == pytest.approx([0.773, 0.7725, 0.7735])
    # recall and selectivity of Table 4.2, Zhu 2020
    thesis = PAGE["printed_points"](studies.run("zhu-fourclass"))
    assert {cls: point["text"] for cls, point in thesis.items()} == {
        "covid": ["1.00", "1.00"],
        "viral": ["0.82", "0.97"],
        "bacterial": ["0.97", "0.93"],
        "normal": ["0.92", "0.99"],
    }
    assert thesis["covid"]["sensitivity"] == [1, 0.995, 1]  # no more than a share can have


def test_the_explorer_knows_the_runs():
    made = PAGE["explorer_of"]([studies.run("zhu-fourclass")])
    run = made.data["runs"][0]
    assert run["title"] == "Study B, four classes" and len(run["printed"]) == 4
    assert [group["label"] for group in run["groups"]] == ["View", "Sex", "Age", "Source"]
    assert made.data["marks"][0]["label"] == "Study A"


def test_what_a_description_says_of_all_fills_only_what_is_unknown(monkeypatch):
    known = {"image_id": ["a/1", "kermany/2"], "view": ["PA", "Lateral"], "sex": ["F", None]}
    listed = pd.DataFrame(known | {"age": ["18–39", None]})
    monkeypatch.setitem(PAGE["known_of"].__globals__, "listed", listed)
    images, sources = ["a/1", "kermany/2", "kermany/3", "b/4"], ["a", "kermany", "kermany", "b"]
    frame = pd.DataFrame({"image_id": images, "source": sources}, index=[7, 8, 9, 10])
    found = PAGE["known_of"](frame)
    assert found.index.tolist() == [7, 8, 9, 10]
    assert found["view"].tolist() == ["PA", "Lateral", "AP", UNKNOWN]
    assert found["age"].tolist() == ["18–39", "0–17", "0–17", UNKNOWN]
    assert found["sex"].tolist() == ["F", *[UNKNOWN] * 3] and found["source"].tolist() == sources
