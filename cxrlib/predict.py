"""A recorded model on a person's own radiographs: class probabilities and Grad-CAM overlays. Research software, not a medical device."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from cxrlib import audits, gradcam, images, models, plots, runs, training
from cxrlib.files import InputError

MODEL = "zhu-fourclass"
SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm"}
SIDE = 1000  # pixels, longest side of an overlay
FOOTER = "Research software, not a medical device"


def files(paths: Sequence[str | Path]) -> list[str]:
    """The image files meant, in order: a file as given; of a folder its image files, sorted by name.

    A folder's image files have a usual suffix or DICOM's mark. Its own folders, hidden files and DICOMDIR are passed over.
    Raises InputError for a folder without any.
    """
    found = []
    for path in map(Path, paths):
        here = sorted(path.iterdir()) if path.is_dir() else []
        here = [file for file in here if file.is_file() and not file.name.startswith(".") and file.name != "DICOMDIR"]
        here = [str(file) for file in here if file.suffix.lower() in SUFFIXES or images.is_dicom(file)]
        if path.is_dir() and not here:
            raise InputError(f"{path}: folder holds no PNG, JPEG or DICOM image")
        found += here if path.is_dir() else [str(path)]
    return found


def names(paths: Sequence[str], target: str) -> list[str]:
    """File names of the overlays, ``<stem>_<target>.png``; a stem that came before gets ``-2``, ``-3`` and so on."""
    used: dict[str, str] = {}
    for path in map(Path, paths):
        stem = path.stem if path.suffix.lower() in SUFFIXES else path.name  # 1.2.840.1 is no file 1.2.840 of type .1
        options = (f"{stem}{'' if number == 1 else f'-{number}'}_{target}.png" for number in range(1, len(paths) + 2))
        name = next(option for option in options if option.casefold() not in used)
        used[name.casefold()] = name
    return list(used.values())


def predict(
    paths: Sequence[str | Path],
    run_name: str = MODEL,
    cam: str | Path | None = None,
    target: str | None = None,
    on: str | None = None,
    results: str | Path | None = None,
) -> pd.DataFrame:
    """Class probabilities of image files, a row each in their order: ``image`` (its path), ``p_<class>``…, ``predicted``.

    All images are read before anything is written.

    Args:
        paths: image files, or folders, of which all image files are taken (:func:`files`).
        run_name: a record that holds a model.
        cam: folder for Grad-CAM overlays, one PNG per image (:func:`names`), for the class ``target`` (default: the run's first).
        on: cpu, cuda or mps; default the best there is.

    Raises:
        InputError: an image that cannot be read, a record without a model, an unknown class or device.
    """
    run, device = runs.read(run_name, results), models.device(on)
    target = run.classes[0] if target is None else target
    if target not in run.classes:
        raise InputError(f"target {target!r}: the classes of {run.name} are {', '.join(run.classes)}")
    found, size, pictures = files(paths), run.info["config"]["size"], []
    overlays = [Path(cam) / name for name in names(found, target)] if cam is not None else []
    if cam is not None and Path(cam).exists() and not Path(cam).is_dir():
        raise InputError(f"{cam}: is no folder for the overlays")
    for overlay in {file.resolve() for file in overlays} & {Path(file).resolve() for file in found}:
        raise InputError(f"{overlay}: an overlay would replace this image; choose another folder")
    model = models.recorded(run.folder, run.info, device)
    pixels = np.empty((len(found), size, size), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # readers warn of small faults in files that they then read, or refuse
        for number, path in enumerate(found):
            image = images.read_image(path)
            pixels[number] = images.square(image, size)
            if cam is not None:
                image.thumbnail((SIDE, SIDE))
                pictures.append(np.asarray(image))
    pixels = audits.show(pixels, run.info["config"].get("shown", "whole"))
    p = np.exp(training.predict(model, pixels, device))  # (N, K)
    if overlays:
        maps = gradcam.of_pixels(model, pixels, run.classes.index(target), on=device)  # (N, h, w)
        titles = [f"Grad-CAM for {plots.label(target)} (p = {value:.3f}), run {run.name}" for value in p[:, run.classes.index(target)]]
        titles = [
            title if cam.max() > 0 else f"{title}; empty map: nothing raised this score" for title, cam in zip(titles, maps, strict=True)
        ]
        _draw(overlays, pictures, maps, titles)
    table = pd.DataFrame({"image": found, **{f"p_{name}": p[:, k] for k, name in enumerate(run.classes)}})
    return table.assign(predicted=np.array(run.classes)[p.argmax(1)])


def _draw(overlays: list[Path], pictures: list[np.ndarray], maps: np.ndarray, titles: list[str]) -> None:
    """Write the overlays: all into a temporary folder, then into place."""
    folder = overlays[0].parent
    beside = folder if folder.is_dir() else folder.resolve().parent
    beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=beside, prefix=".cxr-") as temporary, plots.style(formulas=False):
        for overlay, picture, cam, title in zip(overlays, pictures, maps, titles, strict=True):
            figure = plots.overlay(picture, cam, title=title).figure
            figure.supxlabel(FOOTER, fontsize=10)
            figure.savefig(Path(temporary) / overlay.name, dpi=SIDE / max(figure.get_size_inches()))
            plt.close(figure)
        folder.mkdir(exist_ok=True)
        for overlay in overlays:
            os.replace(Path(temporary) / overlay.name, overlay)
