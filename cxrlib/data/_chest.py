"""The drawing under :mod:`cxrlib.data.phantom`: one synthetic chest, as a sum of attenuations
passed through a film curve.

Geometry is in *chest units*: x and y run from -1 to 1 over the picture, x to the viewer's right
(the patient's left), y downwards.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

# Ranges of the anatomy in chest units, adult then child; a value is drawn evenly from each.
ANATOMY = {
    "body": ((0.92, 1.12), (0.74, 0.92)),  # half width of the trunk
    "cage": ((0.70, 0.84), (0.62, 0.76)),  # half width of the lungs together, at the widest
    "apex": ((-0.88, -0.74), (-0.80, -0.60)),  # top of the lungs
    "dome": ((0.42, 0.64), (0.32, 0.52)),  # right hemidiaphragm
    "cone": ((0.55, 0.75), (0.70, 0.95)),  # 0.5 a barrel, 1 a cone
    "drop": ((0.20, 0.34), (0.14, 0.28)),  # from the dome to the costophrenic angle
    "heart": ((0.46, 0.62), (0.50, 0.66)),  # its left border, as a part of the cage
    "hoop": ((0.20, 0.28), (0.14, 0.21)),  # how far a rib falls from the spine to its side
    "rib": ((0.020, 0.026), (0.018, 0.024)),  # half thickness of a rib
    "bone": ((0.08, 0.13), (0.10, 0.17)),  # how strongly bone shows
    "knob": ((0.02, 0.08), (0.0, 0.03)),  # how far the aortic arch stands out
    "waist": ((0.11, 0.15), (0.12, 0.17)),  # half width of the upper mediastinum
    "arms": ((0.0, 0.6), (0.0, 1.0)),  # 0 hanging, 1 raised
    "fat": ((0.0, 0.14), (0.0, 0.08)),  # tissue over the lungs
}


class Radiograph(NamedTuple):
    """``image`` uint8 (H, W), bone bright; ``lungs`` and ``opacity`` bool (H, W); ``centres`` [(x,
    y)] in pixels.
    """

    image: np.ndarray
    lungs: np.ndarray
    opacity: np.ndarray
    centres: list[tuple[int, int]]


def person(rng: np.random.Generator, adult: bool) -> SimpleNamespace:
    """What stays the same from picture to picture: :data:`ANATOMY` and the seed of the vessels."""
    values = {name: rng.uniform(*ranges[0 if adult else 1]) for name, ranges in ANATOMY.items()}
    a = SimpleNamespace(**values)
    a.adult, a.cage, a.seed = adult, min(a.cage, a.body - 0.10), int(rng.integers(2**32))
    return a


def _soft(distance: np.ndarray, width: float) -> np.ndarray:
    """A step blurred over ``width``: 0 well below zero, 1 well above."""
    return 0.5 + 0.5 * np.tanh(distance / (2 * width))


def _cloud(rng: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Smooth noise around 0, (size, size), with ``cells`` bumps across."""
    coarse = Image.fromarray(rng.standard_normal((cells, cells), dtype=np.float32))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC))


