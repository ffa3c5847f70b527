"""Records: what is written comes back, what is damaged is named, what fails leaves no trace."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companion import studies
from cxrlib import records
from cxrlib.files import InputError

CLASSES = ["covid", "viral", "normal"]


def make(folder: Path, seed: int = 0, images: int = 9) -> records.Record:
    """A small record that keeps every contract."""
    rng = np.random.default_rng(seed)

    def predictions(part: str) -> pd.DataFrame:
        p = rng.dirichlet(
            np.full(3, 0.05), images
        )  # some near 1, many tiny, as a trained network's are
        return pd.DataFrame(
            {
                "image_id": [f"s/{part}-{i}" for i in range(images)],
                "patient_id": [f"s/{i // 2:03d}" for i in range(images)],
                "source": "s",
                "split": part,
                "y_true": rng.choice(CLASSES, images),
                **{f"p_{name}": p[:, k] for k, name in enumerate(CLASSES)},
            }
        )

    test, val = predictions("test"), predictions("val")
    split = pd.concat([test, val], ignore_index=True).reindex(columns=records.SPLIT)
    split["missing"] = rng.random(len(split)) < 0.2
    history = pd.DataFrame(rng.random((3, len(records.HISTORY))), columns=records.HISTORY)
    history["epoch"] = [1, 2, 3]
    history.loc[1, ["test_loss", "test_accuracy"]] = np.nan
    info = {field: {} for field in records.REQUIRED}
    info |= {
        "run": folder.name,
        "study": "é",
        "classes": CLASSES,
        "seed": seed,
        "lacked": ["a", "b"],
    }
    return records.Record(folder, info, split, history, test, val)


def write(record: records.Record, extra=None) -> Path:
    return records.write_record(record, record.folder, extra)


@pytest.fixture()
def record(tmp_path) -> Path:
    return write(make(tmp_path / "some-run"))


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        records.read_record(folder)
    text = str(caught.value)
    assert "\n" not in text and str(folder) in text
    return text


@given(seed=st.integers(0, 10**6), images=st.integers(1, 30))
@settings(max_examples=15)
def test_round_trip(tmp_path_factory, seed, images):
    run = make(tmp_path_factory.mktemp("round") / "r", seed, images)
    assert write(run) == run.folder
    back = records.read_record(run.folder.parent / "r")
    assert (
        back.info == run.info | {"version": 2}
        and back.name == "r"
        and back.classes == CLASSES
        and back.folder == run.folder
    )
    pd.testing.assert_frame_equal(back.split, run.split, check_dtype=False)
    pd.testing.assert_frame_equal(back.history, run.history, rtol=1e-5, check_dtype=False)
    for got, want in ((back.predictions, run.predictions), (back.validation, run.validation)):
        pd.testing.assert_frame_equal(got, want, rtol=1e-8, atol=0, check_dtype=False)


def test_what_a_record_does_not_know_is_one_block(record):
    """``study`` and ``lacked`` are somebody's own; in memory they lie beside the rest, as they do
    in a record of the form before.
    """
    file = record / "run.json"
    text = json.loads(file.read_text(encoding="utf-8"))
    assert text["version"] == 2 and text["about"] == {"study": "é", "lacked": ["a", "b"]}
    before = records.read_record(record).info
    del text["version"]
    file.write_text(json.dumps(text | text.pop("about")), encoding="utf-8")
    old = records.read_record(record).info
    assert old | {"version": 2} == before and "about" not in old


@pytest.mark.parametrize("version", [3, 0, "2.0", None])
def test_a_form_that_is_not_known_is_refused(record, version):
    file = record / "run.json"
    text = json.loads(file.read_text(encoding="utf-8")) | {"version": version}
    file.write_text(json.dumps(text), encoding="utf-8")
    assert f"version {version!r}" in refused(record)


def test_identifiers_stay_text(tmp_path):
    run = make(tmp_path / "r")
    run.predictions["patient_id"] = [f"{i:04d}" for i in range(9)]
    write(run)
    assert records.read_record(tmp_path / "r").predictions["patient_id"].tolist() == [
        f"{i:04d}" for i in range(9)
    ]


def test_files_are_what_the_module_says(record):
    assert set(content(record)) == {
        "run.json",
        "split.csv",
        "history.csv",
        "predictions.csv",
        "validation.csv",
    }
    assert "é" in (record / "run.json").read_text(encoding="utf-8")
    assert all(b"\r" not in data for data in content(record).values())


def test_recorded_and_root(tmp_path, record, monkeypatch):
    assert studies.recorded("some-run", tmp_path) and not studies.recorded("other", tmp_path)
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path))
    assert (
        studies.results_folder() == tmp_path
        and studies.recorded("some-run")
        and studies.run("some-run").info["seed"] == 0
    )
    monkeypatch.delenv("CXR_RESULTS")
    assert studies.results_folder() == Path(records.__file__).parents[1] / "results"
    (record / "run.json").unlink()
    assert not studies.recorded("some-run", tmp_path)


def test_not_yet_recorded_says_how_to_make_it(tmp_path):
    assert "holds no record" in refused(tmp_path / "zhu-binary")
    with pytest.raises(InputError, match="not yet recorded .* cxr train zhu-binary makes it"):
        studies.run("zhu-binary", results=tmp_path)


@pytest.mark.parametrize("field", records.REQUIRED)
def test_missing_field_of_run_json(record, field):
    info = json.loads((record / "run.json").read_text(encoding="utf-8"))
    del info[field]
    (record / "run.json").write_text(json.dumps(info))
    text = refused(record)
    assert "run.json" in text and text.endswith(f"field {field}")


@pytest.mark.parametrize("broken", ["", "{", '{"run": ', "[1, 2]", "3", "null", "\udcff"])
def test_broken_run_json(record, broken):
    (record / "run.json").write_bytes(broken.encode("utf-8", "surrogateescape"))
    assert "run.json" in refused(record)


@pytest.mark.parametrize("classes", [None, 3, "covid", [1, 2, 3], ["covid", "normal", "viral"], []])
def test_wrong_classes_in_run_json(record, classes):
    info = json.loads((record / "run.json").read_text(encoding="utf-8"))
    (record / "run.json").write_text(json.dumps(info | {"classes": classes}))
    assert "classes" in refused(record)


COLUMNS = [
    *(("split.csv", column) for column in ["image_id", "patient_id", "y_true", "split", "missing"]),
    *(
        ("history.csv", f"{part}_{figure}")
        for part in ("train", "val", "test")
        for figure in ("loss", "accuracy")
    ),
    *(("history.csv", column) for column in ("epoch", "lr", "seconds")),
    *(
        (file, column)
        for file in ("predictions.csv", "validation.csv")
        for column in ["image_id", "patient_id", "source", "split", "y_true", "p_covid"]
    ),
]


@pytest.mark.parametrize(("file", "column"), COLUMNS)
def test_missing_column(record, file, column):
    pd.read_csv(record / file).drop(columns=column).to_csv(record / file, index=False)
    text = refused(record)
    assert file in text and column.removeprefix("p_") in text


@pytest.mark.parametrize("file", ["split.csv", "history.csv", "predictions.csv", "validation.csv"])
@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b'a,b\n1,2,3,4\n"'])
def test_missing_or_damaged_table(record, file, content):
    (record / file).unlink()
    if content is not None:
        (record / file).write_bytes(content)
    assert file in refused(record)


def test_bad_probability_names_line_and_column(record):
    table = pd.read_csv(record / "predictions.csv")
    table.loc[4, "p_viral"] = 1.5
    table.to_csv(record / "predictions.csv", index=False)
    text = refused(record)
    assert "predictions.csv" in text and "line 6" in text and "p_viral" in text


def test_extra_files_and_the_model(tmp_path):
    source = tmp_path / "m"
    source.write_bytes(b"weights")
    folder = write(make(tmp_path / "r"), {"model.safetensors": source})
    assert content(folder).keys() - content(write(make(tmp_path / "bare"))).keys() == {
        "model.safetensors"
    }
    assert (folder / "model.safetensors").read_bytes() == b"weights" and source.is_file()


def test_writing_again_replaces_the_whole_record(tmp_path):
    source = tmp_path / "m"
    source.write_bytes(b"weights")
    write(make(tmp_path / "r"), {"model.safetensors": source})
    write(make(tmp_path / "r", seed=1))
    assert records.read_record(tmp_path / "r").info["seed"] == 1
    assert not (
        tmp_path / "r" / "model.safetensors"
    ).exists()  # nothing of the old one is left over
    fresh = write(make(tmp_path / "fresh" / "r", seed=1))
    assert content(tmp_path / "r") == content(fresh)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["fresh", "m", "r"]


def _no_sum(run):
    run.predictions["p_covid"] += 0.1
    return run, None


def _no_class(run):
    run.validation.loc[0, "y_true"] = "other"
    return run, None


def _twice(run):
    run.predictions.loc[1, "image_id"] = run.predictions.loc[0, "image_id"]
    return run, None


def _no_field(run):
    del run.info["weights"]
    return run, None


def _no_column(run):
    return dataclasses.replace(run, history=run.history.drop(columns="lr")), None


def _no_json(run):
    run.info["config"] = {"a": object()}
    return run, None


def _no_extra(run):
    return run, {"model.safetensors": run.folder / "does not exist"}


@pytest.mark.parametrize(
    "spoil", [_no_sum, _no_class, _twice, _no_field, _no_column, _no_json, _no_extra]
)
@pytest.mark.parametrize("existing", [True, False])
def test_failure_leaves_everything_as_it_was(tmp_path, spoil, existing):
    folder = tmp_path / "results" / "r"
    if existing:
        write(make(folder))
        before = content(folder)
    run, extra = spoil(make(folder, seed=1))
    with pytest.raises((InputError, TypeError, OSError)):
        write(run, extra)
    assert sorted(file.name for file in folder.parent.iterdir()) == (["r"] if existing else [])
    if existing:
        assert content(folder) == before


def test_failure_of_the_last_step_brings_the_old_record_back(tmp_path, monkeypatch):
    folder = write(make(tmp_path / "r"))
    before, rename = content(folder), Path.rename

    def fails(self, target):
        if Path(target) == folder and self.name != "old":
            raise OSError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(OSError, match="no"):
        write(make(folder, seed=1))
    assert [file.name for file in tmp_path.iterdir()] == ["r"] and content(folder) == before


def test_what_a_killed_write_left_is_no_record(tmp_path):
    """A process killed while writing leaves a hidden folder; the record's own name stays free or
    whole.
    """
    folder = write(make(tmp_path / "r"))
    shutil.copytree(folder, tmp_path / ".r.4711")
    assert studies.recorded("r", tmp_path) and records.read_record(tmp_path / "r").info["seed"] == 0


def test_family_tells_the_recorded_from_the_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path))
    names = list(studies.FAMILIES["zhu-binary-redraws"])
    assert studies.family("zhu-binary-redraws") == ([], names)
    for name in (names[3], names[1]):
        made = make(tmp_path / name)
        made.info["run"] = name
        write(made)
    found, missing = studies.family("zhu-binary-redraws")
    assert [run.name for run in found] == [names[1], names[3]] and missing == [
        names[0],
        names[2],
        *names[4:],
    ]


def test_cams_say_what_is_damaged(record):
    run = records.read_record(record)
    with pytest.raises(InputError, match=r"cams\.npz: class-activation maps cannot be read"):
        records.read_maps(run)
    np.savez(record / "cams.npz", **{key: np.zeros(1) for key in records.CAMS[1:]})
    with pytest.raises(InputError, match="image_id"):
        records.read_maps(run)
    np.savez(record / "cams.npz", **{key: np.zeros(1) for key in records.CAMS})
    pd.DataFrame(columns=records.LOCALISATION[1:]).to_csv(record / "localisation.csv", index=False)
    with pytest.raises(InputError, match=r"localisation\.csv: lacks the column image_id"):
        records.read_maps(run)


def test_jupyter_shows_settings_and_headline_and_no_markup_of_the_data(tmp_path):
    """Of a real record; a name that is markup stays text."""
    record = studies.run("phantom-localisation")
    found = dict(re.findall(r"<th>([^<]+)</th>\s*<td>([^<]+)</td>", record._repr_html_()))
    shares = record.predictions.set_index("y_true").filter(like="p_").idxmax(axis=1)
    accuracy = (shares.str.removeprefix("p_") == shares.index).mean()
    assert found["accuracy"] == f"{accuracy:.3f}" and found["images"] == str(len(shares))
    assert found["lr"] == "0.003" and found["classes"].startswith("[covid, viral")
    assert len(record._repr_html_()) < 3000 and len(repr(record)) < 100
    evil = dataclasses.replace(record, info=record.info | {"run": "<script>", "classes": ["<b>"]})
    assert "<script>" not in evil._repr_html_() and "<b>" not in evil._repr_html_()
    assert "<table" in make(tmp_path)._repr_html_(), "a record may say little of itself"
