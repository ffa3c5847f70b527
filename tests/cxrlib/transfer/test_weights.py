"""ImageNet weights: what is read is what its name says, and what is none is refused in one line
that names it.
"""

import hashlib
import pickle
from pathlib import Path

import pytest
import torch

from cxrlib import gradcam
from cxrlib.files import InputError
from cxrlib.transfer import resnet


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return resnet.build("resnet18", 1000, None, 3).state_dict()


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CXR_WEIGHTS", str(tmp_path))
    return tmp_path


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    """Where torchvision's ResNet-18 lies after a download; there is no network."""
    monkeypatch.delenv("CXR_WEIGHTS", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", lambda *args, **named: pytest.fail("downloaded"))
    file = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    file.parent.mkdir(parents=True)
    return file


def refused(name: str = "resnet18") -> str:
    with pytest.raises(InputError) as caught:
        resnet.imagenet(name)
    line = str(caught.value)
    assert "\n" not in line and "weights_only" not in line and "arbitrary code" not in line
    return line


def changed(state, **values) -> dict[str, torch.Tensor]:
    return state | {key.replace("__", "."): value for key, value in values.items()}


# --- the file is the one its name says


@pytest.mark.parametrize("spoil", ["zeros", "cut", "empty", "page"])
def test_a_file_in_torch_hubs_cache_that_is_not_torchvisions(hub, state, spoil):
    torch.save({key: torch.zeros_like(value) for key, value in state.items()}, hub)
    if spoil != "zeros":
        hub.write_bytes({"cut": hub.read_bytes()[:-1000], "empty": b"", "page": b"<html>"}[spoil])
    line = refused()
    assert str(hub) in line and "f37072fd" in line and "delete it" in line


def test_a_file_in_torch_hubs_cache_is_read_and_its_digest_recorded(hub, state, monkeypatch):
    torch.save(state, hub)
    digest = hashlib.sha256(hub.read_bytes()).hexdigest()
    enum = torch_weights()
    monkeypatch.setattr(
        enum,
        "_value_",
        enum.value.__class__(enum.url.replace("f37072fd", digest[:8]), enum.transforms, enum.meta),
    )
    hub.rename(hub.with_name(f"resnet18-{digest[:8]}.pth"))
    got, what = resnet.imagenet("resnet18")
    assert what["sha256"] == digest and what["name"].startswith("torchvision ResNet18_Weights")
    assert torch.equal(got["conv1.weight"], state["conv1.weight"])


def torch_weights():
    import torchvision

    return torchvision.models.ResNet18_Weights.IMAGENET1K_V1


@pytest.mark.parametrize(
    "name", ["resnet18-f37072fd.pth", "resnet18-a1_0-d63eafa0.pth", "resnet18-11111111aaaaaaaa.pt"]
)
def test_digits_of_a_name_are_those_of_the_file(folder, state, name):
    torch.save(state, folder / name)
    assert name in refused()


@pytest.mark.parametrize(
    "name",
    [
        "resnet18-20240131.pth",
        "resnet18_x.safetensors",
        "resnet18.pt",
        "ResNet18-mine.pth",
        "resnet18-v2.pth",
    ],
)
def test_other_names_are_read(folder, state, name):
    save = torch.save if not name.endswith("safetensors") else resnet.save
    save(state, folder / name)
    assert resnet.imagenet("resnet18")[1]["name"] == name


def test_several_files_are_not_chosen_between(folder, state):
    for name in ("resnet18-a.pth", "resnet18_b.safetensors", "resnet18d-c.pth", "resnet181.pth"):
        (folder / name).touch()
    assert "resnet18-a.pth, resnet18_b.safetensors; leave one" in refused()


# --- plain variants of a state are read


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {
            key: value.half() if value.is_floating_point() else value
            for key, value in state.items()
        },
        lambda state: {
            key: value.double() if value.is_floating_point() else value
            for key, value in state.items()
        },
        lambda state: {key: value for key, value in state.items() if not key.startswith("fc.")},
    ],
    ids=["half", "double", "headless"],
)
def test_what_is_plain_is_read(folder, state, wrap, request):
    old = "double" in request.node.name  # once in the form of before PyTorch 1.6
    torch.save(wrap(state), folder / "resnet18-x.pth", _use_new_zipfile_serialization=not old)
    got, _ = resnet.imagenet("resnet18")
    assert all(
        torch.equal(value, state[key]) or torch.allclose(value, state[key], rtol=1e-3, atol=1e-6)
        for key, value in got.items()
    )
    assert {value.dtype for value in got.values()} == {torch.float32, torch.int64}


