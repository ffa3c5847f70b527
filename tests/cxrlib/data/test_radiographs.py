"""Every kind of image file is read rightly or refused in one line."""

import io
import os
import shutil
import struct

import numpy as np
import pytest
from files_of_pictures import dicom, png
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from companion import cli
from cxrlib.data import radiographs
from cxrlib.data.dicom import is_dicom
from cxrlib.files import InputError, sha256

SIDE = 40
RAMP = np.add.outer(np.arange(SIDE) * 4, np.arange(SIDE) * 2).astype(np.uint8)  # 0…234, no symmetry


def saved(path, image, **options):
    image.save(path, **options)
    return path


def decode(path):
    """Decoded at its own size, so that the resampling changes nothing."""
    pixels = radiographs.read_radiograph(path, SIDE)
    assert pixels.dtype == np.uint8 and pixels.shape == (SIDE, SIDE)
    return pixels


def off(pixels, expected):
    return np.abs(pixels.astype(int) - np.asarray(expected).astype(int)).max()


# --- what can be read is read rightly
# --------------------------------------------------------------------------------


def test_grey_png_is_its_pixels(tmp_path):
    assert (decode(saved(tmp_path / "a.png", Image.fromarray(RAMP))) == RAMP).all()


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (20, 30), (500, 400)])
def test_resizing_is_pillows(tmp_path, size):
    pixels = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    file = saved(tmp_path / "a.png", Image.fromarray(pixels))
    expected = Image.open(file).convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    assert (decode(file) == np.asarray(expected)).all()


def test_colour_is_luma(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    got = decode(saved(tmp_path / "a.png", Image.fromarray(pixels)))
    assert off(got, pixels @ [0.299, 0.587, 0.114]) <= 1  # ITU-R BT.601


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["png", "tif", "big-endian tif"])
def test_deep_images_are_scaled_by_their_depth(tmp_path, bits, kind):
    deep = np.linspace(0, 2**bits - 1, SIDE * SIDE).astype(np.uint16).reshape(SIDE, SIDE)
    file = tmp_path / f"a.{kind[-3:]}"
    if kind == "big-endian tif":
        tags = [(256, 4, SIDE), (257, 4, SIDE), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 4, 8)]
        tags += [(277, 3, 1), (278, 4, SIDE), (279, 4, deep.nbytes)]
        directory = struct.pack(">H", len(tags)) + b"".join(
            struct.pack(">HHI", tag, form, 1)
            + (struct.pack(">HH", value, 0) if form == 3 else struct.pack(">I", value))
            for tag, form, value in tags
        )
        header = b"MM\0*" + struct.pack(">I", 8 + deep.nbytes)
        file.write_bytes(header + deep.astype(">u2").tobytes() + directory + bytes(4))
    else:
        Image.fromarray(deep).save(file)
    with Image.open(file) as image:
        assert image.mode == ("I;16B" if kind == "big-endian tif" else "I;16")
    got = decode(file)
    assert got.min() == 0 and got.max() == 255
    assert off(got, deep >> (bits - 8)) <= 1


def test_deep_black_is_black(tmp_path):
    assert not decode(
        saved(tmp_path / "a.png", Image.fromarray(np.zeros((SIDE, SIDE), np.uint16)))
    ).any()


def test_cmyk_jpeg(tmp_path):
    ink = np.zeros((SIDE, SIDE, 4), np.uint8)
    ink[..., 3] = 255 - RAMP  # black ink alone
    got = decode(
        saved(tmp_path / "a.jpg", Image.fromarray(ink, "CMYK"), quality=100, subsampling=0)
    )
    assert off(got, RAMP) <= 4


def test_palette(tmp_path):
    image = Image.fromarray(np.arange(SIDE * SIDE).reshape(SIDE, SIDE).astype(np.uint8) % 3, "P")
    image.putpalette([255] * 3 + [200] * 3 + [0] * 3)
    got = decode(saved(tmp_path / "a.png", image))
    assert off(got, np.array([255, 200, 0])[np.asarray(image)]) <= 1


