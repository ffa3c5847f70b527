"""Radiographs as numbers: decoded once into one uint8 array, augmented and normalised in batches.

Decoding and resizing cost more than the training step that uses the image, so both are done once. The array lies in a
cache folder (``CXR_CACHE``, default ``~/.cache/cxrlib``), memory-mapped, under a name made from the files' contents:
a changed image is another array, and a second run on the same images starts at once.
"""

from __future__ import annotations

import errno
import hashlib
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps

from cxrlib.files import InputError, atomic, sha256

DECODER = 1  # raise when decode() changes, so that old arrays are not found
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
DEPTHS = (8, 10, 12, 14, 16)  # bits per pixel that detectors deliver


def grey(image: Image.Image) -> Image.Image:
    """Any Pillow image as 8-bit grey.

    More than 8 bits are scaled by the smallest usual depth (8, 10, 12, 14, 16) that holds the largest value, since a
    12-bit detector's image is stored in 16. Colour (RGB, CMYK, palette) becomes ITU-R 601 luma, transparency black.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode in {"I;16", "I;16B", "I;16L", "I", "F"}:
        pixels = np.asarray(image).astype(np.float64)
        top = pixels.max(initial=0)
        if not np.isfinite(pixels).all() or pixels.min(initial=0) < 0 or top > 65535:
            raise ValueError(f"pixel values outside 0 to 65535 (mode {image.mode})")
        full = next(2**bits - 1 for bits in DEPTHS if top <= 2**bits - 1)
        return Image.fromarray(np.rint(pixels * (255.0 / full)).astype(np.uint8))
    if image.mode in {"LA", "PA", "RGBA", "La", "RGBa"} or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    if image.mode not in {"L", "RGB"}:
        image = image.convert("RGB")
    return image.convert("L")


def is_dicom(path: str | Path) -> bool:
    """True for a file with DICOM's mark, ``DICM`` after 128 bytes."""
    with open(path, "rb") as file:
        return file.read(132)[128:] == b"DICM"


