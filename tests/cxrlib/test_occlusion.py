"""Hidden parts and annotations against what was hidden before, brute force and counts of pixels."""

import numpy as np
import pytest
from scipy import ndimage

from cxrlib import occlusion
from cxrlib.files import InputError
from cxrlib.occlusion import black_out, cover, elsewhere, mark

SIDES = (64, 81)


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(1).integers(1, 256, (3, *SIDES), np.uint8)


@pytest.fixture
def regions() -> np.ndarray:
    found = np.zeros((3, *SIDES), bool)
    found[0, 10:50, 8:30] = found[0, 12:48, 45:70] = True
    found[1, 20:40, 20:60] = True
    found[2, 5:60, 5:70] = True  # too large to avoid itself
    return found


@pytest.mark.parametrize("size", [0, 0.1, 0.3, 0.5, 0.8, 0.9, 1])
def test_square_and_rest_are_each_others_complement(pixels, size):
    square, rest = black_out(pixels, size), black_out(pixels, size, rest=True)
    assert ((square == 0) ^ (rest == 0)).all()
    np.testing.assert_array_equal(square + rest, pixels)


@pytest.mark.parametrize("size", [0.1, 0.3, 0.5, 0.65, 0.8, 0.9])
def test_the_square_is_that_of_earlier_records(size):
    """By the lines that made ``results/audits/finetuned``."""
    pixels = np.full((2, 224, 224), 7, np.uint8)
    edge = round((1 - size) / 2 * pixels.shape[1])
    square = np.zeros(pixels.shape[1:], bool)
    square[edge : len(square) - edge, edge : len(square) - edge] = True
    for arm in ("square-black", "rest-black"):
        expected = np.where(square == (arm == "square-black"), np.uint8(0), pixels)
        np.testing.assert_array_equal(black_out(pixels, size, rest=arm == "rest-black"), expected)


@pytest.mark.parametrize("side", [1, 2, *range(4, 12)])  # a last axis of 3 is colour
def test_size_0_hides_nothing_and_size_1_all(side):
    pixels = np.full((1, side, side), 5, np.uint8)
    assert (black_out(pixels, 0) == 5).all() and (black_out(pixels, 1) == 0).all()
    assert (black_out(pixels, 0, rest=True) == 0).all()
    assert (black_out(pixels, 1, rest=True) == 5).all()


@pytest.mark.parametrize("fill", occlusion.FILLS)
def test_a_cover_changes_its_region_alone_and_no_input(pixels, regions, fill):
    before = pixels.copy()
    covered = cover(pixels, regions, fill)
    np.testing.assert_array_equal(pixels, before)
    np.testing.assert_array_equal(covered[~regions], pixels[~regions])
    assert (covered[regions] != pixels[regions]).mean() > 0.9
    assert covered.dtype == np.uint8


def test_grey_is_the_mean_of_what_is_left(pixels, regions):
    covered = cover(pixels, regions, "grey")
    for picture, before, region in zip(covered, pixels, regions, strict=True):
        assert set(picture[region]) == {round(before[~region].mean())}
    everything = np.ones_like(regions)
    assert abs(cover(pixels, everything, "grey")[0] - pixels[0].mean()).max() <= 0.5


def test_blur_is_gaussian_and_takes_the_texture_away(pixels, regions):
    covered = cover(pixels, regions, "blur")
    soft = ndimage.gaussian_filter(pixels[1] / 1.0, (4, 81 / 16), mode="nearest")
    assert abs(covered[1] - soft)[regions[1]].max() < 0.51
    assert covered[1][regions[1]].std() < 0.1 * pixels[1].std()


def test_a_moved_region_has_the_same_area_and_the_least_overlap(regions):
    moved = elsewhere(regions)
    np.testing.assert_array_equal(moved.sum((1, 2)), regions.sum((1, 2)))
    for region, other in zip(regions, moved, strict=True):
        moves = [(down, across) for down in range(SIDES[0]) for across in range(SIDES[1])]
        shared = [(region & np.roll(region, move, (0, 1))).sum() for move in moves]
        assert (region & other).sum() == min(shared)
        assert any((np.roll(region, move, (0, 1)) == other).all() for move in moves)


def test_the_seed_draws_among_equally_good_places(regions):
    small = regions[1:2]
    places = {elsewhere(small, seed).tobytes() for seed in range(8)}
    assert len(places) > 1
    np.testing.assert_array_equal(elsewhere(small, 3), elsewhere(small, 3))
    assert (
        not elsewhere(np.zeros((1, 8, 8), bool)).any() and elsewhere(np.ones((1, 8, 8), bool)).all()
    )


@pytest.mark.parametrize("kind", occlusion.MARKS)
@pytest.mark.parametrize("shape", [(64, 64), (77, 91), (224, 224)])
def test_a_control_sets_as_many_pixels_to_the_same_grey_elsewhere(kind, shape):
    grey = occlusion.MARKS[kind]
    pixels = np.full((2, *shape), 100, np.uint8)
    marked, other = mark(pixels, kind), mark(pixels, kind, control=True)
    for changed in (marked, other):
        assert set(np.unique(changed)) == {100, grey}
        np.testing.assert_array_equal(changed[0], changed[1])
    assert (marked == grey).sum() == (other == grey).sum() > 0
    assert (marked == grey).mean() < (0.25 if kind == "border" else 0.12)
    both = (marked == grey) & (other == grey)
    assert both.sum() <= (0.15 if kind == "tube" else 0) * (marked == grey).sum()


def test_marks_lie_where_annotations_lie():
    pixels = np.full((1, 224, 224), 100, np.uint8)
    drawn = {kind: mark(pixels, kind)[0] != 100 for kind in occlusion.MARKS}
    assert drawn["letter"][:40, 184:].sum() == drawn["letter"].sum()
    assert drawn["caption"][180:, :130].sum() == drawn["caption"].sum()
    assert drawn["tube"][0].any() and drawn["tube"][110:140, 90:120].any()
    frame = np.ones((224, 224), bool)
    frame[11:-11, 11:-11] = False
    np.testing.assert_array_equal(drawn["border"], frame)
    ring = mark(pixels, "border", control=True)[0] != 100
    assert not ring[:26].any() and not ring[:, :26].any() and not ring[45:-45, 45:-45].any()


@pytest.mark.parametrize(
    "call",
    [
        lambda p, r: black_out(p.astype(float), 0.5),
        lambda p, r: black_out(p[None], 0.5),
        lambda p, r: black_out(p, 1.01),
        lambda p, r: black_out(p, -0.1),
        lambda p, r: black_out(p, float("nan")),
        lambda p, r: cover(p, r[:2]),
        lambda p, r: cover(p, r.astype(np.uint8)),
        lambda p, r: cover(p, r, "white"),
        lambda p, r: elsewhere(r[0]),
        lambda p, r: elsewhere(r.astype(float)),
        lambda p, r: mark(p, "arrow"),
        lambda p, r: mark(p[:, :60], "letter"),
        lambda p, r: mark(p.astype(np.int16), "letter"),
    ],
)
def test_bad_input_is_refused_in_one_line(pixels, regions, call):
    with pytest.raises(InputError, match=r"^(occlusion: |pixels must be grey)[^\n]+$"):
        call(pixels, regions)
