"""Parameters of notebooks: which there are, of which type, and what the book sets."""

from pathlib import Path
from typing import Literal

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell

from companion import cli, parameters
from companion.commands.run import find_notebook
from cxrlib.files import InputError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (str, ["a", ""], [1, None, ["a"]]),
        (int, [0, -3], [1.0, True, "1", None]),
        (float, [0.5, 2, float("inf")], [True, "0.5", None]),
        (bool, [True], [1, "true", None]),
        (str | None, ["a", None], [0, False]),
        (list[str], [[], ["a", "b"]], ["a", [1], ("a",), None]),
        (Literal["a", 2], ["a", 2], ["b", 3, None]),
        (list[float] | None, [[1, 0.5], None], [[True], ["x"], 1.0]),
    ],
)
def test_a_value_is_of_its_type(kind, good, bad):
    assert all(parameters.fits(value, kind) for value in good)
    assert not any(parameters.fits(value, kind) for value in bad)


def notebook(text: str) -> dict:
    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_code_cell(text, metadata={"tags": ["parameters"]})]
    return made


def test_types_and_defaults_are_read_without_running():
    text = 'from typing import Literal\nwhich: Literal["a", "b"] = "a"\nshare: float | None = None'
    kinds, defaults = parameters.declared(notebook(text + "\nimpossible = 1 / 0"))
    assert kinds == {"which": Literal["a", "b"], "share": float | None}
    assert defaults == {"which": "a", "share": None}


@pytest.mark.parametrize(
    ("injected", "named"),
    [("", None), ("level = 0.9", None), ("record = []", None), ("level = 'x'", "level is 'x'")],
)
def test_a_notebook_checks_itself_whoever_runs_it_and_as_often(injected, named):
    shell = InteractiveShell()
    cell = "from companion import parameters\nimport os\nlevel: float = 0.95\n_private = []"
    assert shell.run_cell(cell).success and shell.run_cell(injected).success
    error = shell.run_cell("parameters.check(globals())").error_in_exec
    assert (named in str(error) and isinstance(error, InputError)) if named else error is None


def notebooks() -> list[Path]:
    return sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


@pytest.mark.parametrize("file", notebooks(), ids=lambda file: file.stem)
def test_defaults_are_of_their_types(file):
    kinds, defaults = parameters.declared(nbformat.read(file, 4))
    parameters.check_given(defaults, kinds, file)


def test_what_the_book_sets_is_checked(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    for file in notebooks():
        given = parameters.published(file.stem)
        parameters.check_given(given, parameters.declared(nbformat.read(file, 4))[0], file)
    for text in ("99_none: {a: 1}", "04_study_b_four_classes: 3", "04_study_b: [", "- a"):
        (tmp_path / "p.yml").write_text(text)
        with pytest.raises(InputError, match=r"p\.yml"):
            parameters.published("04_study_b_four_classes", tmp_path / "p.yml")


@pytest.mark.parametrize(
    "words", [["04", "-p", "orign", "phantom"], ["04", "-p", "replicates", "1e9x"], ["77"]]
)
def test_run_ends_in_one_line(monkeypatch, capsys, words):
    monkeypatch.chdir(ROOT)
    assert cli.main(["run", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("cxr: ") and said.count("\n") == 1


def test_run_takes_pairs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    made = notebook("x: int = 1")
    made.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "P"}
    made.cells.append(nbformat.v4.new_code_cell("print(x + 1)"))
    (tmp_path / "notebooks").mkdir()
    nbformat.write(made, "notebooks/01_a.ipynb")
    assert find_notebook("01") == Path("notebooks/01_a.ipynb")
    assert cli.main(["run", "01", "-p", "x", "41"]) == 0
    cells = nbformat.read("work/01_a.ipynb", 4).cells
    assert cells[-1].outputs[0].text == "42\n"
    assert "work/01_a.ipynb" in capsys.readouterr().out
