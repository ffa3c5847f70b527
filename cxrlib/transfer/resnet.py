"""Transfer learning: an ImageNet ResNet with a new last layer, its weights, and which device and
precision run it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import warnings
from pathlib import Path

import numpy as np
import torch
import torchvision
from safetensors.torch import load_file, save_file

from cxrlib.files import InputError, atomic, sha256
from cxrlib.transfer.config import NETWORKS

PRECISIONS = ("auto", "float32", "bfloat16")
IMAGENET = 1000  # classes
FLOATS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}


def imagenet(name: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """ImageNet weights in torchvision's key names, float32, and what they are (``name``,
    ``sha256``, ``note``).

    ``CXR_WEIGHTS``, a folder with one file ``<name>….safetensors``, ``.pth`` or ``.pt``, or such a
    file, comes first; otherwise torchvision's ``IMAGENET1K_V1``, from torch.hub's cache or
    downloaded. Where a name ends with digits of the file's SHA-256, as torchvision's do, they are
    checked. The note is what a README.md beside the file says of it, and empty for torchvision's.

    Raises:
        InputError: neither is to be had; or the file is damaged, or holds no weights of this
        network for ImageNet.
    """
    if name not in NETWORKS:
        raise InputError(f"model {name!r} does not exist; there are {', '.join(NETWORKS)}")
    enum = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
    if folder := os.environ.get("CXR_WEIGHTS"):
        file = _given(Path(folder), name)
        unknown = (
            "" if file.name == Path(enum.url).name else "no README.md beside it says what it is"
        )
        what = {"name": file.name, "sha256": _hashed(file), "note": _note(file) or unknown}
    else:
        file = Path(torch.hub.get_dir()) / "checkpoints" / Path(enum.url).name
        if not file.is_file():
            try:
                enum.get_state_dict(progress=True, check_hash=True)
            except Exception as error:  # no network, a proxy's page in place of the file
                raise InputError(
                    f"CXR_WEIGHTS is not set and torchvision's {name} weights cannot be had"
                    f" ({error})"
                ) from None
        what = {"name": f"torchvision {enum}", "sha256": _hashed(file), "note": ""}
    state = _state(file)
    if "fc.weight" in state and state["fc.weight"].shape[0] != IMAGENET:
        raise InputError(
            f"{file}: not ImageNet's weights: the last layer has {state['fc.weight'].shape[0]}"
            f" classes, not {IMAGENET}"
        )
    try:
        build(name, IMAGENET, state)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
    return state, what


def _given(folder: Path, name: str) -> Path:
    """The one file of a network's weights in ``CXR_WEIGHTS``."""
    if folder.is_file():
        return folder
    pattern = re.compile(rf"{name}([^0-9a-z].*)?\.(safetensors|pth|pt)", re.IGNORECASE)
    files = sorted(
        file
        for file in folder.glob("*")
        if pattern.fullmatch(file.name) and not file.name.startswith(".")
    )
    if len(files) != 1:
        found = (
            f"several: {', '.join(file.name for file in files)}; leave one"
            if files
            else f"no {name}*.safetensors and no {name}*.pth"
        )
        raise InputError(f"{folder}: CXR_WEIGHTS holds {found}")
    return files[0]


def _hashed(file: Path) -> str:
    """SHA-256 of a file; :class:`InputError` where its name has other digits (a date, such as
    20240131, is none).
    """
    found = sha256(file)
    digits = re.search(r"-([0-9a-f]{8,64})\.(pth|pt)$", file.name)
    if digits and not re.fullmatch(r"(19|20)\d{6}", digits[1]) and not found.startswith(digits[1]):
        raise InputError(
            f"{file}: its SHA-256 begins with {found[:8]}, not with {digits[1]} as its name says:"
            " damaged, cut short or another file; delete it and run this again, or fetch it anew"
        )
    return found


