"""A recorded model on a person's own radiographs: class probabilities and Grad-CAM overlays.

Research software, not a medical device. A folder may hold more pictures than memory: threads decode
some files ahead of the network, and each answer leaves as it comes.
"""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from companion import audits, studies
from cxrlib import gradcam, plots, records
from cxrlib.data import images, pictures
from cxrlib.files import InputError, atomic
from cxrlib.transfer import fit, resnet

MODEL = "zhu-fourclass"
SIDE = 1000  # pixels, longest side of an overlay
BATCH = 64  # pictures that the network sees at once, as in fit.predict
AHEAD = 64  # pictures that are decoded before their turn
THREADS = min(8, os.cpu_count() or 1)  # that decode
PASSED_OVER = {"DICOMDIR", "Thumbs.db", "desktop.ini"}  # without a word, as hidden files are
FOOTER = "Research software, not a medical device"


def files(paths: Sequence[str | Path], notes: list[str] | None = None) -> list[str]:
    """The image files meant, in order: a file as given; of a folder its image files, sorted by
    name.

    What is an image file says :func:`cxrlib.data.pictures.is_picture`. Other files in a folder, and
    folders in it, which are not searched, are counted in lines that are put into ``notes``, the
    first five named; hidden files, DICOMDIR, Thumbs.db and desktop.ini are passed over without.
    Raises InputError for a folder without any.
    """
    found = []
    for path in map(Path, paths):
        if not path.is_dir():
            found.append(str(path))
            continue
        there = sorted(file for file in path.iterdir() if not file.name.startswith("."))
        there = [file for file in there if file.name not in PASSED_OVER]
        here = [
            file for file in there if (file.is_file() and pictures.is_picture(file)) or _gone(file)
        ]
        folders = [f"{file.name}/" for file in there if file.is_dir()]
        if not here:
            searched = f"; folders in it are not searched: {_some(folders)}" if folders else ""
            raise InputError(f"{path}: folder holds no PNG, JPEG or DICOM image{searched}")
        found += map(str, here)
        others = sorted(file.name for file in set(there) - set(here) if not file.is_dir())
        if others and notes is not None:
            notes.append(f"{path}: {len(others):,} passed over, not pictures: {_some(others)}")
        if folders and notes is not None:
            notes.append(
                f"{path}: {len(folders):,} folders in it are not searched: {_some(folders)}"
            )
    return found


def _gone(file: Path) -> bool:
    """A link with a picture's name to a file that is not there: it is named as one that cannot be
    read.
    """
    return not file.exists() and file.suffix.lower() in pictures.SUFFIXES


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def names(paths: Sequence[str], target: str) -> list[str]:
    """File names of the overlays, ``<stem>_<target>.png``; a stem that came before gets ``-2``,
    ``-3`` and so on.
    """
    used: dict[str, str] = {}
    for path in map(Path, paths):
        stem = (
            path.stem if path.suffix.lower() in pictures.SUFFIXES else path.name
        )  # 1.2.840.1 is no file 1.2.840 of type .1
        options = (
            f"{stem}{'' if number == 1 else f'-{number}'}_{target}.png"
            for number in range(1, len(paths) + 2)
        )
        name = next(option for option in options if option.casefold() not in used)
        used[name.casefold()] = name
    return list(used.values())


@dataclass
class Job:
    """A recorded model and the image files it is asked about, checked by :func:`job`.

    Iterating reads, predicts and draws in the files' order: ``(file, p)`` with p float64 ``(K,)``,
    one for each class, or ``(file, InputError)`` for a file that cannot be read. But for the files'
    names, memory does not grow with their number. Each overlay is written whole or not at all,
    before its file's answer comes.
    """

    run: records.Record
    model: torch.nn.Module
    device: torch.device
    files: list[str]
    overlays: list[Path]  # one per file, or none
    target: str
    notes: list[str]  # what was passed over

    def __iter__(self) -> Iterator[tuple[str, np.ndarray | InputError]]:
        batch: list[tuple[int, tuple | InputError]] = []
        for number, read in enumerate(self._read_ahead()):
            batch.append((number, read))
            if len(batch) == BATCH:
                yield from self._answers(batch)
                batch = []
        yield from self._answers(batch)

    def _read_ahead(self) -> Iterator[tuple | InputError]:
        """What :meth:`_read` gives of each file in order, at most AHEAD files before it is
        taken.
        """
        waiting: deque[Future] = deque()
        pool = ThreadPoolExecutor(THREADS)
        try:
            for path in self.files:
                waiting.append(pool.submit(self._read, path))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _read(self, path: str) -> tuple[np.ndarray, np.ndarray | None] | InputError:
        """A file as the network sees it ``(size, size)`` and, for an overlay, as a reader does.

        Or what is wrong with it.
        """
        try:
            image = images.read_image(path)
        except InputError as error:
            return error
        pixels = images.square(image, self.run.info["config"]["size"])
        if not self.overlays:
            return pixels, None
        image.thumbnail((SIDE, SIDE))
        return pixels, np.asarray(image)

    def _answers(self, batch: list[tuple[int, tuple | InputError]]) -> Iterator[tuple]:
        of_target = self.run.classes.index(self.target)
        good = [read[0] for _, read in batch if not isinstance(read, InputError)]
        if good:
            pixels = audits.show(np.stack(good), self.run.info["config"].get("shown", "whole"))
            log_p = fit.predict(self.model, pixels, self.device, BATCH)  # (n, K)
            answers = iter(np.exp(log_p))
        if good and self.overlays:
            maps = iter(
                gradcam.of_pixels(self.model, pixels, of_target, on=self.device)
            )  # (n, h, w)
        for number, read in batch:
            if isinstance(read, InputError):
                yield self.files[number], read
                continue
            p = next(answers)
            if self.overlays:
                self._draw(self.overlays[number], read[1], next(maps), p[of_target])
            yield self.files[number], p

    def _draw(self, overlay: Path, picture: np.ndarray, cam: np.ndarray, p: float) -> None:
        title = f"Grad-CAM for {plots.label(self.target)} (p = {p:.3f}), run {self.run.name}"
        if not cam.max() > 0:
            title += "; empty map: nothing raised this score"
        with plots.style(formulas=False), atomic(overlay) as temporary:
            figure = plots.overlay(picture, cam, title=title).figure
            figure.supxlabel(FOOTER, fontsize=10)
            try:
                figure.savefig(temporary, dpi=SIDE / max(figure.get_size_inches()))
            finally:
                plt.close(figure)