def draw(a, rng: np.random.Generator, kind: str, size: int, marker: str) -> Radiograph:
    """One picture of the person ``a``: :func:`cxrlib.data.phantom.radiograph` with the anatomy
    given.
    """
    # How this picture was taken: stance, breath, exposure, film. All float32 from here, which
    # halves the time.
    tilt, dx, dy, zoom = rng.normal(0, (0.035, 0.025, 0.025, 0.025)).tolist()
    film = rng.uniform((-0.04, 0.92, 0.90, 0.006, 0.0), (0.03, 1.12, 1.25, 0.016, 0.06))
    breath, gain, gamma, grain, veil = film.tolist()
    noise = rng.standard_normal((size, size), dtype=np.float32)
    tissue, mottle = _cloud(rng, size, 7), _cloud(rng, size, 40)
    letter_at = rng.uniform((-0.95, -0.95), (-0.82, -0.45))
    turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    (xx, _), (yx, yy) = (turn / (1 + zoom)).tolist()
    x = (axis - dx) * xx - (axis[:, None] - dy) * yx  # (H, W) chest units
    y = (axis[:, None] - dy) * yy + (axis - dx) * yx

    def pixels(points: np.ndarray) -> np.ndarray:  # (N, 2) chest units to pixels, x and y inverted
        return ((1 + zoom) * (points @ turn) + (dx, dy) + 1) * (size - 1) / 2

    inside = _lungs(a, x, y, breath, tissue)
    lungs = inside.depth > 0
    air = _soft(inside.depth, 0.013)
    air = air * (0.62 + 0.38 * np.sqrt(np.clip(inside.depth / 0.22, 0, 1)))
    total = _trunk(a, x, y, inside, air, tissue)

    # The opacity is drawn last, so that nothing else depends on it; it also hides the vessels.
    density, centres = _opacity(rng, kind, inside.depth, x / a.cage, inside.t)
    lines = _strokes(a, pixels, air * (1 - np.clip(2 * density, 0, 0.9)))
    total += density * air + lines + 0.025 * mottle * air
    film = gaussian_filter(gain * np.clip(total, 0, None) ** gamma + veil, 0.55 * size / 256)
    film += 1.6 * grain * gaussian_filter(noise, 0.5)
    image = (255 * np.tanh(np.clip(1.15 * film, 0, None))).astype(np.uint8)
    image = _letter(image, marker, letter_at)
    return Radiograph(image, lungs, lungs & (density > 0.06), centres)


def _lungs(a, x: np.ndarray, y: np.ndarray, breath: float, tissue: np.ndarray) -> SimpleNamespace:
    """Borders of the lungs, (H, W) chest units.

    ``depth`` is the smallest distance to a border (chest ``wall``, heart, diaphragm, apex),
    positive inside; ``t`` is 0 at the apex and 1 at the dome, ``border`` the half width of heart
    and mediastinum, ``floor`` the height of the diaphragm.
    """
    u, left = np.abs(x), x > 0
    dome = a.dome + breath + left * np.float32(0.05)
    t = np.clip((y - a.apex) / (dome - a.apex), 0, None)
    peak, middle = 0.42 * a.cage, 0.55 * a.cage
    wall = peak + (a.cage - peak) * (1 - (1 - np.minimum(t / 0.85, 1)) ** 2) ** a.cone
    bulge = np.sin(np.pi / 2 * np.clip((t - 0.40) / 0.50, 0, 1.35)) ** 1.4
    heart = (a.heart * a.cage - a.waist) * bulge
    knob = a.knob * np.exp(-(((t - 0.28) / 0.08) ** 2))
    border = a.waist + np.where(left, heart + knob, 0.42 * heart)
    border += 0.012 * tissue
    inner = np.maximum(peak - peak * np.sqrt(1 - (1 - np.minimum(t / 0.3, 1)) ** 2), border)
    slope = 0.25 + (u > middle) * np.float32(0.75)
    floor = dome + a.drop * ((u - middle) / (a.cage - middle)) ** 2 * slope
    beside, below = np.minimum(wall - u, u - inner), np.minimum(floor - y, (y - a.apex) * 1.5)
    depth = np.minimum(beside, below) - 0.012
    return SimpleNamespace(depth=depth, t=t, wall=wall, border=border, floor=floor)


def _trunk(
    a, x: np.ndarray, y: np.ndarray, inside: SimpleNamespace, air: np.ndarray, tissue: np.ndarray
) -> np.ndarray:
    """Attenuation of all but opacities, vessels and arms, (H, W)."""
    # Trunk, shoulders and neck as one outline, thickest in the middle; below the diaphragm no air.
    u, top, arm = np.abs(x), a.apex - 0.05, a.body + (0.35 if a.adult else 0.28)
    levels = np.linspace(-1.3, 1.3, 261)
    neck, shoulder = 0.24 + (arm - 0.2) * a.arms, 0.45 + (arm - 0.4) * a.arms
    halves = [neck, shoulder, arm, arm, a.body + 0.05, a.body, a.body * 1.03]
    outline = np.interp(levels, [-1.3, top - 0.22, top, top + 0.2, top + 0.45, 0.2, 1.3], halves)
    half = np.interp(y, levels, gaussian_filter(outline, 8)).astype(np.float32)
    skin, trunk = _soft(half - u, 0.012), np.sqrt(np.clip(1 - (u / half) ** 2, 0, 1))
    below = _soft(y - inside.floor, 0.014)
    total = skin * (0.20 + (0.26 + a.fat) * trunk) + trunk * (0.32 * below + 0.02 * tissue)
    total = total - 0.30 * air
    # Mediastinum and heart as one silhouette, spine with its discs, windpipe, ribs.
    silhouette = 0.30 * np.clip(1 - (u / (inside.border + 0.02)) ** 2, 0, 1) ** 0.6
    total += silhouette * _soft(y - a.apex, 0.08) * (1 - 0.75 * below)
    disc = np.cos(2 * np.pi * y / (0.115 if a.adult else 0.095))
    total += np.exp(-np.square((x / 0.085) ** 2)) * (0.08 + a.bone * (0.25 + 0.2 * disc))
    total -= 0.14 * np.exp(-((x / 0.04) ** 2)) * _soft(a.apex + 0.55 - y, 0.04)
    total += 0.9 * a.bone * skin * (1 - 0.7 * below) * _ribs(a, u, y, inside.wall)
    return total


