"""Transfer learning: an ImageNet ResNet with a new last layer, its weights, and which device and precision run it."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from pathlib import Path

import numpy as np
import torch
import torchvision
from safetensors.torch import load_file, save_file

from cxrlib.files import InputError, atomic, sha256

NAMES = ("resnet18", "resnet50", "resnet101")
PRECISIONS = ("auto", "float32", "bfloat16")


def imagenet(name: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """ImageNet weights in torchvision's key names, float32, and what they are (``name``, ``sha256``, ``note``).

    ``CXR_WEIGHTS``, a folder with ``<name>*.safetensors`` or torchvision's own ``<name>-<hash>.pth``, comes first;
    otherwise torchvision downloads ``IMAGENET1K_V1`` and checks its hash. The note is what a README.md beside the file
    says of it.

    Raises:
        InputError: neither is to be had.
    """
    if name not in NAMES:
        raise InputError(f"model {name!r} does not exist; there are {', '.join(NAMES)}")
    folder = os.environ.get("CXR_WEIGHTS")
    if folder:
        files = sorted(file for file in Path(folder).glob(f"{name}[-.]*") if file.suffix in {".safetensors", ".pth"})
        if not files:
            raise InputError(f"{folder}: CXR_WEIGHTS holds no {name}*.safetensors and no {name}-*.pth")
        file = files[0]
        try:
            state = _float(load_file(file) if file.suffix == ".safetensors" else torch.load(file, map_location="cpu", weights_only=True))
        except Exception as error:
            raise InputError(f"{file}: weights cannot be read ({error})") from None
        return state, {"name": file.name, "sha256": sha256(file), "note": _note(file)}
    enum = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
    try:
        state = enum.get_state_dict(progress=True, check_hash=True)
    except Exception as error:  # no network, a proxy's page in place of the file, a damaged copy of an earlier download
        raise InputError(f"CXR_WEIGHTS is not set and torchvision's {name} weights cannot be had ({error})") from None
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(enum.url).name
    return _float(state), {"name": f"torchvision {enum}", "sha256": sha256(file), "note": ""}


def _float(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key: value.float() if value.is_floating_point() else value for key, value in state.items()}


def _note(file: Path) -> str:
    readme = file.with_name("README.md")
    if not readme.is_file():
        return ""
    rows = [line.strip(" |") for line in readme.read_text(encoding="utf-8").splitlines() if file.name in line]
    cells = [re.sub(r"[*`]", "", cell).replace(file.name, "").strip() for row in rows for cell in row.split("|")]
    return "; ".join(cell for cell in cells if cell)


def resnet(name: str, classes: int, state: dict[str, torch.Tensor] | None = None, seed: int = 0) -> torch.nn.Module:
    """A torchvision ResNet whose last layer gives ``classes`` scores: ``(B, 3, 224, 224)`` to ``(B, classes)``.

    ``state`` is an ImageNet state (its 1,000-class layer is left out; the new one is drawn with ``seed``) or, when its
    last layer has ``classes`` rows, a trained one, taken whole.

    Raises:
        InputError: a weight is missing, unknown or of another shape.
    """
    if name not in NAMES:
        raise InputError(f"model {name!r} does not exist; there are {', '.join(NAMES)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = torchvision.models.get_model(name, weights=None, num_classes=classes)
    if state is not None:
        trained = state.get("fc.weight") is not None and state["fc.weight"].shape[0] == classes
        state = {key: value for key, value in state.items() if trained or not key.startswith("fc.")}
        own = model.state_dict()
        for key, value in own.items():
            if key not in state:
                if not key.endswith("num_batches_tracked") and (trained or not key.startswith("fc.")):
                    raise InputError(f"{name} weights: {key} is missing")
            elif state[key].shape != value.shape:
                raise InputError(f"{name} weights: {key} has shape {tuple(state[key].shape)}, expected {tuple(value.shape)}")
        unknown = sorted(set(state) - set(own))
        if unknown:
            raise InputError(f"{name} weights: {unknown[0]} is unknown")
        model.load_state_dict(state, strict=False)
    return model.to(memory_format=torch.channels_last)


def half(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Convolution and linear weights rounded to float16; batch-norm values stay float32, for their range is wider."""
    return {key: value.half() if value.is_floating_point() and value.dim() > 1 else value for key, value in state.items()}


def save(state: dict[str, torch.Tensor], path: str | Path, metadata: dict[str, str] | None = None) -> None:
    """Write a state as safetensors, whole or not at all."""
    with atomic(path) as temporary:
        save_file({key: value.detach().cpu().contiguous() for key, value in state.items()}, temporary, metadata)


