"""Where the lungs are, as the collections say: masks and boxes, by image."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from cxrlib.data import covid_chestxray
from cxrlib.data.manifest import data_folder
from cxrlib.data.radiographs import read_radiograph
from cxrlib.files import InputError


def masks(data: str | Path | None = None) -> dict[str, Path]:
    """Files of the lung masks that the COVID-19 collection ships (made by a network, lungVAE), by
    ``image_id``; none is no error.
    """
    root = data_folder(data)
    folder = root / covid_chestxray.COLLECTION.locate(root) / "annotations" / "lungVAE-masks"
    return {
        f"covid-chestxray/{file.name.split('_mask.png')[0]}": file
        for file in sorted(folder.glob("[!.]*_mask.png*"))
    }  # some end in .png.png


def boxes(data: str | Path | None = None) -> dict[str, list[tuple[float, float, float, float]]]:
    """Boxes about each lung, drawn by people, that the COVID-19 collection ships (COCO JSON), by
    ``image_id``; none is no error.

    A box is left, top, right, bottom in shares of the picture's width and height.
    :class:`InputError` for a damaged file.
    """
    root = data_folder(data)
    file = (
        root
        / covid_chestxray.COLLECTION.locate(root)
        / "annotations"
        / "imageannotation_ai_lung_bounding_boxes.json"
    )
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        found: dict[str, list] = {}
        pictures = {picture["id"]: picture for picture in content["images"]}
        for drawn in content["annotations"]:
            picture, (x, y, w, h) = pictures[drawn["image_id"]], drawn["bbox"]
            if None in (x, y, w, h):
                continue  # one annotation of the published file has no place
            across, down = picture["width"], picture["height"]
            image_id = f"covid-chestxray/{Path(picture['file_name']).stem}"
            found.setdefault(image_id, []).append(
                (x / across, y / down, (x + w) / across, (y + h) / down)
            )
        return found
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise InputError(
            f"{file.name}: lung boxes cannot be read ({type(error).__name__}: {error})"
        ) from None


def regions(image_ids: pd.Series, size: int, root: Path) -> dict[str, dict[str, np.ndarray]]:
    """Boolean regions ``(size, size)`` by kind and image, squashed as the images are."""
    truth = root / "phantom-truth" / "truth.csv"
    if truth.is_file():
        table = pd.read_csv(truth).set_index("image_id").loc[list(image_ids)]
        kinds = {"opacity": "opacity_mask", "lung mask": "lung_mask"}
        return {
            kind: {name: _mask(root / path, size) for name, path in table[column].items()}
            for kind, column in kinds.items()
        }
    drawn, framed = masks(root), boxes(root)
    return {
        "lung mask": {name: _mask(drawn[name], size) for name in image_ids if name in drawn},
        "lung box": {name: _boxes(framed[name], size) for name in image_ids if name in framed},
    }


def _mask(file: Path, size: int) -> np.ndarray:
    return read_radiograph(file, size, file.name) >= 128


def _boxes(boxes: list[tuple[float, float, float, float]], size: int) -> np.ndarray:
    """Pixels whose centre lies in a box."""
    centre = (np.arange(size) + 0.5) / size
    inside = [
        np.outer((top <= centre) & (centre < bottom), (left <= centre) & (centre < right))
        for left, top, right, bottom in boxes
    ]
    return np.logical_or.reduce(inside)
