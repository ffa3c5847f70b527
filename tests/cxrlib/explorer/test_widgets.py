"""The widgets as Python objects; what the page makes of them is in
tests/browser/test_explorer.py.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from frames import made_up
from traitlets import TraitError

from cxrlib import explorer as widgets
from cxrlib import metrics
from cxrlib.files import InputError


@pytest.fixture
def explorer():
    return widgets.Explorer({"one": made_up(seed=1), "two": made_up(seed=2)}, marks={"here": 0.05})


def test_what_will_not_do_is_said(explorer):
    for name, value in (("run", "three"), ("positive_class", "flu")):
        with pytest.raises(InputError, match=f"^{name}: '{value}' is none of "):
            setattr(explorer, name, value)
    for name, value in (("threshold", 1.5), ("prevalence", 0.0), ("cost", -1.0)):
        with pytest.raises(TraitError):
            setattr(explorer, name, value)
    with pytest.raises(InputError, match="no run is given"):
        widgets.Explorer([])
    with pytest.raises(InputError, match="^bad: no column y_true$"):
        widgets.Explorer({"bad": made_up().drop(columns="y_true")})
    with pytest.raises(InputError, match="^sensitivity: "):
        widgets.Ppv((0.5, 0.6, 0.7), (0.9, 0.8, 1.0))


def test_table_follows_the_traits(explorer):
    explorer.run, explorer.positive_class, explorer.threshold, explorer.prevalence = (
        "two",
        "viral",
        0.3,
        0.2,
    )
    point = metrics.operating_point(made_up(seed=2), "viral", 0.3)
    table = explorer.table()["estimate"]
    assert (
        table["sensitivity"] == point["sensitivity"]
        and table["specificity"] == point["specificity"]
    )
    assert table["ppv_at"] == pytest.approx(
        metrics.at_prevalence(point["sensitivity"], point["specificity"], 0.2)[0]
    )


def test_a_class_that_the_other_run_lacks_is_left(explorer):
    frames = {"four": made_up(), "fewer": made_up(sizes=(9, 9))}
    both = widgets.Explorer(frames)
    both.positive_class = "viral"
    both.run = "fewer"
    assert both.positive_class == "viral"
    both.run = "four"
    both.positive_class = "normal"
    both.run = "fewer"
    assert both.positive_class == "covid"


def test_narrowing_keeps_the_others_if_asked():
    frame = made_up()
    known = pd.DataFrame(
        {"image_id": frame["image_id"], "view": np.where(np.arange(len(frame)) % 2, "AP", "PA")}
    )
    explorer = widgets.Explorer(frame, subgroups=known, subgroup={"view": "AP"})
    assert len(explorer.frame) == (known["view"] == "AP").sum()
    explorer.keep_others = True
    inside = (known["view"] == "AP").to_numpy() | (
        frame["y_true"] != explorer.positive_class
    ).to_numpy()
    assert explorer.frame["image_id"].tolist() == frame["image_id"][inside].tolist()


def test_the_pages_state_is_the_objects(explorer):
    explorer.threshold = 0.25
    state = json.loads(
        re.search(r'<script type="application/json">(.*?)</script>', explorer.html(), re.S)[1]
    )
    assert (
        state["threshold"] == 0.25
        and state["run"] == "one"
        and state["data"]["marks"] == [{"label": "here", "value": 0.05}]
    )
    bundle, _ = explorer._repr_mimebundle_()
    assert (
        bundle["text/html"] == explorer.html()
        and "application/vnd.jupyter.widget-view+json" in bundle
    )


def test_a_page_of_its_own_has_a_limit(monkeypatch):
    monkeypatch.setattr(widgets, "MOST", 10)
    with pytest.raises(InputError, match="at most 10"):
        widgets.page(made_up(), "mine.csv")


def test_a_page_is_made_without_torch_and_without_anywidget():
    code = (
        "import sys; sys.modules['anywidget'] = None\n"
        "from frames import made_up; from cxrlib import explorer\n"
        "assert '<script type=\"module\">' in explorer.Explorer(made_up()).html()\n"
        "assert not {'torch', 'companion'} & set(sys.modules)"
    )
    folder = Path(__file__).parents[2]  # frames.py is there
    path = os.pathsep.join([str(folder), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=120)


def test_subgroups_name_no_image_twice():
    with pytest.raises(InputError, match="^subgroups: needs a column image_id"):
        widgets.Explorer(made_up(), subgroups=pd.DataFrame({"image_id": ["s/i0", "s/i0"]}))


def test_the_table_of_a_perfect_score_has_its_lower_limits():
    """As of 35 of 35 found and 400 of 400 spared, at the same prevalence."""
    frame = made_up(sizes=(35, 400), images_per_patient=1)
    first, second = (name for name in frame if name.startswith("p_"))
    own = (frame["y_true"] == first[2:]).astype(float)
    found = metrics.intervals.at_threshold(
        frame.assign(**{first: own, second: 1 - own}), first[2:], 0.5, 0.001
    )
    rates = [found.loc[name].tolist() for name in ("sensitivity", "specificity")]
    row = widgets.Ppv(*rates).plain().iloc[0]
    value, low, high = (100 * found.loc["ppv_at"]).tolist()
    assert value == high == 100 and low < 10 and row["PPV, %"].startswith("100")
    assert f"{low:.1f}" in row["PPV, %"]
