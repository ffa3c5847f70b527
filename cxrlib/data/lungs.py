"""Where the lungs are, as the collections say: masks, boxes about them, and their outlines, by
``image_id``.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from cxrlib.data import covid_chestxray
from cxrlib.data.manifest import data_folder
from cxrlib.data.radiographs import read_radiograph
from cxrlib.files import InputError

Boxes = list[tuple[float, float, float, float]]  # left, top, right, bottom in shares of the sides
SIDE, TOLERANCE = 512, 3  # pixels: a mask is traced in a square; an outline's distance from it
SPECK = 0.002  # of the picture: a smaller piece of a mask has no outline


def masks(data: str | Path | None = None) -> dict[str, Path]:
    """Files of the lung masks that the COVID-19 collection ships (made by a network, lungVAE); none
    is no error.
    """
    files = sorted((_annotations(data) / "lungVAE-masks").glob("[!.]*_mask.png*"))
    return {  # some end in .png.png
        f"covid-chestxray/{file.name.partition('_mask.png')[0]}": file for file in files
    }


def boxes(data: str | Path | None = None) -> dict[str, Boxes]:
    """Boxes about each lung, drawn by people, that the COVID-19 collection ships (COCO JSON); none
    is no error. :class:`InputError` for a damaged file.
    """
    file = _annotations(data) / "imageannotation_ai_lung_bounding_boxes.json"
    if not file.is_file():
        return {}
    found: dict[str, Boxes] = {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        pictures = {picture["id"]: picture for picture in content["images"]}
        for drawn in content["annotations"]:
            if None in drawn["bbox"]:
                continue  # one annotation of the published file has no place
            picture, (x, y, w, h) = pictures[drawn["image_id"]], drawn["bbox"]
            across, down = picture["width"], picture["height"]
            box = (x / across, y / down, (x + w) / across, (y + h) / down)
            found.setdefault(f"covid-chestxray/{Path(picture['file_name']).stem}", []).append(box)
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        fault = f"{type(error).__name__}: {error}"
        raise InputError(f"{file.name}: lung boxes cannot be read ({fault})") from None
    return found


def regions(image_ids: pd.Series, size: int, root: Path) -> dict[str, dict[str, np.ndarray]]:
    """Boolean regions ``(size, size)`` by kind and image, squashed as the images are.

    Kinds are ``lung mask`` and ``lung box``; of a phantom, ``opacity`` and ``lung mask``.
    """
    truth = root / "phantom-truth" / "truth.csv"
    if truth.is_file():
        table = pd.read_csv(truth, index_col="image_id").filter(list(image_ids), axis=0)
        files = {"opacity": table["opacity_mask"], "lung mask": table["lung_mask"]}
        return {
            kind: {name: _mask(root / path, size) for name, path in paths.items()}
            for kind, paths in files.items()
        }
    drawn, framed = masks(root), boxes(root)
    return {
        "lung mask": {name: _mask(drawn[name], size) for name in image_ids if name in drawn},
        "lung box": {name: _boxes(framed[name], size) for name in image_ids if name in framed},
    }


def outlines(data: str | Path | None = None) -> pd.DataFrame:
    """The lungs' outlines as polygons: ``image_id, kind, points``, a row for each lung.

    An image's outline is that of its mask (``kind`` is ``lung mask``), else its boxes (``lung
    box``). ``points`` is written as in SVG, ``x,y x,y …``, in thousandths of the picture's width
    and height from its upper left corner; the last point joins the first. No pixel of a radiograph
    is read. :class:`InputError` where there are neither masks nor boxes.
    """
    drawn = {name: ("lung mask", _traced(file)) for name, file in masks(data).items()}
    for name, found in boxes(data).items():
        corners = [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for x0, y0, x1, y1 in found]
        drawn.setdefault(name, ("lung box", [np.array(each) for each in corners]))
    if not drawn:
        raise InputError(f"{data_folder(data)}: no lung mask and no lung box is there")
    rows = []
    for name, (kind, polygons) in sorted(drawn.items()):
        for polygon in polygons:
            points = np.clip(np.rint(1000 * polygon), 0, 1000).astype(int)
            rows.append((name, kind, " ".join(f"{x},{y}" for x, y in points)))
    return pd.DataFrame(rows, columns=["image_id", "kind", "points"])


def polygon(points: str) -> np.ndarray:
    """A polygon of :func:`outlines`, ``(K, 2)``: x and y in shares of the picture's sides."""
    return np.array([pair.split(",") for pair in points.split()], float) / 1000


def _traced(file: Path) -> list[np.ndarray]:
    """The outlines of a mask's pieces, ``(K, 2)`` each, in shares of the sides, left to right."""
    from skimage import measure

    inside = np.pad(_mask(file, SIDE), 1).astype(float)
    polygons = []
    for edge in measure.find_contours(inside, 0.5):
        around = measure.approximate_polygon(edge, TOLERANCE)[:-1]
        xy = (around[:, ::-1] - 0.5) / SIDE  # a pixel's centre is half a pixel off, the padding one
        x, y = xy.T
        if abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2 >= SPECK:  # the area (shoelace formula)
            polygons.append(xy)
    return sorted(polygons, key=lambda xy: xy[:, 0].mean())


def _annotations(data: str | Path | None) -> Path:
    root = data_folder(data)
    return root / covid_chestxray.COLLECTION.locate(root) / "annotations"


def _mask(file: Path, size: int) -> np.ndarray:
    return read_radiograph(file, size, file.name) >= 128


def _boxes(drawn: Boxes, size: int) -> np.ndarray:
    """Pixels whose centre lies in a box."""
    centre = (np.arange(size) + 0.5) / size
    inside = np.zeros((size, size), bool)
    for left, top, right, bottom in drawn:
        down, across = (top <= centre) & (centre < bottom), (left <= centre) & (centre < right)
        inside |= np.outer(down, across)
    return inside
