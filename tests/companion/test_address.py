"""The repository's address is typed once; what is made from it follows."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
import yaml
from jupyter_book.config import yaml_to_sphinx

from companion.build import address, notebooks
from cxrlib.files import InputError

ROOT = Path(__file__).resolve().parents[2]
GITHUB = "https://github.com/somebody/some.where"
GENERATED = ["_config.yml", "CITATION.cff", "README.md", "book/rerun.md"]


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The files that hold something of the address, in a folder that is the current one."""
    for name in [*GENERATED, "pyproject.toml", "book/_address.jinja"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def type_address(folder: Path, text: str) -> None:
    file = folder / "pyproject.toml"
    left = re.sub(r"^\[project\.urls\]\n(.+\n)*", "", file.read_text(), flags=re.M)
    urls = f'[project.urls]\nRepository = "{text}"\n\n' if text else ""
    file.write_text(left.replace("[project.scripts]", f"{urls}[project.scripts]"))


def first_cells(folder: Path) -> set[str]:
    found = set()
    for file in folder.glob("notebooks/*.ipynb"):
        cells = nbformat.read(file, 4).cells
        found.add(next(cell.source for cell in cells if cell.cell_type == "code"))
    return found


def options(folder: Path) -> dict:
    """The theme's options, as Jupyter Book makes them of the configuration."""
    configuration = yaml.safe_load((folder / "_config.yml").read_text())
    return yaml_to_sphinx(configuration)[0]["html_theme_options"]


def test_everything_is_as_the_address_makes_it():
    assert {file: file.read_text("utf-8") for file in address.written(ROOT)} == address.written(
        ROOT
    )


def test_everything_follows_an_address_and_its_removal(copy):
    type_address(copy, "")
    address.address()
    before = {file: (copy / file).read_text() for file in GENERATED}
    assert not any("github.com" in before[file] for file in ("README.md", "_config.yml"))
    assert "mybinder" not in "".join(before.values()) and "rocket" not in before["book/rerun.md"]
    assert options(copy)["repository_url"] == "" and not options(copy)["use_repository_button"]
    (cell,) = first_cells(copy)
    assert "git clone" not in cell

    type_address(copy, GITHUB)
    with pytest.raises(InputError, match=r"_config\.yml.*01_study"):
        address.address(check=True)
    address.address()
    address.address(check=True)
    assert notebooks.pair_folder(Path("notebooks"), check=True) == []
    for name in ("README.md", "book/rerun.md", "CITATION.cff"):
        text = (copy / name).read_text()
        assert GITHUB in text, name
        buttons = re.findall(r"(?:mybinder\.org/v2/gh|colab\.\S+/github)/([^)]+)", text)
        assert all(button.startswith("somebody/some.where/") for button in buttons)
        assert len(buttons) == (0 if name == "CITATION.cff" else 2)
    assert yaml.safe_load((copy / "CITATION.cff").read_text())["repository-code"] == GITHUB
    assert options(copy)["repository_url"] == GITHUB and options(copy)["use_repository_button"]
    assert "mybinder" in options(copy)["launch_buttons"]["binderhub_url"]
    (cell,) = first_cells(copy)
    assert f" {GITHUB} " in cell

    type_address(copy, "")
    address.address()
    assert {file: (copy / file).read_text() for file in GENERATED} == before


@pytest.mark.parametrize(
    "text", ["github.com/a/b", "https://github.com/a", "https://github.com/a/b.git", "https://x.y/"]
)
def test_an_address_of_another_form_is_refused(copy, text):
    type_address(copy, text)
    with pytest.raises(InputError, match=r"pyproject\.toml: Repository"):
        address.written(copy)
    assert "Repository" not in (copy / "README.md").read_text()


def test_a_file_without_its_place_is_named(copy):
    (copy / "README.md").write_text("# Nothing here\n")
    with pytest.raises(InputError, match=r"README\.md: 0 places"):
        address.written(copy)
