"""``python -m companion.build make``: Snakemake, started one at a time in a clone, with the reason
in plain sight when it ends badly.

What Snakemake says about its own work goes to a file. What the commands it runs say, in lines that
begin with ``cxr:``, is shown.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

from companion.build import book, notebooks
from companion.options import read_yaml
from cxrlib.files import InputError, alone

BUILD = Path("_build")
TEXTS = {".py", ".ipynb", ".md", ".yml", ".bib", ".css", ".js"}
SHOWN = 12  # lines of Snakemake's own that are shown when no command said what was wrong


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
        environment = dict(os.environ)
        if not os.access(os.path.expanduser("~"), os.W_OK):  # what others keep between runs
            environment["XDG_CACHE_HOME"] = str((BUILD / "cache").resolve())
        if target == "records":  # with the bars of its trainings
            if subprocess.run([*command, "--quiet", "rules"], env=environment).returncode:
                raise InputError("make records: a run failed, see the lines above")
            return
        run_snakemake(command, environment)
        print(f"Open {(BUILD / 'html' / book.chapters()[0]).resolve()}.html")


def run_snakemake(command: list[str], environment: dict[str, str]) -> None:
    """Run Snakemake; show what its commands say, keep what it says itself, and tell from that why
    it failed.
    """
    log, said = BUILD / "make.log", False
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=environment, stderr=pipe, text=True, errors="replace")
    with open(log, "w", encoding="utf-8") as kept, process:
        for line in process.stderr:
            kept.write(line)
            if line.startswith("cxr: "):
                sys.stderr.write(line)
                said = said or not line.startswith("cxr: note: ")
    if process.returncode == 0:
        return
    if not said:
        sys.stderr.writelines(log.read_text(encoding="utf-8").splitlines(True)[-SHOWN:])
    raise InputError(
        f"make book: a step failed, see the lines above; {log} holds all that Snakemake said"
    )


def check_sources() -> None:
    """See that the text files that the book is made from are there, are UTF-8, and hold no marks of
    an unfinished merge.

    Raises:
        InputError: the first that does not; the line names it.
    """
    for name in ("_config.yml", "_toc.yml"):
        if not Path(name).is_file():
            raise InputError(
                f"{name}: is missing; make is run in a clone of the repository, which holds it"
            )
    files = [*Path("notebooks").glob("[0-9]*.*"), *Path("book").rglob("*")]
    for file in sorted([Path("_config.yml"), Path("_toc.yml"), *files]):
        if file.suffix in TEXTS:
            notebooks.text_of(file)
    read_yaml(Path("_config.yml"))
    for chapter in book.chapters():
        if not any(Path(f"{chapter}{ending}").is_file() for ending in (".md", ".py", ".ipynb")):
            raise InputError(f"_toc.yml: {chapter} does not exist")
