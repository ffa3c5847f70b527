"""Writers of small picture files, for tests of what reads them."""

import struct
import zlib

import numpy as np
import pytest


def dicom(path, values, bits=12, **fields):
    """A DICOM radiograph of integer ``values`` (H, W) or colours (H, W, 3); fields by keyword or
    whole, None leaves one out.
    """
    pydicom = pytest.importorskip("pydicom")
    values = np.asarray(values)
    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.3", "DX"
    ds.Rows, ds.Columns = values.shape[:2]
    ds.SamplesPerPixel = 3 if values.ndim == 3 else 1
    ds.PhotometricInterpretation = "RGB" if values.ndim == 3 else "MONOCHROME2"
    ds.BitsAllocated = 8 if bits <= 8 else 16
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits - 1, int(values.min() < 0)
    if values.ndim == 3:
        ds.PlanarConfiguration = 0
    kind = f"<{'i' if values.min() < 0 else 'u'}{ds.BitsAllocated // 8}"
    content = values.astype(kind).tobytes()
    ds.add_new("PixelData", "OW" if bits > 8 else "OB", content + bytes(len(content) % 2))
    for word, value in fields.items():
        if value is None:
            delattr(ds, word)
        elif isinstance(
            value, pydicom.DataElement
        ):  # of a representation that the dictionary would not choose
            ds.add(value)
        else:
            setattr(ds, word, value)
    ds.save_as(path, enforce_file_format=True)
    return path


def lut(entries, first, bits, stored="US"):
    pydicom = pytest.importorskip("pydicom")
    item = pydicom.Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, bits])
    item.add_new(
        "LUTData",
        stored,
        (
            np.asarray(entries, "<u2").tobytes()
            if stored == "OW"
            else [int(entry) for entry in entries]
        ),
    )
    return pydicom.Sequence([item])


COLOUR_TYPES = {"grey": 0, "RGB": 2, "palette": 3, "grey+alpha": 4, "RGBA": 6}  # PNG 3, table 11.1


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png(path, samples, kind="grey", bits=16, **chunks):
    """A PNG of samples (H, W) or (H, W, C) written by hand, as Pillow writes no colour of 16 bits;
    ``chunks`` stand before the data.
    """
    samples = np.asarray(samples)
    height, width = samples.shape[:2]
    if bits >= 8:
        rows = (
            np.ascontiguousarray(samples.reshape(height, -1), f">u{bits // 8}")
            .view(np.uint8)
            .reshape(height, -1)
        )
    else:
        each = (samples[..., None] >> np.arange(bits)[::-1]) & 1  # (H, W, bits)
        rows = np.packbits(each.reshape(height, -1).astype(np.uint8), axis=1)
    data = zlib.compress(np.insert(rows, 0, 0, axis=1).tobytes())  # filter 0 before each row
    content = chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, bits, COLOUR_TYPES[kind], 0, 0, 0)
    )
    content += b"".join(chunk(name.encode(), value) for name, value in chunks.items())
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return path
