"""DICOM radiographs as 8-bit grey: what PS3.3 puts between a stored value and the screen.

In its order: modality LUT or rescale (C.11.1), VOI LUT or window (C.11.2), presentation shape
(C.11.6, C.7.6.3). pydicom decodes the pixels and applies windows. Where a descriptor is wrong in a
way that viewers see through, the table itself is believed, as they do.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image

from cxrlib.files import InputError

DEPTHS = (8, 10, 12, 14, 16)  # bits per pixel that detectors deliver
COLOUR = {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"}  # what pydicom gives as RGB


def is_dicom(path: str | Path) -> bool:
    """True for a file with DICOM's mark, ``DICM`` after 128 bytes; and for one without that is
    named as DICOM and begins with an element of its first groups, 2 or 8.
    """
    with open(path, "rb") as file:
        head = file.read(132)
    named = Path(path).suffix.lower() in {".dcm", ".dicom"}
    return head[128:] == b"DICM" or (named and head.startswith((b"\2\0", b"\x08\0", b"\0\x08")))


def white(top: float, bits: int = 0) -> int:
    """The value of white where the largest is ``top``.

    That of ``bits``, if they hold ``top`` and no smaller usual depth does; else that of the
    smallest usual depth which holds it: 8, 10, 12, 14 or 16 bits.
    """
    usual = next((depth for depth in DEPTHS if top < 2**depth), 64)
    right = bits and top < 2**bits and bits <= usual
    return 2 ** (bits if right else usual) - 1


def read(path, name: str) -> Image.Image:
    """A DICOM radiograph as a Pillow image of mode ``L``.

    Without VOI LUT and window the lowest value is black and the highest white. Padding is black
    and counts for neither. MONOCHROME1 is inverted, unless its Presentation LUT Shape says
    otherwise. Of several windows or VOI LUTs the first is taken. Overlays are not drawn. Colour
    becomes ITU-R 601 luma.

    Raises:
        InputError: damaged, compressed in a way that pydicom's decoders here do not know, several
            frames, a palette, values of no known meaning.
    """
    try:
        import pydicom
    except ImportError:
        needs = "reading it needs pydicom: pip install pydicom"
        raise InputError(f"{name}: image file is DICOM; {needs}") from None
    try:
        share = _shares(pydicom.dcmread(path, force=True))
        return Image.fromarray(np.rint(255 * share).astype(np.uint8)).convert("L")
    except Exception as error:  # a damaged file may raise anything in pydicom
        what = error or type(error).__name__
        raise InputError(f"{name}: image file is DICOM and cannot be decoded ({what})") from None


def _shares(ds) -> np.ndarray:
    """Shares of white ``(H, W)``, or of full red, green and blue ``(H, W, 3)``.

    Here and below an empty element, which pydicom gives as None, is as good as none.
    """
    if "PixelData" not in ds:
        raise ValueError("it holds no PixelData, or was cut off before it")
    frames = int(ds.get("NumberOfFrames") or 1)
    if frames > 1 or "SharedFunctionalGroupsSequence" in ds:
        raise ValueError(f"it is made of frames ({frames}), not one radiograph")
    most = 2 * (Image.MAX_IMAGE_PIXELS or math.inf)  # Pillow's own limit for other formats
    if not 0 < ds.Rows * ds.Columns <= most:
        raise ValueError(f"a size of {ds.Columns} x {ds.Rows} pixels")
    kind, samples = ds.PhotometricInterpretation, ds.SamplesPerPixel
    if (ds.get("HighBit") or 0) >= ds.BitsStored:
        raise ValueError(f"{ds.BitsStored} bits a sample of which {ds.HighBit} is the highest")
    values = _trimmed(ds.pixel_array, ds.BitsStored)
    if kind in COLOUR and samples == 3:
        return values / white(values.max(), ds.BitsStored)
    if kind in {"MONOCHROME1", "MONOCHROME2"} and samples == 1:
        return _grey(ds, values)
    raise ValueError(f"a {kind} of {samples} samples per pixel")


def _trimmed(values: np.ndarray, bits: int) -> np.ndarray:
    """Integers of the lowest ``bits`` bits alone, the sign taken from the uppermost of them.

    The other bits may hold an overlay, or anything (PS3.5, 8.1.1).
    """
    spare = max(8 * values.itemsize - bits, 0)
    return values << spare >> spare


def _grey(ds, values: np.ndarray) -> np.ndarray:
    """Stored values ``(H, W)`` to shares of white."""
    padding, values = _padding(ds, values), values.astype(np.float64)
    if item := _first(ds, "ModalityLUTSequence"):
        values = _looked_up(item, ds, values)[0].astype(np.float64)
    elif ds.get("RescaleIntercept") is not None and ds.get("RescaleSlope"):  # 0 leaves no picture
        values = values * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    if not np.isfinite(values).all():
        raise ValueError("pixel values that are no numbers")
    values = np.where(padding, values[~padding].min(initial=values.max()), values)
    share = _of_interest(ds, values)
    if not np.isfinite(share).all():
        raise ValueError("a window that is no number")
    usual = "INVERSE" if ds.PhotometricInterpretation == "MONOCHROME1" else "IDENTITY"
    shape = str(ds.get("PresentationLUTShape") or usual).strip().upper()
    if shape not in {"IDENTITY", "INVERSE"}:
        raise ValueError(f"a Presentation LUT Shape {shape}")
    return np.where(padding, 0, 1 - share if shape == "INVERSE" else share)


def _padding(ds, values: np.ndarray) -> np.ndarray:
    """Which pixels only fill the rectangle, bool ``(H, W)``.

    Those from Pixel Padding Value to Pixel Padding Range Limit (PS3.3 C.7.5.1.1.2).
    """
    words = ("PixelPaddingValue", "PixelPaddingRangeLimit")
    ends = [ds[word].value for word in words if ds.get(word) is not None]
    if not ends:
        return np.zeros(values.shape, bool)
    ends = _trimmed(np.array(ends).astype(values.dtype), ds.BitsStored)  # -2000 may be 63536
    return (values >= ends.min()) & (values <= ends.max())


def _of_interest(ds, values: np.ndarray) -> np.ndarray:
    """Shares of white by VOI LUT, else by the first window, else from lowest to highest value."""
    from pydicom import Dataset
    from pydicom.pixels import apply_windowing

    if item := _first(ds, "VOILUTSequence"):
        found, full = _looked_up(item, ds, values)
        return found / full
    ends = [np.atleast_1d(ds.get(word)) for word in ("WindowCenter", "WindowWidth")]
    windows = [pair for pair in zip(*ends, strict=False) if "" not in pair and None not in pair]
    if not windows:
        return (values - values.min()) / (np.ptp(values) or 1)
    window = Dataset()  # of a picture of one bit, so that pydicom answers with shares of white
    window.PhotometricInterpretation = "MONOCHROME2"
    window.BitsStored, window.PixelRepresentation = 1, 0
    window.WindowCenter, window.WindowWidth = map(float, windows[0])
    window.VOILUTFunction = str(ds.get("VOILUTFunction") or "LINEAR").strip()
    with np.errstate(over="ignore"):
        return apply_windowing(values, window)


def _first(ds, word: str):
    """The first item of a sequence that holds a table, or None."""
    items = ds.get(word) or []
    return next((item for item in items if item.get("LUTDescriptor") and item.get("LUTData")), None)


def _looked_up(item, ds, values: np.ndarray) -> tuple[np.ndarray, int]:
    """Values through a look-up table, and what is white in it.

    Values before the table take its first entry, those after it its last. The first value mapped is
    US or SS, whichever lets the table reach the picture's values.
    """
    entries, first, bits = (int(value) for value in item.LUTDescriptor)
    entries, table = entries & 0xFFFF or 2**16, item.LUTData
    if isinstance(table, bytes):
        order = "<u2" if ds.file_meta.TransferSyntaxUID.is_little_endian else ">u2"
        table = np.frombuffer(table, order)
    table = np.asarray(table)[:entries] & 0xFFFF
    if len(table) < entries:
        raise ValueError(f"a look-up table of {len(table)} entries, not the {entries} that it says")
    low, high = values.min(), values.max()
    starts = (first, first - 2**16, first + 2**16)
    reached = [start for start in starts if start <= high and low < start + entries]
    at = np.rint(values - (reached or [first])[0])
    return table[np.clip(at, 0, entries - 1).astype(np.int64)], white(table.max(), bits)
