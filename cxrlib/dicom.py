"""DICOM radiographs as 8-bit grey: what PS3.3 puts between stored values and the screen, in its order.

Modality LUT or rescale, VOI LUT or window, presentation shape (PS3.3 C.11.1, C.11.2, C.11.6, C.7.6.3). pydicom decodes the pixels. Where a
descriptor is wrong in a way that viewers see through, so does this: the table itself is believed.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from cxrlib.files import InputError

DEPTHS = (8, 10, 12, 14, 16)  # bits per pixel that detectors deliver
COLOUR = {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"}  # what pydicom gives as RGB
OPTIONAL = """ModalityLUTSequence RescaleSlope RescaleIntercept VOILUTSequence WindowCenter WindowWidth VOILUTFunction PresentationLUTShape
PixelPaddingValue PixelPaddingRangeLimit FloatPixelPaddingValue FloatPixelPaddingRangeLimit DoubleFloatPixelPaddingValue
DoubleFloatPixelPaddingRangeLimit NumberOfFrames HighBit""".split()  # an empty one is as good as none


def is_dicom(path) -> bool:
    """True for a file with DICOM's mark, ``DICM`` after 128 bytes."""
    with open(path, "rb") as file:
        return file.read(132)[128:] == b"DICM"


def white(top: float, bits: int = 0) -> int:
    """The value of white where the largest is ``top``: that of ``bits``, if they hold it and no smaller usual depth does.

    Else that of the smallest usual depth which holds it: 8, 10, 12, 14 or 16 bits.
    """
    usual = next((depth for depth in DEPTHS if top < 2**depth), 64)
    return 2 ** (bits if bits and top < 2**bits and bits <= usual else usual) - 1


