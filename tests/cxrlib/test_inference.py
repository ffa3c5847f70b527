"""inference.py: the recorded model's own probabilities on a person's files; overlays whole or not
at all.
"""

from __future__ import annotations

import io
import itertools
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rounding import apart, assert_near

torch = pytest.importorskip("torch")

import matplotlib as mpl  # noqa: E402
import matplotlib.pyplot as plt  # noqa: E402

mpl.use("Agg")

from companion import cli, studies  # noqa: E402
from companion.studies import zhu2020  # noqa: E402
from cxrlib import gradcam, inference, plots  # noqa: E402
from cxrlib.data import radiographs  # noqa: E402
from cxrlib.files import InputError  # noqa: E402
from cxrlib.transfer import fit, resnet  # noqa: E402

CLASSES = ["covid", "viral", "bacterial", "normal"]
COLUMNS = ["image", *(f"p_{name}" for name in CLASSES), "predicted"]


@pytest.fixture(scope="session")
def run():
    """The recorded run of Study B, with its model."""
    return studies.run("zhu-fourclass")


@pytest.fixture(scope="session")
def some(phantom_data) -> list[str]:
    """Five phantoms: PNG and JPEG, of several classes, not in the order of their names."""
    png = sorted(phantom_data.rglob("images/*.png"))[:2]
    jpeg = sorted(phantom_data.rglob("*.jpeg"))[::40][:3]
    return [str(file) for file in (jpeg[2], png[1], jpeg[0], png[0], jpeg[1])]


def job(paths, record=None, **options) -> inference.Job:
    return inference.Job(record or studies.run("zhu-fourclass"), paths, device="cpu", **options)


def predict_files(paths, record=None, **options) -> pd.DataFrame:
    """What a job answers, as the table that the command writes."""
    rows = []
    for file, p in job(paths, record, **options):
        if isinstance(p, InputError):
            raise p
        rows.append((file, *p, CLASSES[p.argmax()]))
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.fixture(scope="session")
def table(some) -> pd.DataFrame:
    return predict_files(some)


def log_p(table) -> np.ndarray:
    return np.log(table[[f"p_{name}" for name in CLASSES]].to_numpy(float))


@pytest.fixture
def flat(monkeypatch):
    """In place of Grad-CAM, maps that are zero; their overlays are even."""
    monkeypatch.setattr(
        gradcam,
        "grad_cam",
        lambda model, pixels, *rest, **options: np.zeros((len(pixels), 7, 7), np.float32),
    )


def command(capsys, *arguments) -> tuple[int, str, str]:
    capsys.readouterr()
    code = cli.main(["predict", *map(str, arguments)])
    return code, *capsys.readouterr()


def complaint(capsys, *arguments) -> str:
    """The one line of a command that is refused."""
    code, out, err = command(capsys, *arguments)
    assert code == 2 and out == "" and err.count("\n") == 1 and err.startswith("cxr: "), err
    return err


# --- numbers
# --------------------------------------------------------------------------------------------------


def test_probabilities_are_those_of_the_recorded_model(some, table, run):
    assert list(table) == COLUMNS and table["image"].tolist() == some
    p = table[[f"p_{name}" for name in CLASSES]].to_numpy()
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    assert table["predicted"].tolist() == [CLASSES[k] for k in p.argmax(axis=1)]
    model = resnet.build("resnet18", 4, resnet.read(run.folder / "model.safetensors"))
    pixels = np.stack([radiographs.read_radiograph(path, 224) for path in some])
    np.testing.assert_array_equal(p, np.exp(fit.predict(model, pixels, batch=1)))


def test_order_follows_the_paths(some, table):
    again = predict_files(some[::-1])
    assert again["image"].tolist() == some[::-1]
    assert_near(log_p(again[::-1]), log_p(table), apart())
    assert (
        min(np.abs(one - two).max() for one, two in itertools.combinations(log_p(table), 2))
        > 100 * apart() * np.abs(log_p(table)).max()
    )


def test_real_test_images_get_their_recorded_probabilities(real_data, run):
    manifest = zhu2020.manifest(real_data).set_index("image_id")
    recorded = run.predictions.groupby("y_true").nth([0, -1])  # two images of each class
    files = [str(real_data / manifest.loc[image_id, "path"]) for image_id in recorded["image_id"]]
    assert len(files) == 8
    assert_near(log_p(predict_files(files)), log_p(recorded), apart())


