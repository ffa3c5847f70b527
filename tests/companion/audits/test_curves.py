"""The numbers of the audits' tables, against scikit-learn and a direct count; and the first page's
figure.
"""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from companion import studies
from companion.audits import curves, record

FINETUNED = studies.results_folder() / "audits" / "finetuned"


@pytest.fixture
def table():
    """Probabilities of 60 images in two arms and three draws; some probabilities are equal."""
    rng, parts = np.random.default_rng(3), []
    for arm in ("whole", "black"):
        for draw in range(3):
            part = pd.DataFrame({"image_id": [f"i{n}" for n in range(60)]})
            part["patient_id"] = [f"p{n // 2}" for n in range(60)]
            part["y_true"] = [
                "covid" if n % 3 == 0 else ["viral", "normal"][n % 2] for n in range(60)
            ]
            part["p_covid"] = (
                (rng.random(60) + 0.2 * (part["y_true"] == "covid")).clip(0, 1).round(1)
            )
            parts.append(part.assign(arm=arm, draw=draw))
    return pd.concat(parts, ignore_index=True)


def test_each_group_has_the_area_of_scikit_learn_and_its_own_counts(table):
    found = curves.measured(table, ["arm", "draw"], threshold=0.6).set_index(["arm", "draw"])
    assert len(found) == 6
    for key, group in table.groupby(["arm", "draw"]):
        ill, row = group["y_true"] == "covid", found.loc[key]
        assert row["auc"] == pytest.approx(roc_auc_score(ill, group["p_covid"]))
        assert row["low"] < row["auc"] < row["high"]
        assert (row["found"], row["of"]) == ((group["p_covid"][ill] >= 0.6).sum(), 20)
        assert (row["taken"], row["others"]) == ((group["p_covid"][~ill] >= 0.6).sum(), 40)


def test_draws_are_taken_together(table):
    each = curves.measured(table, ["arm", "draw"])
    both = curves.over_draws(each, ["arm"]).set_index("arm")
    for arm, of in each.groupby("arm"):
        row = both.loc[arm]
        assert (row["auc"], row["least"]) == pytest.approx((of["auc"].mean(), of["auc"].min()))
        assert (row["low"], row["high"]) == pytest.approx((of["low"].min(), of["high"].max()))
        assert (row["draws"], row["of"]) == (3, 60)


def test_a_perfect_area_counts_as_one_at_both_ends(table):
    perfect = table.assign(p_covid=(table["y_true"] == "covid").astype(float))
    row = curves.over_draws(curves.measured(perfect, ["arm", "draw"]), ["arm"]).iloc[0]
    assert (row["low"], row["auc"], row["high"]) == (1, 1, 1)


@pytest.mark.parametrize("audit", curves.FINETUNED)
def test_networks_that_the_clock_stopped_are_not_shown(audit):
    runs = json.loads((FINETUNED / audit / "run.json").read_text(encoding="utf-8"))["runs"]
    shown = curves.finetuned(audit).groupby(["arm", "size", "draw"]).size()
    keys = {(run["arm"], run["size"], run["seed"]) for run in runs if run["finished"]}
    assert set(shown.index) == keys


def test_the_curves_are_those_of_the_record():
    """Against the record's own tables: AUC of one probe, and the lungs left, by hand."""
    found = curves.blackout().set_index(["model", "how", "arm", "size"])
    _, tables = record.read("blackout-probes")
    one = tables["zhu-binary"].query("arm == 'square-black' and size == 0.5")
    areas = [roc_auc_score(of["y_true"] == "covid", of["p_covid"]) for _, of in one.groupby("draw")]
    row = found.loc[("zhu-binary", "probe", "square-black", 0.5)]
    assert row["auc"] == pytest.approx(np.mean(areas)) and row["draws"] == len(areas) == 5
    tested = one.loc[one["y_true"] == "covid", "image_id"]
    left = tables["lung-left"]
    left = left[(left["size"] == 0.5) & left["image_id"].isin(tested)]["square_black"]
    assert row["lungs"] == pytest.approx(left.median())
    lungs = found.sort_index().loc[("zhu-binary", "probe", "square-black"), "lungs"]
    assert lungs.is_monotonic_decreasing, "a larger square leaves less"


def test_the_first_figure_is_the_same_at_every_build(tmp_path):
    for name in ("a.svg", "b.svg"):
        curves.hero(tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_without_the_record_the_first_figure_has_empty_axes(tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path))
    curves.hero(tmp_path / "empty.svg")
    assert "<svg" in (tmp_path / "empty.svg").read_text(encoding="utf-8")
