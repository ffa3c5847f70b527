"""PNG, JPEG, TIFF and other picture files as 8-bit grey, by Pillow and what it leaves out.

Pillow does not invert a TIFF of 16 bits in which white is zero, and has no opinion on how bright a
value of 12 bits is that lies in 16.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, ImagePalette

from cxrlib.data.dicom import is_dicom, white
from cxrlib.files import InputError

FORMATS = tuple("PNG JPEG TIFF BMP DIB GIF WEBP PPM AVIF".split())  # Pillow's names
SUFFIXES = set(
    ".png .apng .jpg .jpeg .jpe .jfif .mpo .tif .tiff .bmp .dib .gif .webp .avif .dcm .dicom "
    ".pgm .ppm .pnm .pbm .pfm".split()
)  # of picture files
DEEP = {"I;16", "I;16B", "I;16L", "I", "F"}  # Pillow's modes of grey of more than 8 bits
BITS, WHITE_IS_ZERO, COLOURS, FORMAT = 258, 262, 320, 339  # tags of TIFF


def regular(path: str | Path, name: str | None = None) -> None:
    """Refuse a folder, a device, or a pipe, whose bytes come only once.

    InputError naming ``name``, or the path; FileNotFoundError where nothing is.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        what = "is a folder, pipe or device; a regular file is needed"
        raise InputError(f"{name or path}: image file {what}")


def is_picture(path: str | Path) -> bool:
    """True if suffix, DICOM mark or content is that of a picture, even of one that is damaged."""
    if Path(path).suffix.lower() in SUFFIXES:
        return True
    try:
        if is_dicom(path):
            return True
        with Image.open(path, formats=FORMATS):
            return True
    except Image.UnidentifiedImageError:
        return False
    except Exception:  # reading it will tell
        return True


def read(path: str | Path) -> Image.Image:
    """A file of one of :data:`FORMATS` as a Pillow image of mode ``L``, turned upright.

    Grey of more than 8 bits is scaled by what the format says is white, or by the smallest usual
    depth (8, 10, 12, 14, 16) that holds the largest value, since a 12-bit detector's image is
    stored in 16; fractions up to 1 are shares of white. Colour (RGB, CMYK, palette) becomes ITU-R
    601 luma. Transparency is black. Gamma and colour profiles are not obeyed.

    Raises:
        ValueError: several pictures, colour of 16 bits a channel, values of no known scale, all
            transparent; and whatever Pillow raises for a damaged file.
    """
    with Image.open(path, formats=FORMATS) as image:
        pages = getattr(image, "n_frames", 1)
        if pages > 1 and image.format != "MPO":  # a photograph and its preview
            raise ValueError(f"it holds {pages} pictures, not one radiograph")
        tags, clear = getattr(image, "tag_v2", {}), image.info.get("transparency")
        kind, (raw, *more) = image.format, _layout(image)
        deep = 16 in np.atleast_1d(tags.get(BITS, 8)) or raw.endswith(";16B") or "65535" in more
        if deep and image.mode not in DEEP:
            raise ValueError("colour or transparency of 16 bits a channel; one of grey is needed")
        if image.mode == "P" and max(tags.get(COLOURS, [256])) < 256:  # where 16 bits belong
            image.palette = ImagePalette.raw("RGB;L", bytes(tags[COLOURS]))
        image = ImageOps.exif_transpose(image)
    signed = tags.get(FORMAT) == (2,)
    if image.mode in DEEP:
        pixels = np.asarray(image)
        scaled = image.mode == "I" and raw == "L" and "65535" not in more  # a map, by Pillow
        full = 2**16 - 1 if scaled else 0
        share = _share(pixels, full, 2**15 - 1 if signed else 2**16 - 1)
        share = 1 - share if tags.get(WHITE_IS_ZERO) == 0 else share
        share = share if clear is None else np.where(pixels == clear, 0, share)
        return Image.fromarray(np.rint(255 * share).astype(np.uint8))
    if signed and image.getextrema()[1] > 127:
        raise ValueError("pixel values below 0")
    if clear is None and not image.has_transparency_data:
        return (image if image.mode == "L" else image.convert("RGB")).convert("L")
    if image.mode == "L" and clear is not None:  # Pillow has stretched the pixels, not this
        clear *= {"L;2": 85, "L;4": 17}.get(raw, 1)
    return _on_black(image, clear, opaque=kind in {"BMP", "DIB"})


def _layout(image: Image.Image) -> list[str]:
    """How samples lie in the file, in Pillow's words: ``RGB;16B``, ``L;4``, or nothing; then more,
    of a portable map its white.
    """
    arguments = image.tile[0].args if image.tile else ""
    return [str(word) for word in (arguments if isinstance(arguments, tuple) else [arguments])]


def _share(pixels: np.ndarray, full: int, most: int) -> np.ndarray:
    """Samples of more than 8 bits as shares of white.

    White is ``full``; without it 1 for fractions, and for integers the smallest usual depth that
    holds the largest, but no more than ``most``.
    """
    top, fractions = pixels.max(initial=0), pixels.dtype.kind == "f"
    if not np.isfinite(pixels).all() or pixels.min(initial=0) < 0 or top > 65535:
        raise ValueError("pixel values outside 0 to 65535")
    if fractions and 1 < top < 64 and (pixels % 1).any():
        raise ValueError(f"fractions up to {top:g}, of no known scale")
    if not full:
        full = 1 if fractions and top <= 1 else min(white(top), most)
    return pixels.astype(np.float64) / full


def _on_black(image: Image.Image, clear: int | tuple | bytes | None, opaque: bool) -> Image.Image:
    """An image of 8 bits a channel whose value, colour or alphas ``clear`` are transparent.

    One that is transparent throughout is refused, or taken for ``opaque``, as programs do with
    bitmaps whose fourth byte has no meaning.
    """
    if image.mode in {"1", "La"}:
        image = image.convert("L" if image.mode == "1" else "LA")
    if clear is not None:
        image.info["transparency"] = clear
    image = image.convert("RGBA")
    if not image.getchannel("A").getextrema()[1]:
        if not opaque:
            raise ValueError("every pixel is transparent")
        image.putalpha(255)
    black = Image.new("RGBA", image.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, image).convert("RGB").convert("L")