def read(path: str | Path) -> dict[str, torch.Tensor]:
    """A state written by :func:`save`, as float32. :class:`InputError` when the file is missing or damaged."""
    try:
        return _float(load_file(path))
    except Exception as error:
        raise InputError(f"{path}: model cannot be read ({error})") from None


def recorded(folder: Path, info: dict, on: torch.device | str = "cpu") -> torch.nn.Module:
    """The trained network of a run record in ``folder``, whose run.json is ``info``.

    It is in ``model.safetensors``; of a frozen network ``head.npz`` holds the last layer alone, and the rest is what it started from.

    Raises:
        InputError: the record holds neither, or the ImageNet weights at hand are not those of the record.
    """
    config, classes = info["config"], len(info["classes"])
    if (file := folder / "model.safetensors").is_file():
        return resnet(config["model"], classes, read(file)).to(on)
    try:
        with np.load(folder / "head.npz", allow_pickle=False) as arrays:
            head = {f"fc.{key}": torch.from_numpy(arrays[key]) for key in ("weight", "bias")}
    except (OSError, ValueError, KeyError):
        raise InputError(f"{folder}: holds no model (model.safetensors, or head.npz of a frozen network)") from None
    if config["batch_norm"] != "kept":
        raise InputError(f"{folder}: holds no model: its batch normalisation was re-estimated on images that are not in the record")
    state, weights = imagenet(config["model"]) if config["pretrained"] else ({}, info["weights"])
    if weights["sha256"] != info["weights"]["sha256"]:
        raise InputError(
            f"{folder}: was made from the ImageNet weights {info['weights']['name']}; those at hand ({weights['name']}) are others"
        )
    state = state or resnet(config["model"], classes, None, info["seed"]).state_dict()  # a random start is drawn again
    return resnet(config["model"], classes, {key: value for key, value in state.items() if not key.startswith("fc.")} | head).to(on)


def device(name: str | None = None) -> torch.device:
    """The named device, else CUDA, else MPS, else the CPU.

    On CUDA float32 is then float32: PyTorch's default rounds what convolutions multiply to TF32's 10 bits, and a
    probability would depend on where it was computed.
    """
    torch.backends.cudnn.allow_tf32 = False
    if name:
        try:
            probe = torch.zeros(1, device=name)
            probe.cpu()  # the meta device holds no values
            return probe.device
        except (RuntimeError, AssertionError, ImportError) as error:
            raise InputError(f"device {name!r} cannot be used ({str(error).splitlines()[0]})") from None
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def precision(on: torch.device, asked: str = "auto") -> str:
    """``bfloat16`` where the hardware multiplies it faster, else ``float32``.

    A CPU does so with AMX, or with AVX-512's instructions for it, but for Intel's, which are no faster than
    float32 (an Intel Xeon and an AMD EPYC stand side by side on the book's page *How fast?*).
    Where ``asked`` is ``auto``, the environment variable ``CXR_PRECISION`` may name one of the two instead.

    Raises:
        InputError: ``asked``, or the variable, is something else.
    """
    given = "precision"
    if asked == "auto":
        given, asked = "CXR_PRECISION", os.environ.get("CXR_PRECISION") or "auto"
    if asked not in PRECISIONS:
        raise InputError(f"{given} {asked!r}: there are {', '.join(PRECISIONS)}")
    if asked != "auto":
        return asked
    if on.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if on.type == "cpu":
        amx, avx = (getattr(torch.cpu, f"_is_{name}_supported", lambda: False)() for name in ("amx_tile", "avx512_bf16"))
        return "bfloat16" if amx or (avx and not _intel()) else "float32"
    return "float32"


def _intel() -> bool:
    with contextlib.suppress(OSError):
        return "GenuineIntel" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return "Intel" in platform.processor()


def autocast(on: torch.device, kind: str) -> contextlib.AbstractContextManager:
    """Mixed precision: multiplications in ``kind``, weights and sums in float32. Nothing for ``float32``."""
    if kind == "float32":
        return contextlib.nullcontext()
    return torch.autocast(on.type, dtype=torch.bfloat16)


def describe(on: torch.device) -> dict[str, str | int]:
    """Device, its name and the CPU threads used, as a run record stores them."""
    name = torch.cuda.get_device_name(on) if on.type == "cuda" else on.type
    return {"type": on.type, "name": name, "threads": torch.get_num_threads()}
