"""Class-activation maps of a recorded run and where they lie, kept in its record so that the book
needs no image and no torch.

``cams.npz``: ``image_id, split, shape (N, 2)`` (height and width of the file in pixels), ``cam (N,
7, 7)``, Grad-CAM of the image's own class at the last convolutional layer, not normalised, for
every COVID-19 image on disk and those in the thesis's figures that are not among its images
(``split`` is ``outside``); of a phantom: every test image with an opacity. For the sanity check
``random_id, stage, random_cam (D, S, M, 7, 7)``: the same for the test images with weights
randomised from the top down to each stage, drawn D times.

``localisation.csv``: a row per image, region, stage (``trained`` or randomised down to) and draw of
the random weights (from 0): the region's share of the picture, the share of the activation inside
it, whether the peak is in it, overlap (:func:`cxrlib.gradcam.localise`). Regions (``kind``): ``lung
mask``, ``lung box``; of a phantom ``opacity`` and ``lung mask``, where the truth is known.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from companion.studies import runs, zhu2020
from cxrlib import gradcam, records
from cxrlib.data import covid_chestxray, lungs, radiographs
from cxrlib.data.manifest import data_folder, present
from cxrlib.files import InputError, atomic, write_text
from cxrlib.transfer import resnet

DRAWS = 10  # of random weights: one draw's maps say nothing of another's


def load(rows: pd.DataFrame, root: Path, size: int, shown: str) -> np.ndarray:
    """What the network sees of these images, uint8 ``(N, size, size)``."""
    return radiographs.show_part(radiographs.load(root, rows["path"].tolist(), size)[0], shown)


def write(
    rows: pd.DataFrame,
    model: torch.nn.Module,
    classes: list[str],
    pixels: np.ndarray,
    root: Path,
    folder: Path,
) -> None:
    """Write ``cams.npz`` and ``localisation.csv`` into ``folder``.

    ``rows`` are manifest rows with ``y_true`` and ``split``, ``pixels`` what the network sees of
    them (:func:`load`).
    """
    if len(rows) == 0:
        raise InputError(f"{folder.name}: no image to draw a class-activation map of")
    targets = np.array([classes.index(label) for label in rows["y_true"]])
    test = (rows["split"] == "test").to_numpy()
    trained = gradcam.grad_cam(model, pixels, targets)
    known = lungs.regions(rows["image_id"], pixels.shape[1], root)
    tables, randomised = [_localise(rows, trained, known).assign(stage="trained", draw=0)], []
    for draw in range(DRAWS):
        stages = {
            stage: gradcam.grad_cam(other, pixels[test], targets[test])
            for stage, other in gradcam.randomised(model, draw)
        }
        randomised.append(list(stages.values()))
        for stage, cams in stages.items():
            tables.append(_localise(rows[test], cams, known).assign(stage=stage, draw=draw))
    ids = rows["image_id"].to_numpy(dtype=str)
    sizes = [radiographs.stored_size(root / path, path)[::-1] for path in rows["path"]]
    with atomic(folder / "cams.npz") as temporary, open(temporary, "wb") as file:
        np.savez_compressed(
            file,
            image_id=ids,
            split=rows["split"].to_numpy(dtype=str),
            shape=np.array(sizes),
            cam=trained,
            random_id=ids[test],
            stage=np.array(list(stages)),
            random_cam=np.array(randomised),
        )
    table = pd.concat(tables, ignore_index=True)[records.LOCALISATION]
    text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    write_text(folder / "localisation.csv", text)


def cams(
    run: str, data: str | None = None, results: str | None = None, device: str | None = None
) -> None:
    """Draw a recorded model's maps and measure where they lie, into its record.

    run: record that holds a model
    """
    record, root = runs.run(run, results=results), data_folder(data)
    model = resnet.recorded(record.folder, record.info, resnet.device(device))
    parts = record.split[["image_id", "y_true", "split"]]
    manifest = covid_chestxray.read_manifest(root)
    manifest = manifest.merge(parts, on="image_id", validate="one_to_one")
    rows, config = chosen(manifest, root, record.info["study"]), record.info["config"]
    pixels = load(rows, root, config["size"], config.get("shown", "whole"))
    write(rows, model, record.classes, pixels, root, record.folder)
    print(record.folder)


def chosen(rows: pd.DataFrame, root: Path, study: str) -> pd.DataFrame:
    """The rows whose maps are kept: COVID-19 images on disk, and what Study B shows but cannot have
    trained on (``split`` is ``outside``).
    """
    outside = [zhu2020.outside(root)] if study == "zhu2020" else []
    rows = pd.concat([rows[rows["y_true"] == "covid"], *outside], ignore_index=True)
    return rows[present(rows, root)].reset_index(drop=True)


def _localise(
    rows: pd.DataFrame, cams: np.ndarray, regions: dict[str, dict[str, np.ndarray]]
) -> pd.DataFrame:
    tables = [pd.DataFrame(columns=records.LOCALISATION)]
    for kind, known in regions.items():
        places = np.flatnonzero(rows["image_id"].isin(known))
        if len(places):
            here = rows.iloc[places][["image_id", "patient_id", "split"]].reset_index(drop=True)
            among = np.stack([known[image] for image in here["image_id"]])
            found = gradcam.localise(cams[places], among)
            tables.append(pd.concat([here.assign(kind=kind), found], axis=1))
    return pd.concat(tables[1:] or tables, ignore_index=True)
