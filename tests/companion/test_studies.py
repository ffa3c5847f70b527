"""The settings are the printed ones, and a variant names what it changed."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
from changed import changed

from companion import cli, studies
from cxrlib.files import InputError

ROOT = Path(__file__).resolve().parents[2]
FOUR, TWO = studies.ZHU_FOURCLASS, studies.ZHU_BINARY
THESIS = ROOT.parent / "shared" / "papers" / "002_36a7fbd5daed32a0.txt"

# As printed in Zhu 2020: 3.2 and 3.3 for both models, 3.3.2 and 2.2 for each, tables 2.2 and 2.3
# (training, testing).
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
    "zhu-fourclass": {
        "weight_decay": 0.1,
        "milestones": (20, 40),
        "patience": 15,
        "oversample": {"covid": 8},
    },
    "zhu-binary": {
        "weight_decay": 0.01,
        "milestones": (10, 20),
        "patience": 10,
        "oversample": {"covid": 24},
    },
}
CLASSES = {
    "zhu-fourclass": ("covid", "viral", "bacterial", "normal"),
    "zhu-binary": ("covid", "non_covid"),
}
each = pytest.mark.parametrize("experiment", [FOUR, TWO], ids=lambda experiment: experiment.name)


@each
def test_settings_are_the_printed_ones(experiment):
    printed = BOTH | EACH[experiment.name]
    assert {key: getattr(experiment, key) for key in printed} == printed
    assert experiment.classes == CLASSES[experiment.name]
    assert experiment.pretrained and changed(experiment) == {}
    assert set(experiment.printed) == set(printed) | {"classes"}, (
        "each printed setting has its place, no other has"
    )


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
    assert experiment.milestones == tuple(
        map(int, re.search(r"at (\d+) and (\d+) epoch", line).groups())
    )
    fold = {"zhu-fourclass": "four-class", "zhu-binary": "binary"}[experiment.name]
    assert experiment.oversample == {"covid": int(re.search(rf"(\d+)-fold in the {fold}", text)[1])}
    assert experiment.rotate == float(re.search(r"angle between 0 and (\d+)", text)[1])
    low, high = re.search(r"randomly between (\d+)% and (\d+)%", text).groups()
    assert experiment.scale == (int(low) / 100, int(high) / 100)
    assert experiment.translate == int(re.search(r"between -10% and (\d+)%", text)[1]) / 100
    assert experiment.hflip == float(
        re.search(r"flipping the image with a probability of ([\d.]+\d)", text)[1]
    )
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
    small = FOUR.variant(
        "small", lr=0.01, scale=[1, 1.2], oversample={"covid": 2}, rotate=0, title="Small"
    )
    assert (small.name, small.variant_of, small.lr, small.scale) == (
        "small",
        "zhu-fourclass",
        0.01,
        (1, 1.2),
    )
    assert changed(small) == {
        "lr": (0.003, 0.01),
        "scale": ((0.9, 1.1), (1, 1.2)),
        "oversample": ({"covid": 8}, {"covid": 2}),
        "rotate": (15.0, 0),
    }
    again = small.variant("smaller", lr=0.003, epochs=1)
    assert again.variant_of == "zhu-fourclass"
    assert set(changed(again)) == {"scale", "oversample", "rotate", "epochs"}
    assert small.variant("smallest", rotate=1.5, oversample={"covid": 3}).rotate == 1.5
    assert (
        changed(FOUR.variant("plain", oversample={}).variant("eight", oversample={"covid": 8}))
        == {}
    )
    assert studies.experiment("zhu-fourclass") == FOUR and FOUR.lr == 0.003
    assert changed(FOUR.variant("same")) == {} and changed(FOUR.variant("same", lr=0.003)) == {}


@pytest.mark.parametrize(
    "setting",
    ["learning_rate", "classes", "name", "study", "variant_of", "printed", "assumptions", "", "LR"],
)
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
    ],
)
def test_wrong_type_is_refused(setting, value):
    with pytest.raises(InputError) as caught:
        FOUR.variant("own", **{setting: value})
    line = str(caught.value)
    assert f"own: {setting} must be " in line and repr(value).strip("[]") in line


@pytest.mark.parametrize(
    "name",
    ["zhu-fourclass", "zhu-binary", "", "Own", "a b", "../x", "a/b", "-a", "a\n", "ä", "a.b"],
)
def test_name_that_is_taken_or_no_folder_is_refused(name):
    with pytest.raises(InputError, match="run name"):
        FOUR.variant(name, lr=0.1)


@pytest.mark.parametrize(
    "setting", ["name=own", "self=1", "lr=fast", 'oversample={"covid": 2.5}', "val_folds=1"]
)
def test_wrong_setting_ends_the_command(setting, phantom_data, tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "cache"))
    options = [
        "--data",
        phantom_data,
        "--results",
        tmp_path / "results",
        "--work",
        tmp_path / "work",
        "--name",
        "own",
    ]
    assert cli.main(["train", "zhu-fourclass", *map(str, options), "--set", setting]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and len(printed.err.splitlines()) == 1
    assert setting.split("=")[0].removeprefix("val_") in printed.err
    assert not list(tmp_path.iterdir())


def test_phantom_settings_are_a_variant():
    assert set(changed(FOUR.variant("phantom-own", **studies.PHANTOM))) == set(studies.PHANTOM)


# --- the split
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 0},
        {"batch": 0},
        {"size": 8},
        {"lr": 0},
        {"lr": float("nan")},
        {"hflip": 1.5},
        {"val_folds": 1},
        {"scale": [1.0]},
        {"scale": [1.1, 0.9]},
        {"oversample": {"covid": 0}},
        {"oversample": {"flu": 2}},
        {"seed": -1},
    ],
    ids=str,
)
def test_values_out_of_range_are_refused_by_name(changes):
    with pytest.raises(InputError, match=next(iter(changes))):
        FOUR.variant("mine", **changes)


def test_families_change_what_they_say_and_nothing_else():
    families = studies.FAMILIES
    assert {name: len(members) for name, members in families.items()} == {
        "zhu-fourclass-redraws": 21,
        "zhu-binary-redraws": 21,
        "zhu-fourclass-cv": 5,
        "zhu-binary-cv": 5,
        "zhu-fourclass-variants": 9,
        "zhu-fourclass-shown": 2,
        "zhu-binary-shown": 2,
        "azemin-standin-resnet50-variants": 3,
    }
    expected = {"redraws": {"seed"}, "cv": {"fold"}, "shown": {"shown"}}
    for family, members in families.items():
        for name, member in members.items():
            differ = set(changed(member))
            assert (
                studies.experiment(name) == member
                and member.name == name
                and name.startswith(family + "/")
            )
            assert differ == expected.get(family.rpartition("-")[2], differ) or (
                name.endswith("seed-0") and not differ
            )
    single = [set(changed(member)) for member in families["zhu-fourclass-variants"].values()]
    assert all(
        len(keys) == 1 or keys == {"rotate", "scale", "translate", "hflip"} for keys in single
    ), "one thing at a time"
    assert {member.seed for member in families["zhu-binary-redraws"].values()} == set(range(21))
    assert list(studies.RECORDS)[:2] == list(studies.EXPERIMENTS)


@pytest.mark.parametrize(
    ("key", "value"), [("unit", "hospital"), ("epoch_by", "luck"), ("shown", "lungs")]
)
def test_a_choice_that_is_none_is_refused(key, value):
    with pytest.raises(InputError, match=f"{key} must be .* or .*, not '{value}'"):
        studies.ZHU_BINARY.variant("mine", **{key: value})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((), "none"),
        ({}, "none"),
        ((20, 40), "20, 40"),
        ([0.9, 1.1], "0.9, 1.1"),
        ({"covid": 8}, "COVID: 8"),
        (256, "256"),
    ],
)
def test_settings_are_spelled_for_readers(value, text):
    assert studies.spell(value, str.upper) == text