def _ribs(a, u: np.ndarray, y: np.ndarray, wall: np.ndarray) -> np.ndarray:
    """Eleven pairs of ribs, 0 to about 1. A rib is a tilted hoop, so an ellipse from the front: its
    far half runs from the spine out and down to the chest wall, the near half is fainter and ends
    in cartilage."""
    ribs, size = np.zeros_like(u), len(u)
    for k in range(11):
        start = a.apex - 0.04 + k * (a.dome + 0.30 - a.apex) / 10
        fall = a.hoop * (0.55 + 0.45 * min(k / 4, 1))
        reach = 1.02 * float(np.interp(start + fall + 0.12, y[:, size // 2], wall[:, size // 4]))
        ends = np.array([start - 0.2, start + 2 * fall + 0.35])
        first, last = np.clip((ends + 1) * size / 2, 0, size).astype(int)
        v, w = (y[first:last] - 0.18 * u[first:last] - start - fall) / fall, u[first:last] / reach
        r = np.sqrt(v * v + w * w) + 1e-3  # 1 on the ellipse
        # distance from it in half thicknesses, to first order
        d = (r - 1) * r / np.sqrt((v / fall) ** 2 + (w / reach) ** 2) / a.rib
        near, shown = np.clip(0.5 + 4 * v, 0, 1), np.clip(0.5 + 6 * (w - 0.25), 0, 1)
        bony = np.clip(0.5 + 8 * (w - 0.62), 0, 1)
        seen = (1 - near) * (0.4 + 0.6 * shown) + 0.5 * near * bony * (k < 7)
        edge = 0.7 * np.exp(-np.square(d * d)) + 0.5 * np.exp(-(((d - 0.9) / 0.35) ** 2))
        ribs[first:last] += seen * edge
    return ribs


def _strokes(a, pixels: Callable[[np.ndarray], np.ndarray], air: np.ndarray) -> np.ndarray:
    """Clavicles, shoulder blades and arms, and the vessels that branch from each hilum:
    attenuation, (H, W).
    """
    rng, size = np.random.default_rng(a.seed), len(air)
    bones, vessels = Image.new("L", (size, size)), Image.new("L", (size, size))

    def stroke(image, points, width, value):
        corners = pixels(np.asarray(points, float)).ravel().tolist()
        ImageDraw.Draw(image).line(corners, value, max(1, round(width * size / 2)), "curve")

    lift, shoulder, along = 0.10 + 0.16 * a.arms, a.body + 0.02, np.linspace(0, 1, 12)
    clavicle = a.apex + 0.10 - lift * along - 0.05 * np.sin(5.5 * along)
    clavicle = np.stack([0.08 + (shoulder - 0.14) * along, clavicle], 1)
    joint = np.array([shoulder + 0.06, a.apex + 0.04 - lift])
    elbow = (shoulder + 0.28, a.apex + 0.75 - 1.3 * a.arms)
    blade = joint + [(-0.12, 0.05), (-0.26, 0.62), (-0.40, 0.20)]
    for side in ((-1, 1), (1, 1)):  # the patient's right, then left
        stroke(bones, clavicle * side, 0.06, 190)
        stroke(bones, clavicle * side, 0.024, 130)
        stroke(bones, [joint * side, elbow * np.array(side)], 0.12, 150)
        stroke(bones, [joint * side, (joint + (0.02, 0.03)) * side], 0.18, 165)
        ImageDraw.Draw(bones).polygon(pixels(blade * side).ravel().tolist(), 40)
        stroke(bones, blade[:2] * side, 0.03, 75)

    # Vessels: seven trunks from each hilum, every branch forking into two thinner ones, one
    # generation at a time.
    pen = ImageDraw.Draw(vessels)
    for side, hilum in ((-1, 0.15), (1, 0.18)):
        angle = np.linspace(-1.25, 1.4, 7) + rng.normal(0, 0.12, 7)
        root = np.tile([hilum, a.apex + 0.47 * (a.dome - a.apex)], (7, 1))
        for generation in range(5):
            angle = angle + rng.normal(0, 0.16, len(angle))
            length = 0.20 * 0.82**generation * rng.uniform(0.8, 1.2, len(angle))
            tip = root + length[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
            width = max(1, round(0.030 * 0.68**generation * size / 2))
            for line in np.hstack([pixels(root * (side, 1)), pixels(tip * (side, 1))]).tolist():
                pen.line(line, 150 - 22 * generation, width)
            fork = rng.uniform(0.15, 0.45, (2, len(angle)))
            angle = np.concatenate([angle + fork[0], angle - fork[1]])
            root = np.concatenate([tip, tip])
    bone = gaussian_filter(np.asarray(bones, np.float32) / 255, 1.6 * size / 256)
    tree = gaussian_filter(np.asarray(vessels, np.float32) / 255, 0.8 * size / 256)
    return 1.6 * a.bone * bone + 0.14 * tree * air


def _opacity(
    rng: np.random.Generator, kind: str, depth: np.ndarray, across: np.ndarray, t: np.ndarray
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Attenuation of the opacities (H, W), and their centres. ``across`` is 0 at the spine, -1 and
    1 at the walls.
    """
    size, centres, density = len(depth), [], np.zeros(depth.shape, np.float32)
    lungs, outwards = depth > 0, np.abs(across)
    low = (outwards > 0.55) & (t > 0.4) & (depth > 0.01)
    fewest, most, radius, strength, where = {  # per lung; radius in chest units
        "none": (0, 0, (0, 0), (0, 0), lungs),
        "focal": (1, 1, (0.20, 0.32), (0.34, 0.48), (outwards > 0.3) & (depth > 0.05)),
        "diffuse": (4, 6, (0.12, 0.22), (0.13, 0.24), depth > 0.02),
        "bilateral": (2, 4, (0.14, 0.26), (0.20, 0.36), low),
    }[kind]
    ragged = np.clip(1 + 0.4 * _cloud(rng, size, 8) + 0.3 * _cloud(rng, size, 24), 0.4, 2)
    column = np.arange(size, dtype=np.float32)
    for side in [rng.choice([-1, 1])] if kind == "focal" else [-1, 1]:
        lung = lungs & (across * side > 0)
        spots = np.flatnonzero(lung & where if (lung & where).any() else lung)
        for _ in range(rng.integers(fewest, most + 1)):
            cy, cx = divmod(int(rng.choice(spots)), size)
            wide, tall = (rng.uniform(*radius, 2) * size / 2).tolist()
            r = (((column - cx) / wide) ** 2 + ((column[:, None] - cy) / tall) ** 2) * ragged
            blob = np.exp(-(r * r if kind == "focal" else r))  # a lobe ends abruptly, haze fades
            density = np.maximum(density, rng.uniform(*strength) * blob)
            centres.append((cx, cy))
    return density, centres


def _letter(image: np.ndarray, marker: str, at: np.ndarray) -> np.ndarray:
    """Burn in the side letter (R, L or none), at ``at`` on its own side of the picture."""
    size, picture = len(image), Image.fromarray(image)
    place = (np.array([at[0] if marker == "R" else -at[0], at[1]]) + 1) * size / 2
    font = ImageFont.load_default(max(8, size // 16))
    ImageDraw.Draw(picture).text(tuple(place.tolist()), marker, 235, font, anchor="mm")
    return np.asarray(picture)
