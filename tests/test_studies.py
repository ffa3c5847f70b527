"""The settings are the printed ones, a variant names what it changed, and Study B's split is the thesis's."""

import dataclasses
import functools
import json
import re

import pytest
from conftest import ROOT

from cxrlib import cli, sources, studies
from cxrlib.files import InputError

FOUR, TWO = studies.ZHU_FOURCLASS, studies.ZHU_BINARY
THESIS = ROOT.parent / "shared" / "papers" / "002_36a7fbd5daed32a0.txt"

# As printed in Zhu 2020: 3.2 and 3.3 for both models, 3.3.2 and 2.2 for each, tables 2.2 and 2.3 (training, testing).
BOTH = {
    "model": "resnet18",
    "size": 224,
    "batch": 256,
    "lr": 0.003,
    "momentum": 0.9,
    "gamma": 0.1,
    "epochs": 50,
    "rotate": 15,
    "scale": (0.9, 1.1),
    "translate": 0.1,
    "hflip": 0.5,
}
EACH = {
    "zhu-fourclass": {"weight_decay": 0.1, "milestones": (20, 40), "patience": 15, "oversample": {"covid": 8}},
    "zhu-binary": {"weight_decay": 0.01, "milestones": (10, 20), "patience": 10, "oversample": {"covid": 24}},
}
TABLES = {
    "zhu-fourclass": {"covid": (1376, 60), "viral": (1345, 148), "bacterial": (2538, 242), "normal": (1349, 234)},
    "zhu-binary": {"covid": (4128, 60), "non_covid": (5232, 624)},
}
each = pytest.mark.parametrize("experiment", [FOUR, TWO], ids=lambda experiment: experiment.name)


@each
def test_settings_are_the_printed_ones(experiment):
    printed = BOTH | EACH[experiment.name]
    assert {key: getattr(experiment, key) for key in printed} == printed
    assert experiment.classes == tuple(TABLES[experiment.name])
    assert experiment.pretrained and experiment.changed() == {}
    assert set(experiment.printed) == set(printed) | {"classes"}, "each printed setting has its place, no other has"


@each
def test_settings_stand_in_the_thesis(experiment):
    if not THESIS.is_file():
        pytest.skip("the thesis's text is not here")
    text = THESIS.read_text(encoding="utf-8")
    kind = {"zhu-fourclass": "Four-class", "zhu-binary": "Binary"}[experiment.name]
    line = re.search(rf"^{kind} classification model: (.*)$", text, re.M)[1]
    number = r"([\d.]*\d)"
    for key, pattern in {
        "batch": f"Batch size = {number}",
        "momentum": f"momentum = {number}",
        "weight_decay": rf"weight decay \(L2 penalty\) = {number}",
        "lr": f"learning rate = {number}",
        "gamma": f"decay by {number}",
        "epochs": f"{number} epochs in total",
        "patience": f"patience = {number}",
    }.items():
        assert getattr(experiment, key) == float(re.search(pattern, line)[1]), key
    assert experiment.milestones == tuple(map(int, re.search(r"at (\d+) and (\d+) epoch", line).groups()))
    fold = {"zhu-fourclass": "four-class", "zhu-binary": "binary"}[experiment.name]
    assert experiment.oversample == {"covid": int(re.search(rf"(\d+)-fold in the {fold}", text)[1])}
    assert experiment.rotate == float(re.search(r"angle between 0 and (\d+)", text)[1])
    low, high = re.search(r"randomly between (\d+)% and (\d+)%", text).groups()
    assert experiment.scale == (int(low) / 100, int(high) / 100)
    assert experiment.translate == int(re.search(r"between -10% and (\d+)%", text)[1]) / 100
    assert experiment.hflip == float(re.search(r"flipping the image with a probability of ([\d.]+\d)", text)[1])
    headings = set(re.findall(r"^(\d(?:\.\d)+) [A-Z]", text, re.M))
    assert set(experiment.printed.values()) <= headings


@each
def test_record_form_is_plain(experiment):
    plain = experiment.as_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert set(plain) == {item.name for item in dataclasses.fields(experiment)}


