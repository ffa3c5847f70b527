"""A record states no setting that did nothing, a bad setting is one line before training, a
finished record stands.
"""

import dataclasses
import json
import random
import shutil
from pathlib import Path

import pytest
import torch

from companion import cli, options, studies
from companion.studies import training
from companion.studies.settings import recorded_settings
from cxrlib import records
from cxrlib.data import phantom
from cxrlib.files import InputError
from cxrlib.transfer import fit
from cxrlib.transfer.config import effective

TINY = studies.PHANTOM | {"size": 33, "epochs": 1, "batch": 32, "milestones": ()}


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("few")
    phantom.write(folder, 60, seed=1, size=64)
    return folder


def train(base: Path, data: Path, experiment=studies.ZHU_FOURCLASS, **changes) -> records.Record:
    run = dataclasses.replace(
        experiment, **{"name": "phantom-tiny", "variant_of": experiment.name} | TINY | changes
    )
    settings = {
        "results": base / "results",
        "work": base / "work",
        "device": "cpu",
        "precision": "float32",
        "progress": False,
    }
    folder = training.train(run, data=data, overwrite=True, **settings)
    return records.read_record(folder)


def command(data: Path, base: Path, *more: str) -> list[str]:
    settings = [f"--set={key}={json.dumps(value)}" for key, value in TINY.items()]
    places = ["--data", data, "--results", base / "results", "--work", base / "work"]
    return [
        "train",
        "zhu-fourclass",
        "--name",
        "mine",
        "--device",
        "cpu",
        "--precision",
        "float32",
        *settings,
        *map(str, places),
        *more,
    ]


def refused(capsys, arguments: list[str]) -> str:
    """The one line that the command ends with."""
    capsys.readouterr()
    assert cli.main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("cxr: ") and printed.err.count("\n") == 1, (
        printed.err
    )
    assert "Traceback" not in printed.err and len(printed.err) < 1000
    return printed.err


# --- settings that do nothing


def test_what_does_nothing_is_null_and_what_says_so_is_taken():
    frozen = studies.ZHU_FOURCLASS.variant(
        "mine", frozen=True, rotate=0, hflip=0, scale=[1, 1], translate=0
    )
    stated = studies.effective(frozen.as_dict())
    assert [stated[key] for key in ("rotate", "hflip", "scale", "translate")] == [
        None
    ] * 4 and stated["batch_norm"] == "kept"
    assert studies.effective(studies.ZHU_FOURCLASS.variant("mine", frozen=True).as_dict()) == stated
    last = studies.effective(studies.ZHU_FOURCLASS.variant("mine", keep="last").as_dict())
    assert (last["patience"], last["epoch_by"], last["milestones"], last["gamma"]) == (
        None,
        None,
        [20, 40],
        0.1,
    )
    short = studies.effective(studies.ZHU_FOURCLASS.variant("mine", epochs=30).as_dict())
    assert (short["milestones"], short["gamma"], short["patience"]) == ([20], 0.1, 15)
    shorter = studies.effective(studies.ZHU_FOURCLASS.variant("mine", epochs=16).as_dict())
    assert (shorter["milestones"], shorter["gamma"], shorter["patience"]) == ([], None, None)
    study_a = studies.effective(studies.AZEMIN_STANDIN.as_dict())
    assert [study_a[key] for key in ("fold", "unit", "val_folds", "patience", "gamma")] == [
        None
    ] * 5


@pytest.mark.parametrize("patience", range(1, 7))
def test_patience_is_null_just_where_it_can_end_nothing(patience):
    """Against every course that a training of five epochs can take."""
    run = dataclasses.replace(studies.ZHU_FOURCLASS, epochs=5, patience=patience)
    stops = any(
        "early" in fit.finished(run, [{}] * done, kept)
        for done in range(1, 6)
        for kept in range(1, done + 1)
    )
    assert stops == (studies.effective(run.as_dict())["patience"] is not None)


