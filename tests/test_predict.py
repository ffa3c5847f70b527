"""predict.py: the recorded model's own probabilities on a person's files; overlays whole or not at all."""

from __future__ import annotations

import io
import itertools
import os
import shutil
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

from cxrlib import cli, gradcam, images, models, plots, predict, runs, training, zhu  # noqa: E402
from cxrlib.files import InputError  # noqa: E402

CLASSES = ["covid", "viral", "bacterial", "normal"]
COLUMNS = ["image", *(f"p_{name}" for name in CLASSES), "predicted"]


@pytest.fixture(scope="session")
def run():
    """The recorded run of Study B, with its model."""
    return runs.read("zhu-fourclass")


@pytest.fixture(scope="session")
def some(phantom_data) -> list[str]:
    """Five phantoms: PNG and JPEG, of several classes, not in the order of their names."""
    png = sorted(phantom_data.rglob("images/*.png"))[:2]
    jpeg = sorted(phantom_data.rglob("*.jpeg"))[::40][:3]
    return [str(file) for file in (jpeg[2], png[1], jpeg[0], png[0], jpeg[1])]


@pytest.fixture(scope="session")
def table(some) -> pd.DataFrame:
    return predict.predict(some, on="cpu")


def log_p(table) -> np.ndarray:
    return np.log(table[[f"p_{name}" for name in CLASSES]].to_numpy(float))


@pytest.fixture
def flat(monkeypatch):
    """In place of Grad-CAM, maps that are zero; their overlays are even."""
    monkeypatch.setattr(gradcam, "of_pixels", lambda model, pixels, *rest, **options: np.zeros((len(pixels), 7, 7), np.float32))


def command(capsys, *arguments) -> tuple[int, str, str]:
    capsys.readouterr()
    code = cli.main(["predict", *map(str, arguments)])
    return code, *capsys.readouterr()


def complaint(capsys, *arguments) -> str:
    """The one line of a command that is refused."""
    code, out, err = command(capsys, *arguments)
    assert code == 2 and out == "" and err.count("\n") == 1 and err.startswith("cxr: "), err
    return err


# --- numbers ---------------------------------------------------------------------------------------------------------


def test_probabilities_are_those_of_the_recorded_model(some, table, run):
    assert list(table) == COLUMNS and table["image"].tolist() == some
    p = table[[f"p_{name}" for name in CLASSES]].to_numpy()
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    assert table["predicted"].tolist() == [CLASSES[k] for k in p.argmax(axis=1)]
    model = models.resnet("resnet18", 4, models.read(run.folder / "model.safetensors"))
    np.testing.assert_array_equal(p, np.exp(training.predict(model, np.stack([images.decode(path, 224) for path in some]))))


def test_order_follows_the_paths(some, table):
    again = predict.predict(some[::-1], on="cpu")
    assert again["image"].tolist() == some[::-1]
    assert_near(log_p(again[::-1]), log_p(table), apart())
    assert min(np.abs(one - two).max() for one, two in itertools.combinations(log_p(table), 2)) > 100 * apart() * np.abs(log_p(table)).max()


def test_real_test_images_get_their_recorded_probabilities(real_data, run):
    manifest = zhu.manifest(real_data).set_index("image_id")
    recorded = run.predictions.groupby("y_true").nth([0, -1])  # two images of each class
    files = [str(real_data / manifest.loc[image_id, "path"]) for image_id in recorded["image_id"]]
    assert len(files) == 8
    assert_near(log_p(predict.predict(files, on="cpu")), log_p(recorded), apart())


def test_dicom_of_a_radiograph_gets_the_same_probabilities(tmp_path, some, table):
    pydicom = pytest.importorskip("pydicom")
    pixels = np.asarray(images.read_image(some[0]))
    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.3"
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PixelRepresentation = *pixels.shape, 1, 0
    ds.PhotometricInterpretation, ds.BitsAllocated, ds.BitsStored, ds.HighBit = "MONOCHROME1", 16, 12, 11
    ds.WindowCenter, ds.WindowWidth = 2128, 256  # 2000 to 2255
    ds.PixelData = (2255 - pixels.astype(np.uint16)).tobytes()
    ds.save_as(tmp_path / "IM0001", enforce_file_format=True)
    got = predict.predict([tmp_path], on="cpu")
    assert got["image"].tolist() == [str(tmp_path / "IM0001")]
    assert_near(log_p(got), log_p(table[:1]), apart())


# --- which images ----------------------------------------------------------------------------------------------------


