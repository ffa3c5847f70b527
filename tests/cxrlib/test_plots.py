"""plots.py: what the axes carry, that nothing leaks into matplotlib's settings, that no text is cut
or too small.
"""

from __future__ import annotations

import os
import subprocess
import sys

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from frames import made_up
from matplotlib.colors import to_hex, to_rgba
from matplotlib.text import Text
from sklearn.metrics import roc_auc_score

from cxrlib import metrics, plots
from cxrlib.files import InputError
from cxrlib.metrics import calibration

pytestmark = pytest.mark.usefixtures("no_traces")
FOUR = ["covid", "viral", "bacterial", "normal"]
MATRIX = pd.DataFrame([[60, 0, 0, 0], [0, 121, 22, 5], [0, 7, 235, 0], [2, 7, 9, 216]], FOUR, FOUR)


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    y = np.repeat(range(4), [10, 20, 30, 25])
    p = np.exp(rng.normal(size=(85, 4)) + 1.5 * np.eye(4)[y])
    keys = {"image_id": [f"i{i}" for i in range(85)], "patient_id": [f"p{i}" for i in range(85)]}
    fixed = {"source": "s", "split": "test", "y_true": np.array(FOUR)[y]}
    return pd.DataFrame(
        {**keys, **fixed, **{f"p_{c}": p[:, i] / p.sum(axis=1) for i, c in enumerate(FOUR)}}
    )


@pytest.fixture
def history() -> pd.DataFrame:
    epoch = np.arange(1, 31)
    columns = {
        f"{part}_{what}": 1 / epoch for part in ("train", "val") for what in ("loss", "accuracy")
    }
    table = pd.DataFrame(
        {"epoch": epoch, "lr": np.select([epoch <= 10, epoch <= 20], [3e-3, 3e-4], 3e-5), **columns}
    )
    table.loc[[4, 29], ["test_loss", "test_accuracy"]] = [[0.5, 0.7], [0.4, 0.8]]
    return table


def legend(owner) -> list[str]:
    """Entries of the legend of an Axes or a Figure."""
    found = owner.get_legend() if hasattr(owner, "get_legend") else owner.legends[0]
    return [text.get_text() for text in found.get_texts()]


def ticks(axis) -> list[str]:
    return [text.get_text() for text in axis.get_ticklabels()]


def assert_legible(figure) -> None:
    """At 100 pixels an inch (a 7 inch figure on a 700 pixel page) all text is 12 pixels or more,
    and none is cut.
    """
    figure.canvas.draw()
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and text.get_window_extent().width:
            assert text.get_fontsize() * 100 / 72 >= 12, text
    tight, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert (
        tight.x0 >= -0.01
        and tight.y0 >= -0.01
        and tight.x1 <= width + 0.01
        and tight.y1 <= height + 0.01
    )


def test_confusion_cells_and_labels():
    ax = plots.confusion(MATRIX, title="Figure 4.3")
    assert [t.get_text() for t in ax.texts][4:8] == [
        "0\n0.0%",
        "121\n81.8%",
        "22\n14.9%",
        "5\n3.4%",
    ]
    assert len(ax.texts) == 16 and ax.get_title() == "Figure 4.3"
    assert ticks(ax.xaxis) == ["COVID-19", "Viral", "Bacterial", "Normal"]
    assert ticks(ax.yaxis) == [
        "COVID-19\nn = 60",
        "Viral\nn = 148",
        "Bacterial\nn = 242",
        "Normal\nn = 234",
    ]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Predicted class", "True class")
    shares = ax.collections[0].get_array().ravel()
    np.testing.assert_allclose(
        shares, (MATRIX.to_numpy() / [[60], [148], [242], [234]]).ravel() * 100
    )
    assert ax.collections[0].get_clim() == (0, 100)
    assert ax.figure.axes[1].get_ylabel() == "Share of the true class (%)"
    assert_legible(ax.figure)


@pytest.mark.parametrize("k", [2, 3, 8])
def test_confusion_of_any_size(k):
    names = ["covid", "non_covid", "an_unknown_class", *"abcdefgh"][:k]
    matrix = pd.DataFrame(np.arange(k * k).reshape(k, k), names, names)
    matrix.iloc[0] = 0  # a class without images
    ax = plots.confusion(matrix)
    assert [t.get_text() for t in ax.texts[:k]] == ["0\n–"] * k
    assert ticks(ax.xaxis) == [plots.LABELS.get(name, name) for name in names]
    assert_legible(ax.figure)