@pytest.mark.parametrize(
    "base, changes",
    [
        ({"frozen": True}, {"rotate": 90.0, "scale": (0.5, 2.0), "translate": 0.5, "hflip": 1.0}),
        ({}, {"batch_norm": "re-estimated", "milestones": (1, 9), "gamma": 0.0, "patience": 1}),
        ({"keep": "last", "epochs": 3}, {"patience": 1, "epoch_by": "test"}),
        ({"fold": 1}, {"unit": "image"}),
    ],
    ids=["frozen", "one epoch", "last", "fold"],
)
def test_what_is_null_makes_no_difference(few, tmp_path, base, changes):
    """The other way round: the same predictions, and the same statement in the record."""
    one, other = (
        train(tmp_path / str(number), few, **base | more)
        for number, more in enumerate(({}, changes))
    )
    assert one.predictions.equals(other.predictions)
    assert one.info["config"] == other.info["config"] and one.info["lacked"] == other.info["lacked"]
    stated = recorded_settings(one.info)
    assert all(stated[key] in (None, []) for key in changes)


def test_a_record_says_what_was_off(few, tmp_path):
    lacked = train(tmp_path, few, frozen=True).info["lacked"]
    assert (
        "Setting rotate was off, not 15.0." in lacked
        and "Setting scale was off, not 0.9, 1.1." in lacked
    )
    assert "Setting milestones was none, not 20, 40." in lacked and not any(
        "patience" in line for line in lacked
    )
    last = training.lacked(
        training.prepare(studies.ZHU_BINARY.variant("mine", **TINY), few),
        studies.ZHU_BINARY.variant("mine", keep="last"),
    )
    assert "Setting patience was off, not 10." in last


def test_every_committed_record_is_of_the_experiment_it_names():
    """So that each can be read, and be made again under its name with the same settings."""
    for name, experiment in studies.RECORDS.items():
        info = studies.run(name).info
        here, there = studies.effective(experiment.as_dict()), recorded_settings(info)
        keys = {*experiment.training(), *experiment.own()} - {"tested_as"}
        assert {key: there[key] for key in keys} == {key: here[key] for key in keys}
        assert there["experiment"] == (experiment.variant_of or name)


# --- values that cannot be


BAD = [
    "classes=[covid,normal]",
    "classes=[]",
    "classes=[normal, covid, viral, bacterial]",
    "classes=[covid, covid, viral, normal]",
    "scale=[0.5,.inf]",
    "scale=[.nan, 1]",
    "scale=[]",
    "scale=[0, 1]",
    "scale=[1e-320, 1]",
    "scale=[1.1, 0.9]",
    "tested_as=[a, b]",
    "tested_as=[]",
    "lacks=[]",
    "momentum=.nan",
    "momentum=-0.1",
    "momentum=1.5",
    "lr=0",
    "lr=-1",
    "lr=.inf",
    "lr=1e400",
    "lr=",
    "lr=[]",
    "weight_decay=-1e-3",
    "gamma=.nan",
    "gamma=2",
    "milestones=[0]",
    "milestones=[-5]",
    "milestones=[2.5]",
    "milestones=[[3]]",
    'oversample={"covid": 0}',
    'oversample={"covid": 1000000000}',
    "oversample={covid: 2, covid: 8}",
    'oversample={"flu": 2}',
    "oversample=[]",
    'oversample={"1": 2}',
    "model=vgg16",
    "model=",
    "size=31",
    "size=1e2",
    "batch=0",
    "epochs=0",
    "epochs=.inf",
    "patience=0",
    "seed=-1",
    "seed=010",
    "seed=0x10",
    "seed=1:30",
    "seed=2020-01-02",
    "seed=99999999999999999999",
    "pretrained=1",
    "frozen=maybe",
    "fold=6",
    "fold=-1",
    "unit=hospital",
    "shown=lungs",
    "epoch_by=luck",
    "keep=first",
    "batch_norm=gone",
    "hflip=1.01",
    "rotate=181",
    "translate=1.01",
    "val_folds=1",
    "val_folds=999",
    "title=",
    'title=" "',
    'title="a\\nb"',
    'title="\\u001b[31m"',
    "title={}",
    "lr=&a [*a]",
    "lr=!!int ''",
    "study=a",
    "name=x",
    "variant_of=x",
    "nothing",
    "=1",
    "lr=[",
    "lr={a: 1, a: 2}",
]