def test_alpha_may_be_there_and_must_be_full(tmp_path):
    full = Image.new("L", (SIDE, SIDE), 255)
    grey = Image.merge("LA", [Image.fromarray(RAMP), full])
    assert (decode(saved(tmp_path / "a.png", grey)) == RAMP).all()
    colour = Image.merge("RGBA", [Image.fromarray(RAMP)] * 3 + [full])
    assert (decode(saved(tmp_path / "b.png", colour)) == RAMP).all()
    colour.putpixel((3, 4), (9, 9, 9, 254))
    refused(saved(tmp_path / "c.png", colour), "transparent")


@pytest.mark.parametrize("kind", ["palette", 1, 8, 16])
def test_a_transparent_value_is_refused(tmp_path, kind):
    if kind == "palette":
        image = Image.fromarray(RAMP % 3, "P")
        image.putpalette([255] * 9)
        file = saved(tmp_path / "a.png", image, transparency=bytes([0, 255, 128]))
    else:
        values = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % 2
        file = png(tmp_path / "a.png", values, bits=kind, tRNS=struct.pack(">H", 1))
    refused(file, "transparent")


def test_bilevel(tmp_path):
    bits = RAMP > 100
    assert (decode(saved(tmp_path / "a.png", Image.fromarray(bits))) == bits * 255).all()


def test_wrong_extension_does_no_harm(tmp_path):
    jpeg = saved(tmp_path / "a.jpg", Image.fromarray(RAMP))
    assert (decode(shutil.copy(jpeg, tmp_path / "a.png")) == decode(jpeg)).all()
    assert off(decode(jpeg), RAMP) <= 4


TURNED = {  # EXIF 2.32, orientation: what a reader does to the stored rows
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).T,
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", TURNED)
def test_exif_turn_is_obeyed(tmp_path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    plain = decode(saved(tmp_path / "a.jpg", Image.fromarray(RAMP)))
    got = decode(saved(tmp_path / "b.jpg", Image.fromarray(RAMP), exif=exif))
    assert (got == TURNED[orientation](plain)).all()


# --- 16 bits a channel, fractions, polarity
# ---------------------------------------------------------------------------

TWELVE = np.linspace(0, 4095, SIDE * SIDE).astype(np.uint16).reshape(SIDE, SIDE)


@pytest.mark.parametrize("kind", ["RGB", "grey+alpha", "RGBA"])
def test_png_of_16_bits_a_channel_is_refused(tmp_path, kind):
    """Pillow keeps the upper 8, which darkens one of 12 bits in 16."""
    channels = {"RGB": 3, "grey+alpha": 2, "RGBA": 4}[kind]
    samples = np.dstack([TWELVE] * channels)
    refused(png(tmp_path / "a.png", samples, kind), "16 bits a channel")


@pytest.mark.parametrize("bits", [8, 16])
def test_gamma_of_a_png_changes_nothing(tmp_path, bits):
    values = RAMP.astype(int) * ((2**bits - 1) // 255)
    plain = decode(png(tmp_path / "a.png", values, bits=bits))
    named = png(tmp_path / "b.png", values, bits=bits, gAMA=struct.pack(">I", 100000))
    assert (decode(named) == plain).all()


def tiff(path, values, **options):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(path, np.asarray(values), **{"metadata": None, "compression": None} | options)
    return path


@pytest.mark.parametrize("order", ["<", ">"])
def test_white_is_zero_at_every_depth(tmp_path, order):
    options = {"photometric": "miniswhite", "byteorder": order}
    eight = decode(tiff(tmp_path / "a.tif", 255 - RAMP, **options))
    assert off(eight, RAMP) == 0
    deep = (255 - RAMP).astype(np.uint16) * 257
    for name, more in (("b.tif", {}), ("c.tif", {"compression": "zlib"})):
        file = tiff(tmp_path / name, deep, **options, **more)
        if order == "<":
            assert off(decode(file), RAMP) == 0
        else:  # Pillow does not know it
            pytest.raises(InputError, radiographs.read_radiograph, file)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"compression": "zlib"},
        {"tile": (16, 16)},
        {"extrasamples": ["unassalpha"]},
        {"planarconfig": "separate"},
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_of_16_bits_a_channel_is_refused(tmp_path, more, order):
    colour = np.dstack([TWELVE << 4] * (4 if "extrasamples" in more else 3))
    colour = np.moveaxis(colour, 2, 0) if "planarconfig" in more else colour
    file = tiff(tmp_path / "a.tif", colour, photometric="rgb", byteorder=order, **more)
    refused(file, "16 bits a channel")


@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_of_16_bits_turns(tmp_path, order):
    grey = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE)).astype(np.uint16) * 257
    turn = {"extratags": [(274, "H", 1, 6, True)], "byteorder": order}
    assert off(decode(tiff(tmp_path / "b.tif", grey, **turn)), np.rot90(grey / 257, -1)) <= 1


