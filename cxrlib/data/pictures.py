"""PNG, JPEG, TIFF and other picture files as 8-bit grey, by Pillow and what it leaves out.

Pillow keeps the high byte of colours of 16 bits, does not invert a TIFF of 16 bits in which white
is zero, and has no opinion on how bright a value of 12 bits is that lies in 16.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, ImagePalette, TiffImagePlugin

from cxrlib.data.dicom import is_dicom, white
from cxrlib.files import InputError

FORMATS = tuple("PNG JPEG TIFF BMP DIB GIF WEBP JPEG2000 PPM AVIF".split())  # Pillow's names
SUFFIXES = set(
    ".png .apng .jpg .jpeg .jpe .jfif .mpo .tif .tiff .bmp .dib .gif .webp .avif .dcm .dicom "
    ".jp2 .j2k .j2c .jpc .jpf .jpx .pgm .ppm .pnm .pbm .pfm".split()
)  # of picture files
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, of red, green and blue
SUBFILE, BITS, WHITE_IS_ZERO, PLANES, COLOURS, EXTRA, FORMAT = 254, 258, 262, 284, 320, 338, 339
TiffImagePlugin.OPEN_INFO |= {  # grey TIFFs that Pillow's table lacks beside others like them
    (b"MM", 0, (1,), 1, (16,), ()): ("I;16B", "I;16B"),
    (b"II", 0, (1,), 1, (12,), ()): ("I;16", "I;12"),
    (b"MM", 0, (1,), 1, (12,), ()): ("I;16", "I;12"),
    (b"MM", 1, (1,), 1, (12,), ()): ("I;16", "I;12"),
}


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

    More than 8 bits are scaled by what the format says is white, or by the smallest usual depth
    (8, 10, 12, 14, 16) that holds the largest value, since a 12-bit detector's image is stored in
    16; fractions up to 1 are shares of white. Colour (RGB, CMYK, palette) becomes ITU-R 601 luma;
    of 16 bits a channel the upper 8 are read. Transparency is black. A PNG's gamma is obeyed
    (PNG 3, 13.13); colour profiles are not.

    Raises:
        ValueError: several pictures, values of no known scale, all transparent; and whatever
            Pillow raises for a damaged file.
    """
    with Image.open(path, formats=FORMATS) as image:
        _one_picture(image)
        kind, raw, info = image.format, _raw(image), image.info
        tags = getattr(image, "tag_v2", {})  # of a TIFF
        halved, full = _depth(path, image)
        if halved and (EXTRA in tags or tags.get(PLANES) == 2):  # Pillow misreads some
            raise ValueError("16 bits a channel and transparency, or each channel apart")
        if image.mode == "P" and max(tags.get(COLOURS, [256])) < 256:  # where 16 bits belong
            image.palette = ImagePalette.raw("RGB;L", bytes(tags[COLOURS]))
        image = ImageOps.exif_transpose(image)
    gamma, clear, signed = _gamma(info), info.get("transparency"), tags.get(FORMAT) == (2,)
    if image.mode in {"I;16", "I;16B", "I;16L", "I", "F"}:
        pixels = np.asarray(image)
        share = _share(pixels, full, 2**15 - 1 if signed else 2**16 - 1) ** gamma
        if tags.get(WHITE_IS_ZERO) == 0:
            share = 1 - share
        share = share if clear is None else np.where(pixels == clear, 0, share)
        return Image.fromarray(np.rint(255 * share).astype(np.uint8))
    if signed and image.getextrema()[1] > 127:
        raise ValueError("pixel values below 0")
    if halved and max(band.getextrema()[1] for band in image.split()[:3]) < 64:
        raise ValueError("16 bits a channel, of which the lower 8 cannot be read")
    if image.mode == "L" and clear is not None:  # Pillow has stretched the pixels, not this
        clear *= {"L;2": 85, "L;4": 17}.get(raw, 1)
    if halved and isinstance(clear, tuple):
        clear = tuple(value >> 8 for value in clear)
    return _shallow(image, clear, gamma, kind)