@pytest.mark.parametrize("setting", BAD)
def test_a_value_that_cannot_be_is_one_line_before_training(
    few, tmp_path, capsys, monkeypatch, setting
):
    monkeypatch.setattr(fit, "train_epoch", lambda *args: pytest.fail("trained"))
    line = refused(capsys, command(few, tmp_path, "--set", setting))
    assert (setting.partition("=")[0] or setting).removeprefix("val_") in line
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_the_least_size_trains_in_batches_of_one(few, tmp_path):
    """Below it the last layers see one place of an image, and of one image alone no variance."""
    least = [item for item in dataclasses.fields(studies.Experiment) if item.name == "size"]
    side = least[0].metadata["range"][0]
    record = train(tmp_path, few, size=side, batch=1, oversample={})
    assert len(record.history) == 1
    with pytest.raises(InputError, match=f"size must be from {side}"):
        dataclasses.replace(studies.ZHU_FOURCLASS, size=side - 1)


@pytest.mark.parametrize(
    "text, value",
    [
        ("1e-3", 0.001),
        ("1e3", 1000.0),
        ("2.5E+1", 25.0),
        (".5", ".5"),
        ("-3", -3),
        ("010", "010"),
        ("1:30", "1:30"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("2020-01-02", "2020-01-02"),
        ("2020-13-41", "2020-13-41"),
        ("[9e-1, 1.1]", [0.9, 1.1]),
        ("true", True),
        ("null", None),
        ("", ""),
    ],
)
def test_numbers_are_read_as_they_look(text, value):
    [found] = options.pairs([f"a={text}"], "--set").values()
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    "name", ["zhu-fourclass-redraws", "azemin-standin-resnet50-variants", "a" * 101]
)
def test_a_name_that_would_hide_other_records_is_refused(name):
    with pytest.raises(InputError, match="run name"):
        studies.ZHU_BINARY.variant(name)


@pytest.mark.parametrize("place", ["results", "work"])
def test_a_folder_of_other_files_is_not_replaced(few, tmp_path, capsys, place):
    """``--name flow`` would have deleted results/flow."""
    file = tmp_path / place / "phantom-mine" / "zhu2020.csv"
    file.parent.mkdir(parents=True)
    file.write_text("counts")
    assert "zhu2020.csv" in refused(capsys, command(few, tmp_path, "--overwrite"))
    assert file.read_text() == "counts"


def test_without_momentum(few, tmp_path):
    """It trains, a resumed run ends as the other, and the steps are plain ones: weights less rate
    times gradient.
    """
    whole = train(tmp_path / "whole", few, momentum=0.0, epochs=2, milestones=(1,))
    with pytest.MonkeyPatch.context() as patch:
        real = fit.write_checkpoint
        patch.setattr(fit, "write_checkpoint", lambda *args: [real(*args), 1 / 0])
        with pytest.raises(ZeroDivisionError):
            train(tmp_path / "cut", few, momentum=0.0, epochs=2, milestones=(1,))
    [file] = (tmp_path / "cut").rglob("*.pt")
    run = dataclasses.replace(
        studies.ZHU_FOURCLASS, **TINY | {"name": "phantom-tiny", "variant_of": "zhu-fourclass"}
    )
    run = dataclasses.replace(run, momentum=0.0, epochs=2, milestones=(1,))
    settings = {
        "data": few,
        "results": tmp_path / "cut" / "results",
        "work": tmp_path / "cut" / "work",
    }
    training.train(run, **settings, device="cpu", precision="float32", progress=False, resume=True)
    assert not file.exists()
    again = records.read_record(settings["results"] / "phantom-tiny")
    assert again.predictions.equals(whole.predictions)
    layer = torch.nn.Linear(2, 2)
    before, gradient = layer.weight.detach().clone(), torch.ones(2, 2)
    layer.weight.grad = gradient
    torch.optim.SGD(layer.parameters(), lr=run.lr, momentum=run.momentum).step()
    torch.testing.assert_close(layer.weight.detach(), before - run.lr * gradient)


