"""The engine: the book asks for no training, and `make records` for every record that is
missing.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from companion import studies

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path):
    """The repository's files without its records, in a folder whose name a shell would take
    apart.
    """
    folder = tmp_path / "sp ace (ü) & 'quoted'"
    for name in ("book", "notebooks", "cxrlib", "companion"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "_config.yml", "_toc.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def planned(folder: Path, target: str, monkeypatch) -> list[str]:
    """Commands of a dry run, in the order given."""
    return re.findall(r"-m companion(?:\.build)? (.+)", dry_run(folder, target, monkeypatch))


def dry_run(folder: Path, target: str, monkeypatch) -> str:
    """What Snakemake would do, and why, in its words."""
    monkeypatch.setenv("CXR_RESULTS", str(folder / "results"))
    command = [
        sys.executable,
        "-m",
        "snakemake",
        target,
        "--dry-run",
        "--printshellcmds",
        "--cores",
        "2",
        "--rerun-triggers",
        "mtime",
    ]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    return ran.stdout + ran.stderr


def test_book_trains_nothing(checkout, monkeypatch):
    commands = planned(checkout, "book", monkeypatch)
    assert commands[-1] == "book _build/stage"
    assert [command.split()[0] for command in commands[:-1]] == ["execute"] * len(
        list((ROOT / "notebooks").glob("[0-9]*.py"))
    )


def test_records_makes_what_is_missing_and_nothing_else(checkout, monkeypatch):
    commands = planned(checkout, "records", monkeypatch)
    train = {name: f"train {name} --resume" for name in studies.RECORDS}
    assert sorted(command for command in commands if not command.startswith("phantom ")) == sorted(
        train.values()
    )
    there = checkout / "results" / "zhu-fourclass"
    there.mkdir(parents=True)
    (there / "run.json").write_text("{}")
    again = planned(checkout, "records", monkeypatch)
    assert (
        train["zhu-fourclass"] not in again
        and train["zhu-binary"] in again
        and len(again) == len(commands) - 1
    )


STUB = """
import pathlib, sys
words = sys.argv[1:]
with open("order.txt", "a") as log:
    log.write(" ".join(words) + "\\n")
if words[0] == "train":
    name = words[words.index("--name") + 1] if "--name" in words else words[1]
    record = pathlib.Path("results", name, "run.json")
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text("{}")
"""


def test_records_are_made_one_by_one_the_most_important_first(checkout, monkeypatch):
    """With a command in cxr's place that only notes what it is asked for."""
    (checkout / "stub.py").write_text(STUB)
    engine = (checkout / "Snakefile").read_text()
    (checkout / "Snakefile").write_text(
        engine.replace("-m companion", "stub.py").replace("stub.py.build", "stub.py")
    )
    monkeypatch.setenv("CXR_RESULTS", str(checkout / "results"))
    subprocess.run(
        [sys.executable, "-m", "snakemake", "records", "--cores", "2"],
        cwd=checkout,
        check=True,
        capture_output=True,
    )
    made = [line.split() for line in (checkout / "order.txt").read_text().splitlines()]
    assert [words[1] for words in made if words[0] == "train" and "--name" not in words] == list(
        studies.RECORDS
    )
    assert (
        made[-1][made[-1].index("--name") + 1] == "phantom-localisation"
        and made[-2][0] == "phantom"
    )


def test_a_changed_record_reruns_its_notebook_only(checkout, monkeypatch):
    """After a build nothing is to be done; a newer record asks for its notebook and the book, never
    for training.
    """
    record = checkout / "results" / "zhu-fourclass" / "run.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    monkeypatch.delenv("CXR_DATA", raising=False)
    planned(checkout, "book", monkeypatch)  # notes the folder of radiographs
    outputs = [
        checkout / "_build/stage/notebooks" / f"{file.stem}.ipynb"
        for file in (ROOT / "notebooks").glob("[0-9]*.py")
    ]
    outputs.append(checkout / "_build/html/index.html")
    for output in outputs:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text("")
    assert planned(checkout, "book", monkeypatch) == []

    later = time.time() + 10
    os.utime(record, (later, later))
    commands = planned(checkout, "book", monkeypatch)
    executed = {command.split()[1] for command in commands[:-1]}
    notebooks = (
        json.loads(file.read_text()) | {"file": f"notebooks/{file.name}"}
        for file in (checkout / "notebooks").glob("[0-9]*.ipynb")
    )
    assert executed == {
        notebook["file"]
        for notebook in notebooks
        if "zhu-fourclass" in notebook["metadata"].get("cxr", {}).get("records", [])
    }
    assert 0 < len(executed) < len(outputs) - 1 and commands[-1].startswith("book")

    os.utime(record, (0, 0))
    changed = ["companion/page.html.jinja2", "book/studies/zhu2020/printed.yml", "cxrlib/files.py"]
    (checkout / changed[0]).touch()
    for file in changed:
        os.utime(checkout / file, (later, later))
    said = dry_run(checkout, "book", monkeypatch)
    reasons = re.findall(r"reason: .*[Uu]pdated input files: (.+)", said)
    assert len(reasons) == len(outputs) - 1, said  # the book is made after them
    assert all(file in reason for reason in reasons for file in changed), reasons
    assert not any("run.json" in reason for reason in reasons), "it is older again"
    for file in changed:
        os.utime(checkout / file, (0, 0))
    monkeypatch.setenv(
        "CXR_DATA", "/another/folder"
    )  # pages with radiographs are made anew with them, and without them when it is gone
    shown = [
        f"notebooks/{name}.ipynb"
        for name in ("01_study_b_images", "05_study_b_gradcam", "13_study_a_results")
    ]
    assert (
        sorted(command.split()[1] for command in planned(checkout, "book", monkeypatch)[:-1])
        == shown
    )


MAKES = """
import pathlib, sys
target = sys.argv[3] if sys.argv[1] == "execute" else "_build/html/index.html"
pathlib.Path(target).parent.mkdir(parents=True, exist_ok=True)
pathlib.Path(target).write_text(" ".join(sys.argv[4:]))
with open("order.txt", "a") as log:
    log.write(target + "\\n")
"""


def test_a_changed_parameter_makes_its_page_again_and_no_other(checkout, monkeypatch):
    (checkout / "stub.py").write_text(MAKES)
    engine = (checkout / "Snakefile").read_text()
    (checkout / "Snakefile").write_text(engine.replace('f"{CXR}.build"', '"python stub.py"'))
    monkeypatch.setenv("CXR_RESULTS", str(checkout / "results"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    command = [sys.executable, "-m", "snakemake", "book", "--cores", "2"]
    command += ["--rerun-triggers", "mtime", "params"]

    def made() -> list[str]:
        (checkout / "order.txt").write_text("")
        subprocess.run(command, cwd=checkout, check=True, capture_output=True)
        return (checkout / "order.txt").read_text().split()

    assert len(made()) > 2 and made() == []
    page = "_build/stage/notebooks/04_study_b_four_classes.ipynb"
    settings = checkout / "book" / "parameters.yml"
    settings.write_text("04_study_b_four_classes: {replicates: 50, run_name: it's}")
    assert made() == [page, "_build/html/index.html"]
    assert (checkout / page).read_text() == '-p replicates 50 -p run_name "it\'s"'
    settings.write_text("{}")
    assert made()[0] == page and made() == []
