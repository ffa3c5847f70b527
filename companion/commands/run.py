"""``cxr run``: a notebook of the book with other parameters."""

from __future__ import annotations

from pathlib import Path

from companion.options import heavy
from cxrlib.files import InputError


def run(notebook: str, p: list[tuple[str, str]] | None = None, out: Path | None = None) -> None:
    """Run a notebook of the book with other parameters. Its cell tagged parameters says which there
    are, and of which type.

    notebook: a file, or how the name of one in notebooks/ begins, e.g. 04
    p: sets a parameter; may be given several times
    out: the executed notebook (default work/ and the notebook's name)
    """
    source = find_notebook(notebook)
    target = out or Path("work") / source.name
    heavy("companion.build.execute", "running a notebook").execute(source, target, p)
    print(
        f"{target}: executed; open it in JupyterLab. For the same page in the book, write the"
        f" parameters under {source.stem} in book/parameters.yml and type make book"
    )


def find_notebook(name: str) -> Path:
    """The notebook of this path, or the one in notebooks/ whose name begins so.

    Raises:
        InputError: there is none, or more than one.
    """
    if Path(name).suffix == ".ipynb":
        return Path(name)
    found = sorted(Path("notebooks").glob(f"{name}*.ipynb")) if name else []
    if len(found) != 1:
        there = ", ".join(file.stem for file in found or sorted(Path("notebooks").glob("*.ipynb")))
        raise InputError(f"{name}: {'several' if found else 'no'} notebooks; there are {there}")
    return found[0]
