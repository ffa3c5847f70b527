"""``cxr audit`` on phantoms and a small random network, from a folder of somebody's own."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import slim
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score

import cxrlib
from companion import cli
from companion.audits import anybody, record
from cxrlib import occlusion
from cxrlib.data import covid_chestxray, kermany, lungs
from cxrlib.files import InputError
from cxrlib.transfer import resnet

REST = "<b>rest</b>"  # a class whose name is no markup
SIZE = 64


def manifest_of(data: Path) -> pd.DataFrame:
    listed = pd.concat([covid_chestxray.read_manifest(data), kermany.read_manifest(data)])
    listed = listed[[(data / path).is_file() for path in listed["path"]]]
    ill = listed["source"] == "covid-chestxray"
    return listed.assign(y_true=np.where(ill, "covid", REST)).reset_index(drop=True)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A network with random weights whose answers differ from image to image."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = slim.slim(num_classes=2).state_dict()
    state["fc.weight"] = 20 * state["fc.weight"]
    file = tmp_path_factory.mktemp("net") / "net.safetensors"
    save_file(state, file)
    return file


@pytest.fixture(scope="module")
def own(few, tmp_path_factory) -> Path:
    """A manifest of the phantoms, in a folder of its own; a test image lies in training, too."""
    rows = manifest_of(few)
    rows["split"] = np.where(rows.index % 5 == 1, "train", "test")
    copy = rows.iloc[[0]].assign(image_id="mine/copy", patient_id="mine/1", split="train")
    image = Image.open(few / rows["path"][0])
    place = few / "copy.jpg"
    image.resize((80, 80)).save(place, quality=80)
    file = tmp_path_factory.mktemp("own") / "mine.csv"
    pd.concat([rows, copy.assign(path="copy.jpg")]).to_csv(file, index=False)
    yield file
    place.unlink()


def words(weights: Path, data: Path, output: Path, *more: str) -> list[str]:
    given = ["audit", str(weights), "--data", str(data), "--output", str(output)]
    return [*given, "--classes", f"covid,{REST}", "--size", str(SIZE), "--device", "cpu", *more]


@pytest.fixture(scope="module")
def made(weights, few, own, tmp_path_factory) -> Path:
    """The record and page of one run."""
    folder = tmp_path_factory.mktemp("made") / "audit"
    assert cli.main(words(weights, few, folder, "--manifest", str(own))) == 0
    return folder


@pytest.fixture(scope="module")
def tables(made) -> dict[str, pd.DataFrame]:
    return record.read(made)[1]


@pytest.fixture(scope="module")
def tested(own) -> pd.DataFrame:
    rows = pd.read_csv(own, dtype=str)
    return rows[rows["split"] == "test"]


def of(tables, audit, arm, statistic, size=0):
    rows = tables["measures"].query("audit == @audit and arm == @arm and statistic == @statistic")
    (row,) = rows[np.isclose(rows["size"], size)].itertuples()
    return row


def test_the_record_says_what_was_done_and_names_no_place(made, few, own):
    info, tables = record.read(made)
    assert sorted(os.listdir(made))[0] == "audit.html" and set(tables) == {
        *("measures", "pairs", "predictions")
    }
    assert info["config"]["classes"] == ["covid", REST] and info["config"]["model"] == "slim"
    for file in made.iterdir():
        if file.suffix != ".gz":
            assert str(few) not in file.read_text() and str(own.parent) not in file.read_text()


@pytest.mark.parametrize(
    ("arm", "size", "change"),
    [
        ("unchanged", 0, lambda x: x),
        ("square-black", 0.5, lambda x: occlusion.black_out(x, 0.5)),
        ("rest-black", 0.8, lambda x: occlusion.black_out(x, 0.8, rest=True)),
    ],
)
def test_a_point_of_the_curve_is_the_network_on_such_pictures(
    tables, tested, weights, few, arm, size, change
):
    pixels = np.stack([cxrlib.read_radiograph(few / path, SIZE) for path in tested["path"]])
    net = resnet.build("slim", 2, resnet.read(weights))
    p = cxrlib.predict(net, change(pixels), device="cpu")[:, 0]
    ill = (tested["y_true"] == "covid").to_numpy()
    assert of(tables, "black-out", arm, "auc", size).estimate == pytest.approx(
        roc_auc_score(ill, p), abs=1e-4
    )
    found = of(tables, "black-out", arm, "sensitivity", size)
    assert found.estimate == pytest.approx((p[ill] >= 0.5).mean(), abs=1e-4)
    assert found.images == len(tested)


def test_lungs_and_marks_are_compared_with_their_controls(tables, tested, weights, few):
    pixels = np.stack([cxrlib.read_radiograph(few / path, SIZE) for path in tested["path"]])
    net = resnet.build("slim", 2, resnet.read(weights))
    known = lungs.regions(tested["image_id"], SIZE, few)["lung mask"]
    regions = np.stack([known[name] for name in tested["image_id"]])
    ill = (tested["y_true"] == "covid").to_numpy()

    def p(changed):
        return cxrlib.predict(net, changed, device="cpu")[ill, 0].mean()

    covered = p(occlusion.cover(pixels, regions, "grey")) - p(pixels)
    found = of(tables, "lungs", "lungs grey", "change, positive")
    assert found.estimate == pytest.approx(covered, abs=1e-4) and found.images == ill.sum()
    both = [p(occlusion.mark(pixels, "border", control=other)) for other in (False, True)]
    found = of(tables, "marks", "border", "change less control's, positive")
    assert found.estimate == pytest.approx(both[0] - both[1], abs=1e-4)


def test_the_copy_in_training_is_listed_and_left_out(tables, tested):
    (pair,) = tables["pairs"].itertuples()
    assert {pair.first, pair.second} == {"mine/copy", tested["image_id"].iloc[0]}
    assert not pair.same_patient
    assert of(tables, "duplicates", "no copy elsewhere", "auc").images == len(tested) - 1
    assert of(tables, "duplicates", "one of each copy", "auc").images == len(tested)


def test_subgroups_are_those_of_the_manifest(tables, tested):
    rows = tables["measures"].query("audit == 'subgroups' and statistic == 'sensitivity'")
    for column in ("source", "view", "sex"):
        known = (f"{column}: " + tested[column].fillna("not known")).value_counts()
        found = rows[rows["arm"].str.startswith(column)].set_index("arm")["images"]
        assert found.to_dict() == known.to_dict()
    ages = rows[rows["arm"].str.startswith("age")].set_index("arm")["images"]
    assert ages.sum() == len(tested) and ages["age: not known"] == tested["age"].isna().sum()


def test_the_page_is_whole_and_escapes_names(made, tables, browser):
    page = (made / "audit.html").read_text(encoding="utf-8")
    assert REST not in page and "&lt;b&gt;rest" in page and "<script" not in page
    complaints = []
    for width in (1280, 390):
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
        shown = context.new_page()
        shown.on("console", lambda message: complaints.append(message.text))
        shown.goto((made / "audit.html").as_uri())
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        assert shown.locator("table").count() == 6 and shown.locator("img").count() == 1
        context.close()
    assert complaints == []


def test_without_regions_or_split_it_says_so(few, weights, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    rows = manifest_of(few).iloc[:40]
    rows = rows.assign(path=[f"{k}.png" for k in range(len(rows))], source="mine")
    for name, path in zip(rows["path"], manifest_of(few)["path"], strict=False):
        (data / name).symlink_to(few / path)
    rows.rename(columns={"y_true": "label"}).drop(columns=["age", "view"]).to_csv(
        data / "manifest.csv", index=False
    )
    assert cli.main(words(weights, data, tmp_path / "out")) == 0
    _, tables = record.read(tmp_path / "out")
    assert set(tables["measures"]["audit"]) == {"black-out", "marks", "duplicates", "subgroups"}
    # again, with masks of some of them, in the place of the first
    masks = tmp_path / "masks"
    masks.mkdir()
    drawn = np.zeros((20, 20), np.uint8)
    drawn[5:15, 5:15] = 255
    for k in (0, 3):
        Image.fromarray(drawn).save(masks / f"{k}.png")
    assert cli.main(words(weights, data, tmp_path / "out", "--regions", str(masks))) == 0
    _, tables = record.read(tmp_path / "out")
    assert of(tables, "lungs", "rest black", "auc").images == 2


def _manifest(change):
    def spoil(rows: pd.DataFrame, place: Path) -> list[str]:
        change(rows).to_csv(place / "spoilt.csv", index=False)
        return ["--manifest", str(place / "spoilt.csv")]

    return spoil


def _cell(column, value, row=3):
    return lambda rows: rows.assign(**{column: rows[column].where(rows.index != row, value)})


BAD = {  # what is spoilt, and what the line must name
    "no column": (_manifest(lambda rows: rows.drop(columns="patient_id")), ["patient_id"]),
    "no label": (_manifest(lambda rows: rows.drop(columns="y_true")), ["y_true"]),
    "empty cell": (_manifest(_cell("source", "")), ["row 5", "source"]),
    "twice": (_manifest(lambda rows: pd.concat([rows, rows[:1]])), ["image_id", "twice"]),
    "other class": (_manifest(_cell("y_true", "sick")), ["row 5", "y_true", "sick"]),
    "missing image": (_manifest(_cell("path", "gone.png")), ["row 5", "path", "1 of 60"]),
    "path outside": (_manifest(_cell("path", "../x.png")), ["row 5", "path", "leaves"]),
    "age": (_manifest(_cell("age", "old")), ["row 5", "age", "old"]),
    "one side": (_manifest(lambda rows: rows[rows["y_true"] == "covid"]), ["y_true", "covid"]),
    "no rows": (_manifest(lambda rows: rows[:0]), ["lists no image"]),
    "no manifest": (lambda rows, place: ["--manifest", str(place / "no.csv")], ["no.csv"]),
    "no regions": (lambda rows, place: ["--regions", str(place / "no")], ["--regions"]),
    "regions of nobody": (
        lambda rows, place: ["--regions", str(Path(__file__).parent)],
        ["--regions", "name of an image"],
    ),
    "positive": (lambda rows, place: ["--positive", "sick"], ["--positive", "covid"]),
    "threshold": (lambda rows, place: ["--threshold", "2"], ["--threshold"]),
    "size": (lambda rows, place: ["--size", "32"], ["--size"]),
    "classes": (lambda rows, place: ["--classes", "a,b,c"], ["--classes", "3", "2", "fc.weight"]),
    "one class twice": (lambda rows, place: ["--classes", "a,a"], ["--classes a,a"]),
    "other files": (lambda rows, place: ["--output", str(place)], ["--output"]),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(what, few, weights, tmp_path, capsys):
    spoil, named = BAD[what]
    rows = manifest_of(few)
    (tmp_path / "there.txt").touch()
    rows.to_csv(tmp_path / "mine.csv", index=False)
    given = words(weights, few, tmp_path / "out", "--manifest", str(tmp_path / "mine.csv"))
    more = spoil(rows, tmp_path)
    before = sorted(tmp_path.iterdir())
    assert cli.main([*given, *more]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("cxr: "), err
    assert [word for word in named if word not in err] == [], err
    assert sorted(tmp_path.iterdir()) == before


def test_no_model_and_wrong_keys(few, weights, tmp_path, capsys):
    state = resnet.read(weights)
    del state["layer2.0.bn1.bias"]
    save_file(state, tmp_path / "odd.safetensors")
    for model, named in (
        (tmp_path / "odd.safetensors", "layer2.0.bn1.bias"),
        (tmp_path / "none.safetensors", "none.safetensors"),
        ("no-such-run", "no-such-run"),
    ):
        given = words(model, few, tmp_path / "out")
        given = (
            given
            if Path(model).suffix
            else [w for w in given if w not in ("--classes", f"covid,{REST}")]
        )
        assert cli.main(given) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and named in err and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_which_resnet_it_is_is_told_from_its_weights(name, monkeypatch):
    state = torchvision.models.get_model(name, num_classes=3).state_dict()
    monkeypatch.setattr(resnet, "read", lambda file: state)
    kind, model = anybody.told("mine.pth", 3)
    assert kind == name and model.fc.out_features == 3
    with pytest.raises(InputError, match="2 classes, but the last layer .* has 3"):
        anybody.told("mine.pth", 2)


def test_memory_does_not_hold_all_changes(weights, monkeypatch):
    """No more than a block of images is changed at a time, however many there are."""
    seen = []
    monkeypatch.setattr(anybody, "BATCH", 8)
    before = anybody.changes
    monkeypatch.setattr(
        anybody, "changes", lambda *given: seen.append(len(given[0])) or before(*given)
    )
    rows = pd.DataFrame({"image_id": range(20), "patient_id": range(20), "y_true": ["a", "b"] * 10})
    rows = rows.assign(source="s", split="test").astype(str)
    net = resnet.build("slim", 2, resnet.read(weights))
    pixels = np.random.default_rng(0).integers(0, 256, (20, SIZE, SIZE), np.uint8)

    def predict(pixels):
        return cxrlib.predict(net, pixels, device="cpu")

    looked = anybody.looks(predict, ["a", "b"], rows, pixels, {})
    assert seen == [8, 8, 4] and len(looked) == 20 * 27
    p = predict(pixels)[:, 0]
    plain = looked[looked["arm"] == "unchanged"]
    assert (
        np.allclose(plain["p_a"], p, atol=1e-5)
        and plain["image_id"].tolist() == rows["image_id"].tolist()
    )