def test_the_form_is_told_by_the_content(folder, state):
    resnet.save(state, folder / "resnet18-x.pth")
    assert torch.equal(resnet.imagenet("resnet18")[0]["conv1.weight"], state["conv1.weight"])


# --- what is none


@pytest.mark.parametrize(
    "make, said",
    [
        (
            lambda s: changed(
                s, layer1__0__conv1__weight=s["layer1.0.conv1.weight"] * float("nan")
            ),
            "layer1.0.conv1.weight holds NaN",
        ),
        (lambda s: changed(s, fc__bias=s["fc.bias"].fill_(1) / 0), "fc.bias holds NaN or infinity"),
        (
            lambda s: changed(s, conv1__weight=(s["conv1.weight"] * 100).to(torch.int8)),
            "conv1.weight is stored as int8",
        ),
        (
            lambda s: changed(s, bn1__bias=s["bn1.bias"].to(torch.complex64)),
            "bn1.bias is stored as complex64",
        ),
        (
            lambda s: changed(s, conv1__weight=torch.zeros_like(s["conv1.weight"])),
            "conv1.weight is 0 throughout",
        ),
        (
            lambda s: changed(s, bn1__running_var=-s["bn1.running_var"]),
            "bn1.running_var holds a variance below 0",
        ),
        (lambda s: resnet.build("resnet18", 4, None, 1).state_dict(), "has 4 classes, not 1000"),
        (
            lambda s: resnet.build("resnet50", 1000, None, 1).state_dict(),
            "size mismatch for layer1.0.conv1.weight",
        ),
        (
            lambda s: (
                {f"encoder.{key}": value for key, value in s.items()} | {"queue": torch.zeros(2)}
            ),
            "conv1.weight is missing",
        ),
        (lambda s: {f"module.{key}": value for key, value in s.items()}, "conv1.weight is missing"),
        (lambda s: {"state_dict": s}, "no plain dictionary of weights"),
        (lambda s: {}, "no plain dictionary of weights"),
        (lambda s: [*s.values()], "no plain dictionary of weights"),
        (lambda s: torch.nn.Linear(2, 2), "weights cannot be read"),
        (lambda s: {"state_dict": s, "args": Path("x")}, "weights cannot be read"),
    ],
    ids=[
        "nan",
        "infinity",
        "int8",
        "complex",
        "zeros",
        "variance",
        "four classes",
        "resnet50",
        "mixed",
        "prefix",
        "wrapped",
        "none",
        "list",
        "model",
        "objects",
    ],
)
def test_what_is_no_imagenet_state_is_refused_and_named(folder, state, make, said):
    torch.save(
        make({key: value.clone() for key, value in state.items()}), folder / "resnet18-x.pth"
    )
    line = refused()
    assert said in line and str(folder / "resnet18-x.pth") in line


@pytest.mark.parametrize(
    "content",
    [
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
        b"<!DOCTYPE html>",
        b"PK\3\4cut",
        b"\x80",
    ],
)
@pytest.mark.parametrize("name", ["resnet18-x.pth", "resnet18_x.safetensors"])
def test_what_is_no_file_of_weights(folder, content, name):
    (folder / name).write_bytes(content)
    line = refused()
    assert name in line and "weights cannot be read" in line


def test_nothing_in_a_file_is_run(folder, tmp_path):
    class Harm:
        def __reduce__(self):
            return Path.touch, (tmp_path / "harm",)

    (folder / "resnet18-x.pth").write_bytes(pickle.dumps(Harm()))
    assert "weights cannot be read" in refused() and not (tmp_path / "harm").exists()


def test_a_records_own_model_is_looked_at_too(tmp_path, state):
    trained = resnet.build("resnet18", 4, None, 1).state_dict()
    resnet.save(
        trained | {"layer4.1.conv2.weight": trained["layer4.1.conv2.weight"] / 0},
        tmp_path / "model.safetensors",
    )
    with pytest.raises(
        InputError, match=r"model.safetensors: .*layer4.1.conv2.weight holds NaN or infinity"
    ):
        resnet.recorded(tmp_path, {"config": {"model": "resnet18"}, "classes": [1, 2, 3, 4]})


# --- maps of weights and pixels in inference mode


def test_maps_in_inference_mode(state):
    pixels = torch.randint(
        0, 256, (2, 64, 64), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    ).numpy()
    model = resnet.build("resnet18", 1000, state)
    expected = gradcam.grad_cam(model, pixels, [1, 2])
    with torch.inference_mode():
        made_here = resnet.build("resnet18", 1000, state)
        for net in (model, made_here):
            assert (gradcam.grad_cam(net, pixels, [1, 2]) == expected).all()
            assert not any(values.grad is not None for values in net.parameters())
        assert torch.is_inference_mode_enabled()
    assert expected.any()
