"""A trained model on images: class probabilities, and of picture files Grad-CAM overlays too.

Research software, not a medical device. A folder may hold more pictures than memory: one after
another is read, and its answer leaves as it comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from cxrlib import gradcam, plots
from cxrlib.data import radiographs
from cxrlib.files import InputError, atomic
from cxrlib.records import Record
from cxrlib.transfer import fit, resnet

SIDE = 1000  # pixels, longest side of an overlay
SLOW = 2  # seconds after which a bar is shown
FOOTER = "Research software, not a medical device"


def predict(
    model: torch.nn.Module,
    pixels: np.ndarray,
    *,
    device: torch.device | str | None = None,
    batch: int = 64,
) -> np.ndarray:
    """Class probabilities of images, with a bar where that takes more than two seconds.

    Parameters
    ----------
    model : torch.nn.Module
        From float images (B, 3, H, W), normalised as for ImageNet, to scores (B, K). It is put on
        the device and into evaluation mode.
    pixels : ndarray of uint8, (N, H, W), or one image (H, W)
        Grey images; 0 is black.
    device : torch.device or str, optional
        cpu, cuda or mps; default the best there is.
    batch : int
        Images at once.

    Returns
    -------
    ndarray of float64, (N, K)
        Probabilities, in the order of the model's classes; each row sums to 1. One row for one
        image.

    Raises
    ------
    InputError
        There is no such device, or pixels are no grey images of uint8.

    Examples
    --------
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 2))
    >>> p = predict(model, np.zeros((5, 8, 8), np.uint8), device="cpu")
    >>> p.shape, p.sum(axis=1).round(6).tolist()
    ((5, 2), [1.0, 1.0, 1.0, 1.0, 1.0])
    """
    on, pixels = resnet.device(device), radiographs.grey(pixels)
    model, starts = model.to(on), range(0, max(len(pixels), 1), batch)
    bar = {"desc": "predict", "unit": "batch", "delay": SLOW, "disable": len(starts) == 1}
    parts = [
        fit.predict(model, pixels[start : start + batch], on, batch)
        for start in tqdm(starts, **bar)
    ]
    return np.exp(np.concatenate(parts))


def image_files(paths: Sequence[str | Path]) -> list[str]:
    """The files meant, in order: a file as given; of a folder all that is in it but what is hidden,
    by name.

    :class:`InputError` for a path where nothing is, and for a folder in which nothing is.
    """
    found = []
    for path in map(Path, paths):
        if not path.exists():
            raise InputError(f"{path}: image file does not exist")
        inside = sorted(path.glob("[!.]*")) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{path}: folder holds no image")
        found += map(str, inside)
    return found


class Job:
    """Image files that a recorded model is asked about.

    Iterating reads, predicts and draws in the files' order: ``(file, p)`` with p float64 ``(K,)``,
    one for each class, or ``(file, InputError)`` for a file that cannot be read. But for the files'
    names, memory does not grow with their number. Each overlay is written whole or not at all,
    before its file's answer comes.

    ``paths`` are image files, or folders, of which all files are taken (:func:`image_files`).
    ``overlays`` is a folder for Grad-CAM overlays of the class ``target`` (default: the first), one
    PNG per image, ``<file name>_<target>.png``.

    Raises:
        InputError: before a picture is read: a path where nothing is, a folder that is empty, a
            record without a model, an unknown class or device, overlays that would replace an
            image or one another.
    """

    def __init__(
        self,
        record: Record,
        paths: Sequence[str | Path],
        *,
        overlays: str | Path | None = None,
        target: str | None = None,
        device: str | None = None,
    ):
        self.record, self.device = record, resnet.device(device)
        self.target = record.classes[0] if target is None else target
        if self.target not in record.classes:
            known = ", ".join(record.classes)
            raise InputError(f"target {target!r}: the classes of {record.name} are {known}")
        self.files = image_files(paths)
        self.overlays = [] if overlays is None else self._overlays(Path(overlays))
        self.model = resnet.recorded(record.folder, record.info, self.device)

    def _overlays(self, folder: Path) -> list[Path]:
        found = [folder / f"{Path(file).name}_{self.target}.png" for file in self.files]
        paths = [*map(Path, self.files), *found]
        names = {str(path.resolve()).casefold() for path in paths}  # a.png may be A.PNG
        if len(names) < len(paths) or (folder.exists() and not folder.is_dir()):
            why = "is no folder, or overlays there would replace an image or one another"
            raise InputError(f"{folder}: {why}; choose another, or ask for fewer images at once")
        return found

    def __iter__(self) -> Iterator[tuple[str, np.ndarray | InputError]]:
        config, of_target = self.record.info["config"], self.record.classes.index(self.target)
        for number, file in enumerate(self.files):
            try:
                image = Image.fromarray(radiographs.read_radiograph(file))
            except InputError as error:
                yield file, error
                continue
            pixels = radiographs.square(image, config["size"])[None]  # (1, H, W)
            pixels = radiographs.show_part(pixels, config.get("shown", "whole"))
            (p,) = predict(self.model, pixels, device=self.device)
            if self.overlays:
                (cam,) = gradcam.grad_cam(self.model, pixels, of_target)
                image.thumbnail((SIDE, SIDE))
                self._draw(self.overlays[number], np.asarray(image), cam, p[of_target])
            yield file, p

    def _draw(self, overlay: Path, picture: np.ndarray, cam: np.ndarray, p: float) -> None:
        title = f"Grad-CAM for {plots.label(self.target)} (p = {p:.3f}), run {self.record.name}"
        if not cam.max() > 0:
            title += "; empty map: nothing raised this score"
        with plots.style(formulas=False), atomic(overlay) as temporary:
            figure = plots.overlay(picture, cam, title=title).figure
            figure.supxlabel(FOOTER, fontsize=10)
            try:
                figure.savefig(temporary, dpi=SIDE / max(figure.get_size_inches()))
            finally:
                plt.close(figure)