# --- a finished record stands


@pytest.fixture(scope="module")
def made(few, tmp_path_factory) -> Path:
    base = tmp_path_factory.mktemp("made")
    assert cli.main(command(few, base)) == 0
    return base


@pytest.fixture
def copied(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "made"))


def content(base: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(base)): file.read_bytes() for file in base.rglob("*") if file.is_file()
    }


@pytest.mark.parametrize(
    "more", [[], ["--resume"], ["--set", "title=Another"], ["--precision", "bfloat16"]]
)
def test_the_same_run_again_is_read(few, copied, capsys, monkeypatch, more):
    monkeypatch.setattr(fit, "fit", lambda *args, **named: pytest.fail("trained"))
    before = content(copied)
    capsys.readouterr()
    assert cli.main(command(few, copied, *more)) == 0
    printed = capsys.readouterr()
    assert (
        "already recorded" in printed.err
        and "--overwrite" in printed.err
        and "1 epochs, kept 1" in printed.out
    )
    assert content(copied) == before


@pytest.mark.parametrize(
    "more, named",
    [
        (["--set", "lr=0.02"], "lr 0.01, this run has 0.02"),
        (["--set", "lr=0.02", "--resume"], "lr 0.01, this run has 0.02"),
        (["--set", "epochs=2"], "epochs 1, this run has 2"),
        (["--set", "oversample={}"], "oversample covid: 8, this run has none"),
        (["--set", "scale=[1, 1]"], "scale 0.9, 1.1, this run has 1, 1"),
        (["--set", "frozen=true"], "batch_norm off, this run has kept"),
    ],
)
def test_a_finished_record_of_another_run_is_not_replaced(few, copied, capsys, more, named):
    before = content(copied)
    line = refused(capsys, command(few, copied, *more))
    assert (
        named in line and "--overwrite" in line and str(copied / "results" / "phantom-mine") in line
    )
    assert content(copied) == before


def test_nor_one_of_other_images(copied, capsys, tmp_path):
    other = tmp_path / "other"
    phantom.write(other, 60, seed=2, size=64)
    before = content(copied)
    assert "made from other images" in refused(capsys, command(other, copied))
    assert content(copied) == before


def test_overwrite_makes_it_anew(few, copied, capsys):
    assert cli.main(command(few, copied, "--overwrite", "--set", "lr=0.02", "--keep-model")) == 0
    assert records.read_record(copied / "results" / "phantom-mine").info["config"]["lr"] == 0.02
    assert (copied / "results" / "phantom-mine" / "model.safetensors").is_file()


def test_a_record_of_the_books_is_made_anew_from_other_images_only(
    few, made, copied, tmp_path, capsys, monkeypatch
):
    """Page 4's ``cxr train zhu-fourclass --resume`` in a clone, whose record is from other images
    than the reader's.
    """
    monkeypatch.setitem(studies.RECORDS, "phantom-mine", studies.ZHU_FOURCLASS)
    other = tmp_path / "other"
    phantom.write(other, 60, seed=2, size=64)
    assert cli.main(command(other, copied, "--resume")) == 0
    assert "made from other images, is replaced" in capsys.readouterr().err
    old, new = (
        records.read_record(base / "results" / "phantom-mine").info["data"]["fingerprint"]
        for base in (made, copied)
    )
    assert old != new
    assert "lr 0.01, this run has 0.02" in refused(
        capsys, command(other, copied, "--set", "lr=0.02")
    )
    before = content(copied)
    assert cli.main(command(other, copied, "--resume")) == 0 and content(copied) == before


# --- any value