@pytest.mark.parametrize("kind", [np.float32, np.int8, np.int16, np.int32, np.uint32])
def test_tiff_of_other_numbers_is_refused(tmp_path, kind):
    refused(tiff(tmp_path / "a.tif", (RAMP // 2).astype(kind)), "numbers of an unusual kind")


def test_tiff_with_a_palette_is_refused(tmp_path):
    """Pillow issue 2157: one whose entries go up to 255 where 65,535 is white comes out black."""
    table = np.array([np.arange(256)] * 3, np.uint16)
    file = tiff(tmp_path / "a.tif", RAMP, photometric="palette", colormap=table)
    refused(file, "numbers of an unusual kind")


@pytest.mark.parametrize("kind", ["bmp", "gif", "webp", "ppm", "jpeg2000"])
def test_other_formats_are_refused(tmp_path, kind):
    Image.fromarray(RAMP).save(tmp_path / "a.png", kind)
    refused(tmp_path / "a.png", "no known image format (PNG, JPEG, TIFF, DICOM)")


@pytest.mark.parametrize("kind", ["tif", "png"])
def test_several_pictures_in_a_file_are_refused(tmp_path, kind):
    pages = [Image.fromarray(np.roll(RAMP, k)) for k in range(3)]
    pages[0].save(tmp_path / f"a.{kind}", save_all=True, append_images=pages[1:])
    refused(tmp_path / f"a.{kind}", "3 pictures")


def test_pipe_folder_and_device_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", tmp_path, "/dev/null"):
        for read in (radiographs.read_radiograph, radiographs.stored_size):
            with pytest.raises(InputError, match="a regular file is needed"):
                read(path)


# --- what cannot be read is refused
# ------------------------------------------------------------------------------------


def refused(file, *fragments):
    for name in (None, "folder/name.png"):
        with pytest.raises(InputError) as caught:
            radiographs.read_radiograph(file, SIDE, name)
        assert str(caught.value).startswith(f"{name or file}: image file ")
        assert all(fragment in str(caught.value) for fragment in fragments)
    with pytest.raises(InputError, match="b.png: image file") as caught:
        load_beside_a_good_one(file)
    assert not list((file.parent / "cache").iterdir())


def load_beside_a_good_one(file):
    root = file.parent / "root"
    root.mkdir()
    saved(root / "a.png", Image.fromarray(RAMP))
    shutil.copy(file, root / "b.png")
    return radiographs.load(root, ["a.png", "b.png"], SIDE, file.parent / "cache")


def truncated(name):
    stream, noise = (
        io.BytesIO(),
        np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), dtype=np.uint8),
    )
    Image.fromarray(noise).save(stream, name)
    return stream.getvalue()[:-300]


BROKEN = {
    "truncated JPEG": (truncated("jpeg"), "truncated"),
    "truncated PNG": (truncated("png"), "truncated"),
    "no bytes": (b"", "empty"),
    "text": (b"404: Not Found\n", "no known image format"),
    "header alone": (b"\x89PNG\r\n\x1a\n", "image"),
    "web page": (b"<!DOCTYPE html>\n<html></html>\n", "no known image format"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_file_is_refused(tmp_path, case):
    content, says = BROKEN[case]
    (tmp_path / "x.png").write_bytes(content)
    refused(tmp_path / "x.png", says)


def test_decompression_bomb_is_refused(tmp_path, monkeypatch):
    file = saved(tmp_path / "x.png", Image.new("L", (100, 100)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)  # Pillow refuses from twice this
    refused(file, "10000 pixels")
    with pytest.raises(InputError, match="x.png"):
        radiographs.stored_size(file)


def test_absent_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="x.png: image file does not exist"):
        radiographs.read_radiograph(tmp_path / "x.png", SIDE)
    with pytest.raises(InputError, match="^x.png: image file does not exist"):
        radiographs.load(tmp_path, ["x.png"], SIDE, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def samples():
    exif = Image.Exif()
    exif[274], exif[36867] = 6, "2020:01:22 00:00:00"
    kinds = {
        "png": {"exif": exif},
        "jpeg": {"exif": exif},
        "tiff": {"compression": "tiff_lzw"},
        "gif": {},
        "webp": {},
    }
    for name, options in kinds.items():
        stream = io.BytesIO()
        Image.fromarray(RAMP).save(stream, name, **options)
        yield stream.getvalue()


SAMPLES = list(samples())


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(SAMPLES),
    st.floats(0, 1),
    st.binary(max_size=8),
    st.integers(0, 8),
    st.booleans(),
)
def test_damaged_file_is_read_or_refused(tmp_path, content, at, junk, lost, front):
    at = int(at * min(len(content), 120 if front else 10**9))
    (tmp_path / "x").write_bytes(content[:at] + junk + content[at + lost :])
    for read in (lambda file: decode(file).shape, radiographs.stored_size):
        try:
            assert len(read(tmp_path / "x")) == 2
        except InputError as error:
            assert "x: image file" in str(error)


@pytest.mark.parametrize("case", ["truncated JPEG", "no bytes", "text"])
def test_one_broken_file_ends_the_command(phantom_data, tmp_path, capsys, monkeypatch, case):
    data = shutil.copytree(phantom_data, tmp_path / "data")
    victim = sorted((data / "kermany-chest-xray-224").rglob("*.jpeg"))[20]
    victim.write_bytes(BROKEN[case][0])
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "cache"))
    options = ["--data", data, "--results", tmp_path / "results", "--work", tmp_path / "work"]
    assert cli.main(["train", "zhu-fourclass", "--phantom", *map(str, options)]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and len(printed.err.splitlines()) == 1
    assert printed.err.startswith(f"cxr: {victim.relative_to(data).as_posix()}: image file ")
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and data not in file.parents]
    assert not (tmp_path / "results").exists() and not (tmp_path / "work").exists()


# --- the array
# --------------------------------------------------------------------------------------------------


@pytest.fixture
def three(tmp_path):
    """Three images that differ, in a folder."""
    root = tmp_path / "root"
    root.mkdir()
    for k, name in enumerate("abc"):
        saved(root / f"{name}.png", Image.fromarray(np.roll(RAMP, 7 * k, 1)))
    return root


def test_array_holds_the_decoded_images_in_order(three, tmp_path):
    paths = ["c.png", "a.png", "b.png"]
    pixels, hashes = radiographs.load(three, paths, SIDE, tmp_path / "cache")
    assert pixels.shape == (3, SIDE, SIDE) and pixels.dtype == np.uint8
    for row, path in zip(pixels, paths, strict=True):
        assert (row == decode(three / path)).all()
    assert hashes == [sha256(three / path) for path in paths]

    assert isinstance(pixels, np.memmap) and not pixels.flags.writeable
    with pytest.raises(ValueError):
        pixels[0, 0, 0] = 1


@pytest.mark.parametrize("terminal", [True, False])
def test_decoding_shows_a_bar_on_a_terminal_alone(three, tmp_path, monkeypatch, terminal):
    screen = io.StringIO()
    screen.isatty = lambda: terminal
    monkeypatch.setattr("sys.stderr", screen)
    for _ in range(2):  # the second time from the cache
        radiographs.load(three, ["a.png", "b.png", "c.png"], SIDE, tmp_path / "cache")
    assert screen.getvalue().count("3/3") == terminal


def test_same_content_is_decoded_once(three, tmp_path, monkeypatch):
    cache = tmp_path / "cache"

    def stored():
        return {file.name for file in cache.iterdir()}

    def load(*names, size=SIDE):
        return radiographs.load(three, [f"{name}.png" for name in names], size, cache)[0]

    first = np.array(load("a", "b"))
    (name,) = stored()
    (three / "b.png").rename(three / "d.png")
    with monkeypatch.context() as patch:
        patch.setattr(radiographs, "read_radiograph", lambda *args: pytest.fail("decoded again"))
        assert (load("a", "d") == first).all()
    assert stored() == {name}
    assert (load("d", "a") == first[::-1]).all() and len(stored()) == 2
    assert load("a", "d", size=20).shape == (2, 20, 20) and len(stored()) == 3
    (three / "d.png").write_bytes(
        (three / "d.png").read_bytes() + b"\0"
    )  # the same picture, another file
    assert (load("a", "d") == first).all() and len(stored()) == 4


def test_an_array_made_by_an_earlier_version_is_found_under_its_name(tmp_path):
    """Version 0.1.0 named the array of this file so: it must not be decoded again."""
    (tmp_path / "a.pgm").write_bytes(b"P5 2 2 255\n\x01\x02\x03\x04")  # its name is of these bytes
    made = np.full((1, 4, 4), 7, np.uint8)
    np.save(tmp_path / "images-9c65d3358120d3e305475e61eb249008.npy", made)
    pixels, _ = radiographs.load(tmp_path, ["a.pgm"], 4, cache=tmp_path)
    assert (pixels == made).all() and len(list(tmp_path.glob("*.npy"))) == 1


def test_cache_folder_from_the_environment(three, tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "elsewhere"))
    radiographs.load(three, ["a.png"], SIDE)
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1


