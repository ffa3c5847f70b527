"""dicom.py: each of the things that PS3.3 puts between a stored value and the screen, against
values worked out by hand from the standard.
"""

import io

import numpy as np
import pytest
from files_of_pictures import dicom, lut
from PIL import Image

from cxrlib.data import radiographs
from cxrlib.data.dicom import white
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


def item(**fields):
    made = pydicom.Dataset()
    for word, value in fields.items():
        setattr(made, word, value)
    return made


@pytest.mark.parametrize(
    ("top", "bits", "expected"),
    [
        (0, 0, 255),
        (255, 0, 255),
        (256, 0, 1023),
        (4095, 16, 4095),
        (65535, 16, 65535),
        (40000, 12, 65535),
        (2047, 11, 2047),
        (300, 12, 1023),
    ],
)
def test_white_is_the_descriptors_unless_the_table_says_otherwise(top, bits, expected):
    assert white(top, bits) == expected


# --- look-up tables
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", ["US", "OW"])
@pytest.mark.parametrize(
    ("entries", "first", "bits", "values", "expected"),
    [
        (
            range(4096),
            0,
            16,
            [0, 1000, 2000, 4000],
            [0, 62, 125, 249],
        ),  # Agfa: 16 bits said, 12 used
        (range(4096), 0, 12, [0, 1000, 2000, 4000], [0, 62, 125, 249]),
        (
            range(4096),
            0,
            8,
            [0, 1000, 2000, 4000],
            [0, 62, 125, 249],
        ),  # fewer bits than the entries have
        (
            range(2048),
            0,
            11,
            [0, 1024, 2047],
            [0, 128, 255],
        ),  # a depth that is not usual, and right
        (range(256), 0, 16, [0, 100, 255], [0, 100, 255]),
        ([0, 51, 255], 64536, 8, [-1001, -999, -998], [0, 51, 255]),  # -1000 written as US
    ],
)
def test_voi_lut(tmp_path, stored, entries, first, bits, values, expected):
    assert grey(
        tmp_path, [values], bits=16, VOILUTSequence=lut(list(entries), first, bits, stored)
    ) == [expected]


def test_voi_lut_of_an_unsigned_picture_whose_first_value_was_written_as_signed(tmp_path):
    """dcm4che issue 1521: 40000 as SS is -25536."""
    made = lut([0, 51, 255], 0, 8)
    made[0].add_new("LUTDescriptor", "SS", [3, 40000 - 65536, 8])
    assert grey(tmp_path, [[39999, 40001, 50000]], bits=16, VOILUTSequence=made) == [[0, 51, 255]]