def test_a_folder_means_its_images(tmp_path, some):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("b.png", "a.JPG", "c", ".hidden.png", "notes.txt", "DICOMDIR"):
        (folder / name).write_bytes(bytes(128) + b"DICM" if name in {"c", "DICOMDIR"} else b"")
    (folder / "deeper").mkdir()
    (folder / "deeper" / "d.png").write_bytes(b"")
    names = [str(folder / name) for name in ("a.JPG", "b.png", "c")]
    assert predict.files([some[1], folder, "z.png"]) == [some[1], *names, "z.png"]
    with pytest.raises(InputError, match="empty: folder holds no PNG, JPEG or DICOM image"):
        (tmp_path / "empty").mkdir()
        predict.files([tmp_path / "empty"])


def test_overlays_have_names_of_their_own():
    paths = ["a/x.png", "b/x.jpg", "b/X.dcm", "x-2.png", "c/1.2.840.1", "c/1.2.840.2", "c/IM"]
    stems = ["x", "x-2", "X-3", "x-2-2", "1.2.840.1", "1.2.840.2", "IM"]
    assert predict.names(paths, "covid") == [f"{stem}_covid.png" for stem in stems]


# --- overlays --------------------------------------------------------------------------------------------------------


def test_overlays_are_of_the_models_maps(tmp_path, some, table, run, monkeypatch):
    drawn = []
    overlay = plots.overlay
    monkeypatch.setattr(plots, "overlay", lambda *args, **options: drawn.append((args, options["title"])) or overlay(*args, **options))
    got = predict.predict(some[:2], cam=tmp_path / "new" / "out", target="normal", on="cpu")
    pd.testing.assert_frame_equal(got[["image", "predicted"]], table[["image", "predicted"]][:2])
    assert_near(log_p(got), log_p(table[:2]), apart())
    written = sorted(file.name for file in (tmp_path / "new" / "out").iterdir())
    assert written == sorted(predict.names(some[:2], "normal")) and os.listdir(tmp_path / "new") == ["out"]
    assert plt.get_fignums() == []
    model = models.resnet("resnet18", 4, models.read(run.folder / "model.safetensors"))
    expected = gradcam.of_pixels(model, np.stack([images.decode(path, 224) for path in some[:2]]), CLASSES.index("normal"))
    for ((picture, cam), title), path, cam_expected, p in zip(drawn, some[:2], expected, got["p_normal"], strict=True):
        np.testing.assert_array_equal(picture, np.asarray(images.read_image(path)))
        np.testing.assert_array_equal(cam, cam_expected)
        empty = "; empty map: nothing raised this score" if not cam_expected.any() else ""
        assert title == f"Grad-CAM for Normal (p = {p:.3f}), run zhu-fourclass{empty}"