ids = st.dictionaries(
    st.text("abc/", min_size=1), st.text("0123456789abcdef", min_size=4, max_size=4), min_size=1
)


@given(ids, st.randoms())
def test_fingerprint_depends_on_content_not_on_order(table, random):
    pairs = list(table.items())
    first = radiographs.fingerprint(*zip(*pairs, strict=True))
    random.shuffle(pairs)
    assert radiographs.fingerprint(*zip(*pairs, strict=True)) == first
    name, digest = pairs[0]
    assert (
        radiographs.fingerprint(*zip((name, digest[::-1] + "0"), *pairs[1:], strict=True)) != first
    )
    assert radiographs.fingerprint(*zip((name + "x", digest), *pairs[1:], strict=True)) != first


def test_fingerprint_is_that_of_sha256sum():
    """``printf 'a/1,00\\na/2,ff' | sha256sum``, the contract's list."""
    expected = "2d448d2c9872028aa9ca8bc940ad98f3ba3e056fe8720ed3f0ba90fd2ad582ff"
    assert radiographs.fingerprint(["a/2", "a/1"], ["ff", "00"]) == expected


# --- DICOM
# --------------------------------------------------------------------------------------------------


def grey_of(path):
    pixels = radiographs.read_radiograph(path)
    assert pixels.dtype == np.uint8 and pixels.ndim == 2
    return pixels.tolist()


