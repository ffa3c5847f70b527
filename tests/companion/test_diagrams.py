"""Boxes and arrows lie where they are said to, on a canvas of the page's width."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch

from companion import diagrams


@pytest.fixture
def ax():
    made = diagrams.canvas(3.0)
    yield made
    plt.close(made.figure)


def test_canvas_is_measured_in_inches_from_the_upper_left(ax):
    assert ax.figure.get_size_inches().tolist() == [7.0, 3.0]
    to_pixels = ax.transData.transform
    left, top = to_pixels((0, 0))
    right, lower = to_pixels((1, 1))
    assert right - left == pytest.approx(ax.figure.dpi) and top - lower == pytest.approx(
        ax.figure.dpi
    )
    assert (left, top) == pytest.approx((0, 3 * ax.figure.dpi))


def test_box_is_centred_with_its_text(ax):
    diagrams.box(ax, 2.0, 1.0, "conv", "conv", width=1.6, height=0.4)
    [patch], [text] = ax.patches, ax.texts
    bounds = patch.get_path().get_extents()
    assert (bounds.x0, bounds.x1, bounds.y0, bounds.y1) == pytest.approx((1.2, 2.8, 0.8, 1.2))
    assert text.get_position() == (2.0, 1.0) and text.get_fontsize() >= 10
    with pytest.raises(KeyError):
        diagrams.box(ax, 2.0, 1.0, "x", "no such kind")


def test_arrow_ends_at_its_last_point(ax):
    diagrams.arrow(ax, (1, 1), (2, 1), (2, 2.5), dashed=True)
    ax.figure.canvas.draw()
    [arrow] = ax.patches
    bounds = arrow.get_window_extent().transformed(ax.transData.inverted())
    assert (bounds.x0, max(bounds.y0, bounds.y1)) == pytest.approx(
        (1, 2.5), abs=0.05
    ) and 2 <= bounds.x1 < 2.2  # the head is broader


def test_a_chain_of_boxes_is_joined_from_edge_to_edge(ax):
    places = [(1, 1), (4, 1), (4, 2.5)]
    diagrams.chain(ax, places, ("a", "data"), ("b", "conv"), ("c", "head"), width=1, height=0.5)
    assert [text.get_position() for text in ax.texts] == places
    arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    drawn = [np.array(arrow._path_original.vertices).tolist() for arrow in arrows]
    assert drawn == [[[1.5, 1], [3.5, 1]], [[4, 1.25], [4, 2.25]]]


def test_shape_is_height_width_channels():
    assert diagrams.shape([2048, 7, 7]) == "7 × 7 × 2,048"
