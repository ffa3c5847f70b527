"""networks.py: the recorded trace is a fresh one, and agrees with what He et al. 2016 print and
with torch's own counts.
"""

import subprocess
import sys
from pathlib import Path

import pytest
import torchvision

from companion import networks, studies
from cxrlib import InputError

# He et al. 2016, table 1: blocks of each stage, channels of its output, kernels of a block. Sides
# of the outputs are the same for both networks.
STAGES = {
    "resnet18": ([2, 2, 2, 2], [64, 128, 256, 512], [(3, 3), (3, 3)]),
    "resnet101": ([3, 4, 23, 3], [256, 512, 1024, 2048], [(1, 1), (3, 3), (1, 1)]),
}
SIDES = [56, 28, 14, 7]
BLOCKS = {"BasicBlock", "Bottleneck"}


@pytest.fixture(scope="module", params=STAGES)
def facts(request) -> dict:
    return networks.recorded(request.param)


def named(facts, name) -> list[dict]:
    return [row for row in facts["modules"] if row["name"] == name]


@pytest.mark.parametrize("name", STAGES)
def test_write_gives_the_published_bytes(name, tmp_path, monkeypatch):
    """The record is not stale: a new pass is written as it was."""
    published = (studies.results_folder() / "networks" / f"{name}.json").read_text(encoding="utf-8")
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path))
    rerun = f"run: python -c \"from companion import networks; networks.write('{name}')\""
    assert networks.write(name).read_text(encoding="utf-8") == published, rerun
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")] == [
        f"networks/{name}.json"
    ]


def test_shapes_are_those_of_the_paper(facts):
    assert facts["input"] == named(facts, "conv1")[0]["input"] == [3, 224, 224]
    conv1, maxpool = named(facts, "conv1")[0], named(facts, "maxpool")[0]
    assert (conv1["output"], conv1["kernel"], conv1["stride"]) == ([64, 112, 112], [7, 7], [2, 2])
    assert (maxpool["output"], maxpool["kernel"], maxpool["stride"]) == (
        [64, 56, 56],
        [3, 3],
        [2, 2],
    )
    counts, channels, _ = STAGES[facts["name"]]
    for stage, (blocks, depth, side) in enumerate(
        zip(counts, channels, SIDES, strict=True), start=1
    ):
        rows = [
            row
            for row in facts["modules"]
            if row["type"] in BLOCKS and row["name"].startswith(f"layer{stage}.")
        ]
        assert [row["output"] for row in rows] == [[depth, side, side]] * blocks
        first = (
            stage > 1 or depth != maxpool["output"][0]
        )  # the shape changes: a 1x1 convolution stands on the shortcut
        assert [row["downsample"] for row in rows] == [first] + [False] * (blocks - 1)
    assert named(facts, "avgpool")[0]["output"] == [channels[-1], 1, 1]
    assert (named(facts, "fc")[0]["input"], named(facts, "fc")[0]["output"]) == (
        [channels[-1]],
        [1000],
    )


def test_as_many_layers_with_weights_off_the_shortcuts_as_the_name_says(facts):
    weighted = [
        row
        for row in facts["modules"]
        if row["type"] in {"Conv2d", "Linear"} and ".downsample." not in row["name"]
    ]
    assert f"resnet{len(weighted)}" == facts["name"]
    counts, _, kernels = STAGES[facts["name"]]
    assert [tuple(row["kernel"]) for row in weighted[1:-1]] == kernels * sum(counts)


def test_each_layer_starts_from_what_it_is_given(facts):
    """Shapes chain: along the main path every input is the last output, and the shortcut starts
    from the block's input.
    """
    before = facts["input"]
    for row in facts["modules"][:-1]:
        if row["type"] in BLOCKS:
            block = row
            assert row["input"] == before
        elif row["name"].endswith("downsample.0"):
            assert row["input"] == block["input"] and row["output"] == block["output"]
        else:
            assert row["input"] == before
            before = row["output"]


def test_parameters_by_hand_and_by_torch(facts):
    published = torchvision.models.get_model_weights(facts["name"])["IMAGENET1K_V1"].meta[
        "num_params"
    ]
    assert (
        facts["parameters"]
        == published
        == {"resnet18": 11_689_512, "resnet101": 44_549_160}[facts["name"]]
    )
    leaves = [row for row in facts["modules"] if row["type"] not in BLOCKS]
    assert sum(row["parameters"] for row in leaves) == facts["parameters"]
    for row in leaves:
        if row["type"] == "Conv2d":
            assert (
                row["parameters"]
                == row["input"][0] * row["output"][0] * row["kernel"][0] * row["kernel"][1]
            )
        elif row["type"] == "BatchNorm2d":
            assert row["parameters"] == 2 * row["output"][0]
    hand = {
        "resnet18": {"1000": 512 * 1000 + 1000, "4": 2052, "2": 1026},
        "resnet101": {"1000": 2048 * 1000 + 1000, "4": 8196, "2": 4098},
    }
    assert facts["fc"] == hand[facts["name"]]
    assert named(facts, "fc")[0]["parameters"] == facts["fc"]["1000"]


def test_bottlenecks_and_other_sizes():
    facts = networks.trace("resnet50", size=64)
    blocks = [row for row in facts["modules"] if row["type"] == "Bottleneck"]
    assert len(blocks) == 3 + 4 + 6 + 3 and blocks[-1]["output"] == [2048, 2, 2]
    assert [row["name"] for row in blocks if row["downsample"]] == [
        f"layer{stage}.0" for stage in (1, 2, 3, 4)
    ]
    assert facts["parameters"] == 25_557_032 and facts["fc"]["4"] == 2048 * 4 + 4
    with pytest.raises(InputError, match="vgg"):
        networks.trace("vgg16")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read as YAML"), ('{"name": ', "cannot be read as YAML")],
)
def test_missing_or_damaged_record_is_one_line(tmp_path, monkeypatch, content, message):
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path))
    if content is not None:
        (tmp_path / "networks").mkdir()
        (tmp_path / "networks" / "resnet18.json").write_text(content)
    with pytest.raises(InputError, match=rf"resnet18\.json: {message}"):
        networks.recorded("resnet18")


def test_record_is_read_without_torch():
    code = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torchvision"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from companion import networks
print(networks.recorded()["parameters"])
"""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(networks.__file__).parents[1],
    )
    assert (ran.stdout.strip(), ran.returncode) == ("11689512", 0), ran.stderr
