"""A clone of what is committed, made into a book as a new user would: minutes, hence slow. Packages
come from the registry or uv's cache.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow
BINARY = {".gz", ".npz", ".safetensors", ""}


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """In a folder whose name a shell would take apart, as Git for Windows makes it, with line ends
    of its own.
    """
    folder = tmp_path_factory.mktemp("clone") / "sp ace (ü) & 'quoted'"
    subprocess.run(
        ["git", "clone", "--quiet", "-c", "core.autocrlf=true", str(ROOT), str(folder)], check=True
    )
    return folder


def make(clone: Path, target: str, **changes: str) -> subprocess.CompletedProcess:
    drop = {
        "VIRTUAL_ENV",
        "MAKEFLAGS",
        "MAKELEVEL",
        "PYTHONPATH",
        "CXR_DATA",
        "CXR_CACHE",
        "OMP_NUM_THREADS",
    }
    environment = {name: value for name, value in os.environ.items() if name not in drop} | changes
    return subprocess.run(
        ["make", target], cwd=clone, capture_output=True, text=True, env=environment, timeout=1800
    )


def said(done: subprocess.CompletedProcess) -> list[str]:
    """What it wrote to standard error, warnings of pip's own configuration aside."""
    return [line for line in done.stderr.splitlines() if not line.startswith("WARNING: ")]


def test_line_ends_are_the_repositorys(clone):
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=clone, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    texts = [name for name in listed if Path(name).suffix not in BINARY] + [
        ".ci/run",
        "Makefile",
        "Snakefile",
    ]
    assert len(texts) > 100 and not [
        name for name in texts if name and b"\r\n" in (clone / name).read_bytes()
    ]


@pytest.fixture(scope="module")
def made(clone) -> subprocess.CompletedProcess:
    """The clone's book, whichever test runs first."""
    return make(clone, "book")


def test_make_book(clone, made):
    assert made.returncode == 0 and said(made) == [], made.stderr + made.stdout
    first = clone / "_build" / "html" / "book" / "index.html"
    assert f"Open {first}" in made.stdout and first.is_file()
    pages = list((clone / "_build" / "html").rglob("*.html"))
    assert len(pages) > 15 and not [
        page.name for page in pages if str(clone) in page.read_text(encoding="utf-8")
    ]


def test_again_after_a_pull_and_without_a_network(clone, made):
    """The list of packages is newer than what is installed, and all of it is there."""
    os.utime(clone / "pyproject.toml")
    nowhere = str(clone / "no-cache")
    done = make(clone, "book", UV_OFFLINE="1", PIP_NO_INDEX="1", UV_CACHE_DIR=nowhere)
    assert done.returncode == 0 and said(done) == [], done.stderr + done.stdout
    assert "page " not in done.stdout, "nothing is made again"
    shutil.rmtree(nowhere, ignore_errors=True)