def _one_picture(image: Image.Image) -> None:
    """Refuse pages and animations, go to the first page.

    No second picture are the preview that a camera puts behind a JPEG, and reduced copies and
    masks in a TIFF.
    """
    pages = [] if image.format == "MPO" else list(range(getattr(image, "n_frames", 1)))
    if len(pages) > 1 and image.format == "TIFF":
        kinds = [image.seek(page) or image.tag_v2.get(SUBFILE, 0) for page in pages]
        pages = [page for page, kind in zip(pages, kinds, strict=True) if not kind & 5]
    if len(pages) > 1:
        raise ValueError(f"it holds {len(pages)} pictures, not one radiograph")
    if image.format == "TIFF" and pages:
        image.seek(pages[0])


def _raw(image: Image.Image) -> str:
    """How samples lie in the file, in Pillow's words: ``RGB;16B``, ``L;4``; or nothing."""
    arguments = image.tile[0].args if image.tile else ""
    return arguments if isinstance(arguments, str) else str(arguments[0])


def _depth(path: str | Path, image: Image.Image) -> tuple[bool, int]:
    """Whether Pillow drops the lower byte of the file's colours; and what white is in its grey.

    The latter of more than 8 bits, 0 where nothing says so.
    """
    if image.format == "JPEG2000":
        bits = _precision(path)
        top = 2**bits - 1 << 16 - bits if 8 < bits < 16 else 0  # Pillow puts them uppermost
        return bits == 16 and not image.mode.startswith("I;16"), top
    if image.format == "PPM":
        arguments = image.tile[0].args  # Pillow has scaled what it does not read as it lies there
        scaled = isinstance(arguments, tuple) and arguments[-1] != 65535
        dropped = isinstance(arguments, tuple) and arguments[-1] == 65535 and image.mode == "RGB"
        return dropped, 65535 if scaled and image.mode == "I" else 0
    bits = max(np.atleast_1d(getattr(image, "tag_v2", {}).get(BITS, 8)))
    colour = image.mode in {"RGB", "RGBA", "CMYK"}
    return colour and (bits == 16 or ";16" in _raw(image)), 0


def _precision(path: str | Path) -> int:
    """Bits per sample of a JPEG 2000 file, from its SIZ segment (ISO 15444-1, A.5.1)."""
    with open(path, "rb") as file:
        _, _, segment = file.read(2**16).partition(b"\xff\x4f\xff\x51")
    return (segment[38] & 0x7F) + 1 if len(segment) > 38 else 16


def _gamma(info: dict) -> float:
    """Power to which shares of white are raised: 1 unless a PNG names a gamma, and no profile."""
    if "srgb" in info or "icc_profile" in info or not info.get("gamma"):
        return 1
    power = 1 / (2.2 * info["gamma"])
    return power if abs(power - 1) > 0.05 else 1  # libpng's threshold


def _share(pixels: np.ndarray, full: int = 0, most: int = 2**16 - 1) -> np.ndarray:
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


def _shallow(image: Image.Image, clear, gamma: float, kind: str) -> Image.Image:
    """An image of 8 bits a channel as grey; ``clear`` is a transparent value, colour or alphas."""
    if clear is not None or image.mode in {"LA", "PA", "RGBA", "La", "RGBa"}:
        if image.mode in {"1", "La"}:
            image = image.convert("L" if image.mode == "1" else "LA")
        if clear is not None:
            image.info["transparency"] = clear
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        if kind in {"BMP", "DIB"} and not alpha.getextrema()[1]:  # a fourth byte of no meaning
            alpha = Image.new("L", image.size, 255)
        if not alpha.getextrema()[1]:
            raise ValueError("every pixel is transparent")
        colour = _brightened(image.convert("RGB"), gamma)
        colour.putalpha(alpha)
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, colour).convert("RGB").convert("L")
    if image.mode not in {"L", "RGB"}:
        image = image.convert("RGB")
    return _brightened(image, gamma).convert("L")


def _brightened(image: Image.Image, gamma: float) -> Image.Image:
    table = [round(255 * (value / 255) ** gamma) for value in range(256)]
    return image if gamma == 1 else image.point(table * len(image.getbands()))
