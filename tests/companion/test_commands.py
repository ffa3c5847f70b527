"""What commands share: reading NAME=VALUE, and one line where an optional package is missing. What
each does, test_cli.py asks of the whole program.
"""

import pytest
from without import run_without

from companion import cli, options
from cxrlib.files import InputError


def test_pairs():
    assert options.pairs(["a=1", "b=x=y", "c=[1, 2]", "d=true", "e="], "-p") == {
        "a": 1,
        "b": "x=y",
        "c": [1, 2],
        "d": True,
        "e": "",
    }
    with pytest.raises(InputError, match="-p nothing: expected NAME=VALUE"):
        options.pairs(["nothing"], "-p")


COMMANDS_WITH_TORCH = [["train", "zhu-fourclass"], ["predict", __file__], ["train", "zhu-binary"]]


def test_predict_names_what_is_not_there(capsys):
    for words, line in (
        (["--model", "zhu-binary", "nowhere.png"], "nowhere.png: image file does not exist"),
        (["zhu-nope", __file__], "zhu-nope: image file does not exist"),
    ):
        assert cli.main(["predict", *words]) == 2 and capsys.readouterr().err == f"cxr: {line}\n"


def test_without_torch_one_line_says_how_to_get_it():
    """In one process, since loading what the commands share takes seconds."""
    code = (
        "from companion.cli import main\n"
        f"asked = {COMMANDS_WITH_TORCH!r}\n"
        "sys.exit([main(words) for words in asked] != [2] * len(asked))"
    )
    done = run_without(["torch", "torchvision", "safetensors"], code)
    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout, len(lines)) == (0, "", len(COMMANDS_WITH_TORCH)), (
        done.stderr
    )
    assert all("needs torch" in line and "make train-env" in line for line in lines), done.stderr