def _dicom(path: str | Path, name: str) -> Image.Image:
    """A DICOM radiograph as 8-bit grey: rescaled, then its VOI LUT or first window laid over black to white, else lowest to highest value.

    Values outside the window saturate. Low is black in MONOCHROME2 and white in MONOCHROME1. Colour becomes ITU-R 601 luma.
    """
    try:
        import pydicom
        from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_windowing
    except ImportError:
        raise InputError(f"{name}: image file is DICOM; reading it needs pydicom: pip install pydicom") from None
    try:
        ds = pydicom.dcmread(path, force=True)
        if not any(word in ds for word in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
            raise ValueError("it holds no PixelData, or was cut off before it")
        if int(ds.get("NumberOfFrames") or 1) > 1:
            raise ValueError(f"it holds {ds.NumberOfFrames} frames, not one radiograph")
        if not 0 < ds.Rows * ds.Columns <= 2 * (Image.MAX_IMAGE_PIXELS or math.inf):  # Pillow's own limit for other formats
            raise ValueError(f"a size of {ds.Columns} x {ds.Rows} pixels")
        values = ds.pixel_array  # (H, W), or (H, W, 3) of RGB
        if not ds.PhotometricInterpretation.startswith("MONOCHROME"):
            values = apply_color_lut(values, ds) if ds.PhotometricInterpretation == "PALETTE COLOR" else values
            full = 2 ** (8 * values.itemsize if ds.PhotometricInterpretation == "PALETTE COLOR" else ds.BitsStored) - 1
            return Image.fromarray(np.rint(values * (255.0 / full)).astype(np.uint8)).convert("L")
        values = apply_modality_lut(values, ds).astype(np.float64)
        low, high = values.min(), values.max()
        if ds.get("VOILUTSequence"):  # by hand: pydicom's own indices overflow in a table of many 8-bit entries
            entries, first, bits = ds.VOILUTSequence[0].LUTDescriptor
            table = ds.VOILUTSequence[0].LUTData
            table = np.frombuffer(table, "<u2" if ds.original_encoding[1] else ">u2") if isinstance(table, bytes) else np.array(table)
            values = table[np.clip(values - first, 0, (entries or 2**16) - 1).astype(int)].astype(np.float64)
            low, high = 0, 2**bits - 1
        elif None not in (ds.get("WindowCenter"), ds.get("WindowWidth")):
            with np.errstate(over="ignore"):
                windowed = apply_windowing(np.append(values, [-1e30, 1e30]), ds)  # the last two tell what it gives outside the window
            values, (low, high) = windowed[:-2].reshape(values.shape), windowed[-2:]
        if not np.isfinite(values).all():
            raise ValueError("pixel values that are no numbers")
        share = np.clip((values - low) / ((high - low) or 1), 0, 1)
        return Image.fromarray(np.rint(255 * (1 - share if ds.PhotometricInterpretation == "MONOCHROME1" else share)).astype(np.uint8))
    except Exception as error:  # a damaged file may raise anything in pydicom
        raise InputError(f"{name}: image file is DICOM and cannot be decoded ({error or type(error).__name__})") from None


def read_image(path: str | Path, name: str | None = None) -> Image.Image:
    """One radiograph as a Pillow image of mode ``L`` (8-bit grey) at its own size: DICOM, or what Pillow reads.

    The format is told by the content, so a wrong extension does no harm; ``.dcm`` is needed only by DICOM without its
    mark. ``name`` replaces the path in errors.

    Raises:
        InputError: no such file, an empty, truncated or otherwise undecodable one. One line naming the file.
    """
    name = name or str(path)
    try:
        if os.path.getsize(path) == 0:
            raise InputError(f"{name}: image file is empty (0 bytes)")
        if is_dicom(path):
            return _dicom(path, name)
        with Image.open(path) as image:
            return grey(image)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{name}: image file does not exist") from None
    except Image.UnidentifiedImageError:
        if Path(path).suffix.lower() == ".dcm":
            return _dicom(path, name)
        raise InputError(f"{name}: image file is of no known image format") from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise InputError(f"{name}: image file cannot be decoded ({error})") from None


def square(image: Image.Image, size: int) -> np.ndarray:
    """A Pillow image as ``(size, size)``, squashed to a square by bilinear resampling with antialiasing."""
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def decode(path: str | Path, size: int, name: str | None = None) -> np.ndarray:
    """One radiograph as uint8, shape ``(size, size)``: :func:`read_image`, then :func:`square`. Errors as there."""
    return square(read_image(path, name), size)


def stored_size(path: str | Path, name: str | None = None) -> tuple[int, int]:
    """Width and height in pixels from the file's header, nothing decoded. :class:`InputError` as :func:`decode`."""
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{name or path}: image file cannot be opened ({error})") from None


def cache_folder(cache: str | Path | None = None) -> Path:
    """Where arrays are kept between runs: the argument, else ``CXR_CACHE``, else ``~/.cache/cxrlib``.

    Raises:
        InputError: it cannot be made or written.
    """
    folder = Path(cache or os.environ.get("CXR_CACHE") or Path("~/.cache/cxrlib").expanduser())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise InputError(f"{folder}: decoded images cannot be kept there ({error.strerror}); CXR_CACHE names another folder") from None
    return folder


def load(root: str | Path, paths: Sequence[str], size: int = 224, cache: str | Path | None = None) -> tuple[np.ndarray, list[str]]:
    """All radiographs as one read-only memory-mapped uint8 array, shape ``(N, size, size)``, and each file's SHA-256.

    Args:
        root: the data folder; ``paths`` are relative to it.
        cache: folder for the array; default ``CXR_CACHE``, else ``~/.cache/cxrlib``.

    Raises:
        InputError: the first undecodable image, in one line; nothing is left in the cache then.
    """
    root = Path(root)
    for path in paths:
        if not (root / path).is_file():
            raise InputError(f"{path}: image file does not exist")
    with ThreadPoolExecutor() as pool:
        hashes = list(pool.map(lambda path: sha256(root / path), paths))
    key = hashlib.sha256(f"{DECODER},{size},{','.join(hashes)}".encode()).hexdigest()[:32]
    file = cache_folder(cache) / f"images-{key}.npy"
    if not file.is_file():
        with atomic(file) as temporary:
            array = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=(len(paths), size, size))
            with ThreadPoolExecutor() as pool:
                for i, pixels in enumerate(pool.map(lambda path: decode(root / path, size, path), paths)):
                    array[i] = pixels
            array.flush()
            del array
    return np.load(file, mmap_mode="r"), hashes


