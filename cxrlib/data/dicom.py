"""DICOM radiographs as 8-bit grey: what PS3.3 puts between a stored value and the screen.

In its order: rescale (C.11.1), window (C.11.2), presentation shape (C.11.6, C.7.6.3). pydicom
decodes the pixels and applies windows. Look-up tables, ranges of padding and colour, which few
radiographs have, are refused.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image

from cxrlib.files import InputError


def is_dicom(path: str | Path) -> bool:
    """True for a file with DICOM's mark, ``DICM`` after 128 bytes."""
    with open(path, "rb") as file:
        return file.read(132)[128:] == b"DICM"


def read(path, name: str) -> Image.Image:
    """A DICOM radiograph as a Pillow image of mode ``L``.

    Without a window the lowest value is black and the highest white. Padding is black and counts
    for neither. MONOCHROME1 is inverted, unless its Presentation LUT Shape says otherwise. Of
    several windows the first is taken. Overlays are not drawn.

    Raises:
        InputError: damaged, compressed in a way that pydicom's decoders here do not know, several
            frames, colour, a look-up table in the place of a rescale or a window, values of no
            known meaning.
    """
    try:
        import pydicom
    except ImportError:
        needs = "reading it needs pydicom: pip install pydicom"
        raise InputError(f"{name}: image file is DICOM; {needs}") from None
    try:
        share = _shares(pydicom.dcmread(path))
        return Image.fromarray(np.rint(255 * share).astype(np.uint8))
    except Exception as error:  # a damaged file may raise anything in pydicom
        what = error or type(error).__name__
        raise InputError(f"{name}: image file is DICOM and cannot be decoded ({what})") from None


def _shares(ds) -> np.ndarray:
    """Shares of white ``(H, W)``.

    Here and below an empty element, which pydicom gives as None, is as good as none.
    """
    _refuse(ds)
    values = _trimmed(ds.pixel_array, ds.BitsStored)
    padding = np.zeros(values.shape, bool)
    if ds.get("PixelPaddingValue") is not None:
        filler = np.array(ds.PixelPaddingValue).astype(values.dtype)  # -2000 may be 63536
        padding = values == _trimmed(filler, ds.BitsStored)
    values = values.astype(np.float64)
    if ds.get("RescaleIntercept") is not None and ds.get("RescaleSlope"):  # 0 leaves no picture
        values = values * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    values = np.where(padding, values[~padding].min(initial=values.max()), values)
    share = _windowed(ds, values)
    if not np.isfinite(share).all():
        raise ValueError("values or a window that are no numbers")
    usual = "INVERSE" if ds.PhotometricInterpretation == "MONOCHROME1" else "IDENTITY"
    shape = str(ds.get("PresentationLUTShape") or usual).strip().upper()
    if shape not in {"IDENTITY", "INVERSE"}:
        raise ValueError(f"a Presentation LUT Shape {shape}")
    return np.where(padding, 0, 1 - share if shape == "INVERSE" else share)


def _refuse(ds) -> None:
    """ValueError for what is no single grey picture, or has a meaning that is not applied here."""
    if "PixelData" not in ds:
        raise ValueError("it holds no PixelData, or was cut off before it")
    frames = int(ds.get("NumberOfFrames") or 1)
    if frames > 1 or "SharedFunctionalGroupsSequence" in ds:
        raise ValueError(f"it is made of frames ({frames}), not one radiograph")
    most = 2 * (Image.MAX_IMAGE_PIXELS or math.inf)  # Pillow's own limit for other formats
    if not 0 < ds.Rows * ds.Columns <= most:
        raise ValueError(f"a size of {ds.Columns} x {ds.Rows} pixels")
    kind, samples = ds.PhotometricInterpretation, ds.SamplesPerPixel
    if kind not in {"MONOCHROME1", "MONOCHROME2"} or samples != 1:
        raise ValueError(f"a {kind} of {samples} samples per pixel, not one of grey")
    if (ds.get("HighBit") or 0) >= ds.BitsStored:
        raise ValueError(f"{ds.BitsStored} bits a sample of which {ds.HighBit} is the highest")
    tables = ["ModalityLUTSequence", "PixelPaddingRangeLimit"]
    if None in (ds.get("WindowCenter"), ds.get("WindowWidth")):  # with a window the standard
        tables.append("VOILUTSequence")  # lets the reader choose between the two
    for word in tables:
        if word in ds and not ds[word].is_empty:
            raise ValueError(f"a {word}, which is not supported")


def _trimmed(values: np.ndarray, bits: int) -> np.ndarray:
    """Integers of the lowest ``bits`` bits alone, the sign taken from the uppermost of them.

    The other bits may hold an overlay, or anything (PS3.5, 8.1.1).
    """
    spare = max(8 * values.itemsize - bits, 0)
    return values << spare >> spare


def _windowed(ds, values: np.ndarray) -> np.ndarray:
    """Shares of white by the first window, else from lowest to highest value."""
    from pydicom import Dataset
    from pydicom.pixels import apply_windowing

    ends = [ds.get(word) for word in ("WindowCenter", "WindowWidth")]
    if None in ends:
        return (values - values.min()) / (np.ptp(values) or 1)
    window = Dataset()  # of a picture of one bit, so that pydicom answers with shares of white
    window.PhotometricInterpretation = "MONOCHROME2"
    window.BitsStored, window.PixelRepresentation = 1, 0
    window.WindowCenter, window.WindowWidth = (float(np.atleast_1d(end)[0]) for end in ends)
    window.VOILUTFunction = str(ds.get("VOILUTFunction") or "LINEAR").strip()
    with np.errstate(over="ignore"):
        return apply_windowing(values, window)
