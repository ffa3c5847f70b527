"""What a frozen network makes of each image, computed once: training the last layer then costs next
to nothing.

Where only the last layer is trained and images are not augmented, an image has the same features in
every epoch. So they are computed in one forward pass and cached under a name made from the weights,
the preprocessing and the files' contents, in blocks: after an interruption those that are there
are not computed again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import update_bn
from tqdm import tqdm

from cxrlib.data import radiographs
from cxrlib.files import atomic
from cxrlib.transfer import augment, resnet

BLOCK = 256  # images whose features are kept together


def extract(
    model: nn.Module,
    pixels: np.ndarray,
    on: torch.device | str = "cpu",
    batch: int = 64,
    kind: str = "float32",
) -> np.ndarray:
    """Input of the last layer ``fc``, float32 ``(N, D)``, of uint8 images ``(N, H, W)``: evaluation
    mode, multiplied in ``kind`` (:func:`cxrlib.transfer.resnet.autocast`).
    """
    layers = [child for name, child in model.named_children() if name != "fc"]
    return resnet.scores(nn.Sequential(*layers, nn.Flatten()), pixels, on, batch, kind).numpy()


def reestimate(
    model: nn.Module, pixels: np.ndarray, on: torch.device | str = "cpu", batch: int = 64
) -> None:
    """Replace the means and variances of batch normalisation by those of the images: the plain mean
    over their batches.
    """
    parts = np.array_split(pixels, max(1, len(pixels) // batch))
    update_bn((augment.prepare(part, on) for part in parts), model.eval())


def cached(
    model: nn.Module,
    pixels: np.ndarray,
    hashes: Sequence[str],
    on: torch.device | str = "cpu",
    cache: str | Path | None = None,
    *,
    shown: str = "whole",
    kind: str = "float32",
    progress: bool = False,
) -> np.ndarray:
    """:func:`extract`, or its earlier result for the same weights and files (``hashes``: SHA-256 of
    each).

    ``cache`` is a folder; default ``CXR_CACHE``, else ``~/.cache/cxrlib``. ``shown`` is what
    ``pixels`` show of the files (:func:`cxrlib.data.radiographs.show_part`).
    """
    how = [radiographs.DECODER, pixels.shape[1:], augment.IMAGENET_MEAN, augment.IMAGENET_STD]
    key = hashlib.sha256(",".join(map(str, [*how, *hashes])).encode())
    key.update(b"" if shown == "whole" else f"{shown},{radiographs.FRAME}".encode())
    for name, value in model.state_dict().items():
        if not name.startswith("fc."):
            key.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    key.update(b"" if kind == "float32" else kind.encode())
    folder = radiographs.cache_folder(cache) / f"features-{key.hexdigest()[:32]}"
    blocks = []
    with tqdm(total=len(pixels), desc="features", unit="image", disable=not progress) as bar:
        for start in range(0, max(1, len(pixels)), BLOCK):
            part, file = pixels[start : start + BLOCK], folder / f"{start:06d}.npy"
            if not file.is_file():
                found = extract(model, part, on, kind=kind)
                with atomic(file) as temporary, open(temporary, "wb") as stream:
                    np.save(stream, found)
            blocks.append(np.load(file))
            bar.update(len(part))
    return np.concatenate(blocks)