def test_roc_curves_and_auc(frame):
    ax = plots.roc_curves(frame)
    assert len(ax.lines) == 5
    for cls, line, text in zip(FOUR, ax.lines, legend(ax), strict=False):
        curve, expected = (
            metrics.roc(frame, cls),
            roc_auc_score(frame["y_true"] == cls, frame[f"p_{cls}"]),
        )
        assert text == f"{plots.LABELS[cls]}: {expected:.3f}"
        np.testing.assert_array_equal(line.get_xydata(), curve[["fpr", "tpr"]])
        assert line.get_color() == plots.look(cls)["color"]
    assert legend(ax)[4] == "No discrimination: 0.5"
    assert ax.lines[4].get_xydata().tolist() == [[0, 0], [1, 1]]
    assert ax.get_xlabel() == "False positive rate (1 − specificity)"
    assert ax.get_ylabel() == "True positive rate (sensitivity)"
    for ends in (ax.get_xlim(), ax.get_ylim()):
        assert ends == pytest.approx((-0.02, 1.02), abs=1e-3)
    assert_legible(ax.figure)


@pytest.mark.parametrize("right, bottom", [(0.1, 0.95), (0.5, 0.4)])
def test_roc_zoom(frame, right, bottom):
    ax = plots.roc_curves(frame, zoom=(right, bottom))
    np.testing.assert_allclose(ax.get_xlim(), [-0.02 * right, right])
    np.testing.assert_allclose(ax.get_ylim(), [bottom, 1 + 0.02 * (1 - bottom)])
    assert len(ax.lines) == 5 and len(legend(ax)) == (5 if right > bottom else 4)


def test_roc_beside_the_printed(frame):
    ax = plots.roc_curves(frame, ["viral", "covid"], reported={"viral": "0.96", "normal": "0.98"})
    auc = metrics.per_class(frame)["auc"]
    assert legend(ax)[:2] == [
        f"Viral: {auc['viral']:.2f} (printed 0.96)",
        f"COVID-19: {auc['covid']:.3f}",
    ]
    assert [line.get_color() for line in ax.lines[:2]] == [
        plots.look(cls)["color"] for cls in ("viral", "covid")
    ]


@pytest.mark.filterwarnings("error")
def test_roc_of_an_absent_class(frame):
    ax = plots.roc_curves(frame[frame["y_true"] != "viral"], reported={"viral": "0.96"})
    assert legend(ax)[1] == "Viral: undefined (printed 0.96)" and len(ax.lines[1].get_xdata()) == 0
    assert_legible(ax.figure)


def test_roc_of_classes_without_a_look_of_their_own(frame):
    names = {cls: f"finding {i}" for i, cls in enumerate(FOUR)}
    renamed = frame.rename(columns={f"p_{cls}": f"p_{name}" for cls, name in names.items()})
    ax = plots.roc_curves(renamed.assign(y_true=frame["y_true"].map(names)))
    assert len({line.get_color() for line in ax.lines[:4]}) == 4 and legend(ax)[0].startswith(
        "finding 0: "
    )


def test_roc_of_a_class_without_a_column(frame):
    with pytest.raises(InputError, match="flu"):
        plots.roc_curves(frame, ["flu"])


def test_looks_are_fixed_and_distinct():
    looks = [plots.look(cls) for cls in plots.LABELS]
    for key in ["color", "linestyle", "marker"]:
        assert len({str(look[key]) for look in looks}) == len(plots.LABELS), key
    assert plots.look("viral", 3) == plots.look("viral", 0)
    assert plots.look("flu", 0) != plots.look("flu", 1) and plots.look("flu", 9)
    assert plots.label("covid") == "COVID-19" and plots.label("flu") == "flu"


