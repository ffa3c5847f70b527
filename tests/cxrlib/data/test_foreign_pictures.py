"""Other people's picture files, against other people's readers; and damaged ones. All slow.

What is needed beside Python packages: ``apt-get install dcmtk imagemagick`` for ``dcmj2pnm``,
``dcm2pnm`` and ``convert``; and Pillow's own test pictures, which are in its source alone: ``pip
download --no-deps --no-binary pillow pillow``, unpack it, and set ``CXR_PILLOW_TESTS`` to its
folder ``Tests/images``. What is not there is skipped.
"""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
from files_of_pictures import dicom, png
from PIL import Image

from cxrlib.data import pictures, radiographs
from cxrlib.data.dicom import is_dicom
from cxrlib.files import InputError

pydicom = pytest.importorskip("pydicom")

REFUSED = {"SharedFunctionalGroupsSequence", "ModalityLUTSequence", "VOILUTSequence"}
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SAMPLES = sorted(
    file
    for file in (Path(pydicom.__file__).parent / "data" / "test_files").rglob("*")
    if file.is_file()
)


def read(file: Path) -> np.ndarray | None:
    """The picture, or None where it is refused, in one line that names the file."""
    try:
        pixels = radiographs.read_radiograph(file)
    except InputError as error:
        assert str(error).startswith(f"{file}: image file ") and "\n" not in str(error)
        return None
    assert pixels.dtype == np.uint8 and pixels.ndim == 2
    return pixels.astype(float)


# --- DICOM
# --------------------------------------------------------------------------------------------------


def by_pydicom(ds) -> np.ndarray:
    """Grey values by pydicom's functions, whose output range is that of the stored bits after
    rescaling; None without a picture.
    """
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    values = apply_modality_lut(ds.pixel_array, ds)
    out = apply_voi_lut(values, ds).astype(float)
    low, high = out.min(), out.max()
    if ds.get("WindowWidth"):
        signed = ds.PixelRepresentation * 2.0 ** (ds.BitsStored - 1)
        ends = np.array([-signed, 2.0**ds.BitsStored - 1 - signed])
        low, high = ends * float(ds.get("RescaleSlope", 1)) + float(ds.get("RescaleIntercept", 0))
    grey = (out - low) / ((high - low) or 1) * 255
    return 255 - grey if ds.PhotometricInterpretation == "MONOCHROME1" else grey


def by_dcmtk(file: Path, ds, folder: Path) -> np.ndarray | None:
    """Grey values by dcmtk, None where it reads no picture. It draws overlays only where it is not
    told otherwise.
    """
    window = ["+Wi", "1"] if ds.get("WindowCenter") else ["+Wm"]
    for tool in ("dcmj2pnm", "dcm2pnm"):
        subprocess.run(
            [tool, "-O", *window, file, folder / "out.pnm"], capture_output=True, check=False
        )
        if (folder / "out.pnm").is_file():
            with Image.open(folder / "out.pnm") as image:
                return np.asarray(image.convert("L")).astype(float)
    return None


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.name)
def test_dicom_files_that_come_with_pydicom(file, tmp_path):
    """Within 2 of 255 of pydicom's functions and of dcmtk; refused only where there is no single
    grey picture without look-up tables, or pydicom cannot decode it here.
    """
    got = read(file)
    try:
        ds = pydicom.dcmread(file, force=True)
        single = "PixelData" in ds and int(ds.get("NumberOfFrames") or 1) == 1
        single = single and ds.PhotometricInterpretation.startswith("MONOCHROME")
        single = single and not REFUSED & set(ds.dir()) and is_dicom(file)
        expected = by_pydicom(ds) if single else None
    except Exception:
        expected = None
    if got is None:
        assert expected is None
        return
    if expected is not None:
        assert np.abs(got - expected).max() <= 2
    if (
        "rtdose" in file.name and "expb" in file.name
    ):  # dcmtk takes 32-bit words of big-endian files for two of 16
        little = read(file.with_name(file.name.replace("_expb", "")))
        assert (got == little).all()
    elif shutil.which("dcmj2pnm"):
        other = by_dcmtk(file, ds, tmp_path)
        assert other is None or np.abs(got - other).max() <= 2


def test_enough_of_them_are_pictures():
    assert len(SAMPLES) > 170 and sum(read(file) is not None for file in SAMPLES) >= 45


