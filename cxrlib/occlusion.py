"""Pictures with a part hidden or an annotation added, and the controls that tell what that does.

A network that reads the lungs should lose its answer with the lungs, and should not mind a letter
in a corner. But any change of a picture may move a network, so each change here has a control: the
same area, or as many pixels of the same grey, elsewhere. Pictures are grey, uint8 ``(N, H, W)``;
every function returns a copy. One picture ``(H, W)`` is a row of one.

Black-out follows Maguolo and Nanni 2021 (doi 10.1016/j.inffus.2021.04.008), covered lungs DeGrave
et al. 2021 (doi 10.1038/s42256-021-00338-7).
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from cxrlib.data.radiographs import grey
from cxrlib.files import InputError

FILLS = ("black", "grey", "blur")
BLUR = 1 / 16  # standard deviation of the blur, as a share of each side
SMALLEST = 64  # pixels a side, for a mark that can be told
MARKS = {"letter": 255, "caption": 255, "border": 0, "tube": 220}  # and the grey they are drawn in
LETTER, CAPTION = "L", ("AP PORTABLE", "SUPINE 08:15")
BORDER = 0.05  # width, as a share of each side
INNER = 0.12  # where the border's control begins: its distance from the edge, as a share of a side
TUBE = (
    (0.12, 0),
    (0.19, 0.12),
    (0.28, 0.21),
    (0.37, 0.28),
    (0.43, 0.36),
    (0.46, 0.45),
    (0.47, 0.55),
)
WIDTH = 0.015  # of the tube, as a share of the picture's width


def black_out(pixels: np.ndarray, size: float, *, rest: bool = False) -> np.ndarray:
    """Pictures with a centred square black, or with all but it.

    Parameters
    ----------
    pixels : uint8 ``(N, H, W)``, or one ``(H, W)``
        Grey pictures.
    size : float
        Side of the square as a share of the picture's, 0 to 1. What stays of each side at either
        end, ``(1 - size) / 2`` of it, is rounded to whole pixels.
    rest : bool
        All but the square is black.

    Returns
    -------
    uint8 ``(N, H, W)``
        A copy. Size 0 hides nothing, or with ``rest`` everything.

    Raises
    ------
    InputError
        Pixels of another kind, a size outside 0 to 1.

    Examples
    --------
    >>> black_out(np.full((1, 4, 4), 9, np.uint8), 0.5)[0]
    array([[9, 9, 9, 9],
           [9, 0, 0, 9],
           [9, 0, 0, 9],
           [9, 9, 9, 9]], dtype=uint8)
    """
    pixels = grey(pixels)
    if not 0 <= size <= 1:
        raise InputError(f"occlusion: size must be a share from 0 to 1, not {size!r}")
    inside = np.zeros(pixels.shape[1:], bool)
    down, across = (round((1 - size) / 2 * side) for side in inside.shape)
    inside[down : len(inside) - down, across : inside.shape[1] - across] = size > 0
    return np.where(inside != rest, np.uint8(0), pixels)


def cover(pixels: np.ndarray, regions: np.ndarray, fill: str = "black") -> np.ndarray:
    """Pictures whose regions are covered. ``~regions`` covers all but them.

    Parameters
    ----------
    pixels : uint8 ``(N, H, W)``, or one ``(H, W)``
        Grey pictures.
    regions : bool ``(N, H, W)``
        What to cover, a region for each picture.
    fill : str
        ``black``; ``grey``, each picture's own mean over what is not covered (over all of it where
        everything is); or ``blur``, the picture itself after a Gaussian blur with a standard
        deviation of a sixteenth of each side, taken before anything is covered.

    Returns
    -------
    uint8 ``(N, H, W)``
        A copy; outside the regions as it was.

    Raises
    ------
    InputError
        Pixels of another kind, regions of another shape or not bool, an unknown fill.

    Examples
    --------
    >>> picture = np.array([[[10, 20], [30, 200]]], np.uint8)
    >>> cover(picture, picture > 100, "grey")
    array([[[10, 20],
            [30, 20]]], dtype=uint8)
    """
    pixels, regions = grey(pixels), _regions(regions)
    if regions.shape != pixels.shape:
        given = f"regions {regions.shape} are not of the pixels' shape {pixels.shape}"
        raise InputError(f"occlusion: {given}")
    if fill not in FILLS:
        raise InputError(f"occlusion: fill {fill!r} does not exist; there are {', '.join(FILLS)}")
    covered = pixels.copy()
    for picture, region in zip(covered, regions, strict=True):
        if fill == "black":
            picture[region] = 0
        elif fill == "grey":
            picture[region] = round(float(picture[region.all() | ~region].mean()))
        else:
            sigma = [BLUR * side for side in picture.shape]
            soft = gaussian_filter(picture.astype(np.float32), sigma, mode="nearest")
            picture[region] = np.rint(soft[region])
    return covered


def elsewhere(regions: np.ndarray, seed: int = 0) -> np.ndarray:
    """The same regions moved to where they overlap themselves least: the control of :func:`cover`.

    A region is moved as a whole; what leaves the picture at one edge comes in at the opposite one.
    So area and, but for such a cut, shape stay. A large region cannot avoid itself: the overlap
    left is ``(regions & moved).sum((1, 2)) / regions.sum((1, 2))``.

    Parameters
    ----------
    regions : bool ``(N, H, W)``
        A region for each picture.
    seed : int
        Of the draw among places that overlap equally little.

    Returns
    -------
    bool ``(N, H, W)``
        The moved regions.

    Raises
    ------
    InputError
        Regions of another shape or not bool.

    Examples
    --------
    >>> region = np.zeros((1, 4, 4), bool)
    >>> region[0, :, :2] = True
    >>> elsewhere(region).astype(int)[0]
    array([[0, 0, 1, 1],
           [0, 0, 1, 1],
           [0, 0, 1, 1],
           [0, 0, 1, 1]])
    """
    regions, rng = _regions(regions), np.random.default_rng(seed)
    moved = np.empty_like(regions)
    for number, region in enumerate(regions):
        # pixels shared with a copy moved by (down, across), for all moves at once: the circular
        # autocorrelation, by the Wiener-Khinchin theorem
        power = np.abs(np.fft.fft2(region)) ** 2
        shared = np.rint(np.fft.ifft2(power).real)
        places = np.argwhere(shared == shared.min())
        moved[number] = np.roll(region, places[rng.integers(len(places))], (0, 1))
    return moved


def mark(pixels: np.ndarray, kind: str, *, control: bool = False) -> np.ndarray:
    """Pictures with an annotation, all at the same place.

    Parameters
    ----------
    pixels : uint8 ``(N, H, W)``, or one ``(H, W)``
        Grey pictures of at least 64 pixels a side.
    kind : str
        ``letter``: a white L at the upper right; ``caption``: two lines of white text at the lower
        left; ``border``: a black frame, 5 % of each side wide; ``tube``: a bright line from the
        upper edge at the left to the middle, as a central venous catheter lies.
    control : bool
        Instead of the mark as many pixels set to the same grey, without its form and elsewhere. Of
        a border it is a ring that begins 12 % of each side inside; of the others the pixels of the
        smallest box about the mark in random order (always the same), in the middle of the picture.

    Returns
    -------
    uint8 ``(N, H, W)``
        A copy.

    Raises
    ------
    InputError
        Pixels of another kind or too small, an unknown mark.

    Examples
    --------
    >>> black = np.zeros((1, 64, 64), np.uint8)
    >>> marked, other = mark(black, "letter"), mark(black, "letter", control=True)
    >>> bool((marked > 0).sum() == (other > 0).sum()), bool((marked & other).any())
    (True, False)
    """
    pixels = grey(pixels)
    if kind not in MARKS:
        raise InputError(f"occlusion: mark {kind!r} does not exist; there are {', '.join(MARKS)}")
    shape = pixels.shape[1:]
    if min(shape) < SMALLEST:
        raise InputError(f"occlusion: a mark needs {SMALLEST} pixels a side, not {shape}")
    if kind == "border":
        drawn = _ring(shape, INNER if control else 0)
    else:
        drawn = _stroke(kind, shape)
        drawn = _scattered(drawn) if control else drawn
    return np.where(drawn, np.uint8(MARKS[kind]), pixels)


def _ring(shape: tuple[int, int], start: float) -> np.ndarray:
    """As many pixels as the border has, in rings about the middle from ``start`` (a share of each
    side) inwards, bool ``(H, W)``.
    """
    down, across = ((np.arange(side) + 0.5) / side for side in shape)
    depth = np.minimum.outer(np.minimum(down, 1 - down), np.minimum(across, 1 - across))
    order = np.argsort(depth, axis=None, kind="stable")
    first = np.count_nonzero(depth < start)
    ring = np.zeros(depth.size, bool)
    ring[order[first : first + np.count_nonzero(depth < BORDER)]] = True
    return ring.reshape(shape)


def _stroke(kind: str, shape: tuple[int, int]) -> np.ndarray:
    """The pixels of a letter, a caption or a tube, bool ``(H, W)``."""
    high, wide = shape
    picture = Image.new("1", (wide, high))
    pen = ImageDraw.Draw(picture)
    if kind == "tube":
        points = [(x * wide, y * high) for x, y in TUBE]
        pen.line(points, 1, max(2, round(WIDTH * wide)), joint="curve")
    elif kind == "letter":
        font = ImageFont.load_default(max(8, high // 9))
        pen.text((0.92 * wide, 0.08 * high), LETTER, 1, font, anchor="mm")
    else:
        font = ImageFont.load_default(max(6, high // 20))
        for line, text in enumerate(CAPTION):
            pen.text((0.04 * wide, (0.89 + 0.06 * line) * high), text, 1, font, anchor="lm")
    return np.asarray(picture)


def _scattered(drawn: np.ndarray) -> np.ndarray:
    """The pixels of the smallest box about a mark in random order, in the middle of the picture."""
    down, across = (np.flatnonzero(drawn.any(axis)) for axis in (1, 0))
    box = drawn[down[0] : down[-1] + 1, across[0] : across[-1] + 1]
    mixed = np.random.default_rng(0).permutation(box.ravel()).reshape(box.shape)
    top, left = ((whole - side) // 2 for whole, side in zip(drawn.shape, box.shape, strict=True))
    moved = np.zeros_like(drawn)
    moved[top : top + len(box), left : left + box.shape[1]] = mixed
    return moved


def _regions(regions: np.ndarray) -> np.ndarray:
    regions = np.asarray(regions)
    if regions.dtype != bool or regions.ndim != 3:
        given = f"{regions.dtype} {regions.shape}"
        raise InputError(f"occlusion: regions must be bool (N, H, W), not {given}")
    return regions