def test_dicom_of_a_radiograph_gets_the_same_probabilities(tmp_path, some, table):
    pydicom = pytest.importorskip("pydicom")
    pixels = np.asarray(radiographs.read_radiograph(some[0]))
    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.3"
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PixelRepresentation = *pixels.shape, 1, 0
    ds.PhotometricInterpretation, ds.BitsAllocated, ds.BitsStored, ds.HighBit = (
        "MONOCHROME1",
        16,
        12,
        11,
    )
    ds.WindowCenter, ds.WindowWidth = 2128, 256  # 2000 to 2255
    ds.PixelData = (2255 - pixels.astype(np.uint16)).tobytes()
    ds.save_as(tmp_path / "IM0001", enforce_file_format=True)
    got = predict_files([tmp_path])
    assert got["image"].tolist() == [str(tmp_path / "IM0001")]
    assert_near(log_p(got), log_p(table[:1]), apart())


# --- which images
# --------------------------------------------------------------------------------------------------


def test_a_folder_means_what_is_in_it(tmp_path, some):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("b.png", "a.JPG", "c", ".hidden.png", "notes.txt"):
        (folder / name).write_bytes(b"")
    (folder / "deeper").mkdir()
    names = [str(folder / name) for name in ("a.JPG", "b.png", "c", "deeper", "notes.txt")]
    assert inference.image_files([some[1], folder]) == [some[1], *names]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: folder holds no image"):
        inference.image_files([tmp_path / "empty"])
    with pytest.raises(InputError, match="absent.png: image file does not exist"):
        inference.image_files([some[1], tmp_path / "absent.png"])


# --- overlays
# --------------------------------------------------------------------------------------------------


def test_overlays_are_of_the_models_maps(tmp_path, some, table, run, monkeypatch):
    drawn = []
    overlay = plots.overlay
    monkeypatch.setattr(
        plots,
        "overlay",
        lambda *args, **options: (
            drawn.append((args, options["title"])) or overlay(*args, **options)
        ),
    )
    got = predict_files(some[:2], overlays=tmp_path / "new" / "out", target="normal")
    pd.testing.assert_frame_equal(got[["image", "predicted"]], table[["image", "predicted"]][:2])
    assert_near(log_p(got), log_p(table[:2]), apart())
    written = sorted(file.name for file in (tmp_path / "new" / "out").iterdir())
    assert written == sorted(f"{Path(file).name}_normal.png" for file in some[:2])
    assert os.listdir(tmp_path / "new") == ["out"]
    assert plt.get_fignums() == []
    model = resnet.build("resnet18", 4, resnet.read(run.folder / "model.safetensors"))
    expected = gradcam.grad_cam(
        model,
        np.stack([radiographs.read_radiograph(path, 224) for path in some[:2]]),
        CLASSES.index("normal"),
    )
    for ((picture, cam), title), path, cam_expected, p in zip(
        drawn, some[:2], expected, got["p_normal"], strict=True
    ):
        np.testing.assert_array_equal(picture, np.asarray(radiographs.read_radiograph(path)))
        np.testing.assert_array_equal(cam, cam_expected)
        empty = "; empty map: nothing raised this score" if not cam_expected.any() else ""
        assert title == f"Grad-CAM for Normal (p = {p:.3f}), run zhu-fourclass{empty}"