def test_learning_curves(history):
    axes = plots.learning_curves(history, kept=17)
    assert [ax.get_ylabel() for ax in axes] == [
        "Cross-entropy loss (nats)",
        "Accuracy (fraction right)",
    ]
    for ax, what in zip(axes, ["loss", "accuracy"], strict=True):
        train, val, test, kept, *steps = ax.lines
        np.testing.assert_array_equal(train.get_xydata(), history[["epoch", f"train_{what}"]])
        np.testing.assert_array_equal(val.get_xydata(), history[["epoch", f"val_{what}"]])
        np.testing.assert_array_equal(
            test.get_xydata(), history[["epoch", f"test_{what}"]].dropna()
        )
        assert (
            test.get_linestyle() == "None" and test.get_marker() == "D" and train.get_marker() == ""
        )
        assert list(kept.get_xdata()) == [17, 17]
        assert [line.get_xdata()[0] for line in steps] == [
            11,
            21,
        ]  # the first epochs with the new rates
        assert [text.get_text() for text in ax.texts] == ["0.0003", "0.00003"]
        assert ax.get_xlabel() == "Epoch"
    assert legend(axes[0].figure) == [
        "Training",
        "Validation",
        "Test",
        "Kept (epoch 17)",
        "New learning rate (above)",
    ]
    colours = [to_rgba(line.get_color()) for line in axes[0].lines[:3]]
    assert len(set(colours)) == 3
    assert_legible(axes[0].figure)


def test_learning_curves_without_marks(history):
    axes = plots.learning_curves(history.assign(lr=0.003))
    assert legend(axes[0].figure) == ["Training", "Validation", "Test"] and len(axes[1].lines) == 3


def test_learning_curves_of_a_loss_near_nought_are_logarithmic(history):
    axes = plots.learning_curves(history.assign(val_loss=1e-4))
    assert [ax.get_yscale() for ax in axes] == ["log", "linear"]
    assert (
        axes[0].get_ylabel() == "Cross-entropy loss (nats), logarithmic"
        and axes[1].get_ylabel() == "Accuracy (fraction right)"
    )
    assert_legible(axes[0].figure)
    assert (
        plots.learning_curves(history.assign(val_loss=0.0))[0].get_yscale() == "linear"
    )  # nought has no logarithm


def test_radiographs_of_different_sizes():
    images = [
        np.full(shape, 100, np.uint8) for shape in [(100, 80), (60, 120), (224, 224), (30, 30)]
    ]
    images.append(np.full((10, 10), 0.5, np.float32))
    axes = plots.radiographs(
        images, ["COVID-19", "a title too long for one line of so narrow an image", "b", "c", "d"]
    )
    assert len(axes) == 8 and [len(ax.images) for ax in axes] == [1] * 5 + [0] * 3
    assert not any(ax.axison for ax in axes)
    assert [ax.images[0].get_array().shape for ax in axes[:5]] == [image.shape for image in images]
    assert [ax.images[0].get_clim() for ax in axes[:5]] == [(0, 255)] * 4 + [(0, 1)]
    assert axes[0].images[0].get_cmap().name == "gray" and "\n" in axes[1].get_title()
    assert_legible(axes[0].figure)
    boxes = [ax.get_window_extent() for ax in axes[:5]]
    for box, image in zip(boxes, images, strict=True):
        assert box.width / box.height == pytest.approx(image.shape[1] / image.shape[0], rel=0.01)
    titles = [ax.title.get_window_extent() for ax in axes[:4]]
    assert all(left.x1 < right.x0 for left, right in zip(titles, titles[1:], strict=False))


def test_radiographs_on_given_axes():
    figure, axes = plt.subplots(2, 2)
    drawn = plots.radiographs([np.zeros((4, 4), np.uint8)] * 3, "abc", axes)
    assert (
        list(drawn) == list(axes.ravel())
        and not axes[1, 1].axison
        and plt.get_fignums() == [figure.number]
    )


def test_radiographs_need_a_title_each():
    image = np.zeros((4, 4))
    with pytest.raises(ValueError):
        plots.radiographs([image], ["a", "b"])


CAM = np.zeros((7, 7))
CAM[:3, :3], CAM[4:, 4:] = 8.0, 4.0  # upper left, the highest; lower right, half of it


def rendered(ax, down: float, right: float) -> np.ndarray:
    """Red, green and blue (0 to 1) that the figure shows at a place of the picture, in shares of
    its height and width.
    """
    ax.figure.canvas.draw()
    box, pixels = ax.get_window_extent(), np.asarray(ax.figure.canvas.buffer_rgba())
    return (
        pixels[
            int(pixels.shape[0] - box.y1 + down * box.height), int(box.x0 + right * box.width), :3
        ]
        / 255
    )


