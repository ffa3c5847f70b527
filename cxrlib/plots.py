"""The figures, one function per kind. Each draws on the axes it is given, or on a new figure, and
returns the axes.

New figures are 7 inches wide, the page's 700 pixels at 100 pixels an inch, with letters of 10
points or more; files have 150 pixels an inch, for sharp screens. A class has the same colour, line
and marker everywhere, told apart without colour too (colours of Okabe and Ito, https://jfly.uni-
koeln.de/color/). Styles apply inside the functions only.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import patheffects
from matplotlib.axes import Axes
from PIL import Image

from cxrlib import metrics

LABELS = {
    "covid": "COVID-19",
    "viral": "Viral",
    "bacterial": "Bacterial",
    "normal": "Normal",
    "non_covid": "Non-COVID-19",
    "none": "No finding",
    "opacity": "Airspace opacity",
}
# colour, line, marker: of the classes above, in their order, and of any others by their place
_LOOKS = [
    ("#D55E00", "-", "o"),
    ("#0072B2", "--", "s"),
    ("#009E73", "-.", "^"),
    ("#CC79A7", (0, (1, 1)), "D"),
    ("#56B4E9", (0, (5, 1, 1, 1, 1, 1)), "v"),
    ("#000000", (0, (3, 1)), "P"),
    ("#E69F00", (0, (8, 2)), "X"),
]
_WIDTH = 7.0  # inches
_STYLE = {
    **sns.axes_style("ticks"),
    "figure.dpi": 150,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.titlesize": 11,
    "lines.linewidth": 2,
    "svg.hashsalt": "cxr",  # the same file at every run
    "svg.fonttype": "none",  # text as text: a third of the size
}


def style(formulas: bool = True):
    """The context in which the figures here are drawn and saved, for a figure of one's own: ``with
    plots.style(): …``.

    It is matplotlib's defaults and the settings above, whatever a matplotlibrc says. Without
    ``formulas`` a dollar sign is one, as in the names of somebody's classes.
    """
    return plt.style.context(["default", _STYLE, {"text.parse_math": formulas}])


def label(cls: str) -> str:
    """The name of a class for readers; a class without one keeps its own."""
    return LABELS.get(cls, cls)


def look(cls: str, place: int = 0) -> dict:
    """``color``, ``linestyle`` and ``marker`` of a class; of an unknown class, those of its
    ``place`` among classes.
    """
    return _look(list(LABELS).index(cls) if cls in LABELS else place)


def _look(place: int) -> dict:
    return dict(zip(["color", "linestyle", "marker"], _LOOKS[place % len(_LOOKS)], strict=True))


def _legend_below(ax: Axes, columns: int) -> None:
    """A legend under the figure of ``ax``, where it covers nothing; each label stands once."""
    handles, labels = ax.get_legend_handles_labels()
    shown = dict(zip(labels, handles, strict=True))
    place = {"loc": "outside lower center", "ncol": columns, "frameon": False}
    ax.figure.legend(list(shown.values()), list(shown), **place)


def _figure(height: float, columns: int = 1):
    """The axes of a new figure, side by side."""
    return plt.subplots(1, columns, figsize=(_WIDTH, height))[1]


@style(formulas=False)
def confusion(matrix: pd.DataFrame, title: str = "") -> Axes:
    """Confusion matrix (K, K), as `metrics.confusion` gives it: in each cell the count and its
    percentage of the row.

    Colour is the percentage, so that small classes weigh as much as large ones. A row without
    images has no percentages.
    """
    ax, sizes = _figure(1.4 + 0.8 * max(len(matrix), 3)), matrix.sum(axis=1)
    percent = 100 * matrix.div(sizes.where(sizes > 0), axis=0)  # NaN in rows without images
    shares = percent.map(lambda value: "–" if np.isnan(value) else f"{value:.1f}%")
    rows = [f"{label(name)}\nn = {size}" for name, size in sizes.items()]
    columns, text = list(map(label, matrix.columns)), matrix.astype(str) + "\n" + shares
    bar = {"label": "Share of the true class (%)"}
    drawn = {"cmap": "Blues", "vmin": 0, "vmax": 100, "linewidths": 1, "cbar_kws": bar, "ax": ax}
    sns.heatmap(percent.fillna(0), annot=text, fmt="", **drawn)
    slant = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if len(matrix) > 4 else {}
    ax.set_xticks(ax.get_xticks(), columns, **slant)
    ax.set_yticks(ax.get_yticks(), rows, rotation=0)
    ax.set(xlabel="Predicted class", ylabel="True class", title=title)
    ax.tick_params(length=0)
    return ax


@style(formulas=False)
def roc_curves(
    frame: pd.DataFrame,
    classes: Sequence[str] | None = None,
    zoom: tuple[float, float] | None = None,
    reported: Mapping[str, str] | None = None,
) -> Axes:
    """ROC curve of each class against the rest, AUC in the legend, and the line of no
    discrimination.

    ``frame`` holds predictions; ``classes`` defaults to all, in their order. ``zoom`` shows the
    upper left corner: false positive rates up to its first number, true positive rates from its
    second. ``reported`` gives AUCs as a study printed them, e.g. ``{"viral": "0.96"}``: the legend
    then sets the printed beside the rebuilt one, to as many decimals. A class whose curve is
    undefined has no line, only an entry. Raises InputError for a class without a column.
    """
    ax, auc = _figure(5.5), metrics.per_class(frame)["auc"]
    known = list(auc.index[:-2])
    for cls in known if classes is None else classes:
        curve, printed = metrics.roc(frame, cls), (reported or {}).get(cls, "")
        if len(curve) > 5000:  # more points than pixels are no gain
            curve = curve.iloc[np.linspace(0, len(curve) - 1, 5000).astype(int)]
        text = f"{auc[cls]:.{len(printed.partition('.')[2]) or 3}f}"
        if np.isnan(auc[cls]):
            curve, text = curve[:0], "undefined"
        text = f"{label(cls)}: {text}" + (f" (printed {printed})" if printed else "")
        drawn = look(cls, known.index(cls)) | {"markevery": 0.12, "markersize": 6}
        ax.plot(curve["fpr"], curve["tpr"], label=text, **drawn)
    right, bottom = zoom or (1.02, -0.02)  # room for lines that run along the frame
    # out of sight in the corner
    _diagonal(ax, "No discrimination: 0.5" if right > bottom else None)
    ax.set(xlim=(-0.02 * right, right), ylim=(bottom, 1 + 0.02 * (1 - bottom)))
    ax.set(xlabel="False positive rate (1 − specificity)")
    ax.set(ylabel="True positive rate (sensitivity)")
    ax.legend(title="Area under the curve", loc="lower right")
    return ax


def _diagonal(ax: Axes, text: str | None) -> None:
    """A dotted line from corner to corner, on a grid."""
    ax.plot([0, 1], [0, 1], color="0.45", linestyle=":", linewidth=1.2, label=text)
    ax.grid(color="0.9")


@style(formulas=False)
def learning_curves(history: pd.DataFrame, kept: int | None = None) -> np.ndarray:
    """Loss and accuracy by epoch, on two axes, which are returned in that order.

    ``history`` is a run's history.csv: epoch, lr and ``<part>_loss`` (cross-entropy in nats),
    ``<part>_accuracy`` (fraction right) for the parts train, val and test. Test values stand at a
    few epochs only and are drawn as points. ``kept`` is the epoch whose weights were kept; dotted
    lines mark the epochs from which a new learning rate holds.
    """
    parts = {"train": ("Training", 1, ""), "val": ("Validation", 0, ""), "test": ("Test", 2, "D")}
    measures = {"loss": "Cross-entropy loss (nats)", "accuracy": "Accuracy (fraction right)"}
    axes = _figure(4.3, columns=2)
    steps = history[history["lr"].ne(history["lr"].shift())].iloc[1:]
    for ax, (measure, name) in zip(axes, measures.items(), strict=True):
        for part, (text, index, marker) in parts.items():
            rows, drawn = history.dropna(subset=f"{part}_{measure}"), _look(index)
            drawn |= {"marker": marker, "linestyle": "none"} if marker else {"marker": ""}
            ax.plot(rows["epoch"], rows[f"{part}_{measure}"], label=text, zorder=3, **drawn)
        if kept is not None:
            ax.axvline(kept, color="0.3", linewidth=1.2, label=f"Kept (epoch {kept})")
        for epoch, rate in zip(steps["epoch"], steps["lr"], strict=True):
            text = "New learning rate (above)"
            ax.axvline(epoch, color="0.5", linewidth=1.2, linestyle=":", label=text)
            text = np.format_float_positional(rate, precision=2, fractional=False, trim="-")
            ax.text(epoch, 1.01, text, transform=ax.get_xaxis_transform(), ha="center", va="bottom")
        least = history[[f"{part}_{measure}" for part in parts]].min(axis=None)
        if measure == "loss" and 0 < least < 0.01:  # what is near 0 could not be told apart
            ax.set_yscale("log")
            name += ", logarithmic"
        ax.set(xlabel="Epoch", ylabel=name)
    _legend_below(axes[0], 3)
    return axes


@style(formulas=False)
def ladder(
    rows: pd.DataFrame,
    xlabel: str,
    line: float | None = None,
    colors: Mapping[str, str] | None = None,
) -> Axes:
    """Values on a common axis, one rung per label: where runs lie beside each other and beside what
    is printed.

    ``rows``: ``label, kind, value``, and ``low``, ``high`` (bounds of an interval, drawn as a line;
    NaN for none); a value that is NaN has no marker. Rungs stand in the order of the labels; each
    kind has its marker in the order of appearance, and its colour, unless ``colors`` gives it.
    ``line`` marks one value on all rungs.
    """
    labels, kinds = list(rows["label"].unique()), list(rows["kind"].unique())
    ax = _figure(1.5 + 0.42 * len(labels))
    if line is not None:
        ax.axvline(line, color="0.45", linestyle=":", linewidth=1.2)
    step = min(0.18, 0.75 / len(kinds))
    for place, kind in enumerate(kinds):
        part, drawn = rows[rows["kind"] == kind], _look(place) | {"linestyle": "none"}
        drawn["color"] = (colors or {}).get(kind, drawn["color"])
        at = part["label"].map(labels.index) + step * (place - (len(kinds) - 1) / 2)
        lines = ax.hlines(at, part["low"], part["high"], color=drawn["color"], linewidth=1.5)
        (marks,) = ax.plot(part["value"], at, markersize=6, **drawn)
        (lines if part["value"].isna().all() else marks).set_label(kind)  # for the legend
    names = [textwrap.fill(text, 30) for text in labels]
    ax.set(yticks=range(len(labels)), yticklabels=names, xlabel=xlabel)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.grid(axis="x", color="0.9")
    ax.spines[["top", "right"]].set_visible(False)
    _legend_below(ax, len(kinds) if len(kinds) <= 4 else 3)
    return ax


@style(formulas=False)
def radiographs(
    images: Sequence[np.ndarray], titles: Sequence[str], axes: Sequence[Axes] | None = None
) -> np.ndarray:
    """Grey images side by side, four in a row, each in its own proportions; returns all the axes,
    flat, unused ones blank.

    ``images``: (H, W), uint8 from 0 to 255 or float from 0 to 1, black to white without stretching;
    sizes may differ.
    """
    if axes is None:
        columns = min(4, len(images))
        rows, side = -(-len(images) // columns), _WIDTH / columns
        axes = plt.subplots(rows, columns, figsize=(_WIDTH, rows * (side + 0.45)))[1]
    axes = np.ravel(axes)
    for ax in axes:
        ax.set_axis_off()
        ax.set_anchor("N")
    for ax, image, title in zip(axes[: len(images)], images, titles, strict=True):
        ax.imshow(image, cmap="gray", vmin=0, vmax=255 if image.dtype == np.uint8 else 1)
        letters = int(ax.get_position().width * ax.figure.get_figwidth() * 17)  # in a line
        ax.set_title(textwrap.fill(str(title), letters))
    return axes


def enlarged(cam: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A map (h, w) as share of its maximum, bilinearly enlarged to ``shape`` (H, W), float32; a map
    of zeros stays zero.
    """
    share = Image.fromarray((cam / (cam.max() or 1)).astype(np.float32))
    return np.asarray(share.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


@style(formulas=False)
def overlay(
    image: np.ndarray | None,
    cam: np.ndarray,
    ax: Axes | None = None,
    title: str = "",
    shape: tuple[int, int] | None = None,
    outlines: Mapping[str, Sequence[np.ndarray]] | None = None,
) -> Axes:
    """A class-activation map over its radiograph, in the radiograph's own proportions.

    ``image``: (H, W) uint8, or None to draw the map alone, opaque, on an empty frame of ``shape``
    (H, W). ``cam``: (h, w), 0 or more, divided by its own maximum (a map of zeros stays zero) and
    enlarged bilinearly. Colours are jet, deep red high and deep blue low; jet is not perceptually
    uniform, and its bands are no borders. ``outlines`` are polygons (K, 2) to draw on top, x and y
    in shares of the picture's sides, by their label in the legend. R and L beside the picture are
    the viewer's convention for a standard PA or AP view (the patient's right is on the left),
    nothing found in the image.
    """
    cam = np.asarray(cam, np.float64)
    height, width = np.shape(image) if image is not None else shape or cam.shape
    share = enlarged(cam, (height, width))
    if ax is None:
        high = 1 + min(max(5.2 * height / width, 3), 8)
        ax = plt.subplots(figsize=(_WIDTH, high), layout="compressed")[1]
    if image is not None:
        ax.imshow(image, cmap="gray", vmin=0, vmax=255)
    drawn = ax.imshow(share, cmap="jet", vmin=0, vmax=1, alpha=1 if image is None else 0.4)
    _outline(ax, outlines or {}, (width, height))
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(True)
    for side, x, points, align in (("R", 0, -4, "right"), ("L", 1, 4, "left")):
        away = {"xycoords": "axes fraction", "textcoords": "offset points"}
        ax.annotate(side, (x, 0.5), (points, 0), ha=align, va="center", **away)
    inches = ax.get_position(original=True).width * ax.figure.get_figwidth()
    letters = max(int(inches * 13), 12)  # in a line
    ax.set_xlabel(textwrap.fill("Left of the picture is usually the patient's right", letters))
    ax.set_title(textwrap.fill(title, letters), parse_math=False)
    # within the axes' own coordinates, so that it is as high as the picture
    place, scale = ax.inset_axes((1.08, 0, 0.04, 1)), plt.cm.ScalarMappable(drawn.norm, drawn.cmap)
    ax.figure.colorbar(scale, cax=place, label="Grad-CAM (share of the map's maximum)")
    return ax


def _outline(ax: Axes, outlines: Mapping[str, Sequence[np.ndarray]], sides: tuple) -> None:
    """Polygons over a picture of ``sides`` (W, H) pixels, white with a black edge so that they show
    on every colour, and their legend.
    """
    edge = [patheffects.withStroke(linewidth=3.5, foreground="black")]
    for label, polygons in outlines.items():
        for place, polygon in enumerate(polygons):
            closed = np.vstack([polygon, polygon[:1]]) * sides - 0.5
            name = label if place == 0 else None
            ax.plot(*closed.T, color="white", linewidth=1.5, path_effects=edge, label=name)
    if outlines:
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)


@style(formulas=False)
def reliability(
    curves: Mapping[str, pd.DataFrame],
    ax: Axes | None = None,
    what: str = "positive",
    corner: str = "upper left",
) -> Axes:
    """Observed share against mean probability, a point per bin with its interval; each curve as
    `calibration.reliability` gives it, under its name, a class or another.

    The dotted line is that of a probability that is true; ``corner`` is where the legend covers
    least.
    """
    ax = ax or plt.subplots(figsize=(5.6, 5.4))[1]
    _diagonal(ax, "True probabilities")
    for place, (name, table) in enumerate(curves.items()):
        drawn = look(name, place)
        ax.vlines(table["p"], table["low"], table["high"], color=drawn["color"], linewidth=1.5)
        ax.plot(table["p"], table["share"], linewidth=1.2, markersize=6, label=label(name), **drawn)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ax.set(xlabel="Mean probability in the bin", ylabel=f"Share that is {what}")
    ax.legend(loc=corner)
    return ax