@pytest.mark.parametrize("size", [(2400, 1600), (300, 900), (120, 90)])
def test_overlay_file_keeps_the_proportions(tmp_path, flat, size):
    Image.new("L", size, 255).save(tmp_path / "a.png")
    predict_files([tmp_path / "a.png"], overlays=tmp_path / "out")
    with Image.open(tmp_path / "out" / "a.png_covid.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert max(pixels.shape) == 1000
    rows, columns = np.nonzero(
        np.abs(pixels - [153, 153, 204]).max(axis=2) < 3
    )  # 0.6 white + 0.4 (0, 0, 0.5)
    assert np.ptp(columns) / np.ptp(rows) == pytest.approx(size[0] / size[1], rel=0.02)
    assert max(np.ptp(columns), np.ptp(rows)) > 600


def test_overlay_says_that_it_is_no_medical_device(tmp_path, some, flat, monkeypatch):
    texts, savefig = [], mpl.figure.Figure.savefig
    monkeypatch.setattr(
        mpl.figure.Figure,
        "savefig",
        lambda figure, *args, **options: (
            texts.append([text.get_text() for text in figure.texts])
            or savefig(figure, *args, **options)
        ),
    )
    predict_files(some[:1], overlays=tmp_path)
    assert texts == [["Research software, not a medical device"]]


def test_overlays_are_replaced_but_never_a_radiograph(tmp_path, some, flat, capsys):
    shutil.copy(some[1], tmp_path / "a.png")
    taken = shutil.copy(some[3], tmp_path / "a.png_covid.png")
    before = taken.read_bytes()
    assert "would replace an image" in complaint(capsys, tmp_path, "--cam", tmp_path)
    assert taken.read_bytes() == before and len(os.listdir(tmp_path)) == 2
    (tmp_path / "other").mkdir()
    other = shutil.copy(some[3], tmp_path / "other" / "A.png")
    pair = (tmp_path / "a.png", other, "--cam", tmp_path / "out")
    assert (
        "replace an image or one another" in complaint(capsys, *pair)
        and not (tmp_path / "out").exists()
    )
    for _ in range(2):
        assert (
            command(capsys, tmp_path / "a.png", "--cam", tmp_path / "out", "--device", "cpu")[0]
            == 0
        )
        assert os.listdir(tmp_path / "out") == ["a.png_covid.png"]


def test_an_overlay_is_whole_or_not_there(tmp_path, some, flat, monkeypatch, capsys):
    def full(figure, file, **options):
        savefig(figure, file, **options)
        if len(os.listdir(file.parent)) > 1:
            raise OSError(28, "No space left on device")

    savefig = mpl.figure.Figure.savefig
    monkeypatch.setattr(mpl.figure.Figure, "savefig", full)
    code, out, err = command(capsys, *some[:3], "--cam", tmp_path / "out", "--device", "cpu")
    assert (
        code == 2 and "No space" in err.splitlines()[-1] and len(out.splitlines()) == 2
    )  # the first row was there already
    assert os.listdir(tmp_path / "out") == [f"{Path(some[0]).name}_covid.png"]
    assert plt.get_fignums() == []


# --- the command
# --------------------------------------------------------------------------------------------------


def test_command_prints_a_plain_table_and_a_warning(some, table, capsys, tmp_path):
    code, out, err = command(capsys, *some, "--device", "cpu")
    assert code == 0
    printed = pd.read_csv(io.StringIO(out))
    pd.testing.assert_frame_equal(printed, table, check_exact=False, atol=1e-8)
    warning, model = err.splitlines()
    assert (
        warning
        == "cxr: not a medical device: these numbers must not guide the care of a patient; the"
        " model was trained on two image collections that differ by age, hospital and file"
        " processing"
    )
    assert (
        model == "cxr: model zhu-fourclass: Study B, four classes, resnet18 trained on radiographs"
    )
    named = command(
        capsys,
        "--model",
        "zhu-fourclass",
        *some,
        "--device",
        "cpu",
        "--output",
        tmp_path / "new" / "p.csv",
    )
    assert named == (0, "", err) and (tmp_path / "new" / "p.csv").read_text(encoding="utf-8") == out


def test_images_may_stand_after_an_option(some, capsys):
    before = command(capsys, "--model", "zhu-fourclass", *some[:2], "--device", "cpu")
    assert (
        command(capsys, "--model", "zhu-fourclass", some[0], "--device", "cpu", some[1]) == before
        and before[0] == 0
    )
    assert command(capsys, "--model", "zhu-fourclass", "--device", "cpu", *some[:2]) == before
    with pytest.raises(SystemExit):
        command(capsys, some[0], "--colour", "red")


def test_a_model_of_other_results(some, capsys, tmp_path, monkeypatch, run):
    results = tmp_path / "results"
    shutil.copytree(
        run.folder, results / "mine", ignore=shutil.ignore_patterns("model.safetensors")
    )
    (results / "mine" / "model.safetensors").symlink_to(run.folder / "model.safetensors")
    options = ["--device", "cpu", "--results", results]
    code, out, err = command(capsys, "--model", "mine", some[0], *options)
    assert code == 0 and len(out.splitlines()) == 2 and "model mine" in err
    # the default is not recorded there
    assert "zhu-fourclass" in complaint(capsys, some[0], *options)
    (results / "mine" / "model.safetensors").unlink()
    assert "holds no model" in complaint(capsys, "--model", "mine", some[0], *options)


BAD = {"text.png": b"text", "cut.dcm": bytes(128) + b"DICM" + bytes(9), "empty.jfif": b""}


@pytest.mark.parametrize("bad", ["absent.png", "empty"])
def test_what_is_no_file_among_good_ones_ends_the_command(some, tmp_path, capsys, bad):
    file = tmp_path / "in" / bad
    file.parent.mkdir()
    {"absent.png": lambda path: None, "empty": Path.mkdir}[bad](file)
    line = complaint(
        capsys,
        some[0],
        file,
        some[1],
        "--cam",
        tmp_path / "out",
        "--output",
        tmp_path / "p.csv",
        "--device",
        "cpu",
    )
    assert str(file) in line and os.listdir(tmp_path) == ["in"]


def test_unreadable_files_among_good_ones_are_named_and_counted(some, table, tmp_path, capsys):
    for name, content in (BAD | {"cut.jpg": Path(some[0]).read_bytes()[:-500]}).items():
        (tmp_path / name).write_bytes(content)
    bad = sorted(map(str, tmp_path.iterdir()))
    code, out, err = command(
        capsys,
        *some[:3],
        *bad,
        *some[3:],
        "--device",
        "cpu",
        "--output",
        tmp_path / "p.csv",
        "--cam",
        tmp_path / "out",
    )
    assert code == 1 and out == ""
    got = pd.read_csv(tmp_path / "p.csv")
    pd.testing.assert_frame_equal(got, table, check_exact=False, atol=1e-6)
    named = [line for line in err.splitlines() if ": image file " in line]
    assert [line.removeprefix("cxr: ").partition(": image file ")[0] for line in named] == bad
    assert err.splitlines()[-1] == "cxr: 4 of 9 image files cannot be read"
    assert len(os.listdir(tmp_path / "out")) == 5 and not list(tmp_path.glob(".p*"))
    with pytest.raises(InputError, match="cut.dcm: image file"):
        predict_files([some[0], *bad])


def test_nothing_is_written_when_nothing_can_be_read(some, tmp_path, capsys):
    for name, content in BAD.items():
        (tmp_path / name).write_bytes(content)
    assert "text.png: image file is of no known" in complaint(
        capsys, tmp_path / "text.png", "--output", tmp_path / "p.csv"
    )
    code, out, err = command(capsys, tmp_path, "--output", tmp_path / "p.csv")
    assert (
        (code, out) == (2, "")
        and err.splitlines()[-1] == "cxr: none of the 3 image files can be read"
        and err.count("\n") == 4
    )
    assert sorted(os.listdir(tmp_path)) == sorted(BAD)


# --- a folder of any size
# ---------------------------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path, some, monkeypatch):
    """300 files, and answers that cost nothing: the mean grey value in place of the first class."""

    def answer(model, pixels, *rest, **options):
        share = pixels.mean((1, 2)) / 256
        return np.log(np.stack([share, *[(1 - share) / 3] * 3], axis=1))

    monkeypatch.setattr(fit, "predict", answer)
    folder = tmp_path / "many"
    folder.mkdir()
    for k in range(300):
        Image.new("L", (8, 8), k % 256).save(folder / f"{k:03}.png")
    return folder


def test_rows_come_in_order_and_nothing_is_read_ahead(many, monkeypatch):
    read, image = [], radiographs.read_radiograph
    monkeypatch.setattr(
        radiographs, "read_radiograph", lambda path: read.append(path) or image(path)
    )
    answers = iter(job([many]))
    file, p = next(answers)
    assert file.endswith("000.png") and p[0] == pytest.approx(0) and len(read) == 1
    rest = list(answers)
    assert [Path(file).stem for file, _ in rest] == [f"{k:03}" for k in range(1, 300)]
    np.testing.assert_allclose([p[0] for _, p in rest], np.arange(1, 300) % 256 / 256)


def test_an_interrupted_prediction_leaves_the_file_as_it_was(many, tmp_path, capsys, monkeypatch):
    answer, calls = fit.predict, []

    def stopped(*args):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return answer(*args)

    monkeypatch.setattr(fit, "predict", stopped)
    (tmp_path / "p.csv").write_text("earlier")
    words = [many, "--device", "cpu", "--output", tmp_path / "p.csv"]
    code, _, err = command(capsys, *words)
    assert code == 130 and err.splitlines()[-1] == "cxr: interrupted"
    assert (tmp_path / "p.csv").read_text() == "earlier"
    assert command(capsys, *words)[0] == 0
    assert len(pd.read_csv(tmp_path / "p.csv")) == 300 and not list(tmp_path.glob(".p*"))


def test_an_answer_does_not_depend_on_the_other_files(some, table):
    alone = pd.concat([predict_files([file]) for file in some], ignore_index=True)
    pd.testing.assert_frame_equal(alone, table, check_exact=True)


def test_bar_is_for_a_terminal(many, capsys, monkeypatch):
    assert "img/s" not in command(capsys, many, "--device", "cpu")[2]
    tty = io.StringIO()
    tty.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", tty)
    out = command(capsys, many, "--device", "cpu")[1]
    assert (
        "300/300" in tty.getvalue() and "img" in tty.getvalue() and "300" not in out.splitlines()[0]
    )
    assert len(pd.read_csv(io.StringIO(out))) == 300


# --- names
# --------------------------------------------------------------------------------------------------


def test_names_do_no_harm(some, tmp_path, capsys, monkeypatch):
    """A spreadsheet takes a name that begins with = for a formula, a terminal takes ESC for a
    command.
    """
    monkeypatch.chdir(tmp_path)
    for name in ("=cmd.png", "+1.png", "@a.png", "\x1b[31mred.png", "\udce9.png"):
        shutil.copy(some[1], name)
    Path("\x1b[31mbad.png").write_bytes(b"text")
    code, out, err = command(capsys, *sorted(os.listdir()), "--device", "cpu")
    assert (
        code == 1
        and "\x1b" not in out + err
        and "\N{REPLACEMENT CHARACTER}[31mbad.png: image file" in err
    )
    assert set(pd.read_csv(io.StringIO(out))["image"]) == {
        "'=cmd.png",
        "'+1.png",
        "'@a.png",
        "\N{REPLACEMENT CHARACTER}[31mred.png",
        "\N{REPLACEMENT CHARACTER}.png",
    }
    assert "\x1b" not in complaint(capsys, "\x1b[31mabsent.png", some[0])


def test_every_file_of_a_folder_is_read_or_named(some, tmp_path, capsys, table):
    picture = Image.open(some[1]).convert("L")
    for name, kind in {"a.jfif": "jpeg", "f": "png", "g.tiff": "tiff"}.items():
        picture.save(tmp_path / name, kind)
    picture.save(tmp_path / "h.webp")
    for name in ("notes.txt", ".hidden"):
        (tmp_path / name).write_bytes(b"text")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "i.png").symlink_to(tmp_path / "moved away.png")
    code, out, err = command(capsys, tmp_path, "--device", "cpu")
    got = pd.read_csv(io.StringIO(out)).set_index("image")
    assert code == 1 and [Path(name).name for name in got.index] == ["a.jfif", "f", "g.tiff"]
    expected = table.loc[1, "p_covid"]
    np.testing.assert_allclose(got.loc[str(tmp_path / "f"), "p_covid"], expected, atol=1e-6)
    bad = [line for line in err.splitlines() if ": image file " in line]
    names = [Path(line.removeprefix("cxr: ").partition(": image file")[0]).name for line in bad]
    assert names == ["deeper", "h.webp", "i.png", "notes.txt", "pipe.png"]
    assert err.splitlines()[-1] == "cxr: 5 of 8 image files cannot be read"


def test_bad_options(some, tmp_path, capsys):
    (tmp_path / "file").write_bytes(b"")
    for options, says in [
        (
            ["--target", "flu"],
            "target 'flu': the classes of zhu-fourclass are covid, viral, bacterial, normal",
        ),
        (["--cam", tmp_path / "file"], str(tmp_path / "file")),
        (["--device", "nonsense"], "nonsense"),
        (["--output", some[1]], "ends in .csv"),
        (["--results", tmp_path], "not yet recorded"),
    ]:
        assert says in complaint(capsys, some[0], *options)
    assert os.listdir(tmp_path) == ["file"]


def test_help(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["predict", "--help"])
    out = capsys.readouterr().out
    assert caught.value.code == 0 and "IMAGE [IMAGE ...]" in " ".join(out.split())
