"""PNG, JPEG and TIFF as 8-bit grey, by Pillow and what it leaves out.

Pillow does not invert a TIFF of 16 bits in which white is zero, and has no opinion on how bright a
value of 12 bits is that lies in 16.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

FORMATS = ("PNG", "JPEG", "TIFF")  # Pillow's names
MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}  # of 8 bits a channel
DEPTHS = (8, 10, 12, 14, 16)  # bits per pixel that detectors deliver
BITS, WHITE_IS_ZERO, NUMBERS = 258, 262, 339  # tags of TIFF


def read(path: str | Path) -> Image.Image:
    """A file of one of :data:`FORMATS` as a Pillow image of mode ``L``, turned upright.

    Grey of 16 bits is scaled by the smallest usual depth (8, 10, 12, 14, 16) that holds the largest
    value, since a 12-bit detector's image is stored in 16. Colour (RGB, CMYK, palette) becomes
    ITU-R 601 luma. Gamma and colour profiles are not obeyed.

    Raises:
        ValueError: several pictures, colour of 16 bits a channel, transparency, a TIFF of signed
            numbers, fractions or a palette; and whatever Pillow raises for a damaged file.
    """
    with Image.open(path, formats=FORMATS) as image:
        tags, pages = getattr(image, "tag_v2", {}), getattr(image, "n_frames", 1)
        if pages > 1 and image.format != "MPO":  # a photograph and its preview
            raise ValueError(f"it holds {pages} pictures, not one radiograph")
        layout = image.tile[0].args if image.tile else ""
        wide = 16 in np.atleast_1d(tags.get(BITS, 8)) or str(layout).endswith(";16B")
        deep = image.mode.startswith("I;16")
        signed = set(tags.get(NUMBERS, [1])) != {1}
        if signed or not (deep or image.mode in MODES) or (tags and image.mode == "P"):
            raise ValueError(f"numbers of an unusual kind (Pillow's mode {image.mode})")
        if wide and not deep:
            raise ValueError("colour or transparency of 16 bits a channel; one of grey is needed")
        image = ImageOps.exif_transpose(image)
    if "transparency" in image.info or _see_through(image):
        raise ValueError("some of it is transparent")
    if deep:
        pixels = np.asarray(image)
        depth = next(depth for depth in DEPTHS if pixels.max(initial=0) < 2**depth)
        share = pixels / (2**depth - 1)
        share = 1 - share if tags.get(WHITE_IS_ZERO) == 0 else share
        return Image.fromarray(np.rint(255 * share).astype(np.uint8))
    return (image if image.mode == "L" else image.convert("RGB")).convert("L")


def _see_through(image: Image.Image) -> bool:
    """Whether an alpha channel is anywhere less than full."""
    return "A" in image.getbands() and image.getchannel("A").getextrema()[0] < 255
