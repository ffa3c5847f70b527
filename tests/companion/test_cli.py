"""The ``cxr`` command: it does what it says, and bad input is one line on standard error and exit
code 2.
"""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from changed import changed

import cxrlib
from companion import cli, ledger, rules, sources, studies
from companion.build import __main__ as build
from companion.studies import training
from cxrlib import records
from cxrlib.transfer import resnet

NAME = "phantom-zhu-fourclass"


def places(data: Path, base: Path) -> list[str]:
    return ["--data", str(data), "--results", str(base / "results"), "--work", str(base / "work")]


def complaint(capsys, *arguments: str) -> str:
    """The one line of a command that is refused."""
    capsys.readouterr()
    assert cli.main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("cxr: "), err
    return err


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0 and capsys.readouterr().out.strip() == cxrlib.__version__


def test_unknown_command_and_option_exit_with_2(capsys):
    assert cli.main([]) == 2
    out, err = capsys.readouterr()
    assert out == "" and all(command in err for command in ("sources", "evaluate", "predict")), (
        "all commands, with no word of an error"
    )
    for arguments in (["nonsense"], ["train"], ["train", "zhu-binary", "--precision", "float8"]):
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        assert caught.value.code == 2 and "Traceback" not in capsys.readouterr().err


def test_a_mistyped_option_shows_its_commands_usage(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["evaluate", "predictions.csv", "--htlm", "report.html"])
    err = capsys.readouterr().err
    assert (
        caught.value.code == 2
        and "usage: cxr evaluate" in err
        and "unrecognized arguments: --htlm report.html" in err
    )


def test_every_command_has_help(capsys):
    for program in (cli, build):
        for command in program.COMMANDS:
            with pytest.raises(SystemExit) as caught:
                program.main([command, "--help"])
            assert caught.value.code == 0 and f" {command} " in capsys.readouterr().out


def test_commands_of_old_say_where_they_are(capsys):
    for command in cli.MOVED:
        line = complaint(capsys, command, "zhu2020", "--output", "x.csv")
        assert line.startswith(f"cxr: {command}: python -m companion.build and ")


def test_the_library_has_no_commands():
    """Old: python -m cxrlib train zhu-fourclass --resume."""
    words = ["train", "zhu-fourclass", "--resume"]
    command = [sys.executable, "-m", "cxrlib", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        "cxrlib: is a library; in a clone type python -m companion train zhu-fourclass --resume\n",
    )


def test_as_a_program(tmp_path):
    """The exit code and the one line as a shell sees them, without torch being imported."""
    done = subprocess.run(
        [sys.executable, "-m", "companion", "train", "no-such-study"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and "no-such-study" in done.stderr


def test_unknown_experiment_lists_those_there_are(capsys):
    line = complaint(capsys, "train", "zhu-threeclass")
    assert "zhu-threeclass" in line and all(name in line for name in studies.EXPERIMENTS)


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("learning_rate=0.1", "learning_rate"),
        ("study=mine", "study"),
        ("printed={}", "printed"),
        ("lr", "NAME=VALUE"),
        ("=3", "NAME=VALUE"),
        ("lr=fast", "lr must be"),
        ("lr=", "lr must be"),
        ("epochs=2.5", "epochs must be"),
        ("epochs=true", "epochs must be"),
        ("milestones=3", "milestones must be"),
        ("pretrained=1", "pretrained must be"),
        ('oversample=["covid"]', "oversample must be"),
        ("oversample={covid: 8}", "JSON"),
        ("model=3", "model must be"),
        ('scale=["a", "b"]', "scale must be"),
        ('milestones=["a"]', "milestones must be"),
        ('oversample={"covid": "x"}', "oversample must be"),
        ("name=mine", "no setting name"),
        ("self=1", "no setting self"),
        ("lr=[1,", "JSON"),
        ("lr=*other", "must be"),
        ("lr=2020-13-41", "must be"),
    ],
)
@pytest.mark.parametrize("phantom", [["--phantom"], ["--name", "mine"]])
def test_bad_setting(capsys, tmp_path, setting, named, phantom):
    line = complaint(
        capsys, "train", "zhu-fourclass", *phantom, "--set", setting, *places(tmp_path, tmp_path)
    )
    assert named in line


@pytest.mark.parametrize(
    "setting",
    [
        "epochs=0",
        "batch=0",
        "batch=-4",
        "size=0",
        "lr=-1.0",
        "momentum=-1.0",
        "seed=-1",
        "scale=[1.0]",
    ],
)
def test_setting_out_of_range(capsys, tmp_path, phantom_data, setting):
    line = complaint(
        capsys,
        "train",
        "zhu-fourclass",
        "--phantom",
        "--device",
        "cpu",
        "--set",
        "epochs=1",
        "--set",
        "size=33",
        "--set",
        setting,
        *places(phantom_data, tmp_path),
    )
    assert setting.partition("=")[0] in line