def read(path, name: str) -> Image.Image:
    """A DICOM radiograph as a Pillow image of mode ``L``.

    Without VOI LUT and window the lowest value is black and the highest white. Padding is black and counts for neither. MONOCHROME1 is
    inverted, unless its Presentation LUT Shape says otherwise. Of several windows or VOI LUTs the first is taken. Overlays are not drawn.
    Colour becomes ITU-R 601 luma.

    Raises:
        InputError: damaged, compressed in a way that pydicom's decoders here do not know, several frames, no known meaning of its values.
    """
    try:
        import pydicom
    except ImportError:
        raise InputError(f"{name}: image file is DICOM; reading it needs pydicom: pip install pydicom") from None
    try:
        ds = pydicom.dcmread(path, force=True)
        _complete(ds)
        if not any(word in ds for word in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
            raise ValueError("it holds no PixelData, or was cut off before it")
        if int(ds.get("NumberOfFrames", 1)) > 1:
            raise ValueError(f"it holds {ds.NumberOfFrames} frames, not one radiograph")
        if not 0 < ds.Rows * ds.Columns <= 2 * (Image.MAX_IMAGE_PIXELS or math.inf):  # Pillow's own limit for other formats
            raise ValueError(f"a size of {ds.Columns} x {ds.Rows} pixels")
        values = _stored(ds)  # (H, W), or (H, W, 3) of RGB
        if ds.PhotometricInterpretation in {"MONOCHROME1", "MONOCHROME2"} and values.ndim == 2:
            return Image.fromarray(np.rint(255 * _grey(ds, values)).astype(np.uint8))
        return Image.fromarray(np.rint(255 * _colour(ds, values)[..., :3]).astype(np.uint8)).convert("L")
    except Exception as error:  # a damaged file may raise anything in pydicom
        raise InputError(f"{name}: image file is DICOM and cannot be decoded ({error or type(error).__name__})") from None


def _complete(ds) -> None:
    """Take from functional groups what an enhanced object keeps there, from the encoding an unnamed transfer syntax; drop empty elements."""
    from pydicom import uid
    from pydicom.dataset import FileMetaDataset

    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for word in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
            for item in (ds.get(groups) or [{}])[0].get(word) or []:
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
    """Stored pixel values, of Bits Stored up to High Bit alone: the other bits may hold an overlay, or anything (PS3.5, 8.1.1)."""
    from pydicom.uid import RLELossless

    stored, syntax = ds.get("BitsStored"), ds.file_meta.TransferSyntaxUID
    if stored and (not syntax.is_compressed or syntax == RLELossless):  # what is compressed otherwise has its own depth
        ds.BitsStored = max(stored, min(ds.get("HighBit", 0) + 1, ds.BitsAllocated))
    values = ds.pixel_array
    if values.dtype.kind not in "iu" or not stored:
        return values
    values, ds.BitsStored = values >> (ds.BitsStored - stored), stored
    spare = max(8 * values.itemsize - stored, 0)
    return values << spare >> spare


def _grey(ds, values: np.ndarray) -> np.ndarray:
    """Stored values ``(H, W)`` to shares of white."""
    padding = _padding(ds, values)
    values = values.astype(np.float64)
    if item := _first(ds, "ModalityLUTSequence"):
        table, first, _ = _table(item.LUTDescriptor, item.LUTData, ds, values)
        values = _looked_up(table, first, values).astype(np.float64)
    elif "RescaleSlope" in ds and "RescaleIntercept" in ds and ds.RescaleSlope != 0:  # 0 would leave no picture; dcmtk ignores it too
        values = values * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    seen = values[~padding]
    if not np.isfinite(seen).all():
        raise ValueError("pixel values that are no numbers")
    values = np.where(padding, seen.min() if len(seen) else 0, values)
    windows = [
        pair for pair in zip(_list(ds, "WindowCenter"), _list(ds, "WindowWidth"), strict=False) if "" not in pair and None not in pair
    ]
    if item := _first(ds, "VOILUTSequence"):
        table, first, bits = _table(item.LUTDescriptor, item.LUTData, ds, values)
        share = _looked_up(table, first, values) / white(table.max(), bits)
    elif windows:
        share = _windowed(values, *map(float, windows[0]), str(ds.get("VOILUTFunction", "LINEAR")).strip().upper())
    else:
        share = (values - values.min()) / (np.ptp(values) or 1)
    shape = str(ds.get("PresentationLUTShape", "INVERSE" if ds.PhotometricInterpretation == "MONOCHROME1" else "IDENTITY")).strip().upper()
    if shape not in {"IDENTITY", "INVERSE"} or not np.isfinite(share).all():
        raise ValueError(f"a Presentation LUT Shape {shape}" if np.isfinite(share).all() else "a window that is no number")
    return np.where(padding, 0, 1 - share if shape == "INVERSE" else share)


def _colour(ds, values: np.ndarray) -> np.ndarray:
    """Stored values to shares of full red, green and blue ``(H, W, 3)``."""
    from pydicom.pixels import apply_color_lut

    kind, bits = ds.PhotometricInterpretation, ds.BitsStored
    if kind == "PALETTE COLOR" and "RedPaletteColorLookupTableData" in ds:
        words = [f"{colour}PaletteColorLookupTable" for colour in ("Red", "Green", "Blue")]
        tables = [_table(ds[f"{word}Descriptor"].value, ds[f"{word}Data"].value, ds, values) for word in words]
        full = white(max(table.max() for table, *_ in tables))
        return np.stack([_looked_up(table, first, values) for table, first, _ in tables], axis=-1) / full
    if kind == "PALETTE COLOR":
        values = apply_color_lut(values, ds)
        bits = 8 * values.itemsize
    elif kind not in COLOUR or values.ndim != 3:
        raise ValueError(f"a Photometric Interpretation {kind} of {ds.SamplesPerPixel} samples per pixel")
    return values / white(values.max(), bits)


def _padding(ds, values: np.ndarray) -> np.ndarray:
    """Which pixels only fill the rectangle, bool ``(H, W)``: those from Pixel Padding Value to Pixel Padding Range Limit (C.7.5.1.1.2)."""
    kind = {"f": {4: "Float", 8: "DoubleFloat"}.get(values.itemsize)}.get(values.dtype.kind) or ""
    ends = [ds[word].value for word in (f"{kind}PixelPaddingValue", f"{kind}PixelPaddingRangeLimit") if word in ds]
    if not ends or f"{kind}PixelPaddingValue" not in ds:
        return np.zeros(values.shape, bool)
    ends = np.array(ends).astype(values.dtype)  # -2000 may be written as 63536
    if not kind:
        spare = max(8 * values.itemsize - ds.BitsStored, 0)
        ends = ends << spare >> spare
    return (values >= ends.min()) & (values <= ends.max())


def _list(ds, word: str) -> list:
    value = ds.get(word, [])
    return [value] if isinstance(value, (int, float, str)) else list(value)


def _first(ds, word: str):
    """The first item of a sequence that holds a table, or None."""
    items = (item for item in ds.get(word, []) if item.get("LUTDescriptor") and item.get("LUTData"))
    return next(items, None)


def _table(descriptor, data, ds, values: np.ndarray) -> tuple[np.ndarray, int, int]:
    """A look-up table's entries, the first value that it maps and the bits that its descriptor gives an entry.

    Entries of 8 bits lie one or two to a word of 16. The first value is US or SS, whichever lets the table reach the picture's values.
    """
    entries, first, bits = (int(value) for value in descriptor)
    entries = entries & 0xFFFF or 2**16
    if isinstance(data, bytes):
        words = np.frombuffer(data[: len(data) // 2 * 2], "<u2" if ds.file_meta.TransferSyntaxUID.is_little_endian else ">u2")
    else:
        words = np.atleast_1d(data).astype(np.int64).astype("<u2")
    table = words if len(words) >= entries or bits > 8 else np.ascontiguousarray(words, "<u2").view(np.uint8)
    if len(table) < entries:
        raise ValueError(f"a look-up table of {entries} entries by its descriptor that holds {len(table)}")
    low, high = values.min(), values.max()
    for other in (first - 2**16, first + 2**16):
        if (first > high or first + entries <= low) and other <= high and low < other + entries:
            first = other
    return table[:entries].astype(np.int64), first, bits


def _looked_up(table: np.ndarray, first: int, values: np.ndarray) -> np.ndarray:
    """Values before the table take its first entry, those after it its last."""
    return table[np.clip(np.rint(values.astype(np.float64) - first), 0, len(table) - 1).astype(np.int64)]


def _windowed(values: np.ndarray, centre: float, width: float, function: str) -> np.ndarray:
    """Shares of white by PS3.3 C.11.2.1.2.1 (LINEAR), C.11.2.1.3.1 (SIGMOID) and C.11.2.1.3.2 (LINEAR_EXACT)."""
    if function not in {"LINEAR", "LINEAR_EXACT", "SIGMOID"}:
        raise ValueError(f"a VOI LUT Function {function}")
    if not (width >= 1 if function == "LINEAR" else width > 0):
        raise ValueError(f"a Window Width of {width:g} for the function {function}")
    if function == "SIGMOID":
        return 0.5 + 0.5 * np.tanh(2 * (values - centre) / width)
    centre, width = (centre - 0.5, width - 1) if function == "LINEAR" else (centre, width)
    if width == 0:
        return (values > centre).astype(np.float64)
    return np.clip((values - centre) / width + 0.5, 0, 1)
