"""Synthetic frontal radiographs with opacities at known places, laid out on disk as the real sources are.

A reader without the images can train, draw class-activation maps and run every audit on these, and here, unlike in
the real data, where the opacity lies and whether a shortcut was planted are known. The drawing is a sum of
attenuations (soft tissue, air, bone, vessels, opacity) passed through a film curve. It is meant to look like
a radiograph to a reader and to a network; it claims no anatomy and no dose physics, and no patient is behind it.

Geometry is in *chest units*: x and y run from -1 to 1 over the picture, x to the viewer's right (the patient's left),
y downwards. Every picture is a function of (seed, class, patient, picture) alone, so a larger set holds the smaller.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from cxrlib.files import InputError, write_text

COVID, KERMANY, TRUTH = "covid-chestxray-dataset", "kermany-chest-xray-224/chest_xray", "phantom-truth"
PATTERN = {"covid": "bilateral", "viral": "diffuse", "bacterial": "focal", "normal": "none"}  # class -> opacity
SHOTS = {"covid": "1121121412", "viral": "12313", "bacterial": "12313", "normal": "1"}  # pictures per person
COLUMNS = (  # of the real metadata file, whose header ends with a comma
    "patientid offset sex age finding survival intubated intubation_present went_icu needed_supplemental_O2 extubated "
    "temperature pO2_saturation leukocyte_count neutrophil_count lymphocyte_count view modality date location folder "
    "filename doi url license clinical_notes other_notes"
).split() + [""]

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
    """``image`` uint8 (H, W), bone bright; ``lungs`` and ``opacity`` bool (H, W); ``centres`` [(x, y)] in pixels."""

    image: np.ndarray
    lungs: np.ndarray
    opacity: np.ndarray
    centres: list[tuple[int, int]]


def radiograph(
    rng: np.random.Generator,
    opacity: str = "none",
    adult: bool = True,
    size: int = 256,
    marker: str | None = "R",
    artefact: bool = False,
) -> Radiograph:
    """Draw one radiograph of a new person, ``size`` pixels square, from the state of ``rng`` alone.

    ``opacity`` is none, diffuse (patches all over both lungs), focal (one dense lobe) or bilateral (ground glass in
    both, low and peripheral). It is drawn last: two calls in the same state with different opacities show the same
    chest. The mask lies inside the lungs; it and ``centres`` are empty exactly for none. ``marker`` is the side letter
    (R, L or None), ``artefact`` burns a bright tag into the lower left corner. :class:`InputError` for an unknown
    opacity or a size below 32.
    """
    if opacity not in PATTERN.values() or size < 32:
        raise InputError(f"radiograph: opacity {opacity!r} is not in {[*PATTERN.values()]}, or size {size} is below 32")
    return _draw(_person(rng, adult), rng, opacity, size, marker, artefact)


def write(
    folder: str | Path, n: int, seed: int = 0, *, marker: bool = True, artefact: str | None = None, size: int = 256
) -> pd.DataFrame:
    """Write ``n`` synthetic radiographs under ``folder`` in the layouts of the two real sources of Study B.

    About n/5 are covid (adults, 1.6 pictures each), n/5 viral, 3n/10 bacterial and the rest normal (children); a fifth
    of the children's are ``test``, by person. ``artefact`` names the class whose pictures all bear the tag. As in
    reality, covid is PNG and the rest JPEG, which alone tells them apart. The truth is returned and stands in
    ``phantom-truth/truth.csv``, a row per picture: ``image_id`` as in the manifest, ``path``, ``class``, ``pattern``,
    ``split`` (missing for covid), ``artefact``, ``opacity_mask`` and ``lung_mask`` (PNG, 0 or 255; paths are relative
    to ``folder``), and ``centres``, a JSON list of [x, y], the pixels about which opacities were drawn.

    The same arguments give the same bytes, so a call may be repeated; ``truth.csv`` comes last, so where it is missing
    a call was interrupted. :class:`InputError` when ``n`` is below 40, another argument is out of range, or ``folder``
    holds a data set other than this very phantom; nothing is written then.
    """
    if n < 40:
        raise InputError(f"n={n}: a phantom data set needs at least 40 images")
    if seed < 0 or size < 32 or artefact not in (None, *PATTERN):
        raise InputError(f"seed={seed}, size={size}, artefact={artefact!r}: need >= 0, >= 32, a class or None")
    folder = Path(folder)
    label, note = (
        folder / "PHANTOM.txt",
        (
            "Synthetic radiographs drawn by cxrlib.phantom: no patient, no hospital, no diagnosis.\n"
            f"n={n} seed={seed} marker={marker} artefact={artefact} size={size}\n"
        ),
    )
    if label.exists() and label.read_text(encoding="utf-8") != note:
        raise InputError(f"{folder}: holds another phantom data set (see PHANTOM.txt); name an empty folder")
    if not label.exists() and any((folder / Path(name).parts[0]).exists() for name in (COVID, KERMANY, TRUTH)):
        raise InputError(f"{folder}: holds a data set that is no phantom (no PHANTOM.txt); nothing was written")
    write_text(label, note)

    truth, metadata = [], []
    for kind, person, shot, split, relative in _plan(n):
        key = [seed, list(PATTERN).index(kind), person]
        rng = np.random.default_rng(key)
        someone, sex, age = _person(rng, kind == "covid"), "MF"[rng.integers(2)], int(rng.integers(25, 86))
        rng = np.random.default_rng([*key, shot + 1])  # not 0: a trailing zero is the same seed
        letter = rng.choice(["R", "L", ""], p=[0.75, 0.10, 0.15])
        view = ("PA", "PA", "AP", "PA", "AP Supine")[(person + shot) % 5]
        drawn = _draw(someone, rng, PATTERN[kind], size, letter if marker else None, artefact == kind)
        stem, source = Path(relative).stem, "covid-chestxray" if kind == "covid" else "kermany"
        masks = {f"{name}_mask": f"{TRUTH}/{name}/{stem}.png" for name in ("opacity", "lung")}
        _save(folder / relative, drawn.image)
        _save(folder / masks["opacity_mask"], drawn.opacity)
        _save(folder / masks["lung_mask"], drawn.lungs)
        truth.append(
            {
                "image_id": f"{source}/{stem}",
                "path": relative,
                "class": kind,
                "pattern": PATTERN[kind],
                "split": split,
                "artefact": artefact == kind,
                **masks,
                "centres": json.dumps(drawn.centres),
            }
        )
        if kind == "covid":
            metadata.append(_row(person + 1, 3 * shot, sex, age, "COVID-19", view, Path(relative).name))
    # What the studies' selection must leave out: a lateral view, a CT slice, another infection. No such file exists.
    metadata.append(_row(1, 0, "M", 50, "COVID-19", "L", "phantom-001-lateral.png"))
    metadata.append(_row(2, 0, "F", 50, "COVID-19", "Axial", "phantom-002-slice.png") | {"modality": "CT"})
    metadata.append(_row(9001, 0, "F", 50, "SARS", "PA", "phantom-9001-day0.png"))
    table = pd.DataFrame(metadata, columns=COLUMNS)
    write_text(folder / COVID / "metadata-2020-05-04-6e57ed3.csv", table.to_csv(index=False, lineterminator="\n"))
    write_text(folder / TRUTH / "truth.csv", pd.DataFrame(truth).to_csv(index=False, lineterminator="\n"))
    return pd.read_csv(folder / TRUTH / "truth.csv")


def _plan(n: int) -> Iterator[tuple[str, int, int, str, str]]:
    """Class, person, picture of that person, split and path of each image. Persons 1, 6, 11... of a class are its test
    set; of persons 0, 5, 10..., who have one picture each, the first fill ``val`` (16 in the real data)."""
    fifth, most = round(n / 5), round(0.3 * n)
    counts = {"covid": fifth, "viral": fifth, "bacterial": most, "normal": n - 2 * fifth - most}
    for kind, count in counts.items():
        shots = [(p, s) for p in range(count) for s in range(int(SHOTS[kind][p % len(SHOTS[kind])]))][:count]
        for number, (p, s) in enumerate(shots, 1):
            if kind == "covid":
                yield kind, p, s, "", f"{COVID}/images/phantom-{p + 1:03d}-day{3 * s}.png"
                continue
            split = "test" if p % 5 == 1 else "train"
            if kind != "viral" and p % 5 == 0 and p // 5 < (8 if n >= 400 else 1):
                split = "val"
            germ = "virus" if kind == "viral" else "bacteria"
            name = f"PNEUMONIA/person{p + 1}_{germ}_{number}.jpeg"
            if kind == "normal":
                name = f"NORMAL/{('IM', 'NORMAL2-IM')[p % 2]}-{p + 1:04d}-0001.jpeg"
            yield kind, p, s, split, f"{KERMANY}/{split}/{name}"


def _row(patient: int, day: int, sex: str, age: int, finding: str, view: str, filename: str) -> dict:
    """One row of the metadata file; what is not known of a phantom stays empty, as in most real rows."""
    return {
        "patientid": patient,
        "offset": day,
        "sex": sex,
        "age": age,
        "finding": finding,
        "view": view,
        "modality": "X-ray",
        "date": f"March {1 + day}, 2020",
        "location": "nowhere",
        "folder": "images",
        "filename": filename,
        "license": "synthetic",
        "clinical_notes": "synthetic, no patient",
    }


def _save(path: Path, pixels: np.ndarray) -> None:
    """Write a grey (uint8) or a yes/no (bool, as 0 and 255) picture; the suffix chooses PNG or JPEG. Not through
    ``atomic``, which would double the time: :func:`write` marks its end with the truth table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels if pixels.dtype == np.uint8 else pixels * np.uint8(255)).save(path)


