"""What Study A's own rule needs, for *Rerun it*, from counted images and measured rates."""

from __future__ import annotations

import json

import jinja2
import pandas as pd

from companion import networks, studies
from companion.clone import clone_folder

SIDE, FEATURES, GPU = 224, 2048, 8.1  # pixels; numbers an image; a T4's TFLOP a second, nominally


def own_rule() -> str:
    """The Markdown of the table of what each step needs: ``book/_own_rule.md.jinja``."""
    flow = pd.read_csv(studies.results_folder() / "flow" / "cheazemin2020.csv", index_col="step")
    kept = int(flow.loc[["adjudicated", "test negatives"], "images"].sum())
    covid = int(flow.loc["test COVID-19, 29e0b70", "images"])
    every, seconds = kept + covid, studies.run(studies.AZEMIN_STANDIN.name).info["seconds"]
    operations = gflop("resnet101")
    text = (clone_folder() / "book" / "_own_rule.md.jinja").read_text(encoding="utf-8")
    return jinja2.Template(text, trim_blocks=True).render(
        kept=kept,
        covid=covid,
        images=every,
        pixels=every * SIDE**2 / 1e6,
        features=every * FEATURES * 4 / 1e6,
        machines=machines(every),
        seconds=seconds,
        gflop=operations,
        gpu=GPU,
        gpu_seconds=every * operations / (1000 * GPU),
    )


def machines(images: int) -> list[dict]:
    """Minutes for so many images on each processor that was measured (``results/own-rule`` and, of
    the forward pass alone, ``results/efficiency``), with how busy it was where that is known.
    """
    folder, found = studies.results_folder(), []
    for file in sorted(folder.glob("own-rule/*.json")):
        info = json.loads(file.read_text(encoding="utf-8"))
        kind, rate = max(info["forward"].items(), key=lambda item: item[1]["per_cpu_minute"])
        row = info["device"] | {"kind": kind, "recorded": info["recorded"], "load": info["load"]}
        row["busy"] = images / rate["per_minute"]
        row["features"] = images / rate["per_cpu_minute"] / row["threads"]
        if "decoding" in info:
            row["decode"] = images / info["decoding"]["per_cpu_minute"] / row["threads"]
        found.append(row)
    for file in sorted(folder.glob("efficiency/cpu-*.json")):
        info = json.loads(file.read_text(encoding="utf-8"))
        rates = pd.DataFrame(info["rates"]).query(
            "network == 'resnet101' and how == 'eager, channels last'"
        )
        best = rates.loc[rates["per_minute"].idxmax()]
        features = images / best["per_minute"]
        found.append(info["device"] | {"kind": best["format"], "features": features})
    return found


def gflop(name: str) -> float:
    """Thousand million operations of a forward pass, two for each multiplication and addition of
    the convolutions.
    """
    total = 0
    for module in networks.recorded(name)["modules"]:
        if module["type"] == "Conv2d":
            (into, *_), (out, height, width) = module["input"], module["output"]
            total += into * out * height * width * module["kernel"][0] * module["kernel"][1]
    return 2 * total / 1e9
