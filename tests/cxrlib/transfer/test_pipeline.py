"""From images to a record, on phantoms, checked against what can be recomputed from the files."""

import contextlib
import dataclasses
import hashlib
import itertools
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import slim  # noqa: F401  (makes the network of that name)
import torch
from PIL import Image
from safetensors import safe_open
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from companion import cli, studies
from companion.studies import training
from cxrlib import gradcam, inference, records
from cxrlib.data import kermany
from cxrlib.files import InputError
from cxrlib.transfer import fit, pipeline, resnet

CLASSES = list(studies.ZHU_CLASSES)
NAME = "phantom-zhu-fourclass"


def experiment(**changes) -> studies.Experiment:
    small = {"model": "slim", "size": 33, "epochs": 3, "oversample": {"covid": 2}}
    return studies.ZHU_FOURCLASS.variant(NAME, **studies.PHANTOM | small | changes)


def train(run, data, base, **named) -> Path:
    return training.train(
        run,
        data=data,
        results=base / "results",
        work=base / "work",
        device="cpu",
        progress=False,
        **named,
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


@contextlib.contextmanager
def best_epoch(number: int):
    """Validation losses for the choice of the epoch that make ``number`` the best; all else is as
    it is. Gives what training left.
    """
    real, fit_as_is, epochs, fits = fit.loss_accuracy, fit.fit, itertools.count(1), []

    def scripted(log_p, targets):
        return abs(next(epochs) - number) + 0.5, real(log_p, targets)[1]

    def spy(*args, **named):
        fit.loss_accuracy = scripted
        try:
            fits.append(fit_as_is(*args, **named))
            return fits[-1]
        finally:
            fit.loss_accuracy = real

    fit.fit = spy
    try:
        yield fits
    finally:
        fit.fit = fit_as_is


@pytest.fixture(scope="module")
def trained(phantom_data, base) -> tuple[records.Record, fit.Fit]:
    """A record with its model, made once, and what training left. The kept epoch is not the last,
    so that the two differ.
    """
    with best_epoch(2) as fits:
        folder = train(experiment(), phantom_data, base, keep_model=True)
    return records.read_record(folder), fits[0]


@pytest.fixture(scope="module")
def run(trained) -> records.Record:
    return trained[0]


@pytest.fixture(scope="module")
def prepared(phantom_data) -> pipeline.Ready:
    return training.prepare(experiment(), phantom_data)


@pytest.fixture()
def copy(phantom_data, tmp_path) -> Path:
    """A copy of the phantom that a test may spoil."""
    return Path(shutil.copytree(phantom_data, tmp_path / "phantom"))


def p_of(table: pd.DataFrame) -> np.ndarray:
    return table[[f"p_{name}" for name in CLASSES]].to_numpy()


def test_record_is_complete_and_says_what_it_is(run, phantom_data):
    assert run.name == NAME and run.folder.name == NAME and run.info["origin"] == "phantom"
    assert run.classes == CLASSES and list(run.predictions.columns[-4:]) == [
        f"p_{name}" for name in CLASSES
    ]
    assert run.info["experiment"] == "zhu-fourclass" and run.info["study"] == "zhu2020"
    assert {file.name for file in run.folder.iterdir()} == {
        *("run.json", "split.csv", "history.csv", "predictions.csv", "validation.csv"),
        *("model.safetensors", "MODEL-LICENSE.md"),
    }
    config = run.info["config"]
    assert (config["size"], config["epochs"], config["lr"], config["pretrained"]) == (
        33,
        3,
        0.01,
        False,
    )
    assert config["precision"] == resnet.precision(torch.device("cpu"))
    assert run.info["epochs"] == {
        "planned": 3,
        "run": 3,
        "kept": 2,
        "reason": "schedule complete (3 epochs)",
    }
    assert torch.__version__.startswith(run.info["packages"]["torch"].split("+")[0])
    assert set(run.info["seconds"]) == {"images", "training", "evaluation"}
    assert run.info["seconds"]["training"] == pytest.approx(run.history["seconds"].sum(), abs=0.06)
    assert run.info["device"]["type"] == "cpu"
    assert re.fullmatch(r"([0-9a-f]{40})?", run.info["git"]["revision"])
    assert str(phantom_data) not in (run.folder / "run.json").read_text(
        encoding="utf-8"
    )  # nothing of the machine's own paths


def test_split_lists_every_image_and_no_patient_is_on_both_sides(run, phantom_data):
    truth = pd.read_csv(phantom_data / "phantom-truth" / "truth.csv")
    assert (
        sorted(run.split["image_id"]) == sorted(truth["image_id"])
        and not run.split["missing"].any()
    )
    assert run.split["split"].isin(["train", "val", "test"]).all()
    merged = run.split.merge(truth, on="image_id")
    assert (merged["y_true"] == merged["class"]).all()
    given = merged[merged["split_y"].notna()]  # the phantom's own test set, of the children
    assert ((given["split_x"] == "test") == (given["split_y"] == "test")).all()
    sides = run.split.groupby("patient_id")["split"].nunique()
    assert (sides == 1).all()
    for part, counts in run.info["data"]["counts"].items():
        assert (
            counts == run.split.loc[run.split["split"] == part, "y_true"].value_counts().to_dict()
        )
    assert run.info["data"]["images"] == len(truth) and run.info["data"]["missing"] == []


def test_predictions_are_of_the_test_set_only(run):
    for table, part in ((run.predictions, "test"), (run.validation, "val")):
        rows = run.split[run.split["split"] == part]
        assert set(table["split"]) == {part}
        assert sorted(table["image_id"]) == sorted(rows["image_id"])
        joined = table.merge(rows, on="image_id")
        assert (joined["y_true_x"] == joined["y_true_y"]).all()
        assert (joined["patient_id_x"] == joined["patient_id_y"]).all()
        assert (table["source"] == table["image_id"].str.split("/").str[0]).all()
    elsewhere = set(run.split.loc[run.split["split"] != "test", "patient_id"])
    assert not elsewhere & set(run.predictions["patient_id"])


def test_metrics_are_scikit_learns(run):
    table, metrics = run.predictions, run.info["metrics"]
    guess = np.array(CLASSES)[p_of(table).argmax(1)]
    assert metrics["accuracy"] == accuracy_score(table["y_true"], guess)
    assert metrics["macro_recall"] == pytest.approx(balanced_accuracy_score(table["y_true"], guess))
    assert (metrics["images"], metrics["patients"]) == (len(table), table["patient_id"].nunique())


def test_history_has_test_figures_of_the_kept_and_the_last_epoch_only(trained, prepared):
    run, fitted = trained
    history, test = run.history.set_index("epoch"), (prepared.rows["split"] == "test").to_numpy()
    assert history.index.tolist() == [1, 2, 3] and history["lr"].tolist() == [0.01, 0.01, 0.01]
    assert history["test_loss"].notna().tolist() == [False, True, True]
    assert history["test_accuracy"].notna().tolist() == [False, True, True]
    targets = prepared.rows.loc[test, "y_true"].map(CLASSES.index).to_numpy()
    for epoch, state in ((2, fitted.kept), (3, fitted.last)):
        log_p = fit.predict(resnet.build("slim", 4, resnet.half(state)), prepared.pixels[test])
        figures = (
            -log_p[range(len(targets)), targets].mean(),
            accuracy_score(targets, log_p.argmax(1)),
        )
        assert history.loc[epoch, ["test_loss", "test_accuracy"]].tolist() == pytest.approx(
            figures, rel=1e-5
        )  # six digits are written
    assert history.loc[2, "test_accuracy"] == pytest.approx(
        run.info["metrics"]["accuracy"], rel=1e-5
    )
    assert not all(torch.equal(value, fitted.last[key]) for key, value in fitted.kept.items()), (
        "the two are not one"
    )


def test_recorded_model_gives_the_recorded_probabilities(run, prepared):
    model = resnet.build("slim", 4, resnet.read(run.folder / "model.safetensors"))
    for table, part in ((run.predictions, "test"), (run.validation, "val")):
        where = prepared.rows["split"] == part
        assert prepared.rows.loc[where, "image_id"].tolist() == table["image_id"].tolist()
        p = np.exp(fit.predict(model, prepared.pixels[where.to_numpy()]))
        np.testing.assert_allclose(
            p, p_of(table), rtol=5e-9
        )  # the same arithmetic; nine digits are written
    with safe_open(run.folder / "model.safetensors", "pt") as file:
        assert list(file.metadata()) == [
            "about"
        ]  # of several, the order in the file would be random
        assert NAME in file.metadata()["about"] and "CC BY-NC-SA" in file.metadata()["about"]
        assert file.get_tensor("conv1.weight").dtype == torch.float16
    assert "medical" in (run.folder / "MODEL-LICENSE.md").read_text(encoding="utf-8")


def test_recorded_model_is_the_kept_epoch(run, phantom_data, tmp_path):
    """The same run of two epochs ends where the recorded one kept."""
    with best_epoch(2):
        folder = train(experiment(epochs=2), phantom_data, tmp_path, keep_model=True)
    for name in ("model.safetensors", "predictions.csv", "validation.csv", "split.csv"):
        assert (folder / name).read_bytes() == (run.folder / name).read_bytes(), name


def test_lacked_names_what_makes_it_no_study(run):
    text = "\n".join(run.info["lacked"])
    assert "synthetic phantoms" in run.info["lacked"][0]
    assert "random weights" in text
    changed = {
        "model": ("resnet18", "slim"),
        "size": (224, 33),
        "batch": (256, 16),
        "epochs": (50, 3),
        "lr": (0.003, 0.01),
    }
    for setting, (printed, used) in changed.items():
        assert f"Setting {setting} was {used}, not {printed}." in text
    assert "on disk" not in text and "ImageNet weights from" not in text
    assert "Setting momentum" not in text and "Setting patience" not in text


def test_checkpoint_is_deleted_after_recording(run, base):
    assert list((base / "work").iterdir()) == []
    assert [file.name for file in (base / "results").iterdir()] == [NAME]


def test_checkpoint_stays_when_the_record_cannot_be_written(few, tmp_path, monkeypatch):
    monkeypatch.setattr(
        records, "write_record", lambda *args: (_ for _ in ()).throw(OSError("disk full"))
    )
    with pytest.raises(OSError, match="disk full"):
        train(experiment(epochs=1), few, tmp_path)
    assert (tmp_path / "work" / NAME / fit.CHECKPOINT).is_file() and not (
        tmp_path / "results"
    ).exists()
    monkeypatch.undo()
    monkeypatch.setattr(fit, "train_epoch", lambda *args: pytest.fail("trained again"))
    assert studies.recorded(
        train(experiment(epochs=1), few, tmp_path, resume=True).name, tmp_path / "results"
    )


def test_same_seed_gives_the_same_predictions(few, tmp_path):
    one, again = (train(experiment(epochs=1), few, tmp_path / name) for name in "ab")
    for name in ("predictions.csv", "validation.csv", "split.csv"):
        assert (one / name).read_bytes() == (again / name).read_bytes(), name
    assert not (one / "model.safetensors").exists()  # not asked for


def test_missing_images_are_named_everywhere(run, copy, tmp_path):
    covid = run.split[run.split["image_id"].str.startswith("covid-chestxray/")]
    gone = {
        part: covid.loc[covid["split"] == part, "image_id"].iloc[0] for part in ("train", "test")
    }
    for image_id in gone.values():
        (copy / "covid-chestxray-dataset" / "images" / f"{image_id.partition('/')[2]}.png").unlink()
    folder = train(experiment(epochs=1), copy, tmp_path)
    got = records.read_record(folder)
    assert sorted(got.info["data"]["missing"]) == sorted(gone.values())
    assert sorted(got.split.loc[got.split["missing"], "image_id"]) == sorted(gone.values())
    pd.testing.assert_frame_equal(
        got.split.drop(columns="missing"), run.split.drop(columns="missing")
    )  # none moved
    assert gone["test"] not in set(got.predictions["image_id"])
    assert len(got.predictions) == len(run.predictions) - 1
    assert got.info["data"]["images"] == run.info["data"]["images"] - 2
    line = next(line for line in got.info["lacked"] if "on disk" in line)
    assert (
        line.startswith(f"2 of the study's {len(run.split):,} images")
        and "1 of the train set" in line
    )
    assert "1 of the test set" in line
    assert got.info["data"]["fingerprint"] != run.info["data"]["fingerprint"]


def test_a_damaged_image_is_one_line_and_no_record(copy, tmp_path):
    file = sorted((copy / "covid-chestxray-dataset" / "images").iterdir())[0]
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(InputError, match=file.name) as caught:
        train(experiment(), copy, tmp_path)
    assert (
        "\n" not in str(caught.value)
        and not (tmp_path / "results").exists()
        and not (tmp_path / "work").exists()
    )


def test_fingerprint_is_of_the_files(run, prepared, phantom_data, copy):
    truth = pd.read_csv(phantom_data / "phantom-truth" / "truth.csv")
    lines = sorted(
        f"{row.image_id},{hashlib.sha256((phantom_data / row.path).read_bytes()).hexdigest()}"
        for row in truth.itertuples()
    )
    assert run.info["data"]["fingerprint"] == hashlib.sha256("\n".join(lines).encode()).hexdigest()
    assert prepared.fingerprint == run.info["data"]["fingerprint"]
    assert (
        training.prepare(experiment(), copy).fingerprint == prepared.fingerprint
    )  # wherever they lie
    file = copy / truth["path"].iloc[0]
    pixels = np.asarray(Image.open(file)).copy()
    pixels[0, 0] ^= 1
    Image.fromarray(pixels).save(file)
    assert training.prepare(experiment(), copy).fingerprint != prepared.fingerprint


def test_pixels_are_those_of_the_rows(prepared, phantom_data):
    assert (
        prepared.pixels.shape == (len(prepared.rows), 33, 33) and prepared.pixels.dtype == np.uint8
    )
    for i in (0, 57, len(prepared.rows) - 1):
        with Image.open(phantom_data / prepared.rows["path"][i]) as image:
            assert prepared.rows.loc[i, ["width", "height"]].tolist() == list(image.size)
            want = np.asarray(image.convert("L").resize((33, 33), Image.Resampling.BILINEAR))
        assert np.array_equal(prepared.pixels[i], want)
    assert prepared.phantom


def test_other_images_are_not_called_phantoms(copy):
    (copy / "PHANTOM.txt").unlink()
    ready = training.prepare(experiment(), copy)
    assert not ready.phantom
    text = "\n".join(training.lacked(ready, studies.ZHU_FOURCLASS))
    assert "phantom" not in text
    assert (
        "kermany images were copies reduced to at most 96 pixels" in text
    )  # and so says that they are no originals


def test_a_part_of_the_kermany_collection_is_called_a_part(copy):
    (copy / "PHANTOM.txt").unlink()
    ready = training.prepare(experiment(), copy)
    count = int((ready.rows["source"] == "kermany").sum())
    text = "\n".join(training.lacked(ready, studies.ZHU_FOURCLASS))
    assert (
        f"Only {count} of the kermany collection's {kermany.COLLECTION.images} images were on disk."
        in text
    )
    weights = {"name": "w.safetensors", "sha256": "0", "note": "a substitute"}
    assert "w.safetensors, not torchvision's: a substitute." in "\n".join(
        training.lacked(dataclasses.replace(ready, weights=weights), studies.ZHU_FOURCLASS)
    )


def test_the_study_itself_lacks_nothing():
    rows = pd.DataFrame(
        {"source": ["kermany"], "width": [2000.0], "height": [1500.0], "y_true": ["normal"]}
    )
    split = pd.DataFrame(
        {"image_id": [f"kermany/{i}" for i in range(5856)], "split": "train", "missing": False}
    )
    task = training.StudyTask(studies.ZHU_FOURCLASS, rows, split, Path())
    cpu = torch.device("cpu")
    pixels = np.zeros((1, 2, 2), np.uint8)
    ready = pipeline.Ready(task, "", split, rows, pixels, [], "", False, cpu, "float32")
    assert training.lacked(ready, studies.ZHU_FOURCLASS) == []


def test_phantom_of_an_experiment_is_named_phantom(few, tmp_path):
    """Whatever the run is called, a record from phantoms cannot pass for one from radiographs."""
    run = studies.ZHU_BINARY.variant(
        "mine", **studies.PHANTOM | {"model": "slim", "size": 33, "epochs": 1}
    )
    folder = train(run, few, tmp_path)
    assert folder.name == "phantom-mine"
    info = records.read_record(folder).info
    assert info["run"] == "phantom-mine" and info["origin"] == "phantom"
    assert info["classes"] == ["covid", "non_covid"] and info["experiment"] == "zhu-binary"


def test_pretrained_weights_are_taken_and_named(few, tmp_path, monkeypatch):
    state = resnet.half(resnet.build("resnet18", 1000, None, 9).state_dict())
    resnet.save(state, tmp_path / "w" / "resnet18-test.safetensors")
    (tmp_path / "w" / "README.md").write_text("`resnet18-test.safetensors` drawn by a test\n")
    monkeypatch.setenv("CXR_WEIGHTS", str(tmp_path / "w"))
    seen, real = [], fit.fit
    monkeypatch.setattr(
        fit, "fit", lambda *args, **named: seen.append(named["state"]) or real(*args, **named)
    )
    folder = train(experiment(epochs=1, pretrained=True, model="resnet18"), few, tmp_path)
    info = records.read_record(folder).info
    assert (
        info["weights"]["name"] == "resnet18-test.safetensors"
        and info["weights"]["note"] == "drawn by a test"
    )
    assert any("resnet18-test.safetensors" in line for line in info["lacked"])
    assert not any("random weights" in line for line in info["lacked"])
    assert seen[0].keys() == state.keys() and all(
        torch.equal(value, state[key].to(value.dtype)) for key, value in seen[0].items()
    )


def test_epoch_chosen_on_the_test_set_says_so_and_trains_on_the_same_images(
    few, tmp_path, monkeypatch
):
    fits, real = [], fit.fit
    monkeypatch.setattr(
        fit, "fit", lambda *args, **named: fits.append(real(*args, **named)) or fits[-1]
    )
    usual, chosen = (
        train(experiment(epoch_by=by), few, tmp_path / by) for by in ("validation", "test")
    )
    usual, chosen = (records.read_record(folder) for folder in (usual, chosen))
    assert chosen.info["data"]["counts"] == usual.info["data"]["counts"]
    pd.testing.assert_series_equal(
        chosen.history["train_loss"], usual.history["train_loss"]
    )  # only the choice differs
    columns = [
        "val_loss",
        "val_accuracy",
    ]  # so the record says too which epoch the validation images would have kept
    pd.testing.assert_frame_equal(chosen.history[columns], usual.history[columns])
    assert chosen.history["test_loss"].notna().all()
    for found, part, fitted in ((usual, "val", fits[0]), (chosen, "test", fits[1])):
        assert (
            found.info["epochs"]["kept"]
            == fitted.history.set_index("epoch")[f"{part}_loss"].idxmin()
        )
    sentence = "The epoch was chosen by its loss on the test set"
    assert any(sentence in text for text in chosen.info["lacked"]) and not any(
        sentence in text for text in usual.info["lacked"]
    )


@pytest.fixture
def seen(monkeypatch) -> list[tuple[str, np.ndarray]]:
    """What training, prediction and Grad-CAM are given to look at, call by call."""
    given = []
    for module, name, place in ((fit, "fit", 1), (fit, "predict", 1), (gradcam, "grad_cam", 1)):
        real = getattr(module, name)

        def spy(*args, name=name, place=place, real=real, **named):
            given.append((name, np.array(args[place])))
            return real(*args, **named)

        monkeypatch.setattr(module, name, spy)
    return given


def test_what_is_not_shown_makes_no_difference(few, tmp_path, seen, monkeypatch):
    spoilt = Path(shutil.copytree(few, tmp_path / "spoilt"))
    rng = np.random.default_rng(0)
    for path in training.prepare(experiment(), few).rows["path"]:
        with Image.open(spoilt / path) as image:
            pixels = np.array(image)
        high, wide = (
            side // 6 for side in pixels.shape
        )  # well inside of the frame, so that no pixel of it is mixed from these
        inner = pixels[high:-high, wide:-wide]
        inner[:] = rng.integers(0, 256, inner.shape)
        Image.fromarray(pixels).save(spoilt / path, format="PNG")
    made, given = {}, {}
    for key in itertools.product((few, spoilt), ("whole", "frame", "centre")):
        where, part = key
        seen.clear()
        folder = train(
            experiment(epochs=1, shown=part),
            where,
            tmp_path / where.name / part,
            keep_model=True,
            keep_maps=part == "frame",
        )
        made[key], given[key] = records.read_record(folder), seen[:]
    for (name, one), (other, two) in zip(given[few, "frame"], given[spoilt, "frame"], strict=True):
        assert name == other and np.array_equal(one, two) and one.any(axis=(1, 2)).all(), name
    assert {name for name, _ in given[few, "frame"]} == {"fit", "predict", "grad_cam"}
    pd.testing.assert_frame_equal(
        made[few, "frame"].predictions, made[spoilt, "frame"].predictions, check_exact=True
    )
    np.testing.assert_array_equal(
        *(records.read_maps(made[where, "frame"])[0]["cam"] for where in (few, spoilt))
    )
    rows = training.prepare(experiment(), few).rows.query("split == 'test'")
    seen.clear()  # a model of the frame is shown the frame of others' images too
    monkeypatch.setattr(inference.Job, "_draw", lambda *drawn: None)
    files, results = (
        [str(spoilt / path) for path in rows["path"]],
        tmp_path / few.name / "frame" / "results",
    )
    output = tmp_path / "again.csv"
    options = ["--cam", tmp_path / "drawn", "--device", "cpu", "--results", results]
    words = ["predict", "--model", NAME, *files, *options, "--output", output]
    assert cli.main([str(word) for word in words]) == 0
    again = pd.read_csv(output)
    framed = next(
        pixels
        for name, pixels in given[few, "frame"]
        if name == "predict" and len(pixels) == len(rows)
    )
    for shown in ("predict", "grad_cam"):  # one picture after another
        taken = [pixels for name, pixels in seen if name == shown]
        assert np.array_equal(np.concatenate(taken), framed), shown
    # alone a picture may differ in the last digits from the same picture among others
    np.testing.assert_allclose(p_of(again), p_of(made[few, "frame"].predictions), rtol=1e-5)
    for part in (
        "whole",
        "centre",
    ):  # where it is shown, every image that is trained or tested on is another
        for (_, one), (_, two) in zip(given[few, part], given[spoilt, part], strict=True):
            assert (one != two).any(axis=(1, 2)).all()
    sentences = {
        part: [text for text in made[few, part].info["lacked"] if "of each side" in text]
        for part in ("whole", "frame", "centre")
    }
    assert (
        not sentences["whole"]
        and "the frame of 5 % of each side was all that was seen" in sentences["frame"][0]
    )
    assert "the frame of 5 % of each side was blacked out" in sentences["centre"][0]


def test_a_run_of_a_family_lies_in_its_folder(few, tmp_path):
    member = dataclasses.replace(
        experiment(epochs=1), name="phantom-zhu-fourclass-redraws/seed-3", seed=3
    )
    folder = train(member, few, tmp_path)
    assert folder == tmp_path / "results" / "phantom-zhu-fourclass-redraws" / "seed-3"
    assert (
        records.read_record(tmp_path / "results" / "phantom-zhu-fourclass-redraws/seed-3").info[
            "seed"
        ]
        == 3
    )
    assert list((tmp_path / "work").rglob("*.pt")) == []


def test_what_a_variant_changed_is_lacked_and_its_seed_is_not(few):
    ready = training.prepare(experiment(), few)
    lacked = {
        name: " ".join(training.lacked(ready, studies.experiment(f"zhu-fourclass-{name}")))
        for name in ("redraws/seed-1", "cv/fold-1", "variants/batch-64", "variants/split-by-image")
    }
    assert "seed" not in lacked["redraws/seed-1"] and "fold" not in lacked["cv/fold-1"]
    assert "Setting batch was 64, not 256." in lacked["variants/batch-64"]
    assert (
        "without regard to patients" in lacked["variants/split-by-image"]
        and "without regard" not in lacked["redraws/seed-1"]
    )


@pytest.mark.parametrize("changed", ["cxrlib/a.py", "companion/a.py", "book/studies/s.yml"])
def test_a_change_of_code_or_settings_makes_a_record_dirty(tmp_path, monkeypatch, changed):
    def git(*words):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tmp_path), *words]
        subprocess.run(command, check=True, capture_output=True)

    for name in ("cxrlib/a.py", "companion/a.py", "book/studies/s.yml", "notebooks/a.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("")
    git("init")
    git("add", "-A")
    git("commit", "-m", "all")
    here = tmp_path / "cxrlib" / "transfer" / "pipeline.py"
    monkeypatch.setattr(pipeline, "__file__", str(here))
    folders = training.StudyTask(studies.ZHU_FOURCLASS, None, None, tmp_path).code
    (tmp_path / "notebooks" / "a.py").write_text("1")
    assert pipeline.revision(folders)["dirty"] is False
    (tmp_path / changed).write_text("1")
    found = pipeline.revision(folders)
    assert found["dirty"] is True and re.fullmatch("[0-9a-f]{40}", found["revision"])
