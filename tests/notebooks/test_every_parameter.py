"""Every parameter of every notebook does something: with another value the page says something
else.
"""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from companion import parameters
from companion.build import execute

ROOT = Path(__file__).resolve().parents[2]
OTHER: dict[str, dict] = {  # another value of each parameter; None: tried elsewhere
    "00_start_here": {"origin": "phantom", "seed": 1, "level": 0.5},
    "01_study_b_images": {
        "origin": "phantom",
        "run_name": "zhu-fourclass-redraws/seed-1",
        "data": None,
    },
    "02_study_b_methods": {"model": "resnet101", "table": "4.1", "separation": 1.0},
    "03_study_b_binary": {
        "origin": "phantom",
        "run_name": "zhu-binary-redraws/seed-1",
        "data": None,
        "level": 0.5,
        "replicates": 100,
        "family": "zhu-binary-cv",
    },
    "04_study_b_four_classes": {
        "origin": "phantom",
        "run_name": "zhu-fourclass-redraws/seed-1",
        "data": None,
        "level": 0.5,
        "replicates": 100,
        "family": "zhu-fourclass-cv",
    },
    "05_study_b_gradcam": {
        "origin": "phantom",
        "run_name": "phantom-localisation",
        "data": None,
        "level": 0.5,
        "replicates": 100,
        "hot": 0.3,
    },
    "06_study_b_how_sure": {"level": 0.5, "replicates": 100, "most_redraws": 5},
    "11_study_a_images": {
        "origin": None,  # the recorded tables again: tests/companion/test_azemin.py
        "data": None,
        "snapshot": "0bae3ba",
        "exclude": "image",
    },
    "12_study_a_methods": {"model": "resnet18", "p_covid": 0.4, "prevalence": 10.0},
    "13_study_a_results": {
        "origin": None,
        "run_name": "azemin-standin-resnet50-variants/lr-0.001",
        "data": None,
        "level": 0.5,
        "replicates": 100,
        "threshold": 0.3,
        "compared": ["azemin-standin-resnet50-variants/lr-0.001"],
    },
    "14_study_a_efficiency": {"folder": None, "prevalence": 0.3},
    "19_do_they_read_lungs": {"level": 0.5, "threshold": 0.9, "replicates": 100},
    "20_explorer": {
        "origin": "phantom",
        "threshold": 0.3,
        "prevalence": 0.02,
        "each": 2,
        "families": ["zhu-fourclass-redraws"],
    },
    "22_study_b_forensics": {"averages": False, "level": 0.9, "runs": ["zhu-binary-redraws"]},
    "23_calibration": {
        "origin": "phantom",
        "run_name": "azemin-standin-resnet50-variants/lr-0.001",
        "threshold": 0.3,
        "prevalence": 0.02,
        "positive_class": "bacterial",
        "lower": 0.02,
    },
    "24_checklists": {"unknown": "no"},
    "25_study_a_forensics": {"prevalence": 3.0, "level": 0.9},
    "21_claims": {"study": "A", "only": "differs"},
}
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
CASES = [
    (notebook, name, value)
    for notebook, values in OTHER.items()
    for name, value in values.items()
    if value is not None
]


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_every_parameter_has_another_value_to_be_tried_with(file):
    kinds, defaults = parameters.declared(nbformat.read(file, 4))
    others = OTHER.get(file.stem, {})
    assert set(kinds) == set(others)
    given = {name: value for name, value in others.items() if value is not None}
    parameters.check_given(given, kinds, file)
    assert all(defaults[name] != value for name, value in given.items())


def outputs(file: Path) -> str:
    """What a page shows, but for the notice of changed parameters."""
    cells = nbformat.read(file, 4).cells
    return json.dumps([cell.get("outputs") for cell in cells if cell.cell_type == "code"])


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """What each notebook shows with its own parameters; each is run once."""
    made: dict[str, str] = {}

    def get(name: str) -> str:
        if name not in made:
            target = tmp_path_factory.mktemp("own") / f"{name}.ipynb"
            execute.execute_notebook(ROOT / "notebooks" / f"{name}.ipynb", target)
            made[name] = outputs(target)
        return made[name]

    return get


@pytest.mark.slow
@pytest.mark.parametrize(("name", "parameter", "value"), CASES)
def test_another_value_gives_another_page(name, parameter, value, published, tmp_path):
    target = tmp_path / f"{name}.ipynb"
    source = ROOT / "notebooks" / f"{name}.ipynb"
    execute.execute_notebook(source, target, {parameter: value})
    assert outputs(target) != published(name)