def made_up(rng: np.random.Generator, file: Path) -> list[str]:
    """A DICOM file with a random one of everything that decides a grey value; what dcm2pnm must be
    told to obey it.
    """
    bits, signed = int(rng.integers(8, 17)), bool(rng.integers(2))
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)
    values = rng.integers(low, high, (16, 16))
    values[0, :2] = low, high - 1
    fields = {"PixelRepresentation": int(signed), "BitsStored": bits, "HighBit": bits - 1}
    fields["PhotometricInterpretation"] = rng.choice(["MONOCHROME1", "MONOCHROME2"])
    if rng.integers(3) == 0:
        fields["PresentationLUTShape"] = rng.choice(["IDENTITY", "INVERSE"])
    first, last = low, high - 1
    if rng.integers(2):
        fields |= {
            "RescaleSlope": int(rng.integers(1, 4)),
            "RescaleIntercept": int(rng.integers(-500, 500)),
        }
        first, last = (
            end * fields["RescaleSlope"] + fields["RescaleIntercept"] for end in (low, high - 1)
        )
    told = ["+Wm"]
    if rng.integers(3):
        centre, width = int(rng.integers(first, last)), int(rng.integers(2, last - first))
        fields |= {
            "WindowCenter": centre,
            "WindowWidth": width,
            "VOILUTFunction": rng.choice(["LINEAR", "SIGMOID"]),
        }
        told = ["+Wi", "1"]
    unused = rng.integers(0, 2**16, (16, 16)) & ~(2**bits - 1) & 0xFFFF
    dicom(file, values & (2**bits - 1) | unused, bits=16, **fields)
    return told


def test_made_up_dicom_files_against_dcmtk(tmp_path):
    """300 by a fixed seed: every mix of depth, sign, unused bits, rescale, window, polarity.
    Within 2 of 255.
    """
    if not shutil.which("dcm2pnm"):
        pytest.skip("needs dcmtk")
    rng, wrong = np.random.default_rng(19), []
    for k in range(300):
        told = made_up(rng, tmp_path / "a.dcm")
        subprocess.run(
            ["dcm2pnm", *told, tmp_path / "a.dcm", tmp_path / "a.pgm"],
            capture_output=True,
            check=True,
        )
        with Image.open(tmp_path / "a.pgm") as image:
            expected = np.asarray(image).astype(float)
        difference = np.abs(read(tmp_path / "a.dcm") - expected).max()
        if difference > 2:
            wrong.append((k, told, difference))
    assert not wrong


# --- Pillow's test pictures
# --------------------------------------------------------------------------------------------

OTHERWISE = {  # what ImageMagick 6.9 reads otherwise, and why it is no judge of it
    "hopper2I.tif": "does not invert 2 bits",
    "hopper2IR.tif": "does not invert 2 bits",
    "hopper4I.tif": "does not invert 4 bits",
    "hopper4IR.tif": "does not invert 4 bits",
    "xmp_tags_orientation.png": "turns by EXIF alone",
    "xmp_tags_orientation_exiftool.png": "turns by EXIF alone",
    "pil123p.png": "of gamma 1 with alpha: laid on black before gamma",
    "pil123rgba.png": "of gamma 1 with alpha: laid on black before gamma",
    "16_bit_binary_pgm.tiff": "32 bits, of which 16 are used",
    "tiff_tiled_cmyk_jpeg.tif": "reads it otherwise than the same in strips",
    "old-style-jpeg-compression.tif": "its libtiff has none",
    "old-style-jpeg-compression-no-samplesperpixel.tif": "its libtiff has none",
}

TWINS = [  # the same picture in two files, of which ImageMagick does not read the first
    ("old-style-jpeg-compression.tif", "old-style-jpeg-compression.png"),
    ("tiff_tiled_cmyk_jpeg.tif", "tiff_strip_cmyk_jpeg.tif"),
    *(
        (f"tiff_gray_2_4_bpp/hopper{bits}{kind}.tif", f"tiff_gray_2_4_bpp/hopper{bits}.tif")
        for bits in (2, 4)
        for kind in ("I", "IR", "R")
    ),
]


def by_imagemagick(file: Path) -> np.ndarray:
    """Grey values 0 to 65535 of the first picture, (n,), by ImageMagick: turned upright, laid on
    black.
    """
    steps = (
        "-auto-orient -background black -alpha remove -colorspace sRGB -grayscale Rec601Luma -depth"
        " 16 gray:-".split()
    )
    done = subprocess.run(
        ["convert", f"{file}[0]", *steps], capture_output=True, check=False, timeout=60
    )
    return np.frombuffer(done.stdout, "<u2").astype(float)


def test_pictures_that_come_with_pillows_source():
    """Within 2 of 255 of ImageMagick, or refused."""
    if not os.environ.get("CXR_PILLOW_TESTS") or not shutil.which("convert"):
        pytest.skip(
            "set CXR_PILLOW_TESTS to Tests/images of Pillow's source, and install ImageMagick"
        )
    wrong, compared = [], 0
    for file in sorted(Path(os.environ["CXR_PILLOW_TESTS"]).rglob("*")):
        if not file.is_file() or file.name in OTHERWISE:
            continue
        got = read(file)
        if got is None:
            continue
        other = by_imagemagick(file)
        with Image.open(file) as image:
            deep = image.mode.startswith("I;16")
            if image.format == "TIFF" and max(np.atleast_1d(image.tag_v2.get(258, 8))) == 12:
                other = other * 4095 / 65535
        if other.size != got.size:
            continue  # ImageMagick cannot read it
        compared += 1
        depth = next(bits for bits in pictures.DEPTHS if np.rint(other.max()) < 2**bits)
        expected = other / (2**depth - 1 if deep else 65535) * 255
        if np.abs(got.ravel() - expected).max() > 2:
            wrong.append((file.name, np.abs(got.ravel() - expected).max()))
    assert not wrong and compared > 100
    for one, other in TWINS:
        assert (
            read(Path(os.environ["CXR_PILLOW_TESTS"]) / one)
            == read(Path(os.environ["CXR_PILLOW_TESTS"]) / other)
        ).all()


