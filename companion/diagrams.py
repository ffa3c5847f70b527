"""Boxes and arrows for the schematic figures, in one style: inches on the page, y downward."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

DARK = "#222222"
LOOKS = {  # kind of box: fill, edge; tints of Okabe and Ito's colours, dark letters
    "conv": ("#CCE3F0", "#0072B2"),
    "norm": ("#E9E9E9", "#666666"),
    "relu": ("#FBEBCC", "#B87F00"),
    "pool": ("#CCECE3", "#009E73"),
    "head": ("#F7DFCC", "#D55E00"),
    "data": ("white", DARK),
    "group": ("#F7F7F7", "#999999"),
}


def canvas(height: float) -> Axes:
    """An empty figure, 7 inches wide, the page's width."""
    ax = plt.figure(figsize=(7, height), facecolor="white").add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 7), ylim=(height, 0))
    ax.axis("off")
    return ax


def note(ax: Axes, x: float, y: float, text: str, **font) -> None:
    """Text, by default centred at (x, y)."""
    ax.text(x, y, text, **{"ha": "center", "va": "center", "color": DARK, **font})


def box(
    ax: Axes, x: float, y: float, text: str, kind: str, width: float = 1.4, height: float = 0.36
) -> None:
    """A box centred at (x, y), of one of the kinds in ``LOOKS``."""
    fill, edge = LOOKS[kind]
    corner, style = (x - width / 2, y - height / 2), "round,pad=0,rounding_size=0.06"
    look = {"boxstyle": style, "facecolor": fill, "edgecolor": edge, "linewidth": 1.2}
    ax.add_patch(FancyBboxPatch(corner, width, height, **look))
    note(ax, x, y, text)


def arrow(ax: Axes, *points: tuple[float, float], dashed: bool = False) -> None:
    """A line through the points, with a head at the last."""
    head = {"arrowstyle": "-|>", "mutation_scale": 11, "shrinkA": 0, "shrinkB": 0}
    line = {"color": DARK, "linewidth": 1.3, "joinstyle": "miter", "capstyle": "butt"}
    line["linestyle"] = (0, (3, 2)) if dashed else "-"
    ax.add_patch(FancyArrowPatch(path=Path(points), **head, **line))


def chain(
    ax: Axes,
    places: Sequence[tuple[float, float]],
    *boxes: tuple[str, str],
    width: float = 1.4,
    height: float = 0.36,
) -> None:
    """Boxes of one size, each a text and a kind, centred at ``places``, with an arrow from each to
    the next, which lies straight above, below or beside it.
    """
    for (x, y), (text, kind) in zip(places, boxes, strict=True):
        box(ax, x, y, text, kind, width, height)
    half = np.array([width, height]) / 2
    for here, there in pairwise(np.array(places, float)):
        edge = np.sign(there - here) * half
        arrow(ax, here + edge, there - edge)


def shape(sizes: list[int]) -> str:
    """Height × width × channels, as He et al. write; a trace has the channels first."""
    return " × ".join(f"{size:,}" for size in [*sizes[1:], sizes[0]])
