"""The engine: the book asks for no training, and `make records` for every record that is missing."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cxrlib import studies

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def checkout(tmp_path):
    """The repository's files without its records."""
    for name in ("Snakefile", "_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("book", "notebooks", "cxrlib"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def planned(folder: Path, target: str, monkeypatch) -> list[str]:
    """Commands of a dry run, in the order given."""
    monkeypatch.setenv("CXR_RESULTS", str(folder / "results"))
    command = [sys.executable, "-m", "snakemake", target, "--dry-run", "--printshellcmds", "--cores", "2", "--rerun-triggers", "mtime"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    return re.findall(r"-m cxrlib (.+)", ran.stdout + ran.stderr)


def test_book_trains_nothing(checkout, monkeypatch):
    commands = planned(checkout, "book", monkeypatch)
    assert commands[-1] == "book _build/stage"
    assert [command.split()[0] for command in commands[:-1]] == ["execute"] * len(list((ROOT / "notebooks").glob("[0-9]*.py")))


def test_records_makes_what_is_missing_and_nothing_else(checkout, monkeypatch):
    commands = planned(checkout, "records", monkeypatch)
    assert sorted(commands) == sorted(f"train {name} --resume" for name in studies.EXPERIMENTS)
    there = checkout / "results" / "zhu-fourclass"
    there.mkdir(parents=True)
    (there / "run.json").write_text("{}")
    assert planned(checkout, "records", monkeypatch) == [
        f"train {name} --resume" for name in studies.EXPERIMENTS if name != "zhu-fourclass"
    ]


def test_a_changed_record_reruns_its_notebook_only(checkout, monkeypatch):
    """After a build nothing is to be done; a newer record asks for its notebook and the book, never for training."""
    record = checkout / "results" / "zhu-fourclass" / "run.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    outputs = [checkout / "_build/stage/notebooks" / f"{file.stem}.ipynb" for file in (ROOT / "notebooks").glob("[0-9]*.py")]
    outputs.append(checkout / "_build/html/index.html")
    for output in outputs:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text("")
    assert planned(checkout, "book", monkeypatch) == []

    later = time.time() + 10
    os.utime(record, (later, later))
    commands = planned(checkout, "book", monkeypatch)
    assert (
        len(commands) == 2 and commands[0].startswith("execute notebooks/04_study_b_four_classes.ipynb") and commands[1].startswith("book")
    )
