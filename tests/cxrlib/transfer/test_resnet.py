"""Weights, heads, rounding, files, and what each module may import."""

import email.message
import hashlib
import io
import json
import subprocess
import urllib.error

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from rounding import UNIT, apart, assert_near
from safetensors.torch import load_file, save_file
from without import run_without

from companion import studies
from companion.studies import cheazemin2020
from cxrlib.data import radiographs
from cxrlib.files import InputError
from cxrlib.transfer import fit, resnet


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """A random 1,000-class ResNet-18 in torchvision's own key names."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        return torchvision.models.resnet18(weights=None).state_dict()


@pytest.fixture()
def weights_folder(tmp_path, monkeypatch, state):
    """CXR_WEIGHTS with a float16 ResNet-18 and a README.md beside it."""
    folder = tmp_path / "weights"
    folder.mkdir()
    rounded = {
        key: value.half() if value.is_floating_point() else value for key, value in state.items()
    }
    save_file(
        {key: value.contiguous() for key, value in rounded.items()},
        folder / "resnet18-test-fp16.safetensors",
    )
    (folder / "README.md").write_text(
        "# Weights\n\n| file | what |\n|---|---|\n| `resnet18-test-fp16.safetensors` | drawn **at"
        " random** by a test |\n| `resnet50-x.safetensors` | another |\n"
    )
    monkeypatch.setenv("CXR_WEIGHTS", str(folder))
    return folder


def one_line(caught) -> str:
    text = str(caught.value)
    assert text and "\n" not in text
    return text


def test_weights_folder_comes_first_and_its_readme_is_the_note(weights_folder, state, monkeypatch):
    monkeypatch.setattr(
        torch.hub,
        "urlopen",
        lambda *args, **named: pytest.fail("downloaded in spite of CXR_WEIGHTS"),
    )
    got, what = resnet.imagenet("resnet18")
    assert got.keys() == state.keys()
    for key, value in state.items():
        assert got[key].dtype == value.dtype, (
            key
        )  # floating point is float32 again, counters stay whole numbers
        assert torch.equal(
            got[key], value.half().float() if value.is_floating_point() else value
        ), key
    assert what["name"] == "resnet18-test-fp16.safetensors"
    assert what["note"] == "drawn at random by a test"
    digest = subprocess.run(
        ["sha256sum", weights_folder / what["name"]], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    assert what["sha256"] == digest


def test_torchvision_file_in_the_weights_folder(tmp_path, monkeypatch, state):
    """Under its own name: the digits are those of the file."""
    torch.save(state, tmp_path / "w.pth")
    digits = hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()[:8]
    (tmp_path / "w.pth").rename(tmp_path / f"resnet18-{digits}.pth")
    monkeypatch.setenv("CXR_WEIGHTS", str(tmp_path))
    got, what = resnet.imagenet("resnet18")
    assert (
        what["name"] == f"resnet18-{digits}.pth"
        and what["note"] == "no README.md beside it says what it is"
    )
    assert all(torch.equal(got[key], value) for key, value in state.items())


def test_weights_of_another_model_are_not_taken(weights_folder):
    (weights_folder / "resnet101-x.safetensors").write_bytes(b"")
    with pytest.raises(InputError) as caught:
        resnet.imagenet("resnet50")
    assert "resnet50" in one_line(caught) and str(weights_folder) in one_line(caught)


@pytest.mark.parametrize("name", ["resnet18-x.safetensors", "resnet18-x.pth"])
@pytest.mark.parametrize("content", [b"", b"no weights at all", b"\xff" * 64])
def test_damaged_weights(tmp_path, monkeypatch, name, content):
    (tmp_path / name).write_bytes(content)
    monkeypatch.setenv("CXR_WEIGHTS", str(tmp_path))
    with pytest.raises(InputError) as caught:
        resnet.imagenet("resnet18")
    assert name in one_line(caught)


def test_truncated_weights(weights_folder):
    file = weights_folder / "resnet18-test-fp16.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError) as caught:
        resnet.imagenet("resnet18")
    assert file.name in one_line(caught)


@pytest.mark.parametrize(
    "content", [[torch.zeros(2)], {"state_dict": {"conv1.weight": torch.zeros(2)}}]
)
def test_a_file_that_is_no_state(tmp_path, monkeypatch, content):
    torch.save(content, tmp_path / "resnet18-x.pth")
    monkeypatch.setenv("CXR_WEIGHTS", str(tmp_path))
    with pytest.raises(InputError) as caught:
        resnet.imagenet("resnet18")
    assert "resnet18-x.pth" in one_line(caught)


def test_real_weights(real_weights, monkeypatch):
    monkeypatch.setenv("CXR_WEIGHTS", str(real_weights))
    got, what = resnet.imagenet("resnet18")
    assert "resnet18" in what["name"] and len(what["sha256"]) == 64
    assert not what["name"].endswith(".safetensors") or what["note"]  # a substitute says what it is
    model = resnet.build("resnet18", 4, got).eval()
    own = model.state_dict()
    assert all(torch.equal(own[key], got[key]) for key in got if not key.startswith("fc."))
    assert all(value.dtype == torch.float32 for value in own.values() if value.is_floating_point())
    with torch.no_grad():
        assert torch.isfinite(model(torch.zeros(1, 3, 64, 64))).all()


class Answer(io.BytesIO):
    """What a web server sends, as far as torch.hub looks at it."""

    def info(self):
        return email.message.Message()


def refused(*args, **named):
    raise urllib.error.URLError("Name or service not known")


@pytest.mark.parametrize(
    "opened",
    [refused, lambda *args, **named: Answer(b"a login page")],
    ids=["no network", "not the file"],
)
def test_failed_download_is_one_line(tmp_path, monkeypatch, opened):
    monkeypatch.delenv("CXR_WEIGHTS", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", opened)
    with pytest.raises(InputError) as caught:
        resnet.imagenet("resnet18")
    assert "CXR_WEIGHTS" in one_line(caught) and "resnet18" in one_line(caught)
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_unknown_models():
    for call in (lambda: resnet.imagenet("vgg16"), lambda: resnet.build("vgg16", 2)):
        with pytest.raises(InputError, match="vgg16.*resnet18"):
            call()


@pytest.mark.parametrize(
    "key", ["conv1.weight", "layer3.1.bn2.running_var", "layer2.0.downsample.0.weight"]
)
@pytest.mark.parametrize("fault", ["missing", "shape"])
def test_state_that_does_not_fit_names_the_key(state, key, fault):
    bad = {name: value for name, value in state.items() if name != key}
    if fault == "shape":
        bad[key] = torch.zeros(3, 2)
    with pytest.raises(InputError, match=fault) as caught:
        resnet.build("resnet18", 4, bad)
    assert key in one_line(caught)


def test_unknown_key_is_named(state):
    with pytest.raises(InputError, match="layer9.conv.weight is unknown"):
        resnet.build("resnet18", 4, state | {"layer9.conv.weight": torch.zeros(1)})


def test_trained_state_without_its_bias_is_refused():
    trained = resnet.build("resnet18", 3).state_dict()
    del trained["fc.bias"]
    with pytest.raises(InputError, match="fc.bias is missing"):
        resnet.build("resnet18", 3, trained)


def test_new_head_depends_on_the_seed_and_only_on_it(state):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first = resnet.build("resnet18", 4, state, seed=5)
        torch.manual_seed(2)
        before = torch.random.get_rng_state()
        again = resnet.build("resnet18", 4, state, seed=5)
        assert torch.equal(
            torch.random.get_rng_state(), before
        )  # and the caller's generator is left alone
    bare = resnet.build("resnet18", 4, None, seed=5)
    other = resnet.build("resnet18", 4, state, seed=6)
    for key in ("fc.weight", "fc.bias"):
        assert torch.equal(first.state_dict()[key], again.state_dict()[key])
        assert torch.equal(first.state_dict()[key], bare.state_dict()[key])
        assert not torch.equal(first.state_dict()[key], other.state_dict()[key])
    assert torch.equal(first.conv1.weight, state["conv1.weight"]) and torch.equal(
        other.conv1.weight, first.conv1.weight
    )


def test_trained_state_is_taken_whole():
    trained = resnet.build("resnet18", 3, None, seed=1)
    loaded = resnet.build("resnet18", 3, trained.state_dict(), seed=2)
    for key, value in trained.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key


def test_resnet101_head_is_what_study_a_trains():
    model = resnet.build("resnet101", 2)
    assert sum(parameter.numel() for parameter in model.fc.parameters()) == 2048 * 2 + 2 == 4098


def test_forward_equals_torchvision(state):
    model, plain = (
        resnet.build("resnet18", 1000, state).eval(),
        torchvision.models.resnet18(weights=None).eval(),
    )
    plain.load_state_dict(state)
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert_near(model(x), plain(x), apart())


def test_half_keeps_batch_norm_and_rounds_the_rest(state, tmp_path):
    rounded = resnet.half(state)
    assert rounded.keys() == state.keys()
    modules = dict(torchvision.models.resnet18(weights=None).named_modules())
    for key, value in rounded.items():
        if isinstance(modules[key.rpartition(".")[0]], torch.nn.BatchNorm2d):
            assert value.dtype == state[key].dtype and torch.equal(value, state[key]), key
        elif key.endswith(".weight"):
            assert value.dtype == torch.float16, key
    resnet.save(rounded, tmp_path / "m.safetensors")
    back = resnet.read(tmp_path / "m.safetensors")
    for key, value in state.items():
        if value.is_floating_point():
            assert back[key].dtype == torch.float32
            assert (back[key] - value).norm() <= UNIT["float16"] * value.norm(), key
            assert torch.equal(back[key], rounded[key].float())
        else:
            assert torch.equal(back[key], value)


@given(
    st.lists(
        st.floats(2**-14, 2**15, width=32).flatmap(lambda v: st.sampled_from([v, -v])),
        min_size=1,
        max_size=20,
    )
)
@settings(max_examples=50)
def test_half_rounds_by_less_than_a_thousandth(values):
    weight = torch.tensor([values])
    back = resnet.half({"fc.weight": weight})["fc.weight"].float()
    assert ((back - weight).abs() <= 2**-11 * weight.abs()).all()


def test_save_writes_metadata_and_channels_last(tmp_path):
    value = (
        torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
        .to(memory_format=torch.channels_last)
        .requires_grad_()
    )
    resnet.save({"w": value}, tmp_path / "new" / "m.safetensors", {"licence": "x"})
    assert torch.equal(load_file(tmp_path / "new" / "m.safetensors")["w"], value)
    raw = (tmp_path / "new" / "m.safetensors").read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert header["__metadata__"] == {"licence": "x"}


def test_save_is_whole_or_nothing(tmp_path, monkeypatch):
    file = tmp_path / "m.safetensors"
    resnet.save({"w": torch.ones(3)}, file)
    before = file.read_bytes()

    def breaks(tensors, path, metadata=None):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(resnet, "save_file", breaks)
    with pytest.raises(InputError, match=r"m\.safetensors: cannot be written \(disk full\)"):
        resnet.save({"w": torch.zeros(3)}, file)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_read_names_a_missing_and_a_damaged_model(tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"nothing of use")
    for name in ("bad.safetensors", "absent.safetensors"):
        with pytest.raises(InputError) as caught:
            resnet.read(tmp_path / name)
        assert name in one_line(caught)


@pytest.mark.parametrize("name", ["nonsense", "meta", "cuda:99"])
def test_unusable_device(name):
    with pytest.raises(InputError) as caught:
        resnet.device(name)
    assert name in one_line(caught)


def test_device_and_precision(monkeypatch):
    monkeypatch.delenv("CXR_PRECISION", raising=False)
    monkeypatch.setattr(
        torch.backends.cudnn, "allow_tf32", True
    )  # PyTorch's default, in which a convolution of float32 numbers is no float32 convolution
    assert resnet.device("cpu") == torch.device("cpu")
    assert not torch.backends.cudnn.allow_tf32
    best = resnet.device().type
    assert best == (
        "cuda"
        if torch.cuda.is_available()
        else "mps"
        if torch.backends.mps.is_available()
        else "cpu"
    )
    assert resnet.precision(torch.device("cpu")) in {"float32", "bfloat16"}
    assert resnet.precision(torch.device("mps")) == "float32"
    assert resnet.precision(torch.device("cpu"), "bfloat16") == "bfloat16"
    assert resnet.precision(torch.device("cpu"), "float32") == "float32"
    assert resnet.describe(torch.device("cpu")) == {
        "type": "cpu",
        "name": "cpu",
        "threads": torch.get_num_threads(),
    }


@pytest.mark.parametrize(
    ("amx", "avx", "maker", "kind"),
    [
        (True, True, "GenuineIntel", "bfloat16"),
        (False, True, "GenuineIntel", "float32"),
        (False, True, "AuthenticAMD", "bfloat16"),
        (False, False, "AuthenticAMD", "float32"),
        (False, False, "GenuineIntel", "float32"),
    ],
)
@pytest.mark.parametrize("linux", [True, False])
def test_precision_of_a_processor(monkeypatch, amx, avx, maker, kind, linux):
    monkeypatch.delenv("CXR_PRECISION", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx, raising=False)
    text = f"vendor_id\t: {maker}\n"

    def read(path, **named):
        if not linux:
            raise FileNotFoundError(path)
        return text

    monkeypatch.setattr(resnet.Path, "read_text", read)
    monkeypatch.setattr(resnet.platform, "processor", lambda: f"x86 Family 6, {maker}")
    assert resnet.precision(torch.device("cpu")) == kind


def test_precision_by_the_environment(monkeypatch):
    """Where the caller leaves it open, and nowhere else."""
    cpu = torch.device("cpu")
    monkeypatch.delenv("CXR_PRECISION", raising=False)
    best = resnet.precision(cpu)
    for value, kind in (
        ("float32", "float32"),
        ("bfloat16", "bfloat16"),
        ("auto", best),
        ("", best),
    ):
        monkeypatch.setenv("CXR_PRECISION", value)
        assert resnet.precision(cpu) == resnet.precision(cpu, "auto") == kind
        assert [resnet.precision(cpu, asked) for asked in ("float32", "bfloat16")] == [
            "float32",
            "bfloat16",
        ]
    monkeypatch.setenv("CXR_PRECISION", "float16")
    with pytest.raises(
        InputError, match="^CXR_PRECISION 'float16': there are auto, float32, bfloat16$"
    ):
        resnet.precision(cpu)
    with pytest.raises(InputError, match="^precision 'half': there are auto, float32, bfloat16$"):
        resnet.precision(cpu, "half")


def test_autocast():
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((8, 8), dtype=np.float32))
    with resnet.autocast(torch.device("cpu"), "float32"):
        assert not torch.is_autocast_enabled("cpu")
        assert torch.equal(x @ x, torch.matmul(x, x)) and (x @ x).dtype == torch.float32
    with resnet.autocast(torch.device("cpu"), "bfloat16"):
        assert (x @ x).dtype == torch.bfloat16


def test_what_reads_records_needs_no_torch():
    names = ["data.lungs", "data.splits", "metrics", "records", "data.phantom", "plots"]
    done = run_without(
        ["torch", "torchvision", "safetensors"],
        "import cxrlib\n"
        + "".join(f"import cxrlib.{name}\n" for name in names)
        + "from companion.cli import main\n"
        "try:\n    import torch\nexcept ModuleNotFoundError:\n    print('blocked')\n"
        "raise SystemExit(main(['train', 'zhu-fourclass', '--phantom']))",
    )
    assert done.stdout == "blocked\n", (
        done.stderr
    )  # the blocker does block, and every import before it went well
    assert done.returncode == 2
    assert (
        done.stderr.count("\n") == 1
        and "needs torch" in done.stderr
        and "pip install" in done.stderr
        and "make train-env" in done.stderr
    )


def test_training_needs_only_what_colab_has():
    lacks = [
        "jupyter_book",
        "papermill",
        "snakemake",
        "jupytext",
        "statsmodels",
        "playwright",
        "hypothesis",
    ]
    done = run_without(
        [*lacks, "latex2mathml", "matplotlib", "seaborn"],
        "from companion import cli\nfrom companion.studies import training\n"
        "from cxrlib.transfer import fit, pipeline, resnet\nprint('imported')",
    )
    assert (done.returncode, done.stdout) == (0, "imported\n"), done.stderr


def test_recorded_frozen_network_says_what_its_record_says(real_data, real_weights, monkeypatch):
    """Study A's stand-in: ImageNet's body from the weights, the last layer from the record, on real
    radiographs.
    """
    monkeypatch.setenv("CXR_WEIGHTS", str(real_weights))
    run = studies.run("azemin-standin-resnet50")
    shown = run.predictions[run.predictions["y_true"] == "covid"].iloc[::50]
    paths = cheazemin2020.covid(real_data).set_index("image_id").loc[shown["image_id"], "path"]
    pixels = np.stack([radiographs.read_radiograph(real_data / path, 224) for path in paths])
    log_p = fit.predict(resnet.recorded(run.folder, run.info), pixels)
    assert_near(log_p, np.log(shown[["p_covid", "p_none"]]), apart(layers=50))


def test_recorded_refuses_other_weights_and_records_without_a_model(
    tmp_path, real_weights, monkeypatch
):
    monkeypatch.setenv("CXR_WEIGHTS", str(real_weights))
    run = studies.run("azemin-standin-resnet50")
    with pytest.raises(InputError, match="was made from the ImageNet weights resnet50.*are others"):
        resnet.recorded(run.folder, run.info | {"weights": {**run.info["weights"], "sha256": "0"}})
    with pytest.raises(InputError, match="holds no model"):
        resnet.recorded(tmp_path, run.info)
    (tmp_path / "head.npz").write_bytes(b"no arrays")
    with pytest.raises(InputError, match="holds no model"):
        resnet.recorded(tmp_path, run.info)