WORDS = [
    *studies.ZHU_CLASSES,
    "non_covid",
    "luck",
    "yes",
    "no",
    "[]",
    "{}",
    "",
    "\u202e",
    "é",
    "\x1b[31m",
    "\0",
    "!!binary x",
    "!!set {a}",
    "&a [*a]",
    "*a",
    "- 1",
    "? a",
    "|",
    "%",
    "@",
    "`",
    "'",
    '"',
    "[",
    "{",
    "---\n...",
    "2020-13-41",
    "<<",
    "=",
    "#",
    "!!int ''",
]
NUMBERS = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "5",
    "0.1",
    "0.5",
    "1.0",
    "-0.0",
    "1e-3",
    "1e9",
    "1e400",
    ".inf",
    "-.inf",
    ".nan",
    "31",
    "33",
    "1e-320",
    "9" * 30,
    "010",
    "0x20",
    "1:30",
    "1_0",
    "true",
    "null",
    "~",
    "''",
]
SIDES = ["32", "33", "40", "4097"]  # of pictures; what is between takes memory


def any_text(rng: random.Random, setting: str) -> str:
    """A value as somebody may type it: of the right kind, at an edge, of another kind, or
    nonsense.
    """
    rules = {item.name: item.metadata for item in dataclasses.fields(studies.Experiment)}
    rule = rules.get(setting, {})
    edges = [str(edge) for edge in rule.get("range", rule.get("names", ["true", "false"]))]
    if setting in {"size", "val_folds"} or rng.random() < 0.4:
        return rng.choice(SIDES if setting == "size" else edges)
    number, word = rng.choice(NUMBERS), rng.choice(WORDS)
    several = ", ".join(
        rng.choice([number, word, rng.choice(NUMBERS)]) for _ in range(rng.randrange(4))
    )
    noise = "".join(rng.choices("[]{}:,-01ae.\"' \n&*!", k=6))
    return rng.choice(
        [
            number,
            number,
            word,
            f"[{several}]",
            f'{{"{rng.choice(studies.ZHU_CLASSES)}": {number}}}',
            f"{{{several}}}",
            noise,
        ]
    )


@pytest.mark.slow
def test_no_value_ends_in_a_traceback(few, tmp_path, capsys, monkeypatch):
    """2,000 commands of one to three settings each, seed 0: taken before training, or one line and
    nothing written.
    """

    class Reached(Exception):
        pass

    def reached(*args):
        raise Reached

    monkeypatch.setattr(fit, "train_epoch", reached)
    monkeypatch.setenv("CXR_WEIGHTS", str(few))  # no download; pretrained=true is one line
    rng, taken, lines = random.Random(0), [], 0
    settings = [item.name for item in dataclasses.fields(studies.Experiment)] + [
        "learning_rate",
        "",
    ]
    for _ in range(2000):
        names = rng.choices(settings, k=rng.choice([1, 1, 2, 3]))
        chosen = [f"{name}={any_text(rng, name)}" for name in names]
        before = set(tmp_path.rglob("*"))
        try:
            refused(capsys, command(few, tmp_path, *(f"--set={text}" for text in chosen)))
            lines += 1
        except Reached:
            taken.append(chosen)
        assert set(tmp_path.rglob("*")) == before, chosen
    assert len(taken) > 100 and lines > 500
    monkeypatch.undo()
    short = [
        chosen
        for chosen in taken
        if not any(text.startswith(("epochs=", "model=", "pretrained=")) for text in chosen)
    ]
    for number, chosen in enumerate(
        rng.sample(short, 15)
    ):  # and what is taken trains to its record, or its loss explodes
        base = tmp_path / str(number)
        code, printed = (
            cli.main(command(few, base, *(f"--set={text}" for text in chosen))),
            capsys.readouterr(),
        )
        assert code == 0 or (code == 2 and "loss is not finite" in printed.err), (
            chosen,
            printed.err,
        )
        for file in base.rglob("run.json"):
            config = json.loads(file.read_text())["config"]
            assert config == json.loads(json.dumps(effective(config)))