def mixed(cam: tuple, grey: float) -> list[float]:
    return [0.4 * colour + 0.6 * grey for colour in cam]


@pytest.mark.parametrize("shape", [(140, 210), (210, 140), (700, 700), (40, 300), (300, 40)])
def test_overlay_colours_and_proportions(shape):
    grey = np.full(shape, 102, np.uint8)  # 0.4 of white
    ax = plots.overlay(grey, CAM, title="Grad-CAM of a.png")
    assert ax.get_title() == "Grad-CAM of a.png"
    assert_legible(ax.figure)
    box = ax.get_window_extent()
    assert box.width / box.height == pytest.approx(shape[1] / shape[0], rel=0.01)
    # The definition of jet (MATLAB's): dark red (0.5, 0, 0) at 1, dark blue (0, 0, 0.5) at 0, (0.5,
    # 1, 0.5) at a half.
    np.testing.assert_allclose(rendered(ax, 1.5 / 7, 1.5 / 7), mixed((0.5, 0, 0), 0.4), atol=0.02)
    np.testing.assert_allclose(rendered(ax, 5.5 / 7, 5.5 / 7), mixed((0.5, 1, 0.5), 0.4), atol=0.02)
    np.testing.assert_allclose(rendered(ax, 5.5 / 7, 1.5 / 7), mixed((0, 0, 0.5), 0.4), atol=0.01)
    assert ax.images[0].get_array().shape == shape and ax.images[0].get_clim() == (0, 255)
    bar = ax.child_axes[0]
    assert bar.get_ylabel() == "Grad-CAM (share of the map's maximum)" and bar.get_ylim() == (0, 1)


def test_overlay_enlarges_the_map_bilinearly_whatever_its_scale():
    functional = pytest.importorskip("torch.nn.functional")
    torch = pytest.importorskip("torch")
    cam = np.random.default_rng(0).random((7, 5))
    for scale in (1e-30, 1.0, 1e9):
        drawn = plots.overlay(np.zeros((300, 401), np.uint8), cam * scale).images[1].get_array()
        share = torch.from_numpy(cam / cam.max())[None, None]
        expected = functional.interpolate(share, (300, 401), mode="bilinear", align_corners=False)[
            0, 0
        ]
        np.testing.assert_allclose(drawn, expected, atol=1e-5)
    assert (
        plots.overlay(None, cam.astype(np.float16), shape=(14, 10)).images[0].get_array() <= 1
    ).all()


def test_overlay_says_which_side_is_which():
    ax = plots.overlay(np.zeros((50, 60), np.uint8), CAM)
    ax.figure.canvas.draw()
    sides = {text.get_text(): text.get_window_extent() for text in ax.texts}
    box = ax.get_window_extent()
    assert (
        sides["R"].x1 < box.x0 and box.x1 < sides["L"].x0 and len(sides) == 2
    )  # beside the picture, not in it
    assert ax.get_xlabel() == "Left of the picture is usually the patient's right"


def test_overlay_of_a_map_of_zeros_and_without_an_image():
    ax = plots.overlay(None, np.zeros((7, 7)), shape=(120, 90))
    assert len(ax.images) == 1 and (ax.images[0].get_array() == 0).all()
    np.testing.assert_allclose(rendered(ax, 0.3, 0.6), [0, 0, 0.5], atol=0.01)
    assert_legible(ax.figure)
    assert ax.get_window_extent().width / ax.get_window_extent().height == pytest.approx(
        90 / 120, rel=0.01
    )
    alone = plots.overlay(None, CAM, shape=(120, 90))
    np.testing.assert_allclose(rendered(alone, 1.5 / 7, 1.5 / 7), [0.5, 0, 0], atol=0.02)
    assert plots.overlay(None, CAM).images[0].get_array().shape == (7, 7)


def test_overlay_on_given_axes():
    figure, axes = plt.subplots(1, 2, figsize=(7, 4), layout="constrained")
    assert plots.overlay(np.zeros((50, 60), np.uint8), CAM, axes[1], "a_$x$ b" * 9) is axes[1]
    assert plt.get_fignums() == [figure.number] and not axes[0].images
    assert axes[1].get_title().replace("\n", "").replace(" ", "") == "a_$x$b" * 9
    assert_legible(figure)