def test_a_changed_run_needs_a_name(capsys, tmp_path):
    line = complaint(
        capsys, "train", "zhu-fourclass", "--set", "lr=0.001", *places(tmp_path, tmp_path)
    )
    assert "name of its own" in line
    for name in ("zhu-binary", "Has Spaces", "../up", ""):
        line = complaint(
            capsys,
            "train",
            "zhu-fourclass",
            "--name",
            name,
            "--set",
            "lr=0.001",
            *places(tmp_path, tmp_path),
        )
        assert "name of its own" in line


@pytest.mark.parametrize("device", ["nonsense", "meta"])
def test_unusable_device(capsys, tmp_path, phantom_data, device):
    line = complaint(
        capsys,
        "train",
        "zhu-fourclass",
        "--phantom",
        "--device",
        device,
        *places(phantom_data, tmp_path),
    )
    assert device in line and list(tmp_path.iterdir()) == []


def test_missing_data_folder(capsys, tmp_path):
    line = complaint(
        capsys, "train", "zhu-binary", "--device", "cpu", *places(tmp_path / "none", tmp_path)
    )
    assert str(tmp_path / "none") in line and "CXR_DATA" in line
    line = complaint(capsys, "train", "zhu-binary", "--device", "cpu", *places(tmp_path, tmp_path))
    assert "covid-chestxray-dataset" in line and "git clone" in line


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(
    ("run", "collections"),
    {"zhu-binary": "covid kermany", "azemin-adjudicated": "covid nih"}.items(),
)
def test_without_images_it_says_which_command_brings_them(
    capsys, tmp_path, run, collections, there
):
    folder = tmp_path / "data"
    if there:
        folder.mkdir()
    line = complaint(capsys, "train", run, *places(folder, tmp_path))
    assert f"cxr fetch {collections} weights" in line and str(folder) in line
    if not there:
        assert "cxr fetch" in complaint(capsys, "sources", "--data", str(folder))


def test_no_weights(capsys, tmp_path, phantom_data, monkeypatch):
    monkeypatch.setenv("CXR_WEIGHTS", str(tmp_path))
    line = complaint(
        capsys,
        "train",
        "zhu-fourclass",
        "--phantom",
        "--set",
        "pretrained=true",
        "--set",
        "size=33",
        "--device",
        "cpu",
        *places(phantom_data, tmp_path),
    )
    assert "resnet18" in line and str(tmp_path) in line


def test_a_folder_that_is_a_file(capsys, tmp_path):
    (tmp_path / "there").write_text("in the way")
    assert str(tmp_path / "there") in complaint(
        capsys, "phantom", str(tmp_path / "there"), "-n", "40"
    )


