"""dicom.py: each of the things that PS3.3 puts between a stored value and the screen, against
values worked out by hand from the standard.
"""

import io

import numpy as np
import pytest
from files_of_pictures import dicom, lut
from PIL import Image

from cxrlib.data import radiographs
from cxrlib.files import InputError

pydicom = pytest.importorskip("pydicom")


FULL = {"WindowCenter": 128, "WindowWidth": 256}  # 0 to 255 as they are


def grey(path, values, **fields):
    return radiographs.read_radiograph(dicom(path / "a.dcm", values, **fields)).tolist()


def refused(path, values, says, **fields):
    with pytest.raises(
        InputError, match="a.dcm: image file is DICOM and cannot be decoded"
    ) as caught:
        grey(path, values, **fields)
    assert says in str(caught.value) and "\n" not in str(caught.value)


# --- look-up tables and other rarities
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["VOILUTSequence", "ModalityLUTSequence"])
def test_tables_are_refused(tmp_path, word):
    table = {word: lut(range(4096), 0, 12)}
    refused(tmp_path, [[0, 1000, 4000]], f"a {word}, which is not supported", **table)
    half = {"WindowCenter": 128}
    refused(tmp_path, [[0, 1000, 4000]], f"a {word}, which is not supported", **table, **half)


def test_a_window_beside_a_voi_lut_is_taken(tmp_path):
    """PS3.3 C.11.2: alternatives, of which the reader chooses one; fo-dicom takes the window."""
    table = lut(range(4095, -1, -1), 0, 12)
    assert grey(tmp_path, [[0, 51, 255]], VOILUTSequence=table, **FULL) == [[0, 51, 255]]


def test_a_range_of_padding_is_refused(tmp_path):
    fields = {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 9}
    refused(tmp_path, [[0, 5, 100]], "a PixelPaddingRangeLimit, which is not supported", **fields)


# --- what is empty is as if absent
# -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "empty",
    [
        {"VOILUTFunction": ""},
        {"VOILUTFunction": None},
        {"RescaleSlope": "", "RescaleIntercept": ""},
        {"RescaleSlope": "", "RescaleIntercept": 0},
        {"RescaleSlope": 1, "RescaleIntercept": ""},
        {"RescaleSlope": 0, "RescaleIntercept": 0},
        {"VOILUTSequence": []},
        {"ModalityLUTSequence": []},
        {"PixelPaddingValue": None},
        {"PixelPaddingRangeLimit": None},
        {"PresentationLUTShape": ""},
        {"NumberOfFrames": ""},
        {"HighBit": ""},
        {"PlanarConfiguration": ""},
        {"PixelAspectRatio": ""},
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_is_empty_is_as_if_absent(tmp_path, empty):
    values = [[0, 51, 255]]
    ds = pydicom.dcmread(dicom(tmp_path / "a.dcm", values, **FULL))
    for word, value in empty.items():
        if isinstance(value, list) and word.endswith("Sequence"):
            value = pydicom.Sequence(value)
        vr = pydicom.datadict.dictionary_VR(word).split(" or ")[0]
        ds.add_new(word, vr, None if value == "" else value)
    ds.save_as(tmp_path / "a.dcm")
    assert radiographs.read_radiograph(tmp_path / "a.dcm").tolist() == values


# --- padding
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "fields", "expected"),
    [
        ([-32768, 0, 1000, 2000], {"PixelPaddingValue": -32768}, [0, 0, 128, 255]),
        (
            [-2000, 0, 1000, 2000],
            {"PixelPaddingValue": pydicom.DataElement("PixelPaddingValue", "US", 63536)},
            [0, 0, 128, 255],
        ),
        ([65535, 0, 1000, 2000], {"PixelPaddingValue": 65535}, [0, 0, 128, 255]),
        ([7, 0, 1000, 2000], {"PixelPaddingValue": 4095}, [1, 0, 128, 255]),  # there is none of it
        ([51, 0, 102, 255], {"PixelPaddingValue": 51, **FULL}, [0, 0, 102, 255]),
        (
            [-9, 0, 100, 200],
            {"PixelPaddingValue": -9, "RescaleSlope": -1, "RescaleIntercept": 0},
            [0, 255, 128, 0],
        ),  # of stored values
        (
            [65535, 0, 1000, 2000],
            {"PixelPaddingValue": 65535, "PhotometricInterpretation": "MONOCHROME1"},
            [0, 255, 128, 0],
        ),
        ([7, 7], {"PixelPaddingValue": 7}, [0, 0]),
    ],
)
def test_padding_is_black_and_stretches_nothing(tmp_path, values, fields, expected):
    assert (
        np.abs(np.array(grey(tmp_path, [values], bits=16, **fields)) - [expected]).max() <= 1
    )  # halves round either way


def test_floating_point_pixels_are_refused(tmp_path):
    ds = pydicom.dcmread(dicom(tmp_path / "a.dcm", [[0, 1, 2, 3]]))
    del ds.PixelData
    ds.FloatPixelData, ds.BitsAllocated = np.zeros(4, "<f4").tobytes(), 32
    ds.save_as(tmp_path / "a.dcm")
    with pytest.raises(InputError, match="no PixelData"):
        radiographs.read_radiograph(tmp_path / "a.dcm")


