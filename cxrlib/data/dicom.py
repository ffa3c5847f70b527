"""DICOM radiographs as 8-bit grey: what PS3.3 puts between a stored value and the screen.

In its order: modality LUT or rescale (C.11.1), VOI LUT or window (C.11.2), presentation shape
(C.11.6, C.7.6.3). pydicom decodes the pixels. Where a descriptor is wrong in a way that viewers
see through, the table itself is believed, as they do.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from cxrlib.files import InputError

DEPTHS = (8, 10, 12, 14, 16)  # bits per pixel that detectors deliver
COLOUR = {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"}  # what pydicom gives as RGB
OPTIONAL = (  # of these an empty one is as good as none
    "ModalityLUTSequence RescaleSlope RescaleIntercept VOILUTSequence WindowCenter WindowWidth"
    " VOILUTFunction PresentationLUTShape NumberOfFrames HighBit PixelPaddingValue"
    " PixelPaddingRangeLimit"
).split()


def is_dicom(path) -> bool:
    """True for a file with DICOM's mark, ``DICM`` after 128 bytes."""
    with open(path, "rb") as file:
        return file.read(132)[128:] == b"DICM"


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
            frames, values of no known meaning.
    """
    try:
        import pydicom
    except ImportError:
        needs = "reading it needs pydicom: pip install pydicom"
        raise InputError(f"{name}: image file is DICOM; {needs}") from None
    try:
        ds = pydicom.dcmread(path, force=True)
        _complete(ds)
        if "PixelData" not in ds:
            raise ValueError("it holds no PixelData, or was cut off before it")
        if int(ds.get("NumberOfFrames", 1)) > 1:
            raise ValueError(f"it holds {ds.NumberOfFrames} frames, not one radiograph")
        most = 2 * (Image.MAX_IMAGE_PIXELS or math.inf)  # Pillow's own limit for other formats
        if not 0 < ds.Rows * ds.Columns <= most:
            raise ValueError(f"a size of {ds.Columns} x {ds.Rows} pixels")
        values = _stored(ds)  # (H, W), or (H, W, 3) of RGB
        grey = ds.PhotometricInterpretation in {"MONOCHROME1", "MONOCHROME2"} and values.ndim == 2
        share = _grey(ds, values) if grey else _colour(ds, values)
        return Image.fromarray(np.rint(255 * share).astype(np.uint8)).convert("L")
    except Exception as error:  # a damaged file may raise anything in pydicom
        what = error or type(error).__name__
        raise InputError(f"{name}: image file is DICOM and cannot be decoded ({what})") from None


def _complete(ds) -> None:
    """Put a dataset into the form that the steps below expect.

    What an enhanced object says in functional groups comes to the top, empty elements go, and a
    transfer syntax that is not named is the one that pydicom found.
    """
    from pydicom import uid
    from pydicom.dataset import FileMetaDataset

    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        group = (ds.get(groups) or [{}])[0]
        for word in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
            for item in group.get(word) or []:
                ds.update(item)
    for word in OPTIONAL:
        if word in ds and ds[word].is_empty:
            delattr(ds, word)
    ds.file_meta = ds.get("file_meta") or FileMetaDataset()
    if not ds.file_meta.get("TransferSyntaxUID"):
        implicit, little = ds.original_encoding
        explicit = uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian
        ds.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if implicit else explicit


def _stored(ds) -> np.ndarray:
    """Stored pixel values, of Bits Stored up to High Bit alone.

    The other bits may hold an overlay, or anything (PS3.5, 8.1.1). What is compressed, but for
    RLE, has a depth of its own, and its high bit is the uppermost.
    """
    from pydicom.uid import RLELossless

    stored, syntax = ds.get("BitsStored"), ds.file_meta.TransferSyntaxUID
    if stored and (not syntax.is_compressed or syntax == RLELossless):
        ds.BitsStored = max(stored, min(ds.get("HighBit", 0) + 1, ds.BitsAllocated))
    values = ds.pixel_array
    if values.dtype.kind not in "iu" or not stored:
        return values
    below, ds.BitsStored = ds.BitsStored - stored, stored
    return _trimmed(values >> below, stored)


def _trimmed(values: np.ndarray, bits: int) -> np.ndarray:
    """Integers of the lowest ``bits`` bits alone, the sign taken from the uppermost of them."""
    spare = max(8 * values.itemsize - bits, 0)
    return values << spare >> spare


def _grey(ds, values: np.ndarray) -> np.ndarray:
    """Stored values ``(H, W)`` to shares of white."""
    padding = _padding(ds, values)
    values = _rescaled(ds, values.astype(np.float64))
    if not np.isfinite(values).all():
        raise ValueError("pixel values that are no numbers")
    values = np.where(padding, values[~padding].min(initial=values.max()), values)
    share = _of_interest(ds, values)
    if not np.isfinite(share).all():
        raise ValueError("a window that is no number")
    usual = "INVERSE" if ds.PhotometricInterpretation == "MONOCHROME1" else "IDENTITY"
    shape = str(ds.get("PresentationLUTShape", usual)).strip().upper()
    if shape not in {"IDENTITY", "INVERSE"}:
        raise ValueError(f"a Presentation LUT Shape {shape}")
    return np.where(padding, 0, 1 - share if shape == "INVERSE" else share)


def _rescaled(ds, values: np.ndarray) -> np.ndarray:
    """Values after modality LUT, or rescale; a slope of 0 would leave no picture and is ignored."""
    if item := _first(ds, "ModalityLUTSequence"):
        return _looked_up(item, ds, values)[0].astype(np.float64)
    if "RescaleSlope" in ds and "RescaleIntercept" in ds and ds.RescaleSlope != 0:
        return values * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    return values


def _of_interest(ds, values: np.ndarray) -> np.ndarray:
    """Shares of white by VOI LUT, else by the first window, else from lowest to highest value."""
    if item := _first(ds, "VOILUTSequence"):
        found, full = _looked_up(item, ds, values)
        return found / full
    ends = [np.atleast_1d(ds.get(word, [])) for word in ("WindowCenter", "WindowWidth")]
    windows = [pair for pair in zip(*ends, strict=False) if "" not in pair and None not in pair]
    if windows:
        function = str(ds.get("VOILUTFunction", "LINEAR")).strip().upper()
        return _windowed(values, *map(float, windows[0]), function)
    return (values - values.min()) / (np.ptp(values) or 1)


def _colour(ds, values: np.ndarray) -> np.ndarray:
    """Stored values to shares of full red, green and blue ``(H, W, 3)``."""
    from pydicom.pixels import apply_color_lut

    if ds.PhotometricInterpretation == "PALETTE COLOR":
        values = apply_color_lut(values, ds)[..., :3]
        return values / white(values.max(), 8 * values.itemsize)
    if ds.PhotometricInterpretation not in COLOUR or values.ndim != 3:
        kind, samples = ds.PhotometricInterpretation, ds.SamplesPerPixel
        raise ValueError(f"a {kind} of {samples} samples per pixel")
    return values / white(values.max(), ds.BitsStored)


def _padding(ds, values: np.ndarray) -> np.ndarray:
    """Which pixels only fill the rectangle, bool ``(H, W)``.

    Those from Pixel Padding Value to Pixel Padding Range Limit (PS3.3 C.7.5.1.1.2).
    """
    value = ds.get("PixelPaddingValue")
    if value is None:
        return np.zeros(values.shape, bool)
    ends = np.array([value, ds.get("PixelPaddingRangeLimit", value)])
    ends = _trimmed(ends.astype(values.dtype), ds.BitsStored)  # -2000 may be written as 63536
    return (values >= ends.min()) & (values <= ends.max())


def _first(ds, word: str):
    """The first item of a sequence that holds a table, or None."""
    items = (item for item in ds.get(word, []) if item.get("LUTDescriptor") and item.get("LUTData"))
    return next(items, None)


def _looked_up(item, ds, values: np.ndarray) -> tuple[np.ndarray, int]:
    """Values through a look-up table, and what is white in it.

    Values before the table take its first entry, those after it its last. Entries of 8 bits lie one
    or two to a word of 16. The first value mapped is US or SS, whichever lets the table reach the
    picture's values.
    """
    entries, first, bits = (int(value) for value in item.LUTDescriptor)
    entries = entries & 0xFFFF or 2**16
    if isinstance(item.LUTData, bytes):
        order = "<u2" if ds.file_meta.TransferSyntaxUID.is_little_endian else ">u2"
        table = np.frombuffer(item.LUTData[: len(item.LUTData) // 2 * 2], order)
    else:
        table = np.atleast_1d(item.LUTData).astype(np.int64).astype("<u2")
    if len(table) < entries and bits <= 8:
        table = table.astype("<u2").view(np.uint8)
    if len(table) < entries:
        holds = f"that holds {len(table)}"
        raise ValueError(f"a look-up table of {entries} entries by its descriptor {holds}")
    table = table[:entries].astype(np.int64)
    low, high = values.min(), values.max()
    starts = (first, first - 2**16, first + 2**16)
    reached = [start for start in starts if start <= high and low < start + entries]
    at = np.rint(values.astype(np.float64) - (reached or [first])[0])
    at = np.clip(at, 0, entries - 1).astype(np.int64)
    return table[at], white(table.max(), bits)


def _windowed(values: np.ndarray, centre: float, width: float, function: str) -> np.ndarray:
    """Shares of white: PS3.3 C.11.2.1.2.1 for LINEAR, C.11.2.1.3 for SIGMOID and LINEAR_EXACT."""
    if function not in {"LINEAR", "LINEAR_EXACT", "SIGMOID"}:
        raise ValueError(f"a VOI LUT Function {function}")
    if not (width >= 1 if function == "LINEAR" else width > 0):
        raise ValueError(f"a Window Width of {width:g} for the function {function}")
    if function == "SIGMOID":
        return 0.5 + 0.5 * np.tanh(2 * (values - centre) / width)
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1
    if width == 0:
        return (values > centre).astype(np.float64)
    return np.clip((values - centre) / width + 0.5, 0, 1)