@pytest.mark.parametrize(
    ("values", "fields", "expected"),
    [
        (
            [[0, 1000, 2000, 4000]],
            {},
            [[0, 64, 128, 255]],
        ),  # lowest to highest: 63.75, 127.5 (to even)
        ([[100, 200, 300]], {}, [[0, 128, 255]]),
        ([[700, 700]], {}, [[0, 0]]),
        ([[-1000, 0, 1000]], {}, [[0, 128, 255]]),
        # PS3.3 C.11.2.1.2.1: ((x - (c - 0.5)) / (w - 1) + 0.5) * 255, black up to c - 0.5 - (w - 1)
        # / 2 = 1000
        (
            [[0, 999, 1000, 1051, 1255, 4000]],
            {"WindowCenter": 1128, "WindowWidth": 256},
            [[0, 0, 0, 51, 255, 255]],
        ),
        (
            [[1000, 1051, 1255]],
            {"WindowCenter": [1128, 50], "WindowWidth": [256, 100]},
            [[0, 51, 255]],
        ),
        (
            [[1100, 1150]],
            {"WindowCenter": 1128, "WindowWidth": 256},
            [[100, 150]],
        ),  # not stretched to the picture's own range
        ([[1000, 1100, 1255]], {"WindowCenter": 1000, "WindowWidth": 1}, [[255, 255, 255]]),
        (
            [[0, 50, 100, 200]],
            {"WindowCenter": 50, "WindowWidth": 100, "VOILUTFunction": "LINEAR_EXACT"},
            [[0, 128, 255, 255]],
        ),
        # 255 / (1 + exp(-4 (x - c) / w)): 255 / (1 + e^4), 127.5, 255 / (1 + e^-4)
        (
            [[0, 100, 200]],
            {"WindowCenter": 100, "WindowWidth": 100, "VOILUTFunction": "SIGMOID"},
            [[5, 128, 250]],
        ),
        (
            [[0, 100]],
            {"WindowCenter": None, "WindowWidth": 256},
            [[0, 255]],
        ),  # half a window is none
        # the window is over rescaled values: 2 * 500 + 0 = 1000
        (
            [[500, 551, 600]],
            {"RescaleSlope": 2, "RescaleIntercept": 0, "WindowCenter": 1128, "WindowWidth": 256},
            [[0, 102, 200]],
        ),
        (
            [[0, 51, 255]],
            {"RescaleSlope": 1, "RescaleIntercept": 1000, "WindowCenter": 1128, "WindowWidth": 256},
            [[0, 51, 255]],
        ),
        (
            [[0, 100, 400]],
            {"RescaleSlope": -1, "RescaleIntercept": 0},
            [[255, 191, 0]],
        ),  # 255 - 63.75
        (
            [[200, 100, 51]],
            {"RescaleSlope": -1, "RescaleIntercept": 255, "WindowCenter": 128, "WindowWidth": 256},
            [[55, 155, 204]],
        ),
    ],
)
def test_dicom_values_become_grey(tmp_path, values, fields, expected):
    if "WindowCenter" in fields and fields["WindowCenter"] is None:
        fields = {"WindowWidth": fields["WindowWidth"]}
    assert grey_of(dicom(tmp_path / "a", values, **fields)) == expected
    inverse = grey_of(
        dicom(tmp_path / "b", values, PhotometricInterpretation="MONOCHROME1", **fields)
    )
    assert (
        off(np.array(inverse), 255 - np.array(expected)) <= 1
    )  # halves are rounded to even on either side


