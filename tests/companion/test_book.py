"""Notebooks and pages: pairs agree, execution is whole or not at all, numbers on the pages are the
record's.
"""

import json
import re
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from companion import headline as short
from companion import studies
from companion.build import execute
from companion.clone import filled
from cxrlib import InputError

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.py"))


def write_notebook(path: Path, *cells: str, records=()) -> Path:
    notebook = nbformat.v4.new_notebook(
        metadata={"language_info": {"name": "python"}, "cxr": {"records": list(records)}}
    )
    notebook.cells = [nbformat.v4.new_markdown_cell("# Title\nText.")]
    notebook.cells += [
        nbformat.v4.new_code_cell(cell, metadata={"tags": ["parameters"]} if i == 0 else {})
        for i, cell in enumerate(cells)
    ]
    nbformat.write(notebook, path)
    return path


def test_execute_sets_parameters(tmp_path):
    source = write_notebook(tmp_path / "a.ipynb", "x: int = 1", "print(x + 1)")
    execute.execute_notebook(source, tmp_path / "out" / "a.ipynb", {"x": 41})
    cells = json.loads((tmp_path / "out" / "a.ipynb").read_text())["cells"]
    assert cells[-1]["outputs"][0]["text"] == ["42\n"]
    assert "`x` is `41` in place of `1`" in "".join(cells[1]["source"]), "the page must say so"


@pytest.mark.parametrize(("name", "value"), [("y", 1), ("x", "much"), ("x", 1.5), ("x", None)])
def test_a_parameter_that_cannot_be_given_stops_the_run(name, value, tmp_path):
    source = write_notebook(tmp_path / "a.ipynb", "x: int = 1", "print(x)")
    with pytest.raises(InputError, match=rf"a\.ipynb: .*parameter {name}"):
        execute.execute_notebook(source, tmp_path / "out.ipynb", {name: value})
    assert not (tmp_path / "out.ipynb").exists()


def test_failing_cell_is_one_line_and_leaves_nothing(tmp_path):
    source = write_notebook(tmp_path / "a.ipynb", "x = 1", "raise KeyError('gone')")
    with pytest.raises(InputError, match=r"a\.ipynb: cell 2 failed: KeyError: 'gone'"):
        execute.execute_notebook(source, tmp_path / "out" / "a.ipynb")
    assert [file.name for file in tmp_path.rglob("*")] == ["a.ipynb"]


def table(name: str) -> str:
    return filled(ROOT / "book" / f"{name}.md.jinja", short.facts())


def test_missing_record_becomes_a_notice(tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path))
    source = write_notebook(tmp_path / "a.ipynb", "raise SystemError", records=["zhu-fourclass"])
    execute.execute_notebook(source, tmp_path / "out.ipynb")
    title, note = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    said = "".join(note["source"])
    assert title["source"] == ["# Title"]
    assert all(text in said for text in ("Not yet recorded", "zhu-fourclass", "make records"))
    assert "not yet recorded" in table("_headline")


@pytest.fixture(scope="module")
def headline() -> str:
    return table("_headline")


