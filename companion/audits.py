"""What a result rests on beside the lungs: runs that see nothing of each image but its outer frame,
or nothing but its centre.

A network that is right on the frame knows where an image comes from, not what is in the lungs
(Maguolo and Nanni 2021, doi:10.1016/j.inffus.2021.04.008, who blacked out the middle likewise).
``results/audits/lungs-in-frame.csv`` says how much of the lungs the frame holds, where that is
known; ``cxr frame`` makes it. Reading it needs no torch.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from companion.studies import zhu2020
from cxrlib.data import sources
from cxrlib.files import InputError

FRAME = 0.05  # width of the frame, as a share of the side
FILE = "audits/lungs-in-frame.csv"  # in the folder of the records


def show(pixels: np.ndarray, part: str = "whole") -> np.ndarray:
    """The ``whole`` images, or copies of which all but the ``frame`` or all but the ``centre`` is
    black: ``(N, H, W)`` to the same.

    The frame is :data:`FRAME` of each side wide, rounded to whole pixels.
    """
    if part == "whole":
        return pixels
    inside = np.zeros(pixels.shape[1:], bool)
    high, wide = (round(FRAME * side) for side in inside.shape)
    inside[high : len(inside) - high, wide : inside.shape[1] - wide] = True
    return np.where(inside == (part == "centre"), pixels, pixels.dtype.type(0))


def lungs(data=None, size: int = 224) -> pd.DataFrame:
    """How much of the lungs lies in the frame: ``image_id, kind, share`` for each of Study B's
    COVID-19 images with a lung mask or box.

    ``size`` is the side in pixels of the square the images are squashed to. :class:`InputError`
    where the collection has neither for any of them.
    """
    from cxrlib import maps

    root = sources.data_folder(data)
    manifest = zhu2020.manifest(root)
    ids = manifest.loc[manifest["source"] == sources.COVID_CHESTXRAY.name, "image_id"]
    rows = [
        (image, kind, show(region[None], "frame").sum() / region.sum())
        for kind, found in maps.regions(ids, size, root).items()
        for image, region in found.items()
    ]
    if not rows:
        raise InputError(
            f"{root}: no lung mask and no lung box is there for any of the study's COVID-19 images"
        )
    return pd.DataFrame(rows, columns=["image_id", "kind", "share"])
