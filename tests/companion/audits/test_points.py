"""Trainings for the audit, on phantoms: a killed one goes on, and a record only grows."""

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
from companion.audits import points
from companion.build import __main__ as build
from cxrlib.transfer import fit

ROOT = Path(__file__).resolve().parents[3]
POINT = "blackout/rest-black/0.5/0"
UNLIKE = {"seconds", "git", "device", "packages"}  # from one time to the next


@pytest.fixture
def small(monkeypatch) -> None:
    """Trainings of seconds."""
    for key, value in {"size": 32, "epochs": 2}.items():
        monkeypatch.setitem(studies.PHANTOM, key, value)


def train(data: Path, results: Path, only: str = POINT, *more: str) -> int:
    words = ["--data", str(data), "--results", str(results), "--work", str(results / "work")]
    return build.main(["points", "--only", only, *words, *more])


def recorded(results: Path, curve: str = "phantom-blackout") -> tuple[dict, dict]:
    """What a record says that should be the same when it is made again; and its tables."""
    folder = results / "audits" / "finetuned" / curve
    info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    info["runs"] = [
        {key: value for key, value in run.items() if key not in UNLIKE} for run in info["runs"]
    ]
    tables = {name: pd.read_csv(folder / name) for name in points.FILES}
    tables["history.csv"] = tables["history.csv"].drop(columns="seconds")
    return {key: value for key, value in info.items() if key not in UNLIKE}, tables


def alike(first: Path, second: Path) -> None:
    (one, tables), (other, others) = recorded(first), recorded(second)
    assert one == other
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, others[name])


@pytest.mark.slow
def test_an_interrupted_training_goes_on_and_ends_as_one_that_was_not(
    few, small, tmp_path, monkeypatch, capsys
):
    assert train(few, tmp_path / "whole") == 0
    one_epoch = fit.one_epoch

    def interrupted(run):
        if len(run.rows) == 1:
            raise KeyboardInterrupt
        one_epoch(run)

    with monkeypatch.context() as patch:
        patch.setattr(fit, "one_epoch", interrupted)
        assert train(few, tmp_path / "cut") == 130
    assert not (tmp_path / "cut" / "audits").exists()
    capsys.readouterr()
    assert train(few, tmp_path / "cut") == 2, "what is there is not begun anew unasked"
    assert len(capsys.readouterr().err.splitlines()) == 1
    began = []
    monkeypatch.setattr(fit, "one_epoch", lambda run: (began.append(run), one_epoch(run)))
    assert train(few, tmp_path / "cut", POINT, "--resume") == 0 and len(began) == 1
    alike(tmp_path / "whole", tmp_path / "cut")
    assert not list((tmp_path / "cut" / "work").rglob("checkpoint*"))


@pytest.mark.slow
def test_a_killed_training_goes_on(few, tmp_path):
    assert train(few, tmp_path / "whole") == 0
    words = ["--only", POINT, "--data", few, "--work", tmp_path / "cut" / "work", "--resume"]
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


def test_a_record_grows_and_what_is_finished_stands(few, small, tmp_path, monkeypatch):
    monkeypatch.setitem(studies.PHANTOM, "epochs", 1)
    assert train(few, tmp_path) == 0
    folder = tmp_path / "audits" / "finetuned" / "phantom-blackout"
    first = {name: pd.read_csv(folder / name, dtype=str) for name in points.FILES}
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    monkeypatch.setattr(fit, "one_epoch", None)  # nothing trains
    assert train(few, tmp_path) == 0
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    monkeypatch.undo()
    for key, value in {"size": 32, "epochs": 1}.items():
        monkeypatch.setitem(studies.PHANTOM, key, value)
    assert train(few, tmp_path, "blackout/square-black/0.9/1") == 0
    for name, table in first.items():
        grown = pd.read_csv(folder / name, dtype=str)
        pd.testing.assert_frame_equal(grown.iloc[: len(table)], table)
        assert set(grown["arm"].iloc[len(table) :]) == {"square-black"}
    monkeypatch.setitem(studies.PHANTOM, "lr", 0.02)
    before = (folder / "run.json").read_bytes()
    assert train(few, tmp_path, "blackout/square-black/0.8/1") == 2, "another lr is another curve"
    assert (folder / "run.json").read_bytes() == before


def test_one_that_had_not_finished_gives_way(tmp_path):
    table = pd.DataFrame({"image_id": ["a", "b"], "p_covid": [0.1, 0.2]})
    about = {"curve": "blackout", "config": {}, "fingerprint": "", "weights": {}}
    about |= dict.fromkeys(points.MADE, "")
    for seed, done, p in ((0, True, 0.1), (1, False, 0.2), (1, True, 0.3)):
        tables = [table.assign(p_covid=p)] * len(points.FILES)
        run = {"finished": done, "lacked": []}
        points.add(tmp_path / "x", ("blackout", "rest-black", 0.5, seed), about, run, tables)
    info = json.loads((tmp_path / "x" / "run.json").read_text(encoding="utf-8"))
    assert [(run["seed"], run["finished"]) for run in info["runs"]] == [(0, True), (1, True)]
    for name in points.FILES:
        found = pd.read_csv(tmp_path / "x" / name)
        assert found.groupby("seed")["p_covid"].unique().map(list).to_dict() == {0: [0.1], 1: [0.3]}


def test_each_curve_changes_what_it_names_and_nothing_else(few, small):
    plain = points.prepare(("none", "none", 1.0, 0), few)

    def prepared(curve, arm=None, size=1.0):
        return points.prepare((curve, arm or curve, size, 0), few)

    covid = (plain.rows["y_true"] == "covid").to_numpy()
    for arm, inside in (("square-black", True), ("rest-black", False)):
        pixels = prepared("blackout", arm, 0.5).pixels
        square = np.zeros(pixels.shape[1:], bool)
        square[8:24, 8:24] = True
        assert not pixels[:, square == inside].any()
        assert (pixels == plain.pixels)[:, square != inside].all()
    changed = (prepared("one-pipeline").pixels != plain.pixels).any((1, 2))
    assert (changed == covid).all(), "the other collection's files are those the way is taken from"
    assert (prepared("px-56").pixels != plain.pixels).any((1, 2)).all()
    mixed = prepared("permuted-labels")
    assert (mixed.rows["y_true"] == plain.rows["y_true"]).all()
    for part in ("train", "val", "test"):
        was, now = (x.rows.loc[x.part(part), "label"].tolist() for x in (plain, mixed))
        assert sorted(was) == sorted(now) and (was == now) == (part == "test")
    copied = prepared("copies-before-split")
    assert copied.rows["y_true"].eq("covid").sum() == points.COPIES * covid.sum()
    parts = copied.rows[copied.rows["y_true"] == "covid"].groupby("image_id")["split"].nunique()
    assert parts.gt(1).mean() > 0.9, "copies of an image are on both sides"


def test_what_is_recorded_is_of_points_that_can_be_made():
    there = set()
    for file in (ROOT / "results" / "audits" / "finetuned").glob("*/run.json"):
        runs = json.loads(file.read_text(encoding="utf-8"))["runs"]
        there |= {points.named(run) for run in runs}
    assert len(there) == 31 and there <= set(points.wanted())


def test_a_point_that_there_is_not_is_refused(few, capsys):
    assert build.main(["points", "--only", "blackout/up/*"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
