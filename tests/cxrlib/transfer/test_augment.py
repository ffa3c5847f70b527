"""Augmentation and normalisation agree with torchvision's."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rounding import UNIT

torch = pytest.importorskip("torch")
from torchvision.transforms import functional as TF  # noqa: E402

from cxrlib.transfer import augment  # noqa: E402

SIDE = 40
RAMP = np.add.outer(np.arange(SIDE) * 4, np.arange(SIDE) * 2).astype(np.uint8)  # 0…234, no symmetry


MOVED = (
    64 * SIDE * UNIT["float32"]
)  # a place is off by some roundings of the side, and a picture changes by 1 a pixel at most


def batch(n=1, side=SIDE, seed=0):
    """Smooth random pictures ``(n, 1, side, side)``."""
    coarse = torch.rand(n, 1, 6, 6, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, side, mode="bicubic").clamp(0, 1)


def moved(x, angle=0.0, scale=1.0, shift=(0.0, 0.0), flip=False):
    """``x`` through :func:`augment.affine` (angle in degrees)."""
    numbers = [torch.tensor([value]) for value in (math.radians(angle), scale)]
    matrix = augment.affine(*numbers, torch.tensor([shift]), torch.tensor([flip])).expand(
        len(x), 2, 3
    )
    grid = torch.nn.functional.affine_grid(matrix, list(x.shape), align_corners=False)
    return torch.nn.functional.grid_sample(x, grid, align_corners=False)


@settings(max_examples=30)
@given(
    st.floats(-180, 180),
    st.floats(0.5, 2),
    st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)),
    st.booleans(),
    st.integers(0, 9),
)
def test_affine_is_torchvisions(angle, scale, shift, flip, seed):
    x = batch(seed=seed)
    pixels = [part * SIDE for part in shift]
    expected = TF.affine(
        TF.hflip(x) if flip else x,
        angle,
        pixels,
        scale,
        [0.0],
        interpolation=TF.InterpolationMode.BILINEAR,
    )
    torch.testing.assert_close(moved(x, angle, scale, shift, flip), expected, atol=MOVED, rtol=0)


def test_directions():
    """A dot at the top turns clockwise to the right; shifts go right and down."""
    dot = torch.zeros(1, 1, 41, 41)
    dot[0, 0, 5, 20] = 1

    def place(x):
        return divmod(int(x.argmax()), 41)

    assert place(moved(dot, angle=90)) == (20, 35)
    assert place(moved(dot, shift=(4 / 41, 0))) == (5, 24)
    assert place(moved(dot, shift=(0, 4 / 41))) == (9, 20)
    assert place(moved(dot, scale=0.5)) in {(12, 20), (13, 20)}
    assert place(moved(dot, angle=90, shift=(-4 / 41, 0))) == (20, 31)


STILL = {"rotate": 0.0, "scale": (1.0, 1.0), "translate": 0.0, "hflip": 0.0}
THESIS = {"rotate": 15.0, "scale": (0.9, 1.1), "translate": 0.1, "hflip": 0.5}


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_augment_by_nothing_and_by_mirror():
    x = batch(4)
    torch.testing.assert_close(augment.augment(x, rng(), **STILL), x, atol=MOVED, rtol=0)
    torch.testing.assert_close(
        augment.augment(x, rng(), **STILL | {"hflip": 1.0}), x.flip(3), atol=MOVED, rtol=0
    )


def test_augment_is_torchvisions_when_the_draw_is_known():
    x = batch(3)
    got = augment.augment(x, rng(), **STILL | {"scale": (1.2, 1.2), "hflip": 1.0})
    expected = TF.affine(
        TF.hflip(x), 0, [0, 0], 1.2, [0.0], interpolation=TF.InterpolationMode.BILINEAR
    )
    torch.testing.assert_close(got, expected, atol=MOVED, rtol=0)


@settings(max_examples=20)
@given(
    st.integers(0, 2**32),
    st.floats(0, 180),
    st.floats(0.5, 1),
    st.floats(1, 2),
    st.floats(0, 0.5),
    st.floats(0, 1),
)
def test_augment_stays_in_range_and_repeats(seed, rotate, low, high, translate, hflip):
    options = {"rotate": rotate, "scale": (low, high), "translate": translate, "hflip": hflip}
    x = batch(3, seed=1)
    y = augment.augment(x, rng(seed), **options)
    assert y.shape == x.shape and y.dtype == x.dtype and y.min() >= 0 and y.max() <= 1 + 1e-6
    assert torch.equal(y, augment.augment(x, rng(seed), **options))


def test_seeds_and_images_of_a_batch_differ():
    x = batch(1).expand(4, 1, SIDE, SIDE)
    y = augment.augment(x, rng(0), **THESIS)
    assert len({tuple(image.flatten().tolist()) for image in y}) == 4
    assert not torch.equal(y, augment.augment(x, rng(1), **THESIS))


def test_draws_are_uniform_over_the_printed_ranges(monkeypatch):
    drawn, affine = [], augment.affine
    monkeypatch.setattr(augment, "affine", lambda *draw: drawn.append(draw) or affine(*draw))
    augment.augment(torch.zeros(4000, 1, 2, 2), rng(), **THESIS)
    angle, scale, shift, flip = drawn[0]
    for values, low, high in (
        (angle.rad2deg(), -15, 15),
        (scale, 0.9, 1.1),
        (shift[:, 0], -0.1, 0.1),
        (shift[:, 1], -0.1, 0.1),
    ):
        assert low <= values.min() and values.max() <= high
        share = (values.sort().values - low) / (high - low)
        assert (
            share - torch.linspace(0, 1, 4000)
        ).abs().max() < 0.04  # Kolmogorov-Smirnov, p < 1e-5
    assert abs(flip.float().mean() - 0.5) < 0.04
    table = torch.stack([angle, scale, *shift.T, flip.float()])
    assert (torch.corrcoef(table) - torch.eye(5)).abs().max() < 0.08


def test_normalise_is_torchvisions():
    x = batch(2)
    expected = TF.normalize(x.repeat(1, 3, 1, 1), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(augment.normalise(x), expected)
    assert augment.normalise(x.half()).dtype == torch.half


def test_to_tensor_is_torchvisions():
    pixels = np.stack([RAMP, np.full_like(RAMP, 255)])
    expected = torch.stack([TF.to_tensor(image[:, :, None]) for image in pixels])
    torch.testing.assert_close(augment.to_tensor(pixels), expected)
    assert augment.to_tensor(pixels).max() == 1