def _person(rng: np.random.Generator, adult: bool) -> SimpleNamespace:
    """What stays the same from picture to picture: :data:`ANATOMY` and the seed of the vessels."""
    a = SimpleNamespace(**{name: rng.uniform(*ranges[0 if adult else 1]) for name, ranges in ANATOMY.items()})
    a.adult, a.cage, a.seed = adult, min(a.cage, a.body - 0.10), int(rng.integers(2**32))
    return a


def _soft(distance: np.ndarray, width: float) -> np.ndarray:
    """A step blurred over ``width``: 0 well below zero, 1 well above."""
    return 0.5 + 0.5 * np.tanh(distance / (2 * width))


def _cloud(rng: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Smooth noise around 0, (size, size), with ``cells`` bumps across."""
    coarse = Image.fromarray(rng.standard_normal((cells, cells), dtype=np.float32))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC))


def _draw(a, rng: np.random.Generator, kind: str, size: int, marker: str | None, artefact: bool) -> Radiograph:
    """One picture of the person ``a``: :func:`radiograph` with the anatomy given."""
    # How this picture was taken: stance, breath, exposure, film. All float32 from here, which halves the time.
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
    u, left = np.abs(x), x > 0

    def pixels(points: np.ndarray) -> np.ndarray:  # (N, 2) chest units -> (N, 2) pixels, the inverse of x and y
        return ((1 + zoom) * (points @ turn) + (dx, dy) + 1) * (size - 1) / 2

    # Lungs: depth is the smallest distance to a border (chest wall, heart, diaphragm, apex), positive inside.
    dome = a.dome + breath + left * np.float32(0.05)
    t = np.clip((y - a.apex) / (dome - a.apex), 0, None)  # 0 at the apex, 1 at the dome
    peak, middle = 0.42 * a.cage, 0.55 * a.cage
    wall = peak + (a.cage - peak) * (1 - (1 - np.minimum(t / 0.85, 1)) ** 2) ** a.cone
    heart = (a.heart * a.cage - a.waist) * np.sin(np.pi / 2 * np.clip((t - 0.40) / 0.50, 0, 1.35)) ** 1.4
    border = a.waist + np.where(left, heart + a.knob * np.exp(-(((t - 0.28) / 0.08) ** 2)), 0.42 * heart)
    border += 0.012 * tissue
    inner = np.maximum(peak - peak * np.sqrt(1 - (1 - np.minimum(t / 0.3, 1)) ** 2), border)
    floor = dome + a.drop * ((u - middle) / (a.cage - middle)) ** 2 * (0.25 + (u > middle) * np.float32(0.75))
    depth = np.minimum(np.minimum(wall - u, u - inner), np.minimum(floor - y, (y - a.apex) * 1.5)) - 0.012
    lungs = depth > 0
    air = _soft(depth, 0.013) * (0.62 + 0.38 * np.sqrt(np.clip(depth / 0.22, 0, 1)))

    # Trunk, shoulders and neck as one outline, thickest in the middle; below the diaphragm no air.
    top, arm, levels = a.apex - 0.05, a.body + (0.35 if a.adult else 0.28), np.linspace(-1.3, 1.3, 261)
    halves = [0.24 + (arm - 0.2) * a.arms, 0.45 + (arm - 0.4) * a.arms, arm, arm, a.body + 0.05, a.body, a.body * 1.03]
    outline = np.interp(levels, [-1.3, top - 0.22, top, top + 0.2, top + 0.45, 0.2, 1.3], halves)
    half = np.interp(y, levels, gaussian_filter(outline, 8)).astype(np.float32)
    skin, trunk, below = _soft(half - u, 0.012), np.sqrt(np.clip(1 - (u / half) ** 2, 0, 1)), _soft(y - floor, 0.014)
    total = skin * (0.20 + (0.26 + a.fat) * trunk) + trunk * (0.32 * below + 0.02 * tissue) - 0.30 * air
    # Mediastinum and heart as one silhouette, spine with its discs, windpipe.
    total += 0.30 * np.clip(1 - (u / (border + 0.02)) ** 2, 0, 1) ** 0.6 * _soft(y - a.apex, 0.08) * (1 - 0.75 * below)
    disc = np.cos(2 * np.pi * y / (0.115 if a.adult else 0.095))
    total += np.exp(-np.square((x / 0.085) ** 2)) * (0.08 + a.bone * (0.25 + 0.2 * disc))
    total -= 0.14 * np.exp(-((x / 0.04) ** 2)) * _soft(a.apex + 0.55 - y, 0.04)
    total += 0.9 * a.bone * skin * (1 - 0.7 * below) * _ribs(a, u, y, wall)

    # The opacity is drawn last, so that nothing else depends on it; it also hides the vessels.
    density, centres = _opacity(rng, kind, lungs, depth, x / a.cage, t)
    total += density * air + _strokes(a, pixels, air * (1 - np.clip(2 * density, 0, 0.9))) + 0.025 * mottle * air
    film = gaussian_filter(gain * np.clip(total, 0, None) ** gamma + veil, 0.55 * size / 256)
    film += 1.6 * grain * gaussian_filter(noise, 0.5)
    image = (255 * np.tanh(np.clip(1.15 * film, 0, None))).astype(np.uint8)
    return Radiograph(_letters(image, marker, letter_at, artefact), lungs, lungs & (density > 0.06), centres)


def _ribs(a, u: np.ndarray, y: np.ndarray, wall: np.ndarray) -> np.ndarray:
    """Eleven pairs of ribs, 0 to about 1. A rib is a tilted hoop, so an ellipse from the front: its far half runs from
    the spine out and down to the chest wall, the near half is fainter and ends in cartilage."""
    ribs, size = np.zeros_like(u), len(u)
    for k in range(11):
        start, fall = a.apex - 0.04 + k * (a.dome + 0.30 - a.apex) / 10, a.hoop * (0.55 + 0.45 * min(k / 4, 1))
        reach = 1.02 * float(np.interp(start + fall + 0.12, y[:, size // 2], wall[:, size // 4]))
        first, last = (int(np.clip((at + 1) * size / 2, 0, size)) for at in (start - 0.2, start + 2 * fall + 0.35))
        v, w = (y[first:last] - 0.18 * u[first:last] - start - fall) / fall, u[first:last] / reach
        r = np.sqrt(v * v + w * w) + 1e-3  # 1 on the ellipse; d: distance from it in half thicknesses, to first order
        d = (r - 1) * r / np.sqrt((v / fall) ** 2 + (w / reach) ** 2) / a.rib
        near, shown, bony = (np.clip(0.5 + ramp, 0, 1) for ramp in (4 * v, 6 * (w - 0.25), 8 * (w - 0.62)))
        seen = (1 - near) * (0.4 + 0.6 * shown) + 0.5 * near * bony * (k < 7)
        ribs[first:last] += seen * (0.7 * np.exp(-np.square(d * d)) + 0.5 * np.exp(-(((d - 0.9) / 0.35) ** 2)))
    return ribs


def _strokes(a, pixels: Callable[[np.ndarray], np.ndarray], air: np.ndarray) -> np.ndarray:
    """Clavicles, shoulder blades and arms, and the vessels that branch from each hilum: attenuation, (H, W)."""
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

    # Vessels: seven trunks from each hilum, every branch forking into two thinner ones, one generation at a time.
    pen = ImageDraw.Draw(vessels)
    for side, hilum in ((-1, 0.15), (1, 0.18)):
        angle = np.linspace(-1.25, 1.4, 7) + rng.normal(0, 0.12, 7)
        root = np.tile([hilum, a.apex + 0.47 * (a.dome - a.apex)], (7, 1))
        for generation in range(5):
            angle = angle + rng.normal(0, 0.16, len(angle))
            length = 0.20 * 0.82**generation * rng.uniform(0.8, 1.2, len(angle))
            tip = root + length[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
            width = max(1, round(0.030 * 0.68**generation * size / 2))
            for p, q in zip(pixels(root * (side, 1)).tolist(), pixels(tip * (side, 1)).tolist(), strict=True):
                pen.line([*p, *q], 150 - 22 * generation, width)
            fork = rng.uniform(0.15, 0.45, (2, len(angle)))
            angle, root = np.concatenate([angle + fork[0], angle - fork[1]]), np.concatenate([tip, tip])
    bone = gaussian_filter(np.asarray(bones, np.float32) / 255, 1.6 * size / 256)
    tree = gaussian_filter(np.asarray(vessels, np.float32) / 255, 0.8 * size / 256)
    return 1.6 * a.bone * bone + 0.14 * tree * air


def _opacity(
    rng: np.random.Generator, kind: str, lungs: np.ndarray, depth: np.ndarray, across: np.ndarray, t: np.ndarray
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Attenuation of the opacities (H, W), and their centres. ``across`` is 0 at the spine, -1 and 1 at the walls."""
    size, centres, density = len(lungs), [], np.zeros(lungs.shape, np.float32)
    if kind == "none":
        return density, centres
    fewest, most, radius, strength, where = {  # per lung; radius in chest units
        "focal": (1, 1, (0.20, 0.32), (0.34, 0.48), (np.abs(across) > 0.3) & (depth > 0.05)),
        "diffuse": (4, 6, (0.12, 0.22), (0.13, 0.24), depth > 0.02),
        "bilateral": (2, 4, (0.14, 0.26), (0.20, 0.36), (np.abs(across) > 0.55) & (t > 0.4) & (depth > 0.01)),
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
            blob = np.exp(-(r * r if kind == "focal" else r))  # a lobe ends abruptly, ground glass fades
            density = np.maximum(density, rng.uniform(*strength) * blob)
            centres.append((cx, cy))
    return density, centres


def _letters(image: np.ndarray, marker: str | None, at: np.ndarray, artefact: bool) -> np.ndarray:
    """Burn in the side letter, at ``at`` on its own side of the picture, and the planted tag."""
    size, picture = len(image), Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    if marker:
        place = (np.array([at[0] if marker == "R" else -at[0], at[1]]) + 1) * size / 2
        pen.text(tuple(place.tolist()), marker, 235, ImageFont.load_default(max(8, size // 16)), anchor="mm")
    if artefact:
        pen.rectangle([round(part * size) for part in (0.03, 0.91, 0.17, 0.97)], 250)
        pen.text((0.10 * size, 0.94 * size), "AP 2", 10, ImageFont.load_default(size / 22), anchor="mm")
    return np.asarray(picture)
