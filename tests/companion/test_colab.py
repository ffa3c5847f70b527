"""What Colab's first cell calls: what it installs, and what it keeps on Drive. The folder is a
stand-in for Drive; Colab itself is not tried.
"""

import os
import shutil
import subprocess
import sys
import types
from importlib import metadata
from pathlib import Path

import pytest

from companion import colab, studies

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A clone with a record, where Colab would have put it."""
    root = tmp_path / "cxr"
    (root / "notebooks").mkdir(parents=True)
    shutil.copyfile(ROOT / "pyproject.toml", root / "pyproject.toml")
    shutil.copytree(ROOT / "results/phantom-localisation", root / "results/published")
    for name in ("CXR_CACHE", "CXR_DATA", "PYTHONPATH"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "anywidget", sys.modules.get("anywidget"))
    return root


@pytest.fixture
def cells(monkeypatch):
    """What a notebook does after each cell."""
    after = []
    events = types.SimpleNamespace(register=lambda event, call: after.append((event, call)))
    shell = types.SimpleNamespace(events=events)
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    return after


def train(root: Path, name: str, word: str) -> None:
    """A finished run, written as cxrlib writes one."""
    colab.copy(Path("published"), root / "results", root / "spare")
    (root / "spare" / "published").rename(root / "results" / name)
    (root / "results" / name / "note.txt").write_text(word)
    os.utime(root / "results" / name / "run.json")


def test_begin_without_drive_only_goes_to_the_notebooks(clone, tmp_path, capsys):
    colab.begin(clone, tmp_path / "nowhere")
    assert Path.cwd() == clone / "notebooks" and list(Path.cwd().iterdir()) == []
    assert "mount" in capsys.readouterr().out and not (tmp_path / "nowhere").exists()


def test_a_run_is_kept_and_taken_up_after_a_disconnect(clone, cells, tmp_path):
    drive = tmp_path / "drive"
    (drive / "cxr-companion" / "data").mkdir(parents=True)
    colab.begin(clone, drive)
    kept = drive / "cxr-companion"
    assert os.environ["CXR_DATA"] == str(kept / "data")
    Path("work/mine").mkdir()
    Path("work/mine/checkpoint.json").write_text("epoch 3")
    ((event, save),) = cells
    assert event == "post_run_cell"
    save()
    assert list((kept / "results").iterdir()) == [], "what is published is not copied"
    train(clone, "mine", "first")
    save()
    assert studies.run("mine", results=kept / "results").name == "phantom-localisation"

    shutil.rmtree(clone / "results" / "mine")  # the next session has a fresh clone
    (clone / "notebooks" / "work").unlink()
    cells.clear()
    colab.begin(clone, drive)
    assert Path("work/mine/checkpoint.json").read_text() == "epoch 3"
    assert (clone / "results/mine/note.txt").read_text() == "first"
    shutil.rmtree(clone / "results" / "mine")
    train(clone, "mine", "second")
    cells[0][1]()
    assert (kept / "results/mine/note.txt").read_text() == "second"
    assert {file.name for file in (kept / "results").iterdir()} == {"mine"}


def test_only_what_is_missing_is_named(clone, monkeypatch):
    assert colab.missing(clone) == []
    there = metadata.distributions
    monkeypatch.setattr(
        metadata, "distributions", lambda name: [] if name == "pydicom" else there(name=name)
    )
    assert colab.missing(clone) == ["pydicom"]


def test_what_is_installed_keeps_its_version(monkeypatch):
    """pip is held to every installed version, those of PyTorch and numpy among them."""
    seen = []

    def pip(command, check):
        seen.append((command, Path(command[command.index("--constraint") + 1]).read_text()))

    monkeypatch.setattr(subprocess, "run", pip)
    colab.install(["anywidget"])
    ((command, held),) = seen
    assert command[-1] == "anywidget" and "--upgrade" not in command
    for name in ("torch", "numpy"):
        assert f"{name}=={metadata.version(name)}\n" in held


def test_the_explorer_is_live_where_colab_has_a_manager_and_a_page_elsewhere(monkeypatch):
    called = []
    output = types.ModuleType("google.colab.output")
    output.enable_custom_widget_manager = lambda: called.append("live")
    output._widgets = types.SimpleNamespace(_installed_url=None)
    live = types.ModuleType("anywidget")
    monkeypatch.setitem(sys.modules, "anywidget", live)
    for name in ("google", "google.colab"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    colab.allow_widgets()
    assert called == ["live"] and sys.modules["anywidget"] is live
    program = (
        "from companion import colab; colab.allow_widgets();"
        "from cxrlib.explorer import Ppv; shown = Ppv([.9, .8, 1], [.9, .8, 1]);"
        "print(sorted(shown._repr_mimebundle_()[0]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "['text/html', 'text/plain']", done.stderr
