"""Trainings for the audit, on phantoms: a killed one goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from companion import studies
from companion.audits import curves, pictures, points
from companion.build import __main__ as build
from cxrlib.transfer import fit

ROOT = Path(__file__).resolve().parents[3]
CURVE = "permuted-labels"
COLUMNS = ["arm", "size", "seed"]
UNLIKE = {"seconds", "git", "device", "packages"}  # from one time to the next


@pytest.fixture
def small(monkeypatch) -> None:
    """Two trainings of seconds."""
    monkeypatch.setattr(points, "DRAWS", range(2))
    monkeypatch.setattr(points, "SIZES", [0.5])
    for key, value in {"size": 33, "epochs": 2}.items():
        monkeypatch.setitem(studies.PHANTOM, key, value)


def train(data: Path, results: Path, curve: str = CURVE) -> int:
    words = ["--data", str(data), "--results", str(results), "--work", str(results / "work")]
    return build.main(["points", curve, *words])


def recorded(results: Path, curve: str = CURVE) -> tuple[dict, dict]:
    """What a record says that should be the same when it is made again; and its tables."""
    folder = results / "audits" / "finetuned" / f"phantom-{curve}"
    info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    info["runs"] = [
        {key: value for key, value in run.items() if key not in UNLIKE} for run in info["runs"]
    ]
    tables = {name: pd.read_csv(folder / file) for name, file in points.FILES.items()}
    tables["history"] = tables["history"].drop(columns="seconds")
    return {key: value for key, value in info.items() if key not in UNLIKE}, tables


def alike(first: Path, second: Path) -> None:
    (one, tables), (other, others) = recorded(first), recorded(second)
    assert one == other
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, others[name])


@pytest.mark.slow
def test_an_interrupted_training_goes_on_and_ends_as_one_that_was_not(
    few, small, tmp_path, monkeypatch
):
    assert train(few, tmp_path / "whole") == 0
    one_epoch, began = fit.one_epoch, []

    def interrupted(run):
        began.append(run)
        if len(began) == 4:  # the second epoch of the second network
            raise KeyboardInterrupt
        one_epoch(run)

    with monkeypatch.context() as patch:
        patch.setattr(fit, "one_epoch", interrupted)
        assert train(few, tmp_path / "cut") == 130
    assert not (tmp_path / "cut" / "audits").exists()
    began.clear()
    monkeypatch.setattr(fit, "one_epoch", lambda run: (began.append(run), one_epoch(run)))
    assert train(few, tmp_path / "cut") == 0 and len(began) == 1
    alike(tmp_path / "whole", tmp_path / "cut")
    assert not list((tmp_path / "cut" / "work").rglob("checkpoint*"))


@pytest.mark.slow
def test_a_killed_training_goes_on(few, tmp_path):
    assert train(few, tmp_path / "whole") == 0
    words = [CURVE, "--data", few, "--work", tmp_path / "cut" / "work"]
    command = [sys.executable, "-m", "companion.build", "points", *map(str, words)]
    command += ["--results", str(tmp_path / "cut")]
    settings = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=settings, cwd=tmp_path)
    while not list((tmp_path / "cut").rglob("checkpoint.pt")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not (tmp_path / "cut" / "audits").exists()
    subprocess.run(command, env=settings, cwd=tmp_path, check=True)
    alike(tmp_path / "whole", tmp_path / "cut")


def test_a_record_has_each_point_of_its_curve_and_can_be_read(few, small, tmp_path, monkeypatch):
    monkeypatch.setattr(points, "DRAWS", range(1))
    monkeypatch.setitem(studies.PHANTOM, "epochs", 1)
    assert train(few, tmp_path, "blackout") == 0
    info, tables = recorded(tmp_path, "blackout")
    assert [(run["arm"], run["size"], run["seed"]) for run in info["runs"]] == [
        ("square-black", 0.5, 0),
        ("rest-black", 0.5, 0),
    ]
    for name in ("predictions", "validation"):
        assert list(tables[name]) == [*COLUMNS, "image_id", "patient_id", "y_true", "p_covid"]
    place = tmp_path / "audits" / "finetuned"
    (place / "phantom-blackout").rename(place / "blackout")
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path))
    shown = curves.finetuned("blackout").groupby(["arm", "size", "draw"]).size()
    assert len(shown) == 2 and shown.nunique() == 1


def test_each_curve_changes_what_it_names_and_nothing_else(few, small):
    plain = points.prepare("blackout", {"arm": "square-black", "size": 0, "seed": 0}, few)

    def prepared(curve, arm=None, size=1.0):
        return points.prepare(curve, {"arm": arm or curve, "size": size, "seed": 0}, few)

    covid = (plain.rows["y_true"] == "covid").to_numpy()
    for arm, inside in (("square-black", True), ("rest-black", False)):
        pixels = prepared("blackout", arm, 0.5).pixels
        square = np.zeros(pixels.shape[1:], bool)
        square[8:-8, 8:-8] = True
        assert not pixels[:, square == inside].any()
        assert (pixels == plain.pixels)[:, square != inside].all()
    changed = (prepared("one-pipeline").pixels != plain.pixels).any((1, 2))
    assert (changed == covid).all(), "the other collection's files are those the way is taken from"
    mixed = prepared("permuted-labels")
    assert (mixed.rows["y_true"] == plain.rows["y_true"]).all()
    for part in ("train", "val", "test"):
        was, now = (x.rows.loc[x.part(part), "label"].tolist() for x in (plain, mixed))
        assert sorted(was) == sorted(now) and (was == now) == (part == "test")


def test_what_is_recorded_is_of_points_that_can_be_made():
    number = 0
    for curve in points.CURVES:
        arms = pictures.ARMS if curve == "blackout" else [curve]
        sizes = points.SIZES if curve == "blackout" else [1]
        table = curves.runs(curve)
        assert table["arm"].isin(arms).all() and table["size"].isin(sizes).all()
        assert table["seed"].isin(points.DRAWS).all()
        number += len(table)
    assert number == 31


def test_a_curve_that_there_is_not_is_refused(few, capsys):
    assert build.main(["points", "upside-down"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
