"""Synthetic frontal radiographs with opacities at known places, laid out on disk as the real
sources are.

A reader without the images can train, draw class-activation maps and run every audit on these, and
here, unlike in the real data, where the opacity lies and whether a shortcut was planted are known.
The drawing is meant to look like a radiograph to a reader and to a network; it claims no anatomy
and no dose physics, and no patient is behind it.

Every picture is a function of (seed, class, patient, picture) alone, so a larger set holds the
smaller.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cxrlib.data._chest import Radiograph, draw, person
from cxrlib.files import InputError, write_text

COVID, TRUTH = "covid-chestxray-dataset", "phantom-truth"
KERMANY = "kermany-chest-xray-224/chest_xray"
PATTERN = {"covid": "bilateral", "viral": "diffuse", "bacterial": "focal", "normal": "none"}
SHOTS = {"covid": [1, 1, 2, 1, 1, 2, 1, 4, 1, 2], "normal": [1]}  # pictures per person, in turn
SHOTS["viral"] = SHOTS["bacterial"] = [1, 2, 3, 1, 3]
VIEWS = ("PA", "PA", "AP", "PA", "AP Supine")
COLUMNS = "patientid sex age finding view modality folder filename".split()  # of the metadata
ALL = {"finding": "COVID-19", "modality": "X-ray", "folder": "images"}  # the same in each row
TRUTH_COLUMNS = "image_id path class pattern split opacity_mask lung_mask centres".split()


def radiograph(rng: np.random.Generator, opacity: str = "none", size: int = 256) -> Radiograph:
    """Draw one radiograph of a new adult, ``size`` pixels square, from the state of ``rng`` alone.

    ``opacity`` is none, diffuse (patches all over both lungs), focal (one dense lobe) or bilateral
    (ground glass in both, low and peripheral). It is drawn last: two calls in the same state with
    different opacities show the same chest. The mask lies inside the lungs; it and ``centres`` are
    empty exactly for none. :class:`InputError` for an unknown opacity or a size below 32.
    """
    if opacity not in PATTERN.values() or size < 32:
        fault = f"opacity {opacity!r} is not in {[*PATTERN.values()]}, or size {size} is below 32"
        raise InputError(f"radiograph: {fault}")
    return draw(person(rng, True), rng, opacity, size, "R")


def write(folder: str | Path, n: int, seed: int = 0, *, size: int = 256) -> pd.DataFrame:
    """Write ``n`` synthetic radiographs under ``folder`` in the layouts of two real collections,
    :mod:`cxrlib.data.covid_chestxray` and :mod:`cxrlib.data.kermany`.

    About n/5 are covid (adults, 1.6 pictures each), n/5 viral, 3n/10 bacterial and the rest normal
    (children); a fifth of the children's are ``test``, by person. As in reality, covid is PNG and
    the rest JPEG, which alone tells them apart. The truth is returned and stands in
    ``phantom-truth/truth.csv``, a row per picture: ``image_id`` as in the manifest, ``path``,
    ``class``, ``pattern``, ``split`` (missing for covid), ``opacity_mask`` and ``lung_mask`` (PNG,
    0 or 255; paths are relative to ``folder``), and ``centres``, a JSON list of [x, y], the pixels
    about which opacities were drawn.

    The same arguments give the same bytes, so a call may be repeated; ``truth.csv`` comes last, so
    where it is missing a call was interrupted. :class:`InputError` when ``n`` is below 40, another
    argument is out of range, or ``folder`` holds anything but this very phantom; nothing is written
    then.
    """
    if n < 40:
        raise InputError(f"n={n}: a phantom data set needs at least 40 images")
    if seed < 0 or size < 32:
        raise InputError(f"seed={seed}, size={size}: need >= 0 and >= 32")
    folder = Path(folder)
    _label(folder, f"n={n} seed={seed} marker=True artefact=None size={size}")
    truth, metadata = [], []
    for kind, number, shot, split, path in _plan(n):
        key = [seed, list(PATTERN).index(kind), number]
        rng = np.random.default_rng(key)
        someone, sex = person(rng, kind == "covid"), "MF"[rng.integers(2)]
        age = int(rng.integers(25, 86))
        rng = np.random.default_rng([*key, shot + 1])  # not 0: a trailing zero is the same seed
        letter = rng.choice(["R", "L", ""], p=[0.75, 0.10, 0.15])
        drawn = draw(someone, rng, PATTERN[kind], size, letter)
        row = {"class": kind, "pattern": PATTERN[kind], "split": split}
        truth.append(row | _save(folder, path, drawn))
        if kind == "covid":
            view = VIEWS[(number + shot) % len(VIEWS)]
            about = {"patientid": number + 1, "sex": sex, "age": age, "view": view}
            metadata.append(ALL | about | {"filename": Path(path).name})
    _write_csv(folder / COVID / "metadata-2020-05-04-6e57ed3.csv", metadata, COLUMNS)
    return pd.read_csv(_write_csv(folder / TRUTH / "truth.csv", truth, TRUTH_COLUMNS))


def _label(folder: Path, arguments: str) -> None:
    """Name the folder's content in PHANTOM.txt; a folder that holds anything else is refused."""
    label = folder / "PHANTOM.txt"
    # the words of version 0.1.0, whose folders are known again
    note = "Synthetic radiographs drawn by cxrlib.phantom: no patient, no hospital, no diagnosis."
    note += f"\n{arguments}\n"
    known = label.exists() and label.read_text(encoding="utf-8") == note
    if not known and folder.is_dir() and any(folder.iterdir()):
        fault = "holds something else than this phantom (PHANTOM.txt would name it)"
        raise InputError(f"{folder}: {fault}; name an empty folder")
    write_text(label, note)


def _plan(n: int) -> Iterator[tuple[str, int, int, str, str]]:
    """Class, person, picture of that person, split and path of each image. Persons 1, 6, 11... of a
    class are its test set; of persons 0, 5, 10..., who have one picture each, the first fill
    ``val`` (16 in the real data).
    """
    fifth, most = round(n / 5), round(0.3 * n)
    counts = {"covid": fifth, "viral": fifth, "bacterial": most, "normal": n - 2 * fifth - most}
    for kind, count in counts.items():
        times = SHOTS[kind]
        shots = [(p, s) for p in range(count) for s in range(times[p % len(times)])]
        for number, (p, s) in enumerate(shots[:count], 1):
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


def _save(folder: Path, path: str, drawn: Radiograph) -> dict:
    """Write a picture, and where its opacities and lungs are; what of the truth is known of them.

    Not through ``atomic``, which would double the time: :func:`write` marks its end with the truth.
    """
    stem = Path(path).stem
    masks = {f"{name}_mask": f"{TRUTH}/{name}/{stem}.png" for name in ("opacity", "lung")}
    pictures = {path: drawn.image}
    pictures[masks["opacity_mask"]] = drawn.opacity * np.uint8(255)
    pictures[masks["lung_mask"]] = drawn.lungs * np.uint8(255)
    for place, pixels in pictures.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / place)
    source = "covid-chestxray" if path.startswith(COVID) else "kermany"
    centres = json.dumps(drawn.centres)
    return {"image_id": f"{source}/{stem}", "path": path, **masks, "centres": centres}


def _write_csv(file: Path, rows: list[dict], columns: list[str]) -> Path:
    table = pd.DataFrame(rows, columns=columns)
    return write_text(file, table.to_csv(index=False, lineterminator="\n"))
