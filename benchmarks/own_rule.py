"""How long Study A's own rule would take on this machine: ResNet-101's forward pass, with random
weights, and the decoding of radiographs; ``python -m benchmarks.own_rule``, in a clone.

The figures go to ``results/own-rule/<processor>.json``, with how busy the machine was, and the page
*Rerun it* is made from them.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import cxrlib
from benchmarks import efficiency
from companion import studies
from cxrlib.data import phantom
from cxrlib.files import write_text
from cxrlib.transfer import resnet

BATCH = 32


def timed(step: Callable[[int], int], seconds: float) -> dict[str, float]:
    """Call ``step`` with 0, 1, 2 …, which says how many images it took, for at least ``seconds``:
    ``images``, ``wall`` and ``cpu`` seconds, ``per_minute``, and ``per_cpu_minute``, what a machine
    that did nothing else would read with one core.
    """
    wall, cpu, images, turn = time.perf_counter(), time.process_time(), 0, 0
    while time.perf_counter() - wall < seconds or not turn:
        images, turn = images + step(turn), turn + 1
    took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    rates = {
        f"per{name}_minute": 60 * images / took[kind]
        for name, kind in (("", "wall"), ("_cpu", "cpu"))
    }
    return {"images": images, **took, **rates}


def forward(seconds: float) -> dict[str, dict[str, float]]:
    """ResNet-101's rates in float32 and bfloat16, each for ``seconds``."""
    net, found = resnet.build("resnet101", 2, None), {}
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, 224, 224)).astype(np.uint8)
    for kind in ("float32", "bfloat16"):
        way = efficiency._torch(net, torch.device("cpu"), kind=kind)
        way(pixels)  # warms up

        def step(turn: int, way=way) -> int:
            return len(way(pixels))

        found[kind] = timed(step, seconds)
    return found


def decoding(seconds: float) -> dict[str, float]:
    """The rate of reading PNG files of 1,024 x 1,024 pixels, as NIH's are, at 224 x 224: phantoms
    with the noise of a detector, since reduced copies of radiographs are read faster.
    """
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{k}.png" for k in range(4)]
        for file in files:
            image = phantom.radiograph(rng, "bilateral", size=1024).image
            noisy = np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(file)

        def step(turn: int) -> int:
            cxrlib.read_radiograph(files[turn % len(files)], 224)
            return 1

        return timed(step, seconds)


def write(seconds: float = 60.0) -> Path:
    """Measure and write the file."""
    name, busy = efficiency.processor(), [os.getloadavg()[0]]
    info = {
        "device": {"name": name, "cores": os.cpu_count(), "threads": torch.get_num_threads()},
        "recorded": date.today().isoformat(),
        "packages": {"torch": torch.__version__},
        "forward": forward(seconds),
        "decoding": decoding(seconds / 3),
    }
    info["load"] = [round(value, 1) for value in (*busy, os.getloadavg()[0])]
    file = re.sub(r"\W+", "-", name.lower()).strip("-")
    folder = studies.results_folder() / "own-rule"
    return write_text(folder / f"{file}.json", json.dumps(info, indent=1) + "\n")


if __name__ == "__main__":
    print(f"Wrote {write()}")
