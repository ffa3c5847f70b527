"""What the audits do to pictures, uint8 ``(N, H, W)``, and which part of them is lung."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, JpegImagePlugin

from cxrlib import occlusion
from cxrlib.data import lungs, radiographs
from cxrlib.files import InputError

ARMS = {  # of the black-out audit
    "square-black": "A square in the middle is black",
    "rest-black": "All but that square is black",
}
SIZES = [share / 10 for share in range(1, 10)]  # of the square, as a share of the picture's side
Arms = Iterator[tuple[dict, np.ndarray]]  # what was done, and the pictures after it


def blacked(pixels: np.ndarray, arm: str, size: float) -> np.ndarray:
    """A centred square black, or all but it, as :data:`ARMS` says."""
    return occlusion.black_out(pixels, size, rest=arm == "rest-black")


def lung_arms(
    pixels: np.ndarray, regions: np.ndarray, fills=occlusion.FILLS, controls=occlusion.FILLS
) -> Arms:
    """The lungs covered, and all but them; for the fills among ``controls`` also the same area
    elsewhere, and all but that. ``regions`` are bool ``(N, H, W)``.
    """
    moved = occlusion.elsewhere(regions)
    for part, fill, control in product(("lungs", "rest"), fills, (0, 1)):
        if not control or fill in controls:
            region = moved if control else regions
            changed = occlusion.cover(pixels, region if part == "lungs" else ~region, fill)
            yield {"part": part, "fill": fill, "control": control}, changed


def mark_arms(pixels: np.ndarray) -> Arms:
    """Each mark, and its control."""
    for kind, control in product(occlusion.MARKS, (0, 1)):
        changed = occlusion.mark(pixels, kind, control=bool(control))
        yield {"mark": kind, "control": control}, changed


def lungs_of(image_ids: pd.Series, size: int, root: Path) -> dict[str, tuple[str, np.ndarray]]:
    """Where the lungs are, of the images of which it is known: ``lung mask`` or else ``lung box``,
    and the region, bool ``(size, size)``.
    """
    found = lungs.regions(image_ids, size, root)
    kinds = ("lung box", "lung mask")  # a mask takes the place of a box
    each = [(image, kind) for kind in kinds for image in found.get(kind, {})]
    return {image: (kind, found[kind][image]) for image, kind in each if found[kind][image].any()}


def stored_like(pixels: np.ndarray, files: Iterable[Path]) -> np.ndarray:
    """Pictures ``(N, H, W)`` stored as JPEG the way most of the files are, and read again:
    quantisation tables, colour and sampling. :class:`InputError` where no file is a JPEG.
    """
    ways: Counter = Counter()
    for file in files:
        with Image.open(file) as image:
            if isinstance(image, JpegImagePlugin.JpegImageFile):
                tables = tuple(tuple(image.quantization[key]) for key in sorted(image.quantization))
                ways[image.mode, JpegImagePlugin.get_sampling(image), tables] += 1
    if not ways:
        raise InputError("the pictures that others are to be stored like: none is a JPEG")
    (mode, sampling, tables), _ = ways.most_common(1)[0]
    again = np.empty_like(pixels)
    for place, picture in enumerate(pixels):
        stored, how = io.BytesIO(), {"qtables": [*map(list, tables)], "subsampling": sampling}
        Image.fromarray(picture).convert(mode).save(stored, "JPEG", **how)
        again[place] = Image.open(stored).convert("L")
    return again


def matched(pixels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Pictures whose grey values are shared out as ``counts`` (256) are: each grey becomes the one
    that is reached there by the same share of pixels.
    """
    greys = np.flatnonzero(counts)
    wanted = np.cumsum(counts)[greys] / counts.sum()
    again = np.empty_like(pixels)
    for place, picture in enumerate(pixels):
        reached = np.cumsum(np.bincount(picture.ravel(), minlength=256)) / picture.size
        again[place] = np.interp(reached, wanted, greys).round().astype(np.uint8)[picture]
    return again


def reduced(pixels: np.ndarray, side: int) -> np.ndarray:
    """Pictures reduced to ``side`` pixels and enlarged again, bilinear."""
    pictures, full = map(Image.fromarray, pixels), pixels.shape[1]
    small = (Image.fromarray(radiographs.square(picture, side)) for picture in pictures)
    return np.stack([radiographs.square(picture, full) for picture in small])
