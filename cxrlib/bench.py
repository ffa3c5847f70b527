"""Benchmarks: what the library's own code gains over a known library that does the same, measured side by side."""

from __future__ import annotations

import copy
import statistics
import time

import numpy as np
import torch
import torchvision

from cxrlib.files import InputError
from cxrlib.gradcam import cams, resize


def gradcam(batches: int = 2, batch: int = 32, size: int = 224, repeats: int = 3) -> dict[str, str | int | float]:
    """Grad-CAM against ``pytorch_grad_cam`` on the CPU: the last block of a ResNet-18 with random weights, four classes.

    Both turn the same images into maps of the pictures' size, each scaled to 0…1. They take turns after a warm-up each;
    ``ours_s`` and ``theirs_s`` are medians over ``repeats`` of all ``batches``, ``ratio`` is theirs to ours, ``difference`` the largest
    absolute one between two maps' values. :class:`InputError` where pytorch_grad_cam is not installed.
    """
    try:
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except ImportError:
        raise InputError("bench gradcam: needs grad-cam: pip install grad-cam") from None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = torchvision.models.resnet18(num_classes=4).eval()
        x = torch.randn(batches, batch, 3, size, size)
    other = copy.deepcopy(model)  # the other library's hooks stay on the model
    cam = GradCAM(model=other, target_layers=[other.layer4[-1]])

    def ours(part: torch.Tensor) -> np.ndarray:
        maps = resize(cams(model, part, 0).numpy(), (size, size))
        maps -= maps.min((1, 2), keepdims=True)
        return maps / np.maximum(maps.max((1, 2), keepdims=True), 1e-30)

    def theirs(part: torch.Tensor) -> np.ndarray:
        return cam(input_tensor=part, targets=[ClassifierOutputTarget(0)] * batch)

    difference = max(float(np.abs(ours(part) - theirs(part)).max()) for part in x)  # warms up, too
    seconds: dict = {ours: [], theirs: []}
    for _ in range(repeats):
        for call, taken in seconds.items():
            began = time.perf_counter()
            for part in x:
                call(part)
            taken.append(time.perf_counter() - began)
    ours_s, theirs_s = (statistics.median(taken) for taken in seconds.values())
    return {
        "ours": "cxrlib.gradcam",
        "theirs": "pytorch_grad_cam.GradCAM",
        "ours_s": ours_s,
        "theirs_s": theirs_s,
        "ours_images_per_s": batches * batch / ours_s,
        "theirs_images_per_s": batches * batch / theirs_s,
        "ratio": theirs_s / ours_s,
        "difference": difference,
        "batch": batch,
        "size": size,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


BENCHES = {"gradcam": gradcam}
