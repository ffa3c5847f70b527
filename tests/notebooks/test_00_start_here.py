"""The exercises of *Start here*: right answers are told from wrong ones."""

from pathlib import Path

import matplotlib
import nbformat
import numpy as np
import pytest
from sklearn.metrics import accuracy_score
from statsmodels.stats.proportion import proportion_confint

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def names():
    """What the notebook leaves behind, run from top to bottom with no exercise answered."""
    matplotlib.use("agg")
    left: dict = {"display": print}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT / "notebooks")
        for cell in nbformat.read(ROOT / "notebooks/00_start_here.ipynb", 4).cells:
            if cell.cell_type == "code":
                exec(cell.source, left)
    matplotlib.pyplot.close("all")
    return left


def right_answers(names) -> dict[int, float]:
    """Each by another way than the notebook's."""
    manifest, predictions, by_image = (
        names[name] for name in ("manifest", "predictions", "by_image")
    )
    trained = set(manifest["patient_id"][by_image == "train"])
    p = predictions.filter(like="p_")
    p.columns = p.columns.str.removeprefix("p_")
    found = np.sort(p["covid"][predictions["y_true"] == "covid"])
    return {
        1: sum(patient in trained for patient in manifest["patient_id"][by_image == "test"]),
        2: accuracy_score(predictions["y_true"], p.idxmax(axis=1)),
        3: proportion_confint(31, 31, method="wilson")[0],
        4: found[0],
        5: next(s for s in np.linspace(0.9, 1, 100_001) if (1 - s) * 0.99 <= 0.0095),
    }


def test_every_exercise_tells_right_from_wrong(names, capsys):
    answers = right_answers(names)
    assert set(answers) == set(names["RIGHT"])
    assert all(names[f"answer_{number}"] is None for number in answers)
    for number, answer in answers.items():
        for given, said in [(answer, "Right."), (answer + 0.01, "Not right"), (None, "Not ans")]:
            names["check"](number, given)
            assert capsys.readouterr().out.startswith(said), (number, given)


def test_its_phantoms_are_those_of_the_recorded_training(names):
    """And the maps that it shows are of images of the class that it names."""
    assert set(names["record"].split["image_id"]) == set(names["manifest"]["image_id"])
    assert (names["labels"][names["at"]] == "bacterial").all() and len(names["at"]) > 10
    assert len(names["found"]) == len(names["at"]) == len(names["maps"])
    assert names["found"]["inside"].mean() > 2 * names["found"]["region"].mean()


def test_its_cells_are_short_and_none_is_removed():
    cells = nbformat.read(ROOT / "notebooks/00_start_here.ipynb", 4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert not {"remove-cell", "remove-input"} & {
        tag for cell in code for tag in cell.metadata.get("tags", [])
    }
    assert np.median([len(cell.source.splitlines()) for cell in code]) <= 8