def job(
    paths: Sequence[str | Path],
    run_name: str = MODEL,
    cam: str | Path | None = None,
    target: str | None = None,
    on: str | None = None,
    results: str | Path | None = None,
) -> Job:
    """Everything that can be checked before a picture is read; see :func:`predict_files`.

    Raises:
        InputError: a path where nothing is, a pipe or device, a folder without images, a record
            without a model, an unknown class or device, overlays that would replace an image.
    """
    run, device = studies.run(run_name, results=results), resnet.device(on)
    target = run.classes[0] if target is None else target
    if target not in run.classes:
        raise InputError(
            f"target {target!r}: the classes of {run.name} are {', '.join(run.classes)}"
        )
    for path in paths:
        if not Path(path).exists():
            raise InputError(f"{path}: image file does not exist")
        if not Path(path).is_dir():
            pictures.regular(path)
    notes: list[str] = []
    found = files(paths, notes)
    overlays = [Path(cam) / name for name in names(found, target)] if cam is not None else []
    if cam is not None and Path(cam).exists() and not Path(cam).is_dir():
        raise InputError(f"{cam}: is no folder for the overlays")
    taken = {Path(file).resolve() for file in found} if overlays else set()
    for overlay in taken & {file.resolve() for file in overlays}:
        raise InputError(f"{overlay}: an overlay would replace this image; choose another folder")
    model = resnet.recorded(run.folder, run.info, device)
    return Job(run, model, device, found, overlays, target, notes)


def predict_files(
    paths: Sequence[str | Path],
    run_name: str = MODEL,
    cam: str | Path | None = None,
    target: str | None = None,
    on: str | None = None,
    results: str | Path | None = None,
) -> pd.DataFrame:
    """Class probabilities of image files, a row each in their order: ``image`` (its path),
    ``p_<class>``…, ``predicted``.

    Args:
        paths: image files, or folders, of which all image files are taken (:func:`files`); what is
            passed over is warned of.
        run_name: a record that holds a model. cam: folder for Grad-CAM overlays, one PNG per image
        (:func:`names`), for the class ``target`` (default: the run's first). on: cpu, cuda or mps;
        default the best there is.

    Raises:
        InputError: as :func:`job`, and an image that cannot be read, at which it ends; overlays of
            earlier ones are there then. Iterate over a :func:`job` to go on with the rest.
    """
    asked = job(paths, run_name, cam, target, on, results)
    for note in asked.notes:
        warnings.warn(note, stacklevel=2)
    rows = []
    with quiet():
        for file, p in asked:
            if isinstance(p, InputError):
                raise p
            rows.append((file, *p, asked.run.classes[p.argmax()]))
    return pd.DataFrame(rows, columns=columns(asked.run))


def columns(run: records.Record) -> list[str]:
    """Names of the columns that :func:`predict_files` gives."""
    return ["image", *(f"p_{name}" for name in run.classes), "predicted"]


def quiet() -> warnings.catch_warnings:
    """Readers warn of small faults in files that they then read, or refuse."""
    return warnings.catch_warnings(action="ignore")


def partial(output: str | Path) -> Path:
    """Name of a table that is being written."""
    return Path(f"{output}.partial")


@contextmanager
def table(output: str | Path) -> Iterator[TextIO]:
    """A text file that has the name :func:`partial` until it is whole.

    What is in it when something stops the writing stays there; one into which nothing was written
    is deleted. InputError where it cannot be written.
    """
    path = partial(output)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "w", encoding="utf-8", newline="")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror or error})") from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(path, output)
    finally:
        if path.exists() and not path.stat().st_size:
            path.unlink()