def test_headline_equals_scikit_learn_and_stands_in_readme(headline):
    frame = studies.run("zhu-fourclass").predictions
    classes = list(studies.ZHU_CLASSES)
    guess = [classes[k] for k in frame[[f"p_{name}" for name in classes]].to_numpy().argmax(1)]
    cells = [line.split("|") for line in headline.splitlines() if line.startswith("|")]
    models: dict[str, dict] = {}
    for _, title, _, rebuilt, *_ in cells[2:]:
        if title.strip().startswith("**"):
            models[title.strip()] = {}
        else:
            models[list(models)[-1]][title.strip()] = rebuilt.strip()
    rows, _, others = models.values()
    assert (
        rows["Images classified correctly (weighted accuracy)"]
        == f"{accuracy_score(frame['y_true'], guess):.3f}"
    )
    assert (
        rows["Recall, macro average"]
        == f"{recall_score(frame['y_true'], guess, average='macro'):.3f}"
    )
    assert (
        rows["F1-score, macro average"]
        == f"{f1_score(frame['y_true'], guess, average='macro'):.3f}"
    )
    assert (
        rows["Viral pneumonia precision"]
        == f"{precision_score(frame['y_true'], guess, labels=['viral'], average='macro'):.3f}"
    )
    assert (
        rows["Normal recall"]
        == f"{recall_score(frame['y_true'], guess, labels=['normal'], average='macro'):.3f}"
    )
    for name, title in zip(
        classes, ["COVID-19", "Viral pneumonia", "Bacterial pneumonia", "Normal"], strict=True
    ):
        assert (
            rows[f"{title} AUC"]
            == f"{roc_auc_score(frame['y_true'] == name, frame[f'p_{name}']):.3f}"
        )
    frame = studies.run("azemin-standin-resnet50").predictions
    truth, score = frame["y_true"] == "covid", frame["p_covid"]
    assert others["AUC"] == f"{roc_auc_score(truth, score):.3f}"
    fpr, tpr, _ = roc_curve(truth, score, drop_intermediate=False)
    wanted = float(
        studies.printed("cheazemin2020").set_index("id").loc["azemin-3-sensitivity", "printed"]
    )
    specificity = 1 - fpr[np.argmax(tpr >= wanted / 100)]
    (title,) = (title for title in others if title.startswith("Specificity at"))
    assert others[title] == f"{100 * specificity:.1f} %" and f"{wanted}" in title
    spread = {title.strip(): again.strip() for _, title, *_, again, _ in cells}
    again = [
        pd.read_csv(file)
        for file in (ROOT / "results/zhu-fourclass-redraws").glob("*/predictions.csv")
    ]
    right = [
        accuracy_score(one["y_true"], one.filter(like="p_").idxmax(axis=1).str[2:]) for one in again
    ]
    assert (
        spread["Images classified correctly (weighted accuracy)"]
        == f"{min(right):.3f}–{max(right):.3f}"
    )
    frame = pd.read_csv(ROOT / "results/zhu-fourclass-shown/frame/predictions.csv")
    called = frame.filter(like="p_").idxmax(axis=1) == "p_covid"
    positive = frame["y_true"] == "covid"
    assert (
        f"finds {(called & positive).sum()} of {positive.sum()} COVID-19 images and takes"
        f" {(called & ~positive).sum()} of {(~positive).sum()} others" in headline
    )
    assert "stand-in" in headline
    assert headline in (ROOT / "README.md").read_text(), "run: make readme"


def test_refresh_readme_needs_its_marks(tmp_path, headline):
    (tmp_path / "README.md").write_text("no marks")
    with pytest.raises(InputError, match=r"README\.md: 0 places"):
        short.readme(tmp_path / "README.md")
    marks = "<!-- headline: written by make readme -->", "<!-- end of headline -->"
    (tmp_path / "README.md").write_text(f"a\n{marks[0]}\nformer\n{marks[1]}\nb")
    short.readme(tmp_path / "README.md")
    text = (tmp_path / "README.md").read_text()
    assert (
        text.startswith("a\n")
        and text.endswith("\nb")
        and "former" not in text
        and headline in text
    )


@pytest.mark.parametrize(
    ("name", "pictures"),
    [
        pytest.param("03_study_b_binary", 4, marks=pytest.mark.slow),
        ("04_study_b_four_classes", 5),
        pytest.param("05_study_b_gradcam", 4, marks=pytest.mark.slow),
    ],
)
def test_a_chapter_on_a_phantom(name, pictures, tmp_path):
    """The whole notebook, training included, on synthetic radiographs."""
    target = tmp_path / "out.ipynb"
    execute.execute_notebook(ROOT / "notebooks" / f"{name}.ipynb", target, {"origin": "phantom"})
    text = target.read_text()
    assert "synthetic phantoms" in text, "the page must say what it was trained on"
    assert sum('"image/' in json.dumps(cell) for cell in json.loads(text)["cells"]) == pictures