def test_dicom_of_16_bits_and_of_8(tmp_path):
    values = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)  # 257 k
    assert (
        grey_of(dicom(tmp_path / "a", values, bits=16)) == np.arange(256).reshape(16, 16).tolist()
    )
    full = {"WindowCenter": 128, "WindowWidth": 256}
    assert grey_of(dicom(tmp_path / "b", RAMP, bits=8, **full)) == RAMP.tolist()


def test_dicom_is_told_by_its_mark_and_squashed_as_others_are(tmp_path):
    tall = np.random.default_rng(0).integers(0, 4096, (90, 30))
    tall[0, :2] = 0, 4095
    file = dicom(tmp_path / "a.png", tall)
    assert is_dicom(file) and radiographs.read_radiograph(file).shape == (90, 30)
    assert radiographs.stored_size(file) == (30, 90)
    png = saved(
        tmp_path / "b.dcm", Image.fromarray(radiographs.read_radiograph(file)), format="png"
    )  # a PNG, whatever its name
    assert (
        not is_dicom(png)
        and (
            radiographs.read_radiograph(png, SIDE) == radiographs.read_radiograph(file, SIDE)
        ).all()
    )


def test_dicom_without_its_mark_is_refused(tmp_path):
    content = dicom(tmp_path / "a.dcm", [[1, 2]]).read_bytes()
    (tmp_path / "b.dcm").write_bytes(content[132:])
    refused(tmp_path / "b.dcm", "no known image format")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"NumberOfFrames": 2, "PixelData": bytes(12)}, "made of frames (2)"),
        ({"PixelData": None}, "PixelData"),
        ({"PixelData": bytes(2)}, "less than expected"),
        ({"Rows": 0}, "3 x 0 pixels"),
        ({"Rows": 65535, "Columns": 65535}, "65535 x 65535 pixels"),
        ({"Rows": None}, "Rows"),
        ({"PhotometricInterpretation": None}, "Photometric"),
        ({"RescaleSlope": "nan", "RescaleIntercept": 0}, "no numbers"),
        ({"WindowCenter": 5, "WindowWidth": 0}, "Window Width"),
        ({"WindowCenter": 5, "WindowWidth": 9, "VOILUTFunction": "CUBIC"}, "CUBIC"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_dicom_that_is_no_radiograph_is_refused(tmp_path, fields, says):
    refused(
        dicom(tmp_path / "a.dcm", [[1, 2, 3]], **fields),
        "image file is DICOM and cannot be decoded",
        says,
    )


def test_dicom_of_unreadable_compression_is_refused(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    ds = pydicom.dcmread(dicom(tmp_path / "a.dcm", [[1, 2, 3]]))
    ds.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
    ds.PixelData = pydicom.encaps.encapsulate([b"no JPEG 2000 stream"])
    ds.save_as(tmp_path / "a.dcm")
    refused(tmp_path / "a.dcm", "image file is DICOM and cannot be decoded")
    assert "\n" not in str(
        pytest.raises(InputError, radiographs.read_radiograph, tmp_path / "a.dcm").value
    )


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 1), st.binary(max_size=6), st.integers(0, 8), st.booleans())
def test_damaged_dicom_is_read_or_refused(tmp_path, at, junk, lost, truncate):
    content = dicom(tmp_path / "a.dcm", RAMP, bits=8, WindowCenter=90, WindowWidth=200).read_bytes()
    at = int(at * len(content) * 0.9 if truncate else at * 500)  # 500: about where the header ends
    (tmp_path / "a.dcm").write_bytes(
        content[:at] + (b"" if truncate else junk + content[at + lost :])
    )
    try:
        assert radiographs.read_radiograph(tmp_path / "a.dcm").ndim == 2 and not truncate
    except InputError as error:
        assert str(error).startswith(f"{tmp_path / 'a.dcm'}: image file ")


