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
from cxrlib.transfer import augment
from cxrlib.transfer.config import NETWORKS

PRECISIONS = ("auto", "float32", "bfloat16")
IMAGENET = 1000  # classes
FLOATS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}


def imagenet(name: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """ImageNet weights in torchvision's key names, float32, and what they are (``name``,
    ``sha256``, ``note``).

    ``CXR_WEIGHTS``, a folder with one file ``<name>….safetensors``, ``.pth`` or ``.pt``, comes
    first; otherwise torchvision's ``IMAGENET1K_V1``, from torch.hub's cache or
    downloaded. Where a name ends with digits of the file's SHA-256, as torchvision's do, they are
    checked. The note is what a README.md beside the file says of it, and empty for torchvision's.

    Raises:
        InputError: neither is to be had; or the file is damaged, or holds no weights of this
        network for ImageNet.
    """
    _known(name)
    enum = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
    if folder := os.environ.get("CXR_WEIGHTS"):
        file = _given(Path(folder), name)
        called, note = file.name, _note(file)
        if not note and file.name != Path(enum.url).name:
            note = "no README.md beside it says what it is"
    else:
        file, called, note = _downloaded(enum), f"torchvision {enum}", ""
    digest = _hashed(file)
    state, _ = _network(file, name, IMAGENET)
    if "fc.weight" in state and len(state["fc.weight"]) != IMAGENET:
        found = f"the last layer has {len(state['fc.weight'])} classes, not {IMAGENET}"
        raise InputError(f"{file}: not ImageNet's weights: {found}")
    return state, {"name": called, "sha256": digest, "note": note}


def _known(name: str) -> None:
    if name not in NETWORKS:
        raise InputError(f"model {name!r} does not exist; there are {', '.join(NETWORKS)}")


def _given(folder: Path, name: str) -> Path:
    """The one file of a network's weights in ``CXR_WEIGHTS``."""
    pattern = re.compile(rf"{name}([^0-9a-z].*)?\.(safetensors|pth|pt)", re.IGNORECASE)
    files = sorted(file for file in folder.glob("*") if pattern.fullmatch(file.name))
    if len(files) == 1:
        return files[0]
    several = f"several: {', '.join(file.name for file in files)}; leave one"
    found = several if files else f"no {name}*.safetensors and no {name}*.pth"
    raise InputError(f"{folder}: CXR_WEIGHTS holds {found}")


def _downloaded(enum) -> Path:
    """torchvision's file in torch.hub's cache, fetched where it is not there."""
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(enum.url).name
    try:
        if not file.is_file():
            enum.get_state_dict(progress=True, check_hash=True)
    except Exception as error:  # no network, a proxy's page in place of the file
        what = f"torchvision's {file.name} cannot be had ({error})"
        raise InputError(f"CXR_WEIGHTS is not set and {what}") from None
    return file


def _hashed(file: Path) -> str:
    """SHA-256 of a file; :class:`InputError` where its name has other digits (a date, such as
    20240131, is none).
    """
    found = sha256(file)
    digits = re.search(r"-(?!(?:19|20)\d{6}\.)([0-9a-f]{8,64})\.(pth|pt)$", file.name)
    if digits and not found.startswith(digits[1]):
        raise InputError(
            f"{file}: its SHA-256 begins with {found[:8]}, not with {digits[1]} as its name says:"
            " damaged, cut short or another file; delete it and run this again, or fetch it again"
        )
    return found


def _note(file: Path) -> str:
    """What the lines of a README.md beside a file that name it say of it, cell by cell."""
    readme = file.with_name("README.md")
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    rows = [row.replace(file.name, "") for row in text.splitlines() if file.name in row]
    cells = [re.sub(r"[*`]", "", cell).strip() for row in rows for cell in row.split("|")]
    return "; ".join(cell for cell in cells if cell)


def read(path: str | Path) -> dict[str, torch.Tensor]:
    """The weights in a safetensors file or in one that ``torch.save`` wrote, told apart by their
    first bytes; as float32. :class:`InputError` when the file is missing, damaged or no plain
    ``state_dict``.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: model cannot be read (no such file)")
    with open(path, "rb") as stream:
        begin = stream.read(2)
    try:
        if begin in (b"PK", b"\x80\x02"):
            with warnings.catch_warnings(action="ignore"):
                state = torch.load(path, map_location="cpu", weights_only=True)
        else:
            state = load_file(path)
    except Exception:  # PyTorch's own line advises to load what may run code
        raise InputError(
            f"{path}: weights cannot be read: damaged, cut short, a pointer of Git LFS, a web page,"
            " or more than tensors (delete it and fetch it again; or save model.state_dict() alone)"
        ) from None
    values = state.values() if isinstance(state, dict) else ()
    if not values or not all(isinstance(value, torch.Tensor) for value in values):
        how = "save model.state_dict() of the network itself, and nothing else"
        raise InputError(f"{path}: holds no plain dictionary of weights by name; {how}")
    return {key: value.float() if value.dtype in FLOATS else value for key, value in state.items()}


def _network(file: Path, name: str, classes: int) -> tuple[dict, torch.nn.Module]:
    """The weights in a file, and the network that they make."""
    state = read(file)
    try:
        return state, build(name, classes, state)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None


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
    _known(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = torchvision.models.get_model(name, weights=None, num_classes=classes)
    if state is not None:
        if "fc.weight" not in state or state["fc.weight"].shape[:1] != (classes,):
            state = {key: value for key, value in state.items() if not key.startswith("fc.")}
            state |= {f"fc.{key}": value for key, value in model.fc.state_dict().items()}
        for key, value in state.items():
            if flaw := _flaw(key, value):
                raise InputError(f"{name} weights: {key} {flaw}")
        try:
            missing, unknown = model.load_state_dict(state, strict=False)
        except RuntimeError as error:  # its first line says whose error it is
            raise InputError(f"{name} weights: {str(error).splitlines()[1]}") from None
        if missing or unknown:
            found = f"{missing[0]} is missing" if missing else f"{unknown[0]} is unknown"
            raise InputError(f"{name} weights: {found}")
    return model.to(memory_format=torch.channels_last)


def _flaw(key: str, value: torch.Tensor) -> str:
    """What no weight of a trained network is: whole numbers, none at all, all the same, a variance
    below 0.
    """
    if key.endswith("num_batches_tracked"):
        return ""
    if value.dtype not in FLOATS or value.layout != torch.strided or value.is_meta:
        kind = str(value.dtype).removeprefix("torch.")
        return f"is stored as {kind}, not as plain floating-point numbers"
    if not torch.isfinite(value).all():
        return "holds NaN or infinity"
    if value.dim() == 4 and value.amax() == value.amin():
        return f"is {value.amax():g} throughout: not a trained network's"
    if key.endswith("running_var") and (value < 0).any():
        return "holds a variance below 0"
    return ""


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
    tensors = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata)


def recorded(folder: Path, info: dict, on: torch.device | str = "cpu") -> torch.nn.Module:
    """The trained network of a run record in ``folder``, whose run.json is ``info``.

    It is in ``model.safetensors``; of a frozen network ``head.npz`` holds the last layer alone, and
    the rest is what it started from.

    Raises:
        InputError: the record holds neither, or the ImageNet weights here are not those of the
        record.
    """
    config, classes = info["config"], len(info["classes"])
    if (file := folder / "model.safetensors").is_file():
        return _network(file, config["model"], classes)[1].to(on)
    none = f"{folder}: holds no model"
    try:
        with np.load(folder / "head.npz", allow_pickle=False) as arrays:
            head = {f"fc.{key}": torch.from_numpy(arrays[key]) for key in ("weight", "bias")}
    except (OSError, ValueError, KeyError):
        raise InputError(f"{none} (model.safetensors, or head.npz of a frozen network)") from None
    if config["batch_norm"] != "kept":
        why = "its batch normalisation was re-estimated on images that are not in the record"
        raise InputError(f"{none}: {why}")
    if not config["pretrained"]:  # a random start is drawn again
        state = build(config["model"], classes, None, info["seed"]).state_dict()
        return build(config["model"], classes, state | head).to(on)
    state, weights = imagenet(config["model"])
    if weights["sha256"] != info["weights"]["sha256"]:
        raise InputError(
            f"{folder}: was made from the ImageNet weights {info['weights']['name']}; those here"
            f" ({weights['name']}) are others"
        )
    return build(config["model"], classes, state | head).to(on)


def device(name: str | None = None) -> torch.device:
    """The named device, else the GPU that PyTorch finds, else the CPU.

    On CUDA float32 is then float32: PyTorch's default rounds what convolutions multiply to TF32's
    10 bits, and a probability would depend on where it was computed.
    """
    torch.backends.cudnn.allow_tf32 = False
    if not name:
        gpu = torch.accelerator.current_accelerator(check_available=True)
        return gpu or torch.device("cpu")
    try:
        probe = torch.zeros(1, device=name)
        probe.cpu()  # the meta device holds no values
        return probe.device
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device {name!r} cannot be used ({reason})") from None


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
    faster = on.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    if on.type == "cpu":
        amx = getattr(torch.cpu, "_is_amx_tile_supported", bool)()
        avx = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
        faster = amx or (avx and not _intel())
    return "bfloat16" if faster else "float32"


def _intel() -> bool:
    with contextlib.suppress(OSError):
        return "GenuineIntel" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return "Intel" in platform.processor()


def autocast(on: torch.device, kind: str) -> contextlib.AbstractContextManager:
    """Mixed precision: multiplications in ``kind``, weights and sums in float32. Nothing for
    ``float32``.
    """
    return torch.autocast(on.type, dtype=torch.bfloat16, enabled=kind == "bfloat16")


@torch.no_grad()
def scores(
    model: torch.nn.Module,
    pixels: np.ndarray,
    on: torch.device | str = "cpu",
    batch: int = 64,
    kind: str = "float32",
) -> torch.Tensor:
    """What a network gives for uint8 images ``(N, H, W)``, or its last layer for features ``(N,
    D)``: float32 ``(N, K)`` on the CPU. Evaluation mode, not augmented.
    """
    model.eval()
    found = []
    for start in range(0, max(1, len(pixels)), batch):
        with autocast(torch.device(on), kind):
            given = model(augment.prepare(pixels[start : start + batch], on))
        found.append(given.float().cpu())
    return torch.cat(found)


def describe(on: torch.device) -> dict[str, str | int]:
    """Device, its name and the CPU threads used, as a run record stores them."""
    name = torch.cuda.get_device_name(on) if on.type == "cuda" else on.type
    return {"type": on.type, "name": name, "threads": torch.get_num_threads()}
