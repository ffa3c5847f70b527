"""What can be fetched and what Study A's own rule needs, for *Rerun it*: counted, not typed."""

from __future__ import annotations

import json

import pandas as pd

from companion import networks, studies
from cxrlib.data import chestxray14, origins

SIDE, FEATURES, GPU = 224, 2048, 8.1  # pixels; numbers an image; a T4's TFLOP a second, nominally


def facts() -> dict:
    """What the parts say: counted images, sizes as published, measured rates."""
    flow = pd.read_csv(studies.results_folder() / "flow" / "cheazemin2020.csv", index_col="step")
    kept = int(flow.loc[["adjudicated", "test negatives"], "images"].sum())
    covid = int(flow.loc["test COVID-19, 29e0b70", "images"])
    every, operations = kept + covid, gflop("resnet101")
    published = origins.read_origins()
    gigabytes = published["nih-chest-xray14"]["gigabytes"]
    return {
        "kept": kept,
        "covid": covid,
        "images": every,
        "archives": gigabytes,
        "kept_gigabytes": gigabytes * kept / chestxray14.COLLECTION.images,
        "weights": sum(published["imagenet"]["sizes"].values()) / 1e6,
        "children": published["kermany"]["size"] / 1e9,
        "pixels": every * SIDE**2 / 1e6,
        "features": every * FEATURES * 4 / 1e6,
        "machines": machines(every),
        "seconds": studies.run(studies.AZEMIN_STANDIN.name).info["seconds"],
        "gflop": operations,
        "gpu": GPU,
        "gpu_seconds": every * operations / (1000 * GPU),
    }


def machines(images: int) -> list[dict]:
    """Minutes for so many images on each processor that was measured (``results/own-rule`` and, of
    the forward pass alone, ``results/efficiency``), with how busy it was where that is known.
    """
    folder, found = studies.results_folder(), []
    for file in sorted(folder.glob("own-rule/*.json")):
        info = json.loads(file.read_text(encoding="utf-8"))
        kind, rate = max(info["forward"].items(), key=lambda item: item[1]["per_cpu_minute"])
        row = info["device"] | {"kind": kind, "busy": max(info["load"]) > info["device"]["cores"]}
        row["features"] = images / rate["per_cpu_minute"] / row["threads"]
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