def test_table_of_65536_entries_says_0_of_them(tmp_path):
    made = lut(np.arange(65536) // 257 * 257, 0, 16, "OW")
    made[0].LUTDescriptor = [0, 0, 16]
    assert grey(tmp_path, [[0, 257 * 7, 65535]], bits=16, VOILUTSequence=made) == [[0, 7, 255]]


@pytest.mark.parametrize("word", ["VOILUTSequence", "ModalityLUTSequence"])
def test_table_that_is_too_short_is_refused(tmp_path, word):
    made = lut([0, 1000, 2000], 0, 12)
    made[0].LUTDescriptor = [4096, 0, 12]
    refused(tmp_path, [[1, 2]], "not the 4096", **{word: made})


def test_modality_lut_comes_before_voi_and_instead_of_rescale(tmp_path):
    """PS3.3 C.11.1: its output is unsigned, whatever the pixels are; fo-dicom issue 1986."""
    table = lut([0, 100, 40000], -1, 16, "OW")
    table[0].add_new("LUTDescriptor", "SS", [3, -1, 16])
    fields = {"ModalityLUTSequence": table, "RescaleSlope": "0.01", "RescaleIntercept": 7}
    assert grey(tmp_path, [[-5, -1, 0, 1, 5]], **fields) == [[0, 0, 1, 255, 255]]
    window = {"WindowCenter": 100.5, "WindowWidth": 201}
    assert grey(tmp_path, [[-5, -1, 0, 1, 5]], **fields, **window) == [[0, 0, 128, 255, 255]]
    after = {"VOILUTSequence": lut([0, 51, 255], 99, 8)}
    assert grey(tmp_path, [[-1, 0, 1]], **fields, **after) == [[0, 51, 255]]


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
        {"VOILUTSequence": [{}]},
        {"VOILUTSequence": [{"LUTDescriptor": [2, 0, 8]}]},
        {"ModalityLUTSequence": []},
        {"ModalityLUTSequence": [{}]},
        {"PixelPaddingValue": None},
        {"PresentationLUTShape": ""},
        {"NumberOfFrames": ""},
        {"HighBit": ""},
        {"WindowCenter": ["", 128], "WindowWidth": ["", 256]},
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
            value = pydicom.Sequence([item(**made) for made in value])
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
        (
            [9, 5, 7, 0, 1000, 2000],
            {"PixelPaddingValue": 5, "PixelPaddingRangeLimit": 9},
            [0, 0, 0, 0, 128, 255],
        ),
        (
            [9, 5, 7, 0, 1000, 2000],
            {"PixelPaddingValue": 9, "PixelPaddingRangeLimit": 5},
            [0, 0, 0, 0, 128, 255],
        ),
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


def test_colour_of_12_bits_in_16(tmp_path):
    values = np.array([[[0, 0, 0], [4095, 4095, 4095], [819, 819, 819]]])
    for stored in (12, 16):
        assert grey(tmp_path, values, bits=16, BitsStored=stored, HighBit=stored - 1) == [
            [0, 255, 51]
        ]


@pytest.mark.parametrize("kind", ["HSV", "CMYK", "YBR_PARTIAL_420", "ARGB", "PALETTE COLOR"])
def test_unknown_colour_is_refused(tmp_path, kind):
    refused(tmp_path, np.zeros((2, 2, 3), int), kind, bits=8, PhotometricInterpretation=kind)


def test_three_samples_of_grey_are_refused(tmp_path):
    refused(
        tmp_path,
        np.zeros((2, 2, 3), int),
        "MONOCHROME2",
        bits=8,
        PhotometricInterpretation="MONOCHROME2",
    )


def test_window_left_over_from_a_grey_original_does_nothing_to_colour(tmp_path):
    """cornerstoneWADOImageLoader issue 143: a captured screen, black by a window of Hounsfield
    units.
    """
    left = {"WindowCenter": 500, "WindowWidth": 2000, "RescaleSlope": 1, "RescaleIntercept": -1024}
    assert grey(tmp_path, [[[0, 0, 0], [51, 51, 51], [255, 255, 255]]], bits=8, **left) == [
        [0, 51, 255]
    ]


def test_planes_apart(tmp_path):
    values = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 9, 9]]], np.uint8)
    apart = np.moveaxis(values, 2, 0).tobytes()
    assert grey(tmp_path, values, bits=8, PlanarConfiguration=1, PixelData=apart) == [
        [76, 150],
        [29, 9],
    ]


# --- what is no radiograph, or no number
# ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [1, None])
def test_an_object_that_says_things_frame_by_frame_is_refused(tmp_path, frames):
    """Else its window and rescale, which stand in groups, would be left out."""
    made = {"SharedFunctionalGroupsSequence": pydicom.Sequence([item()])}
    made |= {"NumberOfFrames": frames} if frames else {}
    refused(tmp_path, [[0, 51, 255]], "not one radiograph", **made)


def test_file_that_does_not_name_its_transfer_syntax_is_refused(tmp_path):
    ds = pydicom.dcmread(dicom(tmp_path / "a.dcm", [[0, 51, 255]], **FULL))
    del ds.file_meta
    with open(tmp_path / "b.dcm", "wb") as file:
        pydicom.dcmwrite(file, ds, implicit_vr=True, little_endian=True)
    with pytest.raises(InputError, match="b.dcm: image file is DICOM and cannot be decoded"):
        radiographs.read_radiograph(tmp_path / "b.dcm")


@pytest.mark.parametrize(("centre", "width"), [("nan", 5), (5, "nan")])
def test_window_that_is_no_number_is_refused(tmp_path, centre, width):
    refused(tmp_path, [[1, 2]], "indow", WindowCenter=centre, WindowWidth=width)