def test_overlay_draws_outlines_where_they_are():
    """Shares of the sides: 0 is the edge of the picture, not the centre of its first pixel."""
    square = np.array([[0, 0], [0.5, 0], [0.5, 1], [0, 1]])
    ax = plots.overlay(None, CAM, shape=(120, 90), outlines={"Lungs": [square, square / 2]})
    across, down = ax.lines[0].get_data()
    assert (across.min(), across.max(), down.min(), down.max()) == (-0.5, 44.5, -0.5, 119.5)
    assert len(ax.lines) == 2 and (across[0], down[0]) == (across[-1], down[-1])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Lungs"]
    assert_legible(ax.figure)


def test_ladder_puts_values_on_the_rungs_of_their_labels():
    rows = pd.DataFrame(
        [
            ("first", "printed", 0.9, np.nan, np.nan),
            ("first", "rebuilt", 0.8, 0.7, 0.85),
            ("second", "rebuilt", 0.6, 0.5, 0.65),
            ("first", "rebuilt", 0.7, 0.6, 0.8),
        ],
        columns=["label", "kind", "value", "low", "high"],
    )
    ax = plots.ladder(rows, "Recall", line=0.92)
    assert [text.get_text() for text in ax.get_yticklabels()] == [
        "first",
        "second",
    ] and ax.get_xlabel() == "Recall"
    points = {
        line.get_label(): line.get_xydata()
        for line in ax.lines
        if not line.get_label().startswith("_")
    }
    assert {kind: at[:, 0].tolist() for kind, at in points.items()} == {
        "printed": [0.9],
        "rebuilt": [0.8, 0.6, 0.7],
    }
    assert (
        np.rint(points["rebuilt"][:, 1]).tolist() == [0, 1, 0]
        and points["printed"][0, 1] < points["rebuilt"][0, 1]
    )
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first label is on top"


def test_ladder_shows_a_kind_without_values_as_a_line_in_its_own_colour():
    rows = pd.DataFrame(
        [("first", "printed", 0.9, 0.85, 0.95), ("first", "possible", np.nan, 0.7, 0.8)],
        columns=["label", "kind", "value", "low", "high"],
    )
    ax = plots.ladder(rows, "Recall", colors={"possible": "#E69F00"})
    shown = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    assert set(shown) == {"printed", "possible"}
    assert to_hex(shown["possible"].get_color()[0]) == "#e69f00"
    assert shown["printed"].get_marker() not in ("", "None")


def test_a_matplotlibrc_of_the_users_changes_nothing(tmp_path):
    """In a process of its own, since matplotlib reads it when it is loaded."""
    (tmp_path / "matplotlibrc").write_text(
        "text.usetex: True\naxes.facecolor: red\nlines.linewidth: 9\nsavefig.bbox:"
        " tight\nfont.size: 30\n"
    )
    code = (
        "import sys, numpy as np\nfrom cxrlib import metrics, plots\nimport matplotlib as"
        " mpl\nmpl.use('Agg')\nimport pandas as pd\nmatrix = pd.DataFrame([[5, 1], [2, 7]], ['a',"
        " 'b'], ['a', 'b'])\nwith plots.style():\n   "
        " plots.confusion(matrix).figure.savefig(sys.argv[1], metadata={'Software': None})\n"
    )
    drawn = []
    for number, rc in enumerate([os.devnull, str(tmp_path / "matplotlibrc")]):
        file = tmp_path / f"{number}.png"
        subprocess.run(
            [sys.executable, "-c", code, str(file)],
            env={**os.environ, "MATPLOTLIBRC": rc},
            check=True,
            timeout=120,
        )
        drawn.append(file.read_bytes())
    assert drawn[0] == drawn[1]


def test_reliability_draws_the_bins():
    tables = {by: calibration.reliability(made_up(), "viral", by=by) for by in ("width", "count")}
    ax = plots.reliability(tables, what="viral")
    assert (
        legend(ax) == ["True probabilities", "width", "count"]
        and ax.get_ylabel() == "Share that is viral"
    )
    for line, table in zip(ax.lines[1:], tables.values(), strict=True):
        np.testing.assert_array_equal(line.get_xydata(), table[["p", "share"]])
    ends = np.array([path.vertices[:, 1] for path in ax.collections[0].get_paths()])
    np.testing.assert_array_equal(ends, tables["width"][["low", "high"]])
    assert_legible(ax.figure)
