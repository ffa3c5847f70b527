"""Radiographs as numbers: decoded once into one uint8 array, augmented and normalised in batches.

Decoding and resizing cost more than the training step that uses the image, so both are done once.
The array lies in a cache folder (``CXR_CACHE``, default ``~/.cache/cxrlib``), memory-mapped, under
a name made from the files' contents: a changed image is another array, and a second run on the same
images starts at once.
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
from PIL import Image

from cxrlib.data import dicom, pictures
from cxrlib.data.dicom import (is_dicom as is_dicom)
from cxrlib.files import (InputError, atomic, sha256)

DECODER = 2  # raise when decode() changes, so that old arrays are not found
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def read_image(path: str | Path, name: str | None = None) -> Image.Image:
    """One radiograph as a Pillow image of mode ``L`` (8-bit grey) at its own size.

    DICOM (:func:`cxrlib.data.dicom.read`) or another picture file
    (:func:`cxrlib.data.pictures.read`). The format is told by the content, so a wrong extension
    does no harm; ``.dcm`` or ``.dicom`` is needed only by DICOM without its mark. What decides a
    grey value is applied as the format's standard says; what cannot be known is refused. ``name``
    replaces the path in errors.

    Raises:
        InputError: no such file, an empty, truncated or otherwise undecodable one. One line
            naming the file.
    """
    name = name or str(path)
    try:
        pictures.regular(path, name)
        if os.path.getsize(path) == 0:
            raise InputError(f"{name}: image file is empty (0 bytes)")
        if is_dicom(path):
            return dicom.read(path, name)
        return pictures.read(path)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{name}: image file does not exist") from None
    except Image.UnidentifiedImageError:
        if Path(path).suffix.lower() in {".dcm", ".dicom"}:
            return dicom.read(path, name)
        raise InputError(f"{name}: image file is of no known image format") from None
    except Exception as error:  # a damaged file may raise anything in Pillow's readers
        what = error or type(error).__name__
        raise InputError(f"{name}: image file cannot be decoded ({what})") from None


def square(image: Image.Image, size: int) -> np.ndarray:
    """A Pillow image as ``(size, size)``, squashed to a square by bilinear resampling with
    antialiasing.
    """
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def decode(path: str | Path, size: int, name: str | None = None) -> np.ndarray:
    """One radiograph as uint8, shape ``(size, size)``: :func:`read_image`, then :func:`square`.
    Errors as there.
    """
    return square(read_image(path, name), size)


def stored_size(path: str | Path, name: str | None = None) -> tuple[int, int]:
    """Width and height in pixels from the file's header, nothing decoded. :class:`InputError` as
    :func:`decode`.
    """
    try:
        pictures.regular(path, name)
        with Image.open(path, formats=pictures.FORMATS) as image:
            return image.size
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{name or path}: image file cannot be opened ({error})") from None


def cache_folder(cache: str | Path | None = None) -> Path:
    """Where arrays are kept between runs: the argument, else ``CXR_CACHE``, else
    ``~/.cache/cxrlib``.

    Raises:
        InputError: it cannot be made or written.
    """
    folder = Path(cache or os.environ.get("CXR_CACHE") or Path("~/.cache/cxrlib").expanduser())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise InputError(
            f"{folder}: decoded images cannot be kept there ({error.strerror}); CXR_CACHE names"
            " another folder"
        ) from None
    return folder


def load(
    root: str | Path, paths: Sequence[str], size: int = 224, cache: str | Path | None = None
) -> tuple[np.ndarray, list[str]]:
    """All radiographs as one read-only memory-mapped uint8 array, shape ``(N, size, size)``, and
    each file's SHA-256.

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
            array = np.lib.format.open_memmap(
                temporary, mode="w+", dtype=np.uint8, shape=(len(paths), size, size)
            )
            with ThreadPoolExecutor() as pool:
                for i, pixels in enumerate(
                    pool.map(lambda path: decode(root / path, size, path), paths)
                ):
                    array[i] = pixels
            array.flush()
            del array
    return np.load(file, mmap_mode="r"), hashes


def fingerprint(image_ids: Sequence[str], hashes: Sequence[str]) -> str:
    """SHA-256 of the sorted lines ``image_id,sha256(file)``: the same for the same images, whatever
    their order.
    """
    lines = sorted(
        f"{image_id},{digest}" for image_id, digest in zip(image_ids, hashes, strict=True)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def normalise(x: torch.Tensor) -> torch.Tensor:
    """Grey ``(B, 1, H, W)`` in 0…1 to what ImageNet networks expect: three equal channels ``(B, 3,
    H, W)``, standardised per channel.
    """
    mean = x.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = x.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
    return (x - mean) / std


def to_tensor(pixels: np.ndarray, device: torch.device | str = "cpu") -> torch.Tensor:
    """uint8 ``(B, H, W)`` to float32 ``(B, 1, H, W)`` in 0…1."""
    return torch.from_numpy(np.array(pixels)).to(device).unsqueeze(1).float() / 255.0


def prepare(pixels: np.ndarray, device: torch.device | str = "cpu") -> torch.Tensor:
    """uint8 ``(B, H, W)`` as a network takes it when nothing is augmented: ``(B, 3, H, W)``,
    standardised, channels last.
    """
    return normalise(to_tensor(pixels, device)).contiguous(memory_format=torch.channels_last)


def affine(
    angle: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, flip: torch.Tensor
) -> torch.Tensor:
    """Sampling matrices ``(B, 2, 3)`` for :func:`torch.nn.functional.affine_grid` on square images.

    The image is flipped (``flip`` true), scaled by ``scale`` and rotated by ``angle`` radians
    clockwise about its centre, then moved by ``shift`` ``(B, 2)``, in shares of the side, right and
    down. The sampling matrix maps output to input, so it is the inverse: ``x_in = F S⁻¹ R⁻¹ (x_out
    - t)``, with ``t = 2 shift`` as the grid runs from -1 to 1.
    """
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    linear = torch.stack([torch.stack([cos, sin], 1), torch.stack([-sin, cos], 1)], 1)  # (B, 2, 2)
    mirror = torch.where(flip, -1.0, 1.0)
    linear = torch.stack([linear[:, 0] * mirror[:, None], linear[:, 1]], 1)
    return torch.cat([linear, -linear @ (2.0 * shift)[:, :, None]], 2)


def augment(
    x: torch.Tensor,
    rng: torch.Generator,
    *,
    rotate: float,
    scale: tuple[float, float],
    translate: float,
    hflip: float,
) -> torch.Tensor:
    """Turn, scale, shift and mirror each image at random; outside the picture is black. ``(B, 1, H,
    W)`` to the same.

    Args:
        rng: a CPU generator, so that the same seed gives the same draws on every device. rotate:
        largest angle, degrees, either way. scale: lowest and highest factor. translate: largest
        shift, share of the side, either way and axis. hflip: probability of a mirror image.
    """
    u = torch.rand(
        len(x), 5, generator=rng
    )  # drawn even where unused: a changed setting leaves the others' draws alone
    angle = (2 * u[:, 0] - 1) * math.radians(rotate)
    factor = scale[0] + u[:, 1] * (scale[1] - scale[0])
    shift = (2 * u[:, 2:4] - 1) * translate
    matrix = affine(angle, factor, shift, u[:, 4] < hflip).to(x.device)
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