def test_lookup():
    assert studies.experiment("zhu-binary") is TWO
    with pytest.raises(InputError, match="'zhu'.*zhu-fourclass, zhu-binary"):
        studies.experiment("zhu")


def test_variant_says_what_it_changed():
    small = FOUR.variant("small", lr=0.01, scale=[1, 1.2], oversample={"covid": 2}, rotate=0, title="Small")
    assert (small.name, small.variant_of, small.lr, small.scale) == ("small", "zhu-fourclass", 0.01, (1, 1.2))
    assert small.changed() == {
        "lr": (0.003, 0.01),
        "scale": ((0.9, 1.1), (1, 1.2)),
        "oversample": ({"covid": 8}, {"covid": 2}),
        "rotate": (15.0, 0),
    }
    again = small.variant("smaller", lr=0.003, epochs=1)
    assert again.variant_of == "zhu-fourclass"
    assert set(again.changed()) == {"scale", "oversample", "rotate", "epochs"}
    assert small.variant("smallest", rotate=1.5, oversample={"covid": 3}).rotate == 1.5
    assert FOUR.variant("plain", oversample={}).variant("eight", oversample={"covid": 8}).changed() == {}
    assert studies.experiment("zhu-fourclass") == FOUR and FOUR.lr == 0.003
    assert FOUR.variant("same").changed() == {} and FOUR.variant("same", lr=0.003).changed() == {}


@pytest.mark.parametrize("setting", ["learning_rate", "name", "study", "variant_of", "printed", "assumptions", "", "LR"])
def test_unknown_setting_is_refused(setting):
    with pytest.raises(InputError, match=f"zhu-fourclass: no setting {setting}.*weight_decay"):
        FOUR.variant("own", **{setting: "x"})


@pytest.mark.parametrize(
    "setting, value",
    [
        ("lr", "0.1"),
        ("lr", True),
        ("lr", None),
        ("lr", [0.1]),
        ("batch", 1.5),
        ("batch", True),
        ("batch", "8"),
        ("pretrained", 1),
        ("model", 18),
        ("oversample", 8),
        ("oversample", {"covid": 2.5}),
        ("oversample", {"covid": "8"}),
        ("milestones", 20),
        ("milestones", ["20"]),
        ("milestones", [2.5]),
        ("scale", 0.9),
        ("scale", ["a", "b"]),
        ("classes", [1, 2]),
    ],
)
def test_wrong_type_is_refused(setting, value):
    with pytest.raises(InputError) as caught:
        FOUR.variant("own", **{setting: value})
    assert f"zhu-fourclass: {setting} must be like" in str(caught.value) and repr(value).strip("[]") in str(caught.value)


@pytest.mark.parametrize("name", ["zhu-fourclass", "zhu-binary", "", "Own", "a b", "../x", "a/b", "-a", "a\n", "ä", "a.b"])
def test_name_that_is_taken_or_no_folder_is_refused(name):
    with pytest.raises(InputError, match="run name"):
        FOUR.variant(name, lr=0.1)


