"""``python -m companion.build points``: do these models read lungs? Networks fine-tuned for it.

Each is a training of Study B's two classes on a draw of ``zhu-binary-redraws``, as there but for
what is shown or labelled. The record of a curve is ``audits/finetuned/<curve>/``.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from companion import studies
from companion.audits import pictures, probes, record
from companion.studies import training
from cxrlib.data.manifest import data_folder
from cxrlib.data.splits import PARTS
from cxrlib.files import InputError, whole, write_text
from cxrlib.transfer import pipeline, resnet
from cxrlib.transfer.fit import Fit
from cxrlib.transfer.pipeline import Ready

CURVES = {
    "blackout": "a centred square black, or all but it; size: its side as a share of the image's",
    "one-pipeline": "COVID-19 images, squashed, stored as JPEG as Kermany's here are",
    "permuted-labels": "labels permuted among training images, and among validation images: chance",
}
SIZES, DRAWS = (0.3, 0.5, 0.65, 0.8, 0.9), range(3)
FILES = {name: f"{name}.csv.gz" for name in ("predictions", "validation")}
FILES["history"] = "history.csv"
LEFT_OUT = ["source", "split", "p_non_covid"]  # of the tables


def points(
    curve: str,
    data: str | None = None,
    results: str | None = None,
    device: str | None = None,
    work: str = "work/points",
) -> None:
    """Train the networks of a curve for the audit of what they look at, and write its record.

    The record is written when the last has ended, in the place of one that is there. After an
    interruption or a kill the same command goes on from the last whole epoch.

    curve: blackout, one-pipeline or permuted-labels
    work: folder of checkpoints (default work/points)
    """
    if curve not in CURVES:
        raise InputError(f"points {curve}: there are {', '.join(CURVES)}")
    arms, sizes = (pictures.ARMS, SIZES) if curve == "blackout" else ([curve], [1.0])
    runs, tables = [], {name: [] for name in FILES}
    for arm, size, seed in product(arms, sizes, DRAWS):
        point = {"arm": arm, "size": size, "seed": seed}
        ready = prepare(curve, point, data, device)
        folder = Path(work, curve, f"{arm}-{size:g}-{seed}")
        fitted = pipeline.learn(ready, ready.pixels, folder, resume=True, progress=True)
        _, _, made = pipeline.evaluate(ready, None, ready.pixels, fitted)
        runs.append({"curve": curve} | point | entry(ready, fitted))
        for name, parts in tables.items():
            table = getattr(made, name).drop(columns=LEFT_OUT, errors="ignore")
            parts.append(table.assign(**point)[[*point, *table]])
    place = Path(results or studies.results_folder(), "audits", "finetuned")
    with whole(place / (f"phantom-{curve}" if ready.phantom else curve)) as new:
        for name, parts in tables.items():
            how = {"method": "infer", "mtime": 0}  # of those that end in gz
            table = pd.concat(parts)
            table.to_csv(new / FILES[name], index=False, float_format="%.9g", compression=how)
        info = described(ready, curve) | {"runs": runs}
        write_text(new / "run.json", json.dumps(info, indent=1) + "\n")
    shutil.rmtree(Path(work, curve))


def prepare(curve: str, point: dict, data=None, device=None) -> Ready:
    """A point's images, labels and division; on phantoms with the small settings meant for them."""
    changes = studies.PHANTOM if (data_folder(data) / "PHANTOM.txt").is_file() else {}
    redraw = studies.experiment(f"zhu-binary-redraws/seed-{point['seed']}")
    ready = pipeline.prepare(training.task(dataclasses.replace(redraw, **changes), data), device)
    ready.task.own |= {"curve": curve} | point
    if ready.task.config.pretrained:
        ready.state, ready.weights = resnet.imagenet(ready.task.config.model)
    rows, covid = ready.rows, (ready.rows["y_true"] == "covid").to_numpy()
    if curve == "blackout":
        ready.pixels = pictures.blacked(ready.pixels, point["arm"], point["size"])
    elif curve == "one-pipeline":
        files = [ready.task.root / path for path in rows.loc[~covid, "path"]]
        ready.pixels = np.array(ready.pixels)
        ready.pixels[covid] = pictures.stored_like(ready.pixels[covid], files)
    else:
        labels, parts = (rows[column].to_numpy(object) for column in ("label", "split"))
        rows["label"] = probes.permuted(labels, parts, point["seed"])
    return ready


def entry(ready: Ready, fitted: Fit) -> dict:
    """What is recorded of a training beside its tables."""
    return {
        "finished": True,
        "reason": fitted.reason,
        "epochs_run": len(fitted.history),
        "epoch_kept": fitted.kept_epoch,
        "images": {part: int(ready.part(part).sum()) for part in PARTS},
        "seconds": round(sum(ready.seconds.values()), 1),
        "lacked": training.lacked(ready, ready.task.config),
    }


def described(ready: Ready, curve: str) -> dict:
    """What the trainings of a curve share."""
    about = {"study": "zhu2020", "curve": curve, "what": CURVES[curve]}
    about["config"] = studies.effective(ready.task.config.as_dict())
    about["config"] |= {"name": "zhu-binary-redraws", "seed": None}
    about |= {"fingerprint": ready.fingerprint, "weights": ready.weights}
    return about | {"precision": ready.precision} | record.machine(ready.device)
