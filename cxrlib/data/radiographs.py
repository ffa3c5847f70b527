"""Radiographs as numbers: any picture file as 8-bit grey, many decoded once into one uint8 array.

Decoding and resizing cost more than the training step that uses the image, so both are done once.
The array lies in a cache folder (``CXR_CACHE``, default ``~/.cache/cxrlib``), memory-mapped, under
a name made from the files' contents: a changed image is another array, and a second run on the same
images starts at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from cxrlib.data import dicom, pictures
from cxrlib.files import InputError, atomic, sha256

FRAME = 0.05  # width of the frame of a picture, as a share of its side
DECODER = 2  # raise when read_radiograph() changes, so that old arrays are not found


def read_radiograph(
    path: str | Path, size: int | None = None, name: str | None = None
) -> np.ndarray:
    """Read one radiograph as 8-bit grey.

    DICOM (:mod:`cxrlib.data.dicom`), PNG, JPEG and TIFF (:mod:`cxrlib.data.pictures`). The format
    is told by the content, so a wrong extension does no harm. What decides a grey value is applied
    as the format's standard says; what cannot be known is refused, and rarities are too.

    Parameters
    ----------
    path : str or Path
        The file.
    size : int, optional
        Side in pixels of the square that the picture is squashed to, bilinear with antialiasing.
    name : str, optional
        What errors call the file.

    Returns
    -------
    array of uint8, shape (H, W) or (size, size)
        0 is black, 255 white: bone is bright.

    Raises
    ------
    InputError
        No such file; an empty, truncated or otherwise undecodable one. One line that names it.

    Examples
    --------
    >>> import cxrlib
    >>> cxrlib.read_radiograph("nowhere.png")
    Traceback (most recent call last):
        ...
    cxrlib.files.InputError: nowhere.png: image file does not exist
    """
    name = name or str(path)
    with _one_line(path, name):
        image = dicom.read(path, name) if dicom.is_dicom(path) else pictures.read(path)
    return np.asarray(image) if size is None else square(image, size)


@contextlib.contextmanager
def _one_line(path: str | Path, name: str) -> Iterator[None]:
    """Whatever is wrong with a picture file as one InputError that calls it ``name``."""
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # a pipe's bytes come only once
            what = "is a folder, pipe or device; a regular file is needed"
            raise InputError(f"{name}: image file {what}")
        if os.path.getsize(path) == 0:
            raise InputError(f"{name}: image file is empty (0 bytes)")
        yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{name}: image file does not exist") from None
    except Image.UnidentifiedImageError:
        known = f"{', '.join(pictures.FORMATS)}, DICOM"
        raise InputError(f"{name}: image file is of no known image format ({known})") from None
    except Exception as error:  # a damaged file may raise anything in Pillow's readers
        what = error or type(error).__name__
        raise InputError(f"{name}: image file cannot be decoded ({what})") from None


def square(image: Image.Image, size: int) -> np.ndarray:
    """A Pillow image squashed to ``(size, size)``."""
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def stored_size(path: str | Path, name: str | None = None) -> tuple[int, int]:
    """Width and height in pixels, of PNG, JPEG and TIFF from the file's header, nothing decoded.
    :class:`InputError` as :func:`read_radiograph`.
    """
    with _one_line(path, name or str(path)):
        if dicom.is_dicom(path):
            return dicom.read(path, name or str(path)).size
        with Image.open(path, formats=pictures.FORMATS) as image:
            return image.size


def cache_folder(cache: str | Path | None = None) -> Path:
    """Where arrays are kept between runs: the argument, else ``CXR_CACHE``, else
    ``~/.cache/cxrlib``.
    """
    return Path(cache or os.environ.get("CXR_CACHE") or "~/.cache/cxrlib").expanduser()


def load(
    root: str | Path, paths: Sequence[str], size: int = 224, cache: str | Path | None = None
) -> tuple[np.ndarray, list[str]]:
    """All radiographs as one read-only memory-mapped uint8 array, shape ``(N, size, size)``, and
    each file's SHA-256.

    Args:
        root: the data folder; ``paths`` are relative to it.
        cache: folder for the array; default as :func:`cache_folder`.

    Raises:
        InputError: the first undecodable image, in one line; nothing is left in the cache then.
    """
    files = [Path(root) / path for path in paths]
    for path, file in zip(paths, files, strict=True):
        if not file.is_file():
            raise InputError(f"{path}: image file does not exist")
    with ThreadPoolExecutor() as pool:
        hashes = list(pool.map(sha256, files))
    key = hashlib.sha256(f"{DECODER},{size},{','.join(hashes)}".encode()).hexdigest()[:32]
    array = cache_folder(cache) / f"images-{key}.npy"
    if not array.is_file():
        with atomic(array) as temporary, ThreadPoolExecutor() as pool:
            pixels = np.lib.format.open_memmap(
                temporary, mode="w+", dtype=np.uint8, shape=(len(paths), size, size)
            )
            decoded = pool.map(lambda file, path: read_radiograph(file, size, path), files, paths)
            # with disable=None on a terminal alone
            bar = tqdm(decoded, "decoded", len(paths), unit="image", disable=None)
            for i, picture in enumerate(bar):
                pixels[i] = picture
            pixels.flush()
            del pixels
    return np.load(array, mmap_mode="r"), hashes


def fingerprint(image_ids: Sequence[str], hashes: Sequence[str]) -> str:
    """SHA-256 of the sorted lines ``image_id,sha256(file)``: the same for the same images, whatever
    their order.
    """
    lines = sorted(f"{name},{digest}" for name, digest in zip(image_ids, hashes, strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def grey(pixels: np.ndarray) -> np.ndarray:
    """Images as everything here takes them, uint8 ``(N, H, W)``; one image ``(H, W)`` is a row of
    one. :class:`InputError` for colour, and for numbers that are not from 0 to 255.
    """
    pixels = np.asarray(pixels)
    images = pixels[None] if pixels.ndim == 2 else pixels
    if images.ndim != 3 or images.dtype != np.uint8 or images.shape[2] == 3:
        raise InputError(
            "pixels must be grey images, uint8 (N, H, W) or one (H, W), not"
            f" {pixels.dtype} {pixels.shape}: make colour grey with PIL's image.convert('L'), round"
            " numbers to 0…255 and .astype('uint8'), or read files with cxrlib.read_radiograph"
        )
    return images


def show_part(pixels: np.ndarray, part: str = "whole") -> np.ndarray:
    """The ``whole`` images, or copies of which all but the ``frame`` or all but the ``centre`` is
    black: ``(N, H, W)`` to the same.

    The frame is :data:`FRAME` of each side wide, rounded to whole pixels.
    """
    if part == "whole":
        return pixels
    inside = np.zeros(pixels.shape[1:], bool)
    high, wide = (round(FRAME * side) for side in inside.shape)
    inside[high : len(inside) - high, wide : inside.shape[1] - wide] = True
    return np.where(inside == (part == "centre"), pixels, pixels.dtype.type(0))