def test_sources_of_an_empty_folder(capsys, tmp_path):
    assert cli.main(["sources", "--data", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert err == "" and out.count("found       0 of ") == 4
    assert all(each.COLLECTION.name in out for each in sources.COLLECTIONS)
    assert f"{tmp_path / 'none'}: the data folder does not exist" in complaint(
        capsys, "sources", "--data", str(tmp_path / "none")
    )


def test_sources_of_a_phantom(capsys, phantom_data):
    truth = pd.read_csv(phantom_data / "phantom-truth" / "truth.csv")
    assert cli.main(["sources", "--data", str(phantom_data)]) == 0
    out = capsys.readouterr().out
    for count in ((truth["class"] != "covid").sum(), (truth["class"] == "covid").sum()):
        assert f"found       {count} of " in out


def test_phantom(capsys, tmp_path):
    assert cli.main(["phantom", str(tmp_path / "p"), "-n", "40", "--seed", "3"]) == 0
    assert capsys.readouterr().out.startswith("40 synthetic radiographs")
    truth = pd.read_csv(tmp_path / "p" / "phantom-truth" / "truth.csv")
    assert len(truth) == 40
    assert "n=5" in complaint(capsys, "phantom", str(tmp_path / "q"), "-n", "5")
    assert "phantom" in complaint(capsys, "phantom", str(tmp_path / "p"), "-n", "40", "--seed", "4")


def test_records(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path))
    (tmp_path / "zhu-binary").mkdir()
    (tmp_path / "zhu-binary" / "run.json").write_text("{}")
    assert cli.main(["records"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines.keys() >= studies.EXPERIMENTS.keys()
    assert lines["zhu-binary"].endswith(" recorded")
    assert lines["zhu-fourclass"].endswith("not yet recorded: cxr train zhu-fourclass --resume")


def test_claims_as_text(capsys):
    assert cli.main(["claims"]) == 0
    head, *lines, last = capsys.readouterr().out.splitlines()
    assert head.split() == ["Place", "Printed", "Rebuilt", "Verdict", "Id"]
    assert len(lines) == sum(len(studies.printed(study)) for study in studies.LETTERS)
    assert last.startswith(f"{len(lines)} numbers: ") and " cannot be true, " in last
    ends = [line.rindex(line.split()[-1]) for line in lines]
    assert ends == [head.index("Id")] * len(lines)
    [auc] = [line for line in lines if line.endswith("azemin-3-auc")]
    assert (
        auc.startswith("A  Section 3  ") and "stand-in: 0.85" in auc and "not testable here" in auc
    )


def test_claims_as_json(capsys):
    """As documented."""
    assert cli.main(["claims", "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert list(whole) == ["rules", "lacked", "claims"] and list(whole["rules"]) == list(
        rules.VERDICTS
    )
    assert len(whole["claims"]) == sum(len(studies.printed(study)) for study in studies.LETTERS)
    assert all(list(row) == ledger.PUBLISHED for row in whole["claims"])
    assert {name for row in whole["claims"] for name in row["records"]} == set(whole["lacked"])


def test_output_closed_early(tmp_path):
    """``cxr records | head -0``: no traceback."""
    done = subprocess.run(
        f"{shlex.quote(sys.executable)} -m companion records | true",
        shell=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0 and done.stderr == ""


def test_train_hands_everything_on_and_reports(capsys, tmp_path, monkeypatch):
    """What of the command line reaches :func:`cxrlib.transfer.pipeline.train`."""
    calls = []

    def train(experiment, **named):
        calls.append((experiment, named))
        return tmp_path / "r" / experiment.name

    class Read:
        info = {"epochs": {"run": 7, "kept": 5}, "metrics": {"accuracy": 0.98765}}

    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(records, "read_record", lambda folder: Read)
    assert cli.main(["train", "zhu-binary", "--resume", "--precision", "float32"]) == 0
    experiment, named = calls.pop()
    assert (
        experiment == studies.ZHU_BINARY and named["keep_model"] is True
    )  # a headline run keeps its model
    assert (named["resume"], named["precision"], named["device"]) == (True, "float32", None)
    assert "7 epochs, kept 5; accuracy 0.988" in capsys.readouterr().out

    arguments = [
        "train",
        "zhu-binary",
        "--name",
        "fast",
        "--set",
        "lr=0.01",
        "--set",
        "milestones=[2, 4]",
    ]
    assert cli.main([*arguments, "--set", 'oversample={"covid": 3}', "--set", "lr=0.02"]) == 0
    experiment, named = calls.pop()
    assert (
        experiment.name == "fast"
        and experiment.variant_of == "zhu-binary"
        and named["keep_model"] is False
    )
    assert (experiment.lr, experiment.milestones, experiment.oversample) == (
        0.02,
        (2, 4),
        {"covid": 3},
    )
    assert set(changed(experiment)) == {"lr", "milestones", "oversample"}

    assert cli.main(["train", "zhu-binary", "--phantom", "--set", "epochs=9", "--keep-model"]) == 0
    experiment, named = calls.pop()
    assert experiment.name == "phantom-zhu-binary" and named["keep_model"] is True
    assert (
        experiment.epochs == 9
        and experiment.size == studies.PHANTOM["size"]
        and not experiment.pretrained
    )


def test_interrupted_run_says_how_to_go_on(capsys, monkeypatch):
    def stop(*args, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", stop)
    assert cli.main(["train", "zhu-binary"]) == 130
    assert "--resume" in capsys.readouterr().err


def test_train_for_real(capsys, tmp_path, phantom_data):
    """The studies' own network, whole, in the number format that was asked for."""
    other = "bfloat16" if resnet.precision(torch.device("cpu")) == "float32" else "float32"
    small = [
        "--set",
        "size=33",
        "--set",
        "epochs=1",
        "--set",
        'oversample={"covid": 2}',
        "--device",
        "cpu",
        "--precision",
        other,
    ]
    assert (
        cli.main(["train", "zhu-binary", "--phantom", *small, *places(phantom_data, tmp_path)]) == 0
    )
    out, err = capsys.readouterr()
    folder = tmp_path / "results" / "phantom-zhu-binary"
    info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert out.startswith(f"{folder}: 1 epochs, kept 1; accuracy {info['metrics']['accuracy']:.3f}")
    assert "epoch 1/1" in err  # progress goes to standard error
    assert (info["config"]["size"], info["config"]["epochs"], info["config"]["precision"]) == (
        33,
        1,
        other,
    )


def test_a_bug_is_not_hidden(monkeypatch):
    """Only bad input and the file system end in one line; an error of ours keeps its traceback."""
    monkeypatch.setattr(resnet, "device", lambda name: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["train", "zhu-binary"])


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["--help"])
    assert left.value.code == 0 and "95 % intervals" in " ".join(capsys.readouterr().out.split())
