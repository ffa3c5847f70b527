"""networks.py: the recorded trace is a fresh one, and agrees with what He et al. 2016 print and with torch's own counts."""

import subprocess
import sys
from pathlib import Path

import pytest
import torchvision

from cxrlib import InputError, networks, runs

# He et al. 2016, table 1: side of the output, channels, blocks. The 1x1 convolutions stand on the shortcuts that change the shape.
STAGES = {"layer1": (56, 64, 2), "layer2": (28, 128, 2), "layer3": (14, 256, 2), "layer4": (7, 512, 2)}


@pytest.fixture(scope="module")
def facts() -> dict:
    return networks.recorded("resnet18")


def named(facts, name) -> list[dict]:
    return [row for row in facts["modules"] if row["name"] == name]


def test_record_is_not_stale(facts):
    assert facts == networks.trace("resnet18"), 'run: python -c "from cxrlib import networks; networks.write()"'


def test_write_gives_the_published_bytes(tmp_path, monkeypatch):
    published = (runs.root() / "networks" / "resnet18.json").read_text(encoding="utf-8")
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path))
    assert networks.write("resnet18").read_text(encoding="utf-8") == published
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")] == ["networks/resnet18.json"]


def test_shapes_are_those_of_the_paper(facts):
    assert facts["input"] == named(facts, "conv1")[0]["input"] == [3, 224, 224]
    conv1, maxpool = named(facts, "conv1")[0], named(facts, "maxpool")[0]
    assert (conv1["output"], conv1["kernel"], conv1["stride"]) == ([64, 112, 112], [7, 7], [2, 2])
    assert (maxpool["output"], maxpool["kernel"], maxpool["stride"]) == ([64, 56, 56], [3, 3], [2, 2])
    for stage, (side, channels, blocks) in STAGES.items():
        rows = [row for row in facts["modules"] if row["type"] == "BasicBlock" and row["name"].startswith(stage)]
        assert [row["output"] for row in rows] == [[channels, side, side]] * blocks
        assert [row["downsample"] for row in rows] == [stage != "layer1", False]
    assert named(facts, "avgpool")[0]["output"] == [512, 1, 1]
    assert (named(facts, "fc")[0]["input"], named(facts, "fc")[0]["output"]) == ([512], [1000])


def test_eighteen_layers_with_weights_off_the_shortcuts(facts):
    weighted = [row for row in facts["modules"] if row["type"] in {"Conv2d", "Linear"} and ".downsample." not in row["name"]]
    assert len(weighted) == 18
    assert {tuple(row["kernel"]) for row in weighted[1:-1]} == {(3, 3)}


def test_each_layer_starts_from_what_it_is_given(facts):
    """Shapes chain: along the main path every input is the last output, and the shortcut starts from the block's input."""
    before = facts["input"]
    for row in facts["modules"][:-1]:
        if row["type"] == "BasicBlock":
            block = row
            assert row["input"] == before
        elif row["name"].endswith("downsample.0"):
            assert row["input"] == block["input"] and row["output"] == block["output"]
        else:
            assert row["input"] == before
            before = row["output"]


def test_parameters_by_hand_and_by_torch(facts):
    model = torchvision.models.resnet18(weights=None)
    assert facts["parameters"] == sum(values.numel() for values in model.parameters()) == 11_689_512
    leaves = [row for row in facts["modules"] if row["type"] != "BasicBlock"]
    assert sum(row["parameters"] for row in leaves) == facts["parameters"]
    for row in leaves:
        if row["type"] == "Conv2d":
            assert row["parameters"] == row["input"][0] * row["output"][0] * row["kernel"][0] * row["kernel"][1]
        elif row["type"] == "BatchNorm2d":
            assert row["parameters"] == 2 * row["output"][0]
    assert facts["fc"] == {"1000": 512 * 1000 + 1000, "4": 2052, "2": 1026}
    assert named(facts, "fc")[0]["parameters"] == 513_000


def test_bottlenecks_and_other_sizes():
    facts = networks.trace("resnet50", size=64)
    blocks = [row for row in facts["modules"] if row["type"] == "Bottleneck"]
    assert len(blocks) == 3 + 4 + 6 + 3 and blocks[-1]["output"] == [2048, 2, 2]
    assert [row["name"] for row in blocks if row["downsample"]] == [f"layer{stage}.0" for stage in (1, 2, 3, 4)]
    assert facts["parameters"] == 25_557_032 and facts["fc"]["4"] == 2048 * 4 + 4
    with pytest.raises(InputError, match="vgg"):
        networks.trace("vgg16")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "not yet recorded"),
        ('{"name": ', "cannot be read as JSON"),
        ("[]", "lacks the field name"),
        ('{"name": "resnet18", "input": [], "parameters": 0, "fc": {}}', "lacks the field modules"),
    ],
)
def test_missing_or_damaged_record_is_one_line(tmp_path, monkeypatch, content, message):
    monkeypatch.setenv("CXR_RESULTS", str(tmp_path))
    if content is not None:
        (tmp_path / "networks").mkdir()
        (tmp_path / "networks" / "resnet18.json").write_text(content)
    with pytest.raises(InputError, match=rf"resnet18\.json: {message}") as caught:
        networks.recorded("resnet18")
    assert "\n" not in str(caught.value)


def test_record_is_read_without_torch():
    code = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torchvision"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from cxrlib import networks
print(networks.recorded()["parameters"])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(networks.__file__).parents[1])
    assert (ran.stdout.strip(), ran.returncode) == ("11689512", 0), ran.stderr
