"""``python -m companion.build points``: do these models read lungs? Networks fine-tuned for it.

Each is a training of Study B's two classes on a draw of ``zhu-binary-redraws``, as there but for
what is shown, labelled or divided. When it ends, it goes into the record of its curve,
``audits/finetuned/<curve>/``, beside those that are there.
"""

from __future__ import annotations

import dataclasses
import io
import json
import platform
import shutil
import time
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from companion import studies
from companion.audits import probes, sources
from companion.studies import settings, training
from cxrlib import metrics, occlusion
from cxrlib.data import radiographs
from cxrlib.data.manifest import data_folder
from cxrlib.data.splits import PARTS
from cxrlib.files import InputError, alone, whole, write_text
from cxrlib.transfer import config, pipeline, resnet
from cxrlib.transfer.fit import Fit
from cxrlib.transfer.pipeline import Ready

CURVES = {
    "blackout": "a centred square black, or all but it; size: its side as a share of the image's",
    "one-pipeline": "COVID-19 images, squashed, stored as JPEG as Kermany's here are",
    "permuted-labels": "labels permuted among training images, and among validation images: chance",
    "px-56": "all images reduced to a quarter of their side and enlarged again, bilinear",
    "copies-before-split": "mistake: COVID-19 images copied 24 times before division, at random",
    "split-by-image": "mistake: COVID-19 test images drawn without regard to patients",
    "epoch-by-test": "mistake: the epoch chosen by its loss on the test set",
}
CHANGED: dict[str, dict] = {"split-by-image": {"unit": "image"}}
CHANGED |= {"epoch-by-test": {"epoch_by": "test"}, "copies-before-split": {"oversample": {}}}
SIZES, ARMS, DRAWS, COPIES = (0.5, 0.8, 0.3, 0.65, 0.9), ("square-black", "rest-black"), 3, 24
KEYS = ["curve", "arm", "size", "seed"]
FILES = ["history.csv", "predictions.csv.gz", "validation.csv.gz"]
MADE = ["git", "precision", "packages", "device"]  # may differ from training to training
SHARED = {*config.DEFAULTS, *settings.OWN, "fingerprint", "weights"} - {"name", "seed", "tested_as"}
LEFT_OUT = ["source", "split", "p_non_covid"]  # of the tables


def wanted() -> dict[str, tuple]:
    """All points by name, CURVE/ARM/SIZE/DRAW, the most wanted first."""
    squares = [("blackout", arm, size) for size in SIZES for arm in ARMS]
    others = [(curve, curve, 1.0) for curve in CURVES if curve != "blackout"]
    groups = squares[:4], others[:2], squares[4:], others[2:4], others[4:]
    found = [(*each, seed) for group in groups for seed in range(DRAWS) for each in group]
    return {named(dict(zip(KEYS, point, strict=True))): point for point in found}


def named(run: dict) -> str:
    """A point's name, of its entry in run.json."""
    return "{curve}/{arm}/{size:g}/{seed}".format(**run)


def points(
    only: str = "*",
    minutes: float | None = None,
    data: str | None = None,
    results: str | None = None,
    device: str | None = None,
    work: str = "work/points",
    resume: bool = False,
) -> None:
    """Train networks for the audit of what they look at, and add each to its curve's record.

    What is recorded as finished stands. A training that is interrupted or killed is not recorded;
    with --resume it goes on from its last whole epoch. Several commands may run at once where each
    has points of its own.

    only: CURVE/ARM/SIZE/DRAW, * for any, e.g. 'blackout/*/0.3/2'
    minutes: no training begins after them
    work: folder of checkpoints (default work/points)
    resume: go on from the last finished epoch, where there is one
    """
    began, asked = time.monotonic(), {x: wanted()[x] for x in wanted() if fnmatch(x, only)}
    if not asked:
        raise InputError(f"--only {only}: there are {', '.join(wanted())}")
    for name, point in asked.items():
        if minutes is not None and time.monotonic() - began >= 60 * minutes:
            print(f"{name}: not begun, {minutes:g} minutes are over")
            return
        ready = prepare(point, data, device)
        place = Path(results or studies.results_folder(), "audits", "finetuned")
        place /= f"phantom-{point[0]}" if ready.phantom else point[0]
        about, folder = described(ready, point[0]), Path(work, name)
        if any(named(run) == name and run["finished"] for run in read(place, about)["runs"]):
            print(f"{name}: recorded")
            continue
        fitted = pipeline.learn(ready, ready.pixels, folder, resume=resume, progress=True)
        run, tables = outcome(ready, point[2], fitted)
        with alone(radiographs.cache_folder() / "points.lock", "training"):
            add(place, point, about, run, tables)
        shutil.rmtree(folder)
        print(f"{name}: {run['epochs_run']} epochs, {run['seconds']:.0f} s, AUC {run['auc']:.4f}")