def _state(file: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file or of one that ``torch.save`` wrote, told apart by their
    first bytes.

    Read too: a state under ``state_dict``, ``model_state_dict`` or ``model``, and names that all
    begin alike (``module.``).
    """
    with open(file, "rb") as stream:
        begin = stream.read(64)
    if begin.startswith((b"version https://git-lfs", b"<")):
        kind = (
            "a web page"
            if begin.startswith(b"<")
            else "a pointer of Git LFS (git lfs pull fetches the file)"
        )
        raise InputError(f"{file}: {kind} in the place of weights")
    try:
        pickled = begin.startswith((b"PK", b"\x80"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = (
                torch.load(file, map_location="cpu", weights_only=True)
                if pickled
                else load_file(file)
            )
    except Exception:  # PyTorch's own line advises to load what may run code
        raise InputError(
            f"{file}: weights cannot be read: damaged, cut short, or more than tensors"
            " (delete it and fetch it anew; or save model.state_dict() alone, best as safetensors)"
        ) from None
    inner = [
        key
        for key in ("state_dict", "model_state_dict", "model")
        if isinstance(state, dict) and isinstance(state.get(key), dict)
    ]
    state = state[inner[0]] if len(inner) == 1 else state
    if (
        not isinstance(state, dict)
        or not state
        or not all(isinstance(value, torch.Tensor) for value in state.values())
    ):
        raise InputError(f"{file}: holds no plain dictionary of weights by name")
    prefixes = [
        str(key).removesuffix("conv1.weight") for key in state if str(key).endswith("conv1.weight")
    ]
    first = min(prefixes, key=len, default="")
    if first and all(str(key).startswith(first) for key in state):
        state = {key.removeprefix(first): value for key, value in state.items()}
    return _float(state)


def _float(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key: value.float() if value.dtype in FLOATS else value for key, value in state.items()}


def _note(file: Path) -> str:
    readme = file.with_name("README.md")
    if not readme.is_file():
        return ""
    rows = [
        line.strip(" |")
        for line in readme.read_text(encoding="utf-8").splitlines()
        if file.name in line
    ]
    cells = [
        re.sub(r"[*`]", "", cell).replace(file.name, "").strip()
        for row in rows
        for cell in row.split("|")
    ]
    return "; ".join(cell for cell in cells if cell)


def build(
    name: str, classes: int, state: dict[str, torch.Tensor] | None = None, seed: int = 0
) -> torch.nn.Module:
    """A torchvision ResNet whose last layer gives ``classes`` scores: ``(B, 3, 224, 224)`` to ``(B,
    classes)``.

    ``state`` is an ImageNet state (its 1,000-class layer is left out; the new one is drawn with
    ``seed``) or, when its last layer has ``classes`` rows, a trained one, taken whole.

    Raises:
        InputError: a weight is missing, unknown, of another shape or type, or no weight of a
        trained network.
    """
    if name not in NETWORKS:
        raise InputError(f"model {name!r} does not exist; there are {', '.join(NETWORKS)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = torchvision.models.get_model(name, weights=None, num_classes=classes)
    if state is not None:
        trained = state.get("fc.weight") is not None and state["fc.weight"].shape[0] == classes
        state = {key: value for key, value in state.items() if trained or not key.startswith("fc.")}
        own = model.state_dict()
        for key, value in own.items():
            if key not in state:
                if not key.endswith("num_batches_tracked") and (
                    trained or not key.startswith("fc.")
                ):
                    raise InputError(f"{name} weights: {key} is missing")
            elif state[key].shape != value.shape:
                raise InputError(
                    f"{name} weights: {key} has shape {tuple(state[key].shape)}, expected"
                    f" {tuple(value.shape)}"
                )
            else:
                _sound(f"{name} weights: {key}", state[key], value)
        unknown = sorted(set(state) - set(own))
        if unknown:
            raise InputError(f"{name} weights: {unknown[0]} is unknown")
        model.load_state_dict(state, strict=False)
    return model.to(memory_format=torch.channels_last)


def _sound(where: str, value: torch.Tensor, own: torch.Tensor) -> None:
    """:class:`InputError` for numbers that no trained network has: none at all, whole ones, all the
    same, a variance below 0.
    """
    if own.dtype in FLOATS and (
        value.dtype not in FLOATS or value.layout != torch.strided or value.is_meta
    ):
        raise InputError(
            f"{where} is stored as {str(value.dtype).removeprefix('torch.')}, not as plain"
            " floating-point numbers"
        )
    if not torch.isfinite(value).all():
        raise InputError(f"{where} holds NaN or infinity")
    if value.dim() == 4 and value.amax() == value.amin():
        raise InputError(f"{where} is {value.amax():g} throughout: not a trained network's")
    if where.endswith("running_var") and (value < 0).any():
        raise InputError(f"{where} holds a variance below 0")


def half(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Convolution and linear weights rounded to float16; batch-norm values stay float32, for their
    range is wider.
    """
    return {
        key: value.half() if value.is_floating_point() and value.dim() > 1 else value
        for key, value in state.items()
    }


def save(
    state: dict[str, torch.Tensor], path: str | Path, metadata: dict[str, str] | None = None
) -> None:
    """Write a state as safetensors, whole or not at all."""
    with atomic(path) as temporary:
        save_file(
            {key: value.detach().cpu().contiguous() for key, value in state.items()},
            temporary,
            metadata,
        )


def read(path: str | Path) -> dict[str, torch.Tensor]:
    """A state written by :func:`save`, as float32. :class:`InputError` when the file is missing or
    damaged.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: model cannot be read (no such file)")
    return _state(Path(path))


def recorded(folder: Path, info: dict, on: torch.device | str = "cpu") -> torch.nn.Module:
    """The trained network of a run record in ``folder``, whose run.json is ``info``.

    It is in ``model.safetensors``; of a frozen network ``head.npz`` holds the last layer alone, and
    the rest is what it started from.

    Raises:
        InputError: the record holds neither, or the ImageNet weights at hand are not those of the
        record.
    """
    config, classes = info["config"], len(info["classes"])
    if (file := folder / "model.safetensors").is_file():
        try:
            return build(config["model"], classes, read(file)).to(on)
        except InputError as error:
            raise InputError(f"{file}: {str(error).removeprefix(f'{file}: ')}") from None
    try:
        with np.load(folder / "head.npz", allow_pickle=False) as arrays:
            head = {f"fc.{key}": torch.from_numpy(arrays[key]) for key in ("weight", "bias")}
    except (OSError, ValueError, KeyError):
        raise InputError(
            f"{folder}: holds no model (model.safetensors, or head.npz of a frozen network)"
        ) from None
    if config["batch_norm"] != "kept":
        raise InputError(
            f"{folder}: holds no model: its batch normalisation was re-estimated on images that are"
            " not in the record"
        )
    state, weights = imagenet(config["model"]) if config["pretrained"] else ({}, info["weights"])
    if weights["sha256"] != info["weights"]["sha256"]:
        raise InputError(
            f"{folder}: was made from the ImageNet weights {info['weights']['name']}; those at hand"
            f" ({weights['name']}) are others"
        )
    state = (
        state or build(config["model"], classes, None, info["seed"]).state_dict()
    )  # a random start is drawn again
    return build(
        config["model"],
        classes,
        {key: value for key, value in state.items() if not key.startswith("fc.")} | head,
    ).to(on)


def device(name: str | None = None) -> torch.device:
    """The named device, else CUDA, else MPS, else the CPU.

    On CUDA float32 is then float32: PyTorch's default rounds what convolutions multiply to TF32's
    10 bits, and a probability would depend on where it was computed.
    """
    torch.backends.cudnn.allow_tf32 = False
    if name:
        try:
            probe = torch.zeros(1, device=name)
            probe.cpu()  # the meta device holds no values
            return probe.device
        except (RuntimeError, AssertionError, ImportError) as error:
            raise InputError(
                f"device {name!r} cannot be used ({str(error).splitlines()[0]})"
            ) from None
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def precision(on: torch.device, asked: str = "auto") -> str:
    """``bfloat16`` where the hardware multiplies it faster, else ``float32``.

    A CPU does so with AMX, or with AVX-512's instructions for it, but for Intel's, which are no
    faster than float32 (an Intel Xeon and an AMD EPYC stand side by side on the book's page *How
    fast?*). Where ``asked`` is ``auto``, the environment variable ``CXR_PRECISION`` may name one of
    the two instead.

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
        amx, avx = (
            getattr(torch.cpu, f"_is_{name}_supported", lambda: False)()
            for name in ("amx_tile", "avx512_bf16")
        )
        return "bfloat16" if amx or (avx and not _intel()) else "float32"
    return "float32"


def _intel() -> bool:
    with contextlib.suppress(OSError):
        return "GenuineIntel" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return "Intel" in platform.processor()


def autocast(on: torch.device, kind: str) -> contextlib.AbstractContextManager:
    """Mixed precision: multiplications in ``kind``, weights and sums in float32. Nothing for
    ``float32``.
    """
    if kind == "float32":
        return contextlib.nullcontext()
    return torch.autocast(on.type, dtype=torch.bfloat16)


def describe(on: torch.device) -> dict[str, str | int]:
    """Device, its name and the CPU threads used, as a run record stores them."""
    name = torch.cuda.get_device_name(on) if on.type == "cuda" else on.type
    return {"type": on.type, "name": name, "threads": torch.get_num_threads()}