# --- damaged files
# --------------------------------------------------------------------------------------------------


def whole(folder: Path) -> list[bytes]:
    """Small sound files of every kind that is read."""
    ramp = np.add.outer(np.arange(24) * 6, np.arange(24) * 4).astype(np.uint8)
    deep = ramp.astype(np.uint16) * 16
    grey, colour = Image.fromarray(ramp), Image.fromarray(np.dstack([ramp, ramp.T, 255 - ramp]))
    exif = Image.Exif()
    exif[274] = 6
    made = []
    for kind, image, options in [
        ("png", grey, {"exif": exif}),
        ("png", Image.fromarray(deep), {}),
        ("jpeg", grey, {"exif": exif}),
        ("jpeg", colour, {"progressive": True}),
        ("jpeg", colour.convert("CMYK"), {}),
        ("tiff", grey, {"compression": "tiff_lzw"}),
        ("tiff", Image.fromarray(deep), {}),
        ("tiff", colour, {"compression": "jpeg"}),
    ]:
        stream = io.BytesIO()
        image.save(stream, kind, **options)
        made.append(stream.getvalue())
    gamma = {"gAMA": (100000).to_bytes(4, "big")}
    made.append(png(folder / "a.png", deep, **gamma).read_bytes())
    window = {
        "WindowCenter": 128,
        "WindowWidth": 256,
        "VOILUTFunction": "SIGMOID",
        "RescaleSlope": 1,
        "RescaleIntercept": 0,
    }
    for values, fields in [
        (deep, window),
        (deep, {"PixelPaddingValue": 0}),
        (deep.astype(int) - 9, {"PresentationLUTShape": "INVERSE", "bits": 16}),
        (ramp, {"bits": 8, "PhotometricInterpretation": "MONOCHROME1"}),
    ]:
        made.append(dicom(folder / "a.dcm", values, **fields).read_bytes())
    ds = pydicom.dcmread(folder / "a.dcm")
    ds.compress(pydicom.uid.RLELossless)
    ds.save_as(folder / "a.dcm")
    return [*made, (folder / "a.dcm").read_bytes()]


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, lost, repeated or added, most often near the beginning, where a format
    says what is to come.
    """
    content = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 5, 20])):
        at = rng.randrange(min(len(content), rng.choice([60, 700, 10**9])) or 1)
        kind = rng.randrange(7)
        if kind < 3:
            content[at : at + 1] = bytes([rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])])
        elif kind == 3:
            content[at : at + rng.choice([1, 2, 4])] = rng.choice(
                [0, 1, 2**16 - 1, 2**31 - 1]
            ).to_bytes(4, rng.choice(["little", "big"]))
        elif kind == 4:
            del content[at : at + rng.randrange(1, 40)]
        elif kind == 5:
            content[at:at] = content[at : at + rng.randrange(1, 40)] or b"\0"
        elif rng.random() < 0.3:
            del content[at:]
        content = content or bytearray(b"\0")
    return bytes(content)


def test_a_damaged_file_is_a_picture_or_one_line(tmp_path, monkeypatch):
    """6,000 files by a fixed seed; another is tried with CXR_FUZZ_SEED, more with
    CXR_FUZZ_FILES.
    """
    monkeypatch.setattr(
        Image, "MAX_IMAGE_PIXELS", 10**6
    )  # so that no number of pixels that a file makes up costs time
    rng = random.Random(int(os.environ.get("CXR_FUZZ_SEED", "19")))
    sound, read_well = whole(tmp_path), 0
    for name in ("x", "x.dcm"):
        (tmp_path / name).write_bytes(b"")
    count = int(os.environ.get("CXR_FUZZ_FILES", "6000"))
    for _ in range(count):
        file = tmp_path / rng.choice(["x", "x.dcm"])
        file.write_bytes(damaged(rng.choice(sound), rng))
        with warnings.catch_warnings(action="ignore"):
            read_well += read(file) is not None
            try:
                assert len(radiographs.stored_size(file)) == 2
            except InputError as error:
                assert str(error).startswith(f"{file}: ") and "\n" not in str(error)
    assert 0.1 < read_well / count < 0.9  # neither harmless damage alone, nor nothing but rubbish