def prepare(point: tuple, data=None, device=None) -> Ready:
    """A point's images, labels and division; on phantoms with the small settings meant for them."""
    curve, arm, size, seed = point
    changes = studies.PHANTOM if (data_folder(data) / "PHANTOM.txt").is_file() else {}
    experiment = studies.experiment(f"zhu-binary-redraws/seed-{seed}")
    experiment = dataclasses.replace(experiment, **changes | CHANGED.get(curve, {}))
    ready = pipeline.prepare(training.task(experiment, data), device)
    ready.task.own |= {"point": list(point)}
    if experiment.pretrained:
        ready.state, ready.weights = resnet.imagenet(experiment.model)
    rows, covid = ready.rows, (ready.rows["y_true"] == "covid").to_numpy()
    if curve == "blackout":
        ready.pixels = occlusion.black_out(ready.pixels, size, rest=arm == "rest-black")
    elif curve == "one-pipeline":
        files = [ready.task.root / path for path in rows.loc[~covid, "path"]]
        ready.pixels = np.array(ready.pixels)
        ready.pixels[covid] = sources.stored_like(ready.pixels[covid], files)
    elif curve == "px-56":
        ready.pixels = sources.reduced(ready.pixels, experiment.size // 4)
    elif curve == "copies-before-split":
        at = np.append(np.flatnonzero(~covid), np.tile(np.flatnonzero(covid), COPIES))
        ready.rows, ready.pixels = rows.iloc[at].reset_index(drop=True), ready.pixels[at]
        copies = (ready.rows["y_true"] == "covid").to_numpy()
        parts = ready.rows["split"].to_numpy(object)
        parts[copies] = np.random.default_rng(seed).permutation(parts[copies])
        ready.rows["split"] = parts
    elif curve == "permuted-labels":
        labels, parts = (rows[column].to_numpy(object) for column in ("label", "split"))
        rows["label"] = probes.permuted(labels, parts, seed)
    return ready


def described(ready: Ready, curve: str) -> dict:
    """What the trainings of a curve share, and what made this one, in plain types."""
    about = {
        "study": "zhu2020",
        "curve": curve,
        "what": CURVES[curve],
        "config": studies.effective(ready.task.config.as_dict()),
        "fingerprint": ready.fingerprint,
        "weights": ready.weights,
        "git": pipeline.revision(ready.task.code),
        "precision": ready.precision,
        "packages": {name: version(name) for name in pipeline.PACKAGES},
        "device": resnet.describe(ready.device) | {"python": platform.python_version()},
    }
    about["config"] |= {"name": "zhu-binary-redraws", "seed": None}
    return json.loads(json.dumps(about))


def read(place: Path, about: dict) -> dict:
    """The run.json there, or a new one; :class:`InputError` for one of other settings, images or
    weights, which a curve must not mix.
    """
    if not (place / "run.json").is_file():
        return about | {"runs": [], "lacked": []}
    info = json.loads((place / "run.json").read_text(encoding="utf-8"))
    there, here = ({**about["config"], **about} for about in (info, about))
    for key in sorted(SHARED & there.keys() & here.keys()):
        if there[key] != here[key]:
            raise InputError(f"{place}: recorded with another {key}; another --results keeps both")
    return info


def outcome(ready: Ready, size: float, fitted: Fit) -> tuple[dict, list[pd.DataFrame]]:
    """What is recorded of a training: its entry in run.json, and the tables of :data:`FILES`."""
    _, _, record = pipeline.evaluate(ready, None, ready.pixels, fitted)
    found = [record.predictions, record.validation]
    test, validation = (table.drop_duplicates("image_id") for table in found)  # of copies
    half, side = metrics.operating_point(test, "covid", 0.5), ready.task.config.size
    run = {
        "pixels": side - 2 * round((1 - size) / 2 * side),
        "finished": True,
        "reason": fitted.reason,
        "epochs_run": len(fitted.history),
        "epoch_kept": fitted.kept_epoch,
        **{key: half[key] for key in ("auc", "sensitivity", "TP", "FN", "FP", "TN")},
        "images": {part: int(ready.part(part).sum()) for part in PARTS},
        "seconds": round(sum(ready.seconds.values()), 1),
        "lacked": training.lacked(ready, ready.task.config),
    }
    return run, [record.history, test, validation]


def add(place: Path, point: tuple, about: dict, run: dict, tables: list[pd.DataFrame]) -> None:
    """Add a training to the record of its curve, whole or not at all; one that was recorded without
    having finished gives way.
    """
    info, keys = read(place, about), dict(zip(KEYS, point, strict=True))
    info["lacked"] = info["lacked"] if info["runs"] else run["lacked"]
    own = {key: about[key] for key in MADE if about[key] != info[key]}
    own["lacked"] = [text for text in run["lacked"] if text not in info["lacked"]]
    others = [old for old in info["runs"] if named(old) != named(keys)]
    info["runs"] = [*others, keys | run | own]
    arm, size, seed = point[1], f"{point[2]:g}", str(point[3])
    with whole(place) as new:
        for name, table in zip(FILES, tables, strict=True):
            table = table.drop(columns=LEFT_OUT, errors="ignore")
            text = table.to_csv(index=False, float_format="%.9g")
            rows = pd.read_csv(io.StringIO(text), dtype=str)
            for at, key in enumerate((arm, size, seed)):
                rows.insert(at, KEYS[at + 1], key)
            if others:
                before = pd.read_csv(place / name, dtype=str)
                mine = (before[KEYS[1:]] == [arm, size, seed]).all(axis=1)
                rows = pd.concat([before[~mine], rows])
            how = {"method": "gzip", "mtime": 0} if name.endswith("gz") else None
            rows.to_csv(new / name, index=False, compression=how)
        write_text(new / "run.json", json.dumps(info, indent=1) + "\n")
