"""A trained model on images: class probabilities, and of picture files Grad-CAM overlays too.

Research software, not a medical device. A folder may hold more pictures than memory: threads decode
some files ahead of the network, and each answer leaves as it comes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from cxrlib import gradcam, plots
from cxrlib.data import pictures, radiographs
from cxrlib.files import InputError, atomic
from cxrlib.records import Record
from cxrlib.transfer import augment, fit, resnet

SIDE = 1000  # pixels, longest side of an overlay
BATCH = 64  # pictures that the network sees at once; as many are decoded before their turn
SLOW = 2  # seconds after which a bar is shown
THREADS = min(8, os.cpu_count() or 1)  # that decode
PASSED_OVER = re.compile(r"\..*|DICOMDIR|Thumbs\.db|desktop\.ini", re.DOTALL)  # without a word
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
    on, pixels = resnet.device(device), augment.grey(pixels)
    model, starts = model.to(on), range(0, max(len(pixels), 1), batch)
    bar = {"desc": "predict", "unit": "batch", "delay": SLOW, "disable": len(starts) == 1}
    parts = [
        fit.predict(model, pixels[start : start + batch], on, batch)
        for start in tqdm(starts, **bar)
    ]
    return np.exp(np.concatenate(parts))


def picture_files(paths: Sequence[str | Path]) -> tuple[list[str], list[str]]:
    """The image files meant, in order: a file as given; of a folder its image files, sorted by
    name. And notes on what else was there.

    What is an image file says :func:`cxrlib.data.pictures.is_picture`; a link to a file that is
    gone is one too, and is named later. Other files in a folder, and folders in
    it, which are not searched, are counted in the notes; hidden files, DICOMDIR, Thumbs.db and
    desktop.ini are passed over without. Raises InputError for a folder without any image.
    """
    found, notes = [], []
    for path in map(Path, paths):
        if not path.is_dir():
            found.append(str(path))
            continue
        files = [file for file in sorted(path.iterdir()) if not PASSED_OVER.fullmatch(file.name)]
        folders = [f"{file.name}/" for file in files if file.is_dir()]
        here = [file for file in files if file.is_file() or not file.exists()]
        here = [str(file) for file in here if pictures.is_picture(file)]
        known = {*here, *(str(path / name[:-1]) for name in folders)}
        others = [file.name for file in files if str(file) not in known]
        if not here:
            searched = f"; folders in it are not searched: {_some(folders)}" if folders else ""
            raise InputError(f"{path}: folder holds no PNG, JPEG or DICOM image{searched}")
        found += here
        if others:
            notes.append(f"{path}: {len(others):,} passed over, not pictures: {_some(others)}")
        if folders:
            what = f"{len(folders):,} folders in it are not searched"
            notes.append(f"{path}: {what}: {_some(folders)}")
    return found, notes


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def overlay_names(files: Sequence[str], target: str) -> list[str]:
    """File names of the overlays, ``<stem>_<target>.png``; a stem that came before gets ``-2``,
    ``-3`` and so on.
    """
    used: dict[str, str] = {}
    for file in map(Path, files):  # 1.2.840.1 is no file 1.2.840 of type .1
        stem = file.stem if file.suffix.lower() in pictures.SUFFIXES else file.name
        name = f"{stem}_{target}.png"
        for number in count(2):
            if name.casefold() not in used:
                break
            name = f"{stem}-{number}_{target}.png"
        used[name.casefold()] = name
    return list(used.values())


class Job:
    """Image files that a recorded model is asked about.

    Iterating reads, predicts and draws in the files' order: ``(file, p)`` with p float64 ``(K,)``,
    one for each class, or ``(file, InputError)`` for a file that cannot be read. But for the files'
    names, memory does not grow with their number. Each overlay is written whole or not at all,
    before its file's answer comes.

    ``paths`` are image files, or folders, of which all image files are taken
    (:func:`picture_files`); ``notes`` say what was passed over. ``overlays`` is a folder for
    Grad-CAM overlays of the class ``target`` (default: the first), one PNG per image
    (:func:`overlay_names`).

    Raises:
        InputError: before a picture is read: a path where nothing is, a pipe or device, a folder
            without images, a record without a model, an unknown class or device, overlays that
            would replace an image.
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
        for path in map(Path, paths):
            if not path.exists():
                raise InputError(f"{path}: image file does not exist")
            if not path.is_dir():
                pictures.regular(path)
        self.files, self.notes = picture_files(paths)
        self.overlays = [] if overlays is None else self._overlays(Path(overlays))
        self.model = resnet.recorded(record.folder, record.info, self.device)

    def _overlays(self, folder: Path) -> list[Path]:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: is no folder for the overlays")
        found = [folder / name for name in overlay_names(self.files, self.target)]
        images = {Path(file).resolve() for file in self.files}
        for file in images.intersection(file.resolve() for file in found):
            raise InputError(f"{file}: an overlay would replace this image; choose another folder")
        return found

    def __iter__(self) -> Iterator[tuple[str, np.ndarray | InputError]]:
        pool = ThreadPoolExecutor(THREADS)
        try:
            ahead = pool.map(self._read, self.files[:BATCH])
            for start in range(0, len(self.files), BATCH):
                reading = ahead
                ahead = pool.map(self._read, self.files[start + BATCH : start + 2 * BATCH])
                yield from self._answers(start, list(reading))
        finally:
            pool.shutdown(cancel_futures=True)

    def _read(self, file: str) -> tuple[np.ndarray, np.ndarray] | InputError:
        """Pixels as the network sees them, and the picture as a reader sees it; or what is wrong
        with the file.
        """
        try:
            image = Image.fromarray(radiographs.read_radiograph(file))
        except InputError as error:
            return error
        pixels = radiographs.square(image, self.record.info["config"]["size"])
        image.thumbnail((SIDE, SIDE))
        return pixels, np.asarray(image)

    def _answers(self, start: int, batch: list) -> Iterator[tuple]:
        """The answers for files from number ``start`` on, of which :meth:`_read` gave ``batch``."""
        good = [read[0] for read in batch if not isinstance(read, InputError)]
        of_target, answers, maps = self.record.classes.index(self.target), iter(()), iter(())
        if good:
            part = self.record.info["config"].get("shown", "whole")
            shown = radiographs.show_part(np.stack(good), part)
            answers = iter(predict(self.model, shown, device=self.device, batch=BATCH))
            if self.overlays:
                maps = iter(gradcam.grad_cam(self.model, shown, of_target))
        for number, read in enumerate(batch, start):
            answer = read if isinstance(read, InputError) else next(answers)
            if self.overlays and answer is not read:
                self._draw(self.overlays[number], read[1], next(maps), answer[of_target])
            yield self.files[number], answer

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
