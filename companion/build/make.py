"""``python -m companion.build make``: Snakemake, started one at a time in a clone.

What the commands it runs say is shown; Snakemake's own words are not, for the book.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

from companion.build import book, notebooks
from companion.clone import text_of
from companion.options import read_yaml
from cxrlib.files import InputError, alone

BUILD = Path("_build")
TEXTS = {".py", ".ipynb", ".md", ".yml", ".bib", ".css", ".js"}


def make(target: Literal["book", "records"], cores: int = 1) -> None:
    """Make the book, or the records that are missing: check what the book is made from, bring the
    notebook pairs in step, and let Snakemake do the rest.

    cores: steps at a time (default 1)

    Raises:
        InputError: something that the book is made from is missing or damaged, or a step failed.
    """
    check_sources()
    BUILD.mkdir(exist_ok=True)
    with alone(BUILD / f".{target}.lock", f"make {target}"):
        notebooks.pair_folder(Path("notebooks"))
        command = [sys.executable, "-m", "snakemake", target, "--cores", str(cores)]
        command += ["--rerun-triggers", "mtime", "params", "--rerun-incomplete"]
        command += ["--nolock"]  # the lock above is free again however its holder ended
        command += ["--quiet", "all" if target == "book" else "rules"]
        environment = dict(os.environ)
        if not os.access(os.path.expanduser("~"), os.W_OK):  # what others keep between runs
            environment["XDG_CACHE_HOME"] = str((BUILD / "cache").resolve())
        if subprocess.run(command, env=environment).returncode:
            more = f"{sys.executable} -m snakemake {target} --cores 1 says more"
            raise InputError(f"make {target}: a step failed, see the lines above; {more}")
    if target == "book":
        print(f"Open {(BUILD / 'html' / book.chapters()[0]).resolve()}.html")


def check_sources() -> None:
    """See that the text files that the book is made from are there, are UTF-8, and hold no marks of
    an unfinished merge.

    Raises:
        InputError: the first that does not; the line names it.
    """
    read_yaml(Path("_config.yml"))
    for chapter in book.chapters():
        if not any(Path(f"{chapter}{ending}").is_file() for ending in (".md", ".py", ".ipynb")):
            raise InputError(f"_toc.yml: {chapter} does not exist")
    for file in sorted([*Path("notebooks").glob("[0-9]*.*"), *Path("book").rglob("*")]):
        if file.suffix in TEXTS:
            text_of(file)