def test_unused_bits_are_no_part_of_a_value(tmp_path):
    """PS3.5, 8.1.1: they may hold an overlay, or anything; vtk-dicom issue 134, dicom2nifti issue
    13.
    """
    values = np.array([[0, 51, 102, 255]])
    stored = {"bits": 16, "BitsStored": 12, "HighBit": 11}
    assert (
        grey(tmp_path, values | [[0xF000, 0x3000, 0x8000, 0]], **stored, **FULL) == values.tolist()
    )
    assert grey(tmp_path, values | [[0xF000, 0x3000, 0x8000, 0]], **stored) == values.tolist()
    high = stored | {"HighBit": 15}  # as ACR-NEMA allowed
    refused(tmp_path, values << 4 | [[0xF, 3, 8, 0]], "15 is the highest", **high, **FULL)
    signed = np.array([[-2048, -1, 0, 2047]])
    assert grey(tmp_path, signed & 0xFFF, **stored, PixelRepresentation=1) == [[0, 127, 128, 255]]
    assert grey(tmp_path, [[0, 51, 255]], bits=16, BitsStored=8, HighBit=7) == [
        [0, 51, 255]
    ]  # fo-dicom issue 1992


def test_overlay_in_the_high_bits_of_a_compressed_picture(tmp_path):
    """pydicom issue 2260: its pixel_array has the overlay after JPEG 2000 and not without."""
    values = np.add.outer(np.arange(16) * 100, np.arange(16) * 50)
    values[3, 4] |= 0x8000
    ds = pydicom.dcmread(dicom(tmp_path / "a.dcm", values, bits=16, BitsStored=12, HighBit=11))
    plain = radiographs.read_radiograph(tmp_path / "a.dcm")
    stream = io.BytesIO()
    Image.fromarray(values.astype(np.uint16)).save(
        stream, "jpeg2000", irreversible=False, no_jp2=True
    )
    ds.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
    ds.PixelData = pydicom.encaps.encapsulate([stream.getvalue()])
    ds["PixelData"].is_undefined_length = True
    ds.save_as(tmp_path / "b.dcm")
    assert plain.max() == 255 and (radiographs.read_radiograph(tmp_path / "b.dcm") == plain).all()


def test_one_bit(tmp_path):
    ds = pydicom.dcmread(dicom(tmp_path / "a.dcm", np.zeros((2, 4)), bits=8))
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit, ds.PixelData = 0, bytes([0b0110_0001, 0])  # least significant first: 1000 0110
    ds.save_as(tmp_path / "a.dcm")
    assert radiographs.read_radiograph(tmp_path / "a.dcm").tolist() == [
        [255, 0, 0, 0],
        [0, 255, 255, 0],
    ]


# --- polarity
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("photometric", "shape", "inverse"),
    [
        ("MONOCHROME1", "INVERSE", True),  # as the DX object says it: not twice
        ("MONOCHROME2", "IDENTITY", False),
        (
            "MONOCHROME2",
            "INVERSE",
            True,
        ),  # the two contradict each other: the shape is the later step, as in dcmtk and dcm4che
        ("MONOCHROME1", "IDENTITY", False),
        ("MONOCHROME1", None, True),
    ],
)
def test_presentation_shape(tmp_path, photometric, shape, inverse):
    fields = {"PhotometricInterpretation": photometric} | (
        {"PresentationLUTShape": shape} if shape else {}
    )
    assert grey(tmp_path, [[0, 51, 200]], **fields, **FULL) == (
        [[255, 204, 55]] if inverse else [[0, 51, 200]]
    )
    narrow = {
        "WindowCenter": 50.5,
        "WindowWidth": 101,
    }  # inverted after the window, bioformats issue 3620: 0 to 100
    assert grey(tmp_path, [[0, 20, 200]], **fields, **narrow) == (
        [[255, 204, 0]] if inverse else [[0, 51, 255]]
    )


def test_unknown_shape_is_refused(tmp_path):
    refused(tmp_path, [[1, 2]], "Presentation LUT Shape LIN OD", PresentationLUTShape="LIN OD")


# --- colour
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["RGB", "YBR_FULL", "HSV", "PALETTE COLOR", "MONOCHROME2"])
def test_colour_is_refused(tmp_path, kind):
    values = np.zeros((2, 2, 3), int)
    refused(tmp_path, values, f"a {kind} of 3", bits=8, PhotometricInterpretation=kind)


# --- what is no radiograph, or no number
# ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [1, None])
def test_an_object_that_says_things_frame_by_frame_is_refused(tmp_path, frames):
    """Else its window and rescale, which stand in groups, would be left out."""
    made = {"SharedFunctionalGroupsSequence": pydicom.Sequence([pydicom.Dataset()])}
    made |= {"NumberOfFrames": frames} if frames else {}
    refused(tmp_path, [[0, 51, 255]], "not one radiograph", **made)


def test_file_that_does_not_name_its_transfer_syntax_is_refused(tmp_path):
    ds = pydicom.dcmread(dicom(tmp_path / "a.dcm", [[0, 51, 255]], **FULL))
    del ds.file_meta
    with open(tmp_path / "b.dcm", "wb") as file:
        pydicom.dcmwrite(file, ds, implicit_vr=True, little_endian=True)
    with pytest.raises(InputError, match="b.dcm: image file is DICOM and cannot be decoded"):
        radiographs.read_radiograph(tmp_path / "b.dcm")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("centre", "width"), [("nan", 5), (5, "nan"), (["", 5], ["", 9])])
def test_window_that_is_no_number_is_refused(tmp_path, centre, width):
    refused(tmp_path, [[1, 2]], "", WindowCenter=centre, WindowWidth=width)
