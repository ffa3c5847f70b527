"""What commands share: reading NAME=VALUE, and one line where an optional package is missing. What each does, test_cli.py asks of the whole program."""

import pytest
from without import run_without

from cxrlib import commands
from cxrlib.files import InputError


def test_pairs():
    assert commands.pairs(["a=1", "b=x=y", "c=[1, 2]", "d=true", "e="], "-p") == {
        "a": 1, "b": "x=y", "c": [1, 2], "d": True, "e": None,
    }  # fmt: skip
    with pytest.raises(InputError, match="-p nothing: expected NAME=VALUE"):
        commands.pairs(["nothing"], "-p")


COMMANDS_WITH_TORCH = [
    ["train", "zhu-fourclass"], ["predict", "zhu-fourclass", "picture.png"], ["cams", "zhu-fourclass"], ["efficiency"], ["bench", "gradcam"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", COMMANDS_WITH_TORCH, ids=[words[0] for words in COMMANDS_WITH_TORCH])
def test_without_torch_one_line_says_how_to_get_it(arguments):
    done = run_without(["torch", "torchvision", "safetensors"], "from cxrlib.cli import main\nsys.exit(main(sys.argv[1:]))", *arguments)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1, done.stderr
    assert "needs torch" in done.stderr and "make train-env" in done.stderr