@pytest.mark.parametrize("size", [(2400, 1600), (300, 900), (120, 90)])
def test_overlay_file_keeps_the_proportions(tmp_path, flat, size):
    Image.new("L", size, 255).save(tmp_path / "a.png")
    predict.predict([tmp_path / "a.png"], cam=tmp_path / "out", on="cpu")
    with Image.open(tmp_path / "out" / "a_covid.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert max(pixels.shape) == 1000
    rows, columns = np.nonzero(np.abs(pixels - [153, 153, 204]).max(axis=2) < 3)  # 0.6 white + 0.4 (0, 0, 0.5)
    assert np.ptp(columns) / np.ptp(rows) == pytest.approx(size[0] / size[1], rel=0.02)
    assert max(np.ptp(columns), np.ptp(rows)) > 600


def test_overlay_says_that_it_is_no_medical_device(tmp_path, some, flat, monkeypatch):
    texts, savefig = [], mpl.figure.Figure.savefig
    monkeypatch.setattr(
        mpl.figure.Figure,
        "savefig",
        lambda figure, *args, **options: texts.append([text.get_text() for text in figure.texts]) or savefig(figure, *args, **options),
    )
    predict.predict(some[:1], cam=tmp_path, on="cpu")
    assert texts == [["Research software, not a medical device"]]


def test_overlays_are_replaced_but_never_a_radiograph(tmp_path, some, flat, capsys):
    shutil.copy(some[1], tmp_path / "a.png")
    shutil.copy(some[3], tmp_path / "a_covid.png")
    before = (tmp_path / "a_covid.png").read_bytes()
    assert "a_covid.png" in complaint(capsys, tmp_path, "--cam", tmp_path)
    assert (tmp_path / "a_covid.png").read_bytes() == before and len(os.listdir(tmp_path)) == 2
    for _ in range(2):
        assert command(capsys, tmp_path / "a.png", "--cam", tmp_path / "out", "--device", "cpu")[0] == 0
        assert os.listdir(tmp_path / "out") == ["a_covid.png"]


def test_nothing_is_left_when_drawing_fails(tmp_path, some, flat, monkeypatch, capsys):
    def full(figure, file, **options):
        if "covid.png" in str(file) and list(file.parent.glob("*.png")):
            raise OSError(28, "No space left on device")
        savefig(figure, file, **options)

    savefig = mpl.figure.Figure.savefig
    monkeypatch.setattr(mpl.figure.Figure, "savefig", full)
    assert "No space" in complaint(capsys, *some[:2], "--cam", tmp_path / "out", "--device", "cpu")
    assert os.listdir(tmp_path) == []
    plt.close("all")


# --- the command -----------------------------------------------------------------------------------------------------


def test_command_prints_a_plain_table_and_a_warning(some, table, capsys, tmp_path):
    code, out, err = command(capsys, *some, "--device", "cpu")
    assert code == 0
    printed = pd.read_csv(io.StringIO(out))
    pd.testing.assert_frame_equal(printed, table, check_exact=False, atol=1e-8)
    warning, model = err.splitlines()
    assert warning == (
        "cxr: not a medical device: these numbers must not guide the care of a patient; "
        "the model was trained on two image collections that differ by age, hospital and file processing"
    )
    assert model == "cxr: model zhu-fourclass: Study B, four classes, resnet18 trained on radiographs"
    named = command(capsys, "zhu-fourclass", *some, "--device", "cpu", "--output", tmp_path / "new" / "p.csv")
    assert named == (0, "", err) and (tmp_path / "new" / "p.csv").read_text(encoding="utf-8") == out


def test_images_may_stand_after_an_option(some, capsys):
    before = command(capsys, "zhu-fourclass", *some[:2], "--device", "cpu")
    assert command(capsys, "zhu-fourclass", some[0], "--device", "cpu", some[1]) == before and before[0] == 0
    assert command(capsys, "zhu-fourclass", "--device", "cpu", *some[:2]) == before
    with pytest.raises(SystemExit):
        command(capsys, some[0], "--colour", "red")


def test_model_is_the_first_word_if_it_is_a_record_and_no_file(some, table, capsys, tmp_path, monkeypatch, run):
    results = tmp_path / "results"
    shutil.copytree(run.folder, results / "mine", ignore=shutil.ignore_patterns("model.safetensors"))
    (results / "mine" / "model.safetensors").symlink_to(run.folder / "model.safetensors")
    options = ["--device", "cpu", "--results", results]
    code, out, err = command(capsys, "mine", some[0], *options)
    assert code == 0 and len(out.splitlines()) == 2 and "model mine" in err
    assert "zhu-fourclass" in complaint(capsys, some[0], *options)  # the default is not recorded there
    monkeypatch.chdir(tmp_path)
    shutil.copy(some[0], "mine")
    assert "zhu-fourclass" in complaint(capsys, "mine", *options)  # now a file, so an image
    os.remove("mine")
    assert "mine: no image given" in complaint(capsys, "mine", *options)
    (results / "mine" / "model.safetensors").unlink()
    assert "holds no model" in complaint(capsys, "mine", some[0], *options)


@pytest.mark.parametrize("bad", ["absent.png", "text.png", "cut.jpg", "cut.dcm", "empty"])
def test_a_bad_image_among_good_ones_ends_the_command(some, tmp_path, capsys, bad):
    file = tmp_path / "in" / bad
    file.parent.mkdir()
    content = {"text.png": b"text", "cut.jpg": Path(some[0]).read_bytes()[:-500], "cut.dcm": bytes(128) + b"DICM" + bytes(9)}.get(bad)
    if bad == "empty":
        file.mkdir()
    elif content:
        file.write_bytes(content)
    line = complaint(capsys, some[0], file, some[1], "--cam", tmp_path / "out", "--output", tmp_path / "p.csv", "--device", "cpu")
    assert str(file) in line and os.listdir(tmp_path) == ["in"]


def test_bad_options(some, tmp_path, capsys):
    (tmp_path / "file").write_bytes(b"")
    for options, says in [
        (["--target", "flu"], "target 'flu': the classes of zhu-fourclass are covid, viral, bacterial, normal"),
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
    assert caught.value.code == 0 and "[MODEL] IMAGE [IMAGE ...]" in " ".join(out.split())
