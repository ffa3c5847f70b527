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

COVID, KERMANY, TRUTH = (
    "covid-chestxray-dataset",
    "kermany-chest-xray-224/chest_xray",
    "phantom-truth",
)
PATTERN = {
    "covid": "bilateral",
    "viral": "diffuse",
    "bacterial": "focal",
    "normal": "none",
}  # class -> opacity
SHOTS = {
    "covid": "1121121412",
    "viral": "12313",
    "bacterial": "12313",
    "normal": "1",
}  # pictures per person
COLUMNS = (  # of the real metadata file, whose header ends with a comma
    "patientid offset sex age finding survival intubated intubation_present went_icu"
    " needed_supplemental_O2 extubated temperature pO2_saturation leukocyte_count neutrophil_count"
    " lymphocyte_count view modality date location folder filename doi url license clinical_notes"
    " other_notes"
).split() + [""]


def radiograph(
    rng: np.random.Generator,
    opacity: str = "none",
    adult: bool = True,
    size: int = 256,
    marker: str | None = "R",
    artefact: bool = False,
) -> Radiograph:
    """Draw one radiograph of a new person, ``size`` pixels square, from the state of ``rng`` alone.

    ``opacity`` is none, diffuse (patches all over both lungs), focal (one dense lobe) or bilateral
    (ground glass in both, low and peripheral). It is drawn last: two calls in the same state with
    different opacities show the same chest. The mask lies inside the lungs; it and ``centres`` are
    empty exactly for none. ``marker`` is the side letter (R, L or None), ``artefact`` burns a
    bright tag into the lower left corner. :class:`InputError` for an unknown opacity or a size
    below 32.
    """
    if opacity not in PATTERN.values() or size < 32:
        raise InputError(
            f"radiograph: opacity {opacity!r} is not in {[*PATTERN.values()]}, or size {size} is"
            " below 32"
        )
    return draw(person(rng, adult), rng, opacity, size, marker, artefact)


def write(
    folder: str | Path,
    n: int,
    seed: int = 0,
    *,
    marker: bool = True,
    artefact: str | None = None,
    size: int = 256,
) -> pd.DataFrame:
    """Write ``n`` synthetic radiographs under ``folder`` in the layouts of the two real sources of
    Study B.

    About n/5 are covid (adults, 1.6 pictures each), n/5 viral, 3n/10 bacterial and the rest normal
    (children); a fifth of the children's are ``test``, by person. ``artefact`` names the class
    whose pictures all bear the tag. As in reality, covid is PNG and the rest JPEG, which alone
    tells them apart. The truth is returned and stands in ``phantom-truth/truth.csv``, a row per
    picture: ``image_id`` as in the manifest, ``path``, ``class``, ``pattern``, ``split`` (missing
    for covid), ``artefact``, ``opacity_mask`` and ``lung_mask`` (PNG, 0 or 255; paths are relative
    to ``folder``), and ``centres``, a JSON list of [x, y], the pixels about which opacities were
    drawn.

    The same arguments give the same bytes, so a call may be repeated; ``truth.csv`` comes last, so
    where it is missing a call was interrupted. :class:`InputError` when ``n`` is below 40, another
    argument is out of range, or ``folder`` holds anything but this very phantom; nothing is written
    then.
    """
    if n < 40:
        raise InputError(f"n={n}: a phantom data set needs at least 40 images")
    if seed < 0 or size < 32 or artefact not in (None, *PATTERN):
        raise InputError(
            f"seed={seed}, size={size}, artefact={artefact!r}: need >= 0, >= 32, a class or None"
        )
    folder = Path(folder)
    label, note = (
        folder / "PHANTOM.txt",
        (
            "Synthetic radiographs drawn by cxrlib.data.phantom: no patient, no hospital, no"
            f" diagnosis.\nn={n} seed={seed} marker={marker} artefact={artefact} size={size}\n"
        ),
    )
    if label.exists() and label.read_text(encoding="utf-8") != note:
        raise InputError(
            f"{folder}: holds another phantom data set (see PHANTOM.txt); name an empty folder"
        )
    if not label.exists() and folder.is_dir() and any(folder.iterdir()):
        raise InputError(
            f"{folder}: holds something that is no phantom (no PHANTOM.txt); name an empty folder"
        )
    write_text(label, note)

    truth, metadata = [], []
    for kind, number, shot, split, relative in _plan(n):
        key = [seed, list(PATTERN).index(kind), number]
        rng = np.random.default_rng(key)
        someone, sex, age = (
            person(rng, kind == "covid"),
            "MF"[rng.integers(2)],
            int(rng.integers(25, 86)),
        )
        rng = np.random.default_rng([*key, shot + 1])  # not 0: a trailing zero is the same seed
        letter = rng.choice(["R", "L", ""], p=[0.75, 0.10, 0.15])
        view = ("PA", "PA", "AP", "PA", "AP Supine")[(number + shot) % 5]
        drawn = draw(
            someone, rng, PATTERN[kind], size, letter if marker else None, artefact == kind
        )
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
            metadata.append(
                _row(number + 1, 3 * shot, sex, age, "COVID-19", view, Path(relative).name)
            )
    # What the studies' selection must leave out: a lateral view, a CT slice, another infection. No
    # such file exists.
    metadata.append(_row(1, 0, "M", 50, "COVID-19", "L", "phantom-001-lateral.png"))
    metadata.append(
        _row(2, 0, "F", 50, "COVID-19", "Axial", "phantom-002-slice.png") | {"modality": "CT"}
    )
    metadata.append(_row(9001, 0, "F", 50, "SARS", "PA", "phantom-9001-day0.png"))
    table = pd.DataFrame(metadata, columns=COLUMNS)
    write_text(
        folder / COVID / "metadata-2020-05-04-6e57ed3.csv",
        table.to_csv(index=False, lineterminator="\n"),
    )
    write_text(
        folder / TRUTH / "truth.csv", pd.DataFrame(truth).to_csv(index=False, lineterminator="\n")
    )
    return pd.read_csv(folder / TRUTH / "truth.csv")


def _plan(n: int) -> Iterator[tuple[str, int, int, str, str]]:
    """Class, person, picture of that person, split and path of each image. Persons 1, 6, 11... of a
    class are its test set; of persons 0, 5, 10..., who have one picture each, the first fill
    ``val`` (16 in the real data).
    """
    fifth, most = round(n / 5), round(0.3 * n)
    counts = {"covid": fifth, "viral": fifth, "bacterial": most, "normal": n - 2 * fifth - most}
    for kind, count in counts.items():
        shots = [
            (p, s) for p in range(count) for s in range(int(SHOTS[kind][p % len(SHOTS[kind])]))
        ][:count]
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


def _row(
    patient: int, day: int, sex: str, age: int, finding: str, view: str, filename: str
) -> dict:
    """One row of the metadata file; what is not known of a phantom stays empty, as in most real
    rows.
    """
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
    """Write a grey (uint8) or a yes/no (bool, as 0 and 255) picture; the suffix chooses PNG or
    JPEG. Not through ``atomic``, which would double the time: :func:`write` marks its end with the
    truth table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels if pixels.dtype == np.uint8 else pixels * np.uint8(255)).save(path)