def fingerprint(image_ids: Sequence[str], hashes: Sequence[str]) -> str:
    """SHA-256 of the sorted lines ``image_id,sha256(file)``: the same for the same images, whatever their order."""
    lines = sorted(f"{image_id},{digest}" for image_id, digest in zip(image_ids, hashes, strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def normalise(x: torch.Tensor) -> torch.Tensor:
    """Grey ``(B, 1, H, W)`` in 0…1 to what ImageNet networks expect: three equal channels ``(B, 3, H, W)``, standardised per channel."""
    mean = x.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = x.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
    return (x - mean) / std


def to_tensor(pixels: np.ndarray, device: torch.device | str = "cpu") -> torch.Tensor:
    """uint8 ``(B, H, W)`` to float32 ``(B, 1, H, W)`` in 0…1."""
    return torch.from_numpy(np.array(pixels)).to(device).unsqueeze(1).float() / 255.0


def prepare(pixels: np.ndarray, device: torch.device | str = "cpu") -> torch.Tensor:
    """uint8 ``(B, H, W)`` as a network takes it when nothing is augmented: ``(B, 3, H, W)``, standardised, channels last."""
    return normalise(to_tensor(pixels, device)).contiguous(memory_format=torch.channels_last)


def affine(angle: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, flip: torch.Tensor) -> torch.Tensor:
    """Sampling matrices ``(B, 2, 3)`` for :func:`torch.nn.functional.affine_grid` on square images.

    The image is flipped (``flip`` true), scaled by ``scale`` and rotated by ``angle`` radians clockwise about its
    centre, then moved by ``shift`` ``(B, 2)``, in shares of the side, right and down. The sampling matrix maps output
    to input, so it is the inverse: ``x_in = F S⁻¹ R⁻¹ (x_out - t)``, with ``t = 2 shift`` as the grid runs from -1 to 1.
    """
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    linear = torch.stack([torch.stack([cos, sin], 1), torch.stack([-sin, cos], 1)], 1)  # (B, 2, 2)
    mirror = torch.where(flip, -1.0, 1.0)
    linear = torch.stack([linear[:, 0] * mirror[:, None], linear[:, 1]], 1)
    return torch.cat([linear, -linear @ (2.0 * shift)[:, :, None]], 2)


def augment(
    x: torch.Tensor, rng: torch.Generator, *, rotate: float, scale: tuple[float, float], translate: float, hflip: float
) -> torch.Tensor:
    """Turn, scale, shift and mirror each image at random; outside the picture is black. ``(B, 1, H, W)`` to the same.

    Args:
        rng: a CPU generator, so that the same seed gives the same draws on every device.
        rotate: largest angle, degrees, either way. scale: lowest and highest factor.
        translate: largest shift, share of the side, either way and axis. hflip: probability of a mirror image.
    """
    u = torch.rand(len(x), 5, generator=rng)  # drawn even where unused: a changed setting leaves the others' draws alone
    angle = (2 * u[:, 0] - 1) * math.radians(rotate)
    factor = scale[0] + u[:, 1] * (scale[1] - scale[0])
    shift = (2 * u[:, 2:4] - 1) * translate
    matrix = affine(angle, factor, shift, u[:, 4] < hflip).to(x.device)
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