@pytest.mark.parametrize("setting", ["name=own", "self=1", "lr=fast", "oversample={covid: 2.5}", "val_folds=1"])
def test_wrong_setting_ends_the_command(setting, phantom_data, tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "cache"))
    options = ["--data", phantom_data, "--results", tmp_path / "results", "--work", tmp_path / "work", "--name", "own"]
    assert cli.main(["train", "zhu-fourclass", *map(str, options), "--set", setting]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and len(printed.err.splitlines()) == 1
    assert setting.split("=")[0].removeprefix("val_") in printed.err
    assert not list(tmp_path.iterdir())


def test_phantom_settings_are_a_variant():
    assert set(FOUR.variant("phantom-own", **studies.PHANTOM).changed()) == set(studies.PHANTOM)


# --- the split --------------------------------------------------------------------------------------------------------


def parts(experiment, data, seed=0):
    return _parts(experiment.classes, experiment.val_folds, data, seed)


@functools.cache
def _parts(classes, val_folds, data, seed):
    manifest = studies.zhu_manifest(data)
    labels = studies.zhu_labels(manifest, classes)
    return manifest, studies.zhu_split(manifest, labels, seed, val_folds)


@each
def test_split_is_the_thesis_tables(experiment, real_data):
    manifest, split = parts(experiment, real_data)
    assert split["image_id"].tolist() == manifest["image_id"].tolist() and len(split) == 6088
    held = split["split"] == "test"
    copies = split["y_true"].map(experiment.oversample).fillna(1)  # the tables count copies, in training only
    training, testing = copies[~held].groupby(split["y_true"]).sum(), split[held].groupby("y_true").size()
    assert {name: (training[name], testing[name]) for name in experiment.classes} == TABLES[experiment.name]
    assert set(split["split"]) == {"train", "val", "test"}
    assert split.groupby("patient_id")["split"].nunique().max() == 1
    assert (held == (manifest["predefined_split"] == "test"))[manifest["source"] == "kermany"].all()
    share = (split["split"] == "val")[~held].groupby(split["y_true"]).mean()
    assert share.between(0.07, 0.13).all()  # one fold in ten


def test_missing_images_are_split_too(real_data):
    manifest, split = parts(FOUR, real_data)
    absent = ~sources.present(manifest, real_data)
    assert absent.sum() == 4 and (split.loc[absent, "y_true"] == "covid").all()
    assert split.loc[absent, "split"].isin(["train", "val", "test"]).all()


def test_seeds_draw_other_patients_and_both_studies_the_same(real_data):
    first = parts(FOUR, real_data)[1]
    assert first.equals(_parts.__wrapped__(FOUR.classes, FOUR.val_folds, real_data, 0)[1])
    other = parts(FOUR, real_data, seed=1)[1]
    covid = first["y_true"] == "covid"
    assert not (first["split"] == "test")[covid].equals((other["split"] == "test")[covid])
    assert ((first["split"] == "test") == (other["split"] == "test"))[~covid].all()
    assert ((first["split"] == "test") == (parts(TWO, real_data)[1]["split"] == "test")).all()


@each
def test_phantom_keeps_the_share(experiment, phantom_data):
    manifest, split = parts(experiment.variant("own", val_folds=4), phantom_data)
    covid = split["y_true"] == "covid"
    assert abs((split.loc[covid, "split"] == "test").sum() - covid.sum() * 60 / 232) <= 0.5
    assert split.groupby("patient_id")["split"].nunique().max() == 1
    assert manifest.loc[covid, "view"].isin(["PA", "AP", "AP Supine"]).all() and not (manifest["finding"] == "SARS").any()
    for part in ("train", "val", "test"):
        assert set(split.loc[split["split"] == part, "y_true"]) == set(experiment.classes)


@pytest.mark.parametrize(
    "changes",
    [{"epochs": 0}, {"batch": 0}, {"size": 8}, {"lr": 0}, {"lr": float("nan")}, {"hflip": 1.5}, {"val_folds": 1}, {"scale": [1.0]},
     {"scale": [1.1, 0.9]}, {"oversample": {"covid": 0}}, {"oversample": {"flu": 2}}, {"seed": -1}],
    ids=str,
)  # fmt: skip
def test_values_out_of_range_are_refused_by_name(changes):
    with pytest.raises(InputError, match=next(iter(changes))):
        FOUR.variant("mine", **changes)


def test_families_change_what_they_say_and_nothing_else():
    families = studies.families()
    assert {name: len(members) for name, members in families.items()} == {
        "zhu-fourclass-redraws": 6, "zhu-binary-redraws": 6, "zhu-fourclass-cv": 5, "zhu-binary-cv": 5, "zhu-fourclass-variants": 8,
        "azemin-standin-resnet50-variants": 3,
    }  # fmt: skip
    expected = {"redraws": {"seed"}, "cv": {"fold"}}
    for family, members in families.items():
        for name, member in members.items():
            changed = set(member.changed())
            assert studies.experiment(name) == member and member.name == name and name.startswith(family + "/")
            assert changed == expected.get(family.rpartition("-")[2], changed) or (name.endswith("seed-0") and not changed)
    single = [set(member.changed()) for member in families["zhu-fourclass-variants"].values()]
    assert all(len(keys) == 1 or keys == {"rotate", "scale", "translate", "hflip"} for keys in single), "one thing at a time"
    assert {member.seed for member in families["zhu-binary-redraws"].values()} == {0, 1, 2, 3, 4, 5}
    assert list(studies.RECORDS)[:2] == list(studies.EXPERIMENTS)


def test_short_schedule_keeps_its_shape():
    for name, milestones, epochs in (("zhu-fourclass-redraws/seed-1", (3, 5), 6), ("zhu-binary-redraws/seed-1", (1, 2), 3)):
        full = studies.experiment(name)
        short = full.shortened()
        assert (short.milestones, short.epochs) == (milestones, epochs)
        assert all(0 <= few / epochs - many / full.epochs < 1 / epochs for few, many in zip(milestones, full.milestones, strict=True))
        assert set(short.changed()) - set(full.changed()) == {"epochs", "milestones"}
    with pytest.raises(InputError, match="zhu-binary: a headline run has the whole schedule"):
        studies.ZHU_BINARY.shortened()


def test_flow_is_the_fact_sheets(real_data):
    flow = studies.zhu_flow(real_data)
    assert flow["images"].tolist() == [360, 316, 253, 198, 232, 5856, 6088]
    assert flow["patients"].tolist()[:1] + flow["patients"].tolist()[3:6] == [198, 131, 145, 4097]
    assert flow.to_csv(index=False) == (ROOT / "results" / "flow" / "zhu2020.csv").read_text()


def test_figure_4_6_is_of_a_later_snapshot(real_data):
    """The comment printed under Figure 4.6 stands in the notes of one image, which the thesis's snapshot does not list."""
    [row] = studies.zhu_outside(real_data).to_dict("records")
    later = sources.listed(real_data, "9e80e4c")
    notes = later.loc[later["clinical_notes"].str.contains("diffuse ground-glass haze bilaterally"), ["filename", "patientid"]]
    assert notes.to_numpy().tolist() == [[row["path"].rpartition("/")[2], "203"]] and row["patient_id"].endswith("/203")
    for snapshot in ("6e57ed3", "10f0e4e"):
        assert row["image_id"] not in set(sources.covid_chestxray(real_data, snapshot)["image_id"])


def test_split_by_image_and_folds(phantom_data):
    manifest = studies.zhu_manifest(phantom_data)
    labels = studies.zhu_labels(manifest, studies.ZHU_CLASSES)
    covid = labels == "covid"
    by_patient, by_image = (studies.zhu_split(manifest, labels, 0, 4, unit=unit) for unit in ("patient", "image"))
    shared = [set(split["patient_id"][covid & (split["split"] == "test")]) & set(split["patient_id"][covid & (split["split"] != "test")])
              for split in (by_patient, by_image)]  # fmt: skip
    assert not shared[0] and shared[1]
    assert (by_patient["split"] == "test").sum() == (by_image["split"] == "test").sum()
    tested = []
    for fold in range(1, 6):
        split = studies.zhu_split(manifest, labels, 0, 4, fold=fold)
        test = split["split"] == "test"
        assert not set(split["patient_id"][test]) & set(split["patient_id"][~test])
        assert (split["split"] == "val").any()
        tested += split["image_id"][test].tolist()
    assert sorted(tested) == sorted(manifest["image_id"]), "every image is tested once"


@pytest.mark.parametrize(("key", "value"), [("unit", "hospital"), ("epoch_by", "luck")])
def test_a_choice_that_is_none_is_refused(key, value):
    with pytest.raises(InputError, match=f"{key} must be .* or .*, not '{value}'"):
        studies.ZHU_BINARY.variant("mine", **{key: value})


@pytest.mark.parametrize(
    ("value", "text"), [((), "none"), ({}, "none"), ((20, 40), "20, 40"), ([0.9, 1.1], "0.9, 1.1"), ({"covid": 8}, "COVID 8"), (256, "256")]
)
def test_settings_are_spelled_for_readers(value, text):
    assert studies.spell(value, str.upper) == text