def test_dicom_without_pydicom_says_what_to_install(tmp_path, monkeypatch):
    file = dicom(tmp_path / "a.dcm", [[1, 2]])
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)
    refused(file, "is DICOM; reading it needs pydicom: pip install pydicom")


def test_a_cache_that_cannot_be_made_is_named(three, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match=r"file/cache/images-.*: cannot be written"):
        radiographs.load(three, ["a.png"], SIDE)


# --- parts of a picture
# --------------------------------------------------------------------------------------------------


@given(st.integers(2, 90), st.integers(2, 90), st.integers(0, 2**32))
def test_frame_and_centre_are_the_two_parts_of_an_image(height, width, seed):
    pixels = np.random.default_rng(seed).integers(1, 256, (2, height, width), np.uint8)
    frame, centre = radiographs.show_part(pixels, "frame"), radiographs.show_part(pixels, "centre")
    np.testing.assert_array_equal(frame.astype(int) + centre, pixels)
    assert not (frame.astype(bool) & centre.astype(bool)).any()
    for (row, column), value in np.ndenumerate(
        centre[0]
    ):  # inside when a frame's width lies between it and each edge
        high, wide = round(0.05 * height), round(0.05 * width)
        inside = high <= row < height - high and wide <= column < width - wide
        assert value == (pixels[0, row, column] if inside else 0)
    assert radiographs.show_part(pixels, "whole") is pixels