@pytest.mark.parametrize("recorded", [False, True])
def test_how_sure_with_and_without_the_families(recorded, tmp_path, monkeypatch):
    """No re-draw, fold or variant recorded, and all of them (copies of the headline runs under
    their names).
    """
    for name in ("zhu-fourclass", "zhu-binary"):
        shutil.copytree(
            studies.results_folder() / name,
            tmp_path / name,
            ignore=shutil.ignore_patterns("*.safetensors"),
        )
    for name, experiment in studies.RECORDS.items() if recorded else ():
        if experiment.variant_of in studies.EXPERIMENTS:
            shutil.copytree(tmp_path / experiment.variant_of, tmp_path / name)
            info = json.loads((tmp_path / name / "run.json").read_text()) | {"run": name}
            (tmp_path / name / "run.json").write_text(json.dumps(info))
            if experiment.fold:  # each image is tested in one fold only
                table = pd.read_csv(tmp_path / name / "predictions.csv")
                table.assign(image_id=table["image_id"] + f"-{experiment.fold}").to_csv(
                    tmp_path / name / "predictions.csv", index=False
                )
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path))
    execute.execute_notebook(
        ROOT / "notebooks" / "06_study_b_how_sure.ipynb", tmp_path / "out.ipynb"
    )
    text = (tmp_path / "out.ipynb").read_text()
    assert ("Not yet recorded" in text) != recorded
    same = re.findall(
        r"\+0\.000 \((?:–|\\+u2013)\)", text
    )  # no resample differs; glued text is stored as Python writes it
    assert len(same) == (15 if recorded else 0), "copies do not differ"


def test_the_first_page_says_its_bad_news_too():
    opening = table("_opening")

    def right(frame: pd.DataFrame) -> bool:
        guess = frame.filter(regex="^p_").idxmax(axis=1).str[2:]
        return bool((guess == frame["y_true"]).all())

    def perfect(name: str, only: str = "") -> tuple[int, int]:
        folders = [ROOT / "results" / name, *(ROOT / f"results/{name}-redraws").glob("*")]
        frames = [pd.read_csv(folder / "predictions.csv") for folder in folders]
        frames = [one[one["y_true"] == only] if only else one for one in frames]
        return sum(map(right, frames)), len(frames)

    whole, runs = perfect("zhu-fourclass", "covid")
    assert f"found, and all in {whole} of {runs} runs" in opening
    whole, runs = perfect("zhu-binary")
    frame = pd.read_csv(ROOT / "results/zhu-binary/predictions.csv")
    assert f"in {len(frame)} images, and none in {whole} of {runs} runs" in opening
    assert f"two-class runs {whole} made no mistake and {runs - whole} at least one" in opening
    folders = [ROOT / "results/azemin-standin-resnet50"]
    folders += (ROOT / "results/azemin-standin-resnet50-variants").glob("*")
    areas = []
    for folder in folders:
        frame = pd.read_csv(folder / "predictions.csv")
        areas.append(roc_auc_score(frame["y_true"] == "covid", frame["p_covid"]))
    assert f"areas from {min(areas):.3f} to {max(areas):.3f}, and this is the highest" in opening


@pytest.mark.parametrize("radiographs", [False, True])
@pytest.mark.parametrize("address", ["", "https://github.com/somebody/some"])
def test_the_first_page_follows_the_build(radiographs, address):
    build = {"radiographs": radiographs, "address": address}
    first = filled(ROOT / "book/index.md", short.facts() | build)
    assert ("do not publish it" in first) == radiographs
    assert ("No radiograph is in the published book" in first) != radiographs
    assert ("Binder or a Colab GPU" in first) == bool(address)
    assert ("Binder and Colab come with the repository’s address" in first) == (not address)
