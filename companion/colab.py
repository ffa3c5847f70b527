"""What a notebook needs in Colab: its first cell fetches the companion and calls :func:`begin`.

Only Python's own modules are imported here: what the others need may not be installed yet.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from importlib import import_module, metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DRIVE = Path("/content/drive/MyDrive")
SHOWING = ["ipywidgets", "anywidget"]  # beside what the library needs
NOT_NEEDED = {"torchxrayvision"}  # by no notebook


def begin(root: Path = ROOT, drive: Path = DRIVE) -> None:
    """Install what is missing, go to the notebooks, and keep runs on Drive where it is mounted."""
    if names := missing(root):
        install(names)
    os.chdir(root / "notebooks")
    os.environ["PYTHONPATH"] = str(root)  # for commands: !python -m companion
    allow_widgets()
    if drive.is_dir():
        keep(root, drive / "cxr-companion")
        print(f"Runs on images are kept in {drive / 'cxr-companion'}.")
    else:
        print("To keep runs on images: mount Google Drive, restart the runtime, run this again.")


def missing(root: Path = ROOT) -> list[str]:
    """The packages that the notebooks need and that are not installed, whatever their version."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = project["dependencies"] + project["optional-dependencies"]["train"] + SHOWING
    names = [re.match(r"[\w.-]+", text)[0] for text in asked if text not in NOT_NEEDED]
    return [name for name in names if not any(metadata.distributions(name=name))]


def install(names: list[str]) -> None:
    """Install packages and leave all others, PyTorch among them, at the versions they have."""
    installed = {found.metadata["Name"]: found.version for found in metadata.distributions()}
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{name}=={version}\n" for name, version in installed.items() if name)
        file.flush()
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", file.name]
        subprocess.run(command + names, check=True)


def allow_widgets() -> None:
    """Let Colab show the explorer live; where it cannot, the explorer comes as in the book."""
    try:
        output = import_module("google.colab.output")
        output.enable_custom_widget_manager()
        _ = output._widgets._installed_url  # which anywidget reads
    except (ImportError, AttributeError):
        sys.modules["anywidget"] = None  # as if it were not installed


def keep(root: Path, folder: Path) -> None:
    """Keep in ``folder`` what is trained on images: a run that is not finished while it is trained,
    a finished one after the cell that made it. What is there already is taken up.
    """
    for name in ("results", "work", "cache"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for run in records(folder / "results"):
        copy(run, folder / "results", root / "results")
    work = root / "notebooks" / "work"
    if not work.exists():
        work.symlink_to(folder / "work")
    os.environ.setdefault("CXR_CACHE", str(folder / "cache"))
    if (folder / "data").is_dir():
        os.environ.setdefault("CXR_DATA", str(folder / "data"))
    known = records(root / "results")

    def save(*_) -> None:
        for run, changed in records(root / "results").items():
            if known.get(run) != changed:
                copy(run, root / "results", folder / "results")
                known[run] = changed

    with contextlib.suppress(AttributeError):  # no notebook
        import_module("IPython").get_ipython().events.register("post_run_cell", save)


def records(results: Path) -> dict[Path, float]:
    """The records in a folder, by their place in it, and when each was written."""
    files = results.rglob("run.json")
    return {file.parent.relative_to(results): file.stat().st_mtime for file in files}


def copy(run: Path, source: Path, target: Path) -> None:
    """Copy a record, in the place of one that may be there; run.json last, which makes it one."""
    shutil.rmtree(target / run, ignore_errors=True)
    shutil.copytree(source / run, target / run, ignore=shutil.ignore_patterns("run.json"))
    shutil.copy2(source / run / "run.json", target / run / "run.json")
