"""``python -m companion.build book``: pages from executed notebooks, and a look at them. Paths are
those of the clone, which is the current folder.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import cxrlib
from companion import headline, rerun, status
from companion.audits import curves
from companion.build import address
from companion.clone import clone_folder, filled
from companion.options import read_yaml
from cxrlib.files import InputError, write_text


def book(stage: Path, output: Path = Path("_build/html")) -> None:
    """Build the book from executed notebooks and the prose in this folder, and check its pages.

    stage: folder with the executed notebooks
    output: pages (default _build/html)

    Warnings are errors. The old pages are replaced only by a book that was built and checked whole.

    Raises:
        InputError: jupyter-book complains, or a page holds a traceback.
    """
    for name in ("_config.yml", "_toc.yml"):
        shutil.copyfile(name, stage / name)
    shutil.rmtree(stage / "book", ignore_errors=True)
    shutil.copytree("book", stage / "book", ignore=shutil.ignore_patterns("__pycache__"))
    numbers = headline.facts() | {"address": address.typed(clone_folder())}
    numbers["radiographs"] = status.radiographs_shown(stage)
    texts = dict.fromkeys(("_headline", "_opening"), numbers)
    texts |= dict.fromkeys(("_fetch", "_own_rule"), rerun.facts())
    texts |= dict.fromkeys(("_states", "_status"), status.facts(status.states(stage, Path("."))))
    for name, facts in texts.items():
        made = filled(stage / "book" / f"{name}.md.jinja", facts)
        write_text(stage / "book" / f"{name}.md", made + "\n")
    first = stage / f"{chapters()[0]}.md"
    write_text(first, filled(first, numbers) + "\n")
    curves.hero(stage / "book" / "_lungs.svg")
    write_text(stage / "book" / "_api.md", public_names())
    for left in (stage / "notebooks").glob(".*.ipynb"):  # by a run that was killed
        left.unlink()
    work = output.parent / f".{output.name}-new"
    shutil.rmtree(work, ignore_errors=True)
    start = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", start, "build", str(stage), "--path-output", str(work)]
    command += ["-W", "-n", "--keep-going", "--quiet"]
    ran = subprocess.run(command, capture_output=True, text=True)
    pages = work / "_build" / "html"
    if ran.returncode or not (pages / "index.html").is_file():
        sys.stderr.write((ran.stdout + ran.stderr)[-8000:])
        raise InputError(f"{stage}: jupyter-book failed, see the lines above")
    for page in sorted((pages / "notebooks").glob("*.html")):  # the API's examples show some
        if "Traceback (most recent call last)" in page.read_text(encoding="utf-8"):
            raise InputError(f"{page.relative_to(pages)}: the page holds a traceback")
    shutil.rmtree(output, ignore_errors=True)
    pages.rename(output)
    shutil.rmtree(work)


def public_names() -> str:
    """The page of the library's public names, each with its docstring, as Sphinx reads it."""
    kinds = {x: "autoclass" if x[0].isupper() else "autofunction" for x in cxrlib.__all__}
    directives = "\n".join(f".. {kind}:: cxrlib.{name}" for name, kind in kinds.items())
    return f"```{{eval-rst}}\n{directives}\n```\n"


def chapters() -> list[str]:
    """The book's files by ``_toc.yml``, in its order and without their endings. :class:`InputError`
    for a file of another form.
    """
    toc = read_yaml(Path("_toc.yml"))
    try:
        others = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
        return [toc["root"], *others]
    except (KeyError, TypeError) as error:
        raise InputError(f"_toc.yml: cannot be read as a table of contents ({error})") from None
