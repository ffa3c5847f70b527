"""The way from images to a run record: the one place where the rooms are wired together."""

from __future__ import annotations

import ctypes
import importlib.metadata
import platform
import shutil
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cxrlib import metrics, records
from cxrlib.data import radiographs
from cxrlib.data.manifest import present
from cxrlib.transfer import config as settings
from cxrlib.transfer import fit, frozen, resnet
from cxrlib.transfer.config import Config

RANDOM = {"name": "random start", "sha256": "", "note": ""}
PREDICTED = ["image_id", "patient_id", "source", "split", "y_true"]
PACKAGES = ("torch", "torchvision", "numpy", "pandas", "scikit-learn", "pillow", "safetensors")


@dataclass
class Task:
    """What is to be trained: which images, how divided, called what, with which settings.

    A study that has more to say of its runs overrides :meth:`stands`, :meth:`say` and :meth:`draw`.
    """

    config: Config
    manifest: pd.DataFrame  # one row per image
    split: pd.DataFrame  # the same rows: image_id, patient_id, y_true (the label), split
    root: Path  # the data folder
    own: dict = field(default_factory=dict)  # what else makes this run this run
    terms: str = ""  # of the model, one line
    licence: str = ""  # of the model, a text beside it
    code: tuple[str, ...] = ("cxrlib",)  # folders of the checkout that make the record

    def stands(self, target: Path, ready: Ready) -> bool:
        """Whether the record in ``target`` is of this very run, so that nothing need be trained."""
        return False

    def say(self, ready: Ready, fitted: fit.Fit) -> dict:
        """What else the record shall hold; nobody here reads it."""
        return {}

    def draw(self, ready: Ready, model: torch.nn.Module, folder: Path) -> list[str]:
        """Names of further files of the record, written into ``folder``."""
        return []


@dataclass
class Ready:
    """A task's images and what trains them."""

    task: Task
    name: str
    split: pd.DataFrame  # every image, with the column ``missing``
    # those on disk, in the order of ``pixels``: manifest columns, y_true, split, and label, the
    # class that y_true is trained as
    rows: pd.DataFrame
    pixels: np.ndarray  # uint8 (N, size, size)
    hashes: list[str]  # SHA-256 of each file
    fingerprint: str
    phantom: bool
    device: torch.device
    precision: str
    state: dict[str, torch.Tensor] | None = None  # the weights it starts from
    weights: dict[str, str] = field(default_factory=RANDOM.copy)  # and what they are
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str):
        """Time what is done."""
        began = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - began, 1)

    def part(self, name: str) -> np.ndarray:
        """Which rows are in this part of the split, bool ``(N,)``."""
        return self.rows["split"].to_numpy() == name


def prepare(task: Task, device=None, precision: str = "auto") -> Ready:
    """Manifest and split, and the decoded images of what is on disk."""
    on, config, began = resnet.device(device), task.config, time.perf_counter()
    kind = resnet.precision(on, precision)
    there = present(task.manifest, task.root).to_numpy()
    split = task.split.assign(missing=~there)
    rows = task.manifest.assign(y_true=split["y_true"].to_numpy(), split=split["split"].to_numpy())
    rows = rows[there].reset_index(drop=True)
    trained_as = dict(zip(config.tested_as, config.classes, strict=False))
    rows["label"] = rows["y_true"].replace(trained_as)
    sizes = [radiographs.stored_size(task.root / path, path) for path in rows["path"]]
    rows[["width", "height"]] = sizes
    pixels, hashes = radiographs.load(task.root, rows["path"].tolist(), config.size)
    mark = radiographs.fingerprint(rows["image_id"], hashes)
    phantom = (task.root / "PHANTOM.txt").is_file()
    name = f"phantom-{config.name.removeprefix('phantom-')}" if phantom else config.name
    ready = Ready(task, name, split, rows, pixels, hashes, mark, phantom, on, kind)
    ready.seconds["images"] = round(time.perf_counter() - began, 1)
    return ready


def train(
    task: Task,
    results: str | Path,
    *,
    work: str | Path = "work",
    device: str | None = None,
    precision: str = "auto",
    resume: bool = False,
    keep_model: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> Path:
    """Train, and write the record to ``results/<name>/``; returns that folder.

    The checkpoint lies in ``work/<name>/`` until the record is complete. A run on phantoms is named
    ``phantom-<name>``, so that it cannot be taken for a run on radiographs. Everything printed
    about the model is computed from the model as it is kept, that is after rounding to float16; of
    a frozen network, whose features are computed before in the run's precision, the last layer
    alone is rounded.

    Raises :class:`InputError` for images, weights or settings that cannot be used, and where other
    files are in the way.
    """
    roomy_malloc()
    ready = prepare(task, device, precision)
    folder, target = Path(work) / ready.name, Path(results) / ready.name
    records.refuse_foreign(target, records.OURS)
    records.refuse_foreign(folder, ("checkpoint", ".checkpoint"))
    if task.config.pretrained:
        ready.state, ready.weights = resnet.imagenet(task.config.model)
    if not overwrite and (target / "run.json").is_file() and task.stands(target, ready):
        return target
    net, seen = look(ready, progress)
    fitted = learn(ready, seen, folder, resume=resume, progress=progress)
    kept, model, record = evaluate(ready, net, seen, fitted)
    files = keep(ready, kept, folder, keep_model) + task.draw(ready, model, folder)
    record = replace(record, info=describe(ready, record, fitted))
    written = records.write_record(record, target, {name: folder / name for name in files})
    shutil.rmtree(folder)
    return written


def look(ready: Ready, progress: bool) -> tuple[torch.nn.Module | None, np.ndarray]:
    """What is trained on: the images as they are shown; or a frozen network, and its features."""
    config = ready.task.config
    seen = radiographs.show_part(ready.pixels, config.shown)
    if not config.frozen:
        return None, seen
    with ready.stage("features"):
        net = resnet.build(config.model, len(config.classes), ready.state, config.seed)
        net = net.to(ready.device)
        if config.batch_norm == "re-estimated":
            frozen.reestimate(net, seen[ready.part("train")], ready.device)
        how = {"shown": config.shown, "kind": ready.precision, "progress": progress}
        return net, frozen.cached(net, seen, ready.hashes, ready.device, **how)


def learn(ready: Ready, seen: np.ndarray, folder: Path, **options) -> fit.Fit:
    """:func:`cxrlib.transfer.fit.fit` of what is seen."""
    about = {"data": ready.fingerprint, "weights": ready.weights["sha256"]}
    options |= {key: getattr(ready, key) for key in ("state", "device", "precision")}
    options["identity"] = ready.task.own | about
    labels, parts = ready.rows["label"].to_numpy(), ready.rows["split"].to_numpy()
    fitted = fit.fit(ready.task.config, seen, labels, parts, folder, **options)
    # over all sessions of a resumed run
    ready.seconds["training"] = round(float(fitted.history["seconds"].sum()), 1)
    return fitted


def evaluate(ready: Ready, net, seen: np.ndarray, fitted: fit.Fit):
    """State and model as they are kept, and a record of what it predicts."""
    figures = ["test_loss", "test_accuracy"]
    with ready.stage("evaluation"):
        kept, model = rounded(ready, net, fitted.kept)
        history = fitted.history.set_index("epoch", drop=False)
        test, history.loc[fitted.kept_epoch, figures] = measure(ready, model, seen, "test")
        validation, _ = measure(ready, model, seen, "val")
        if fitted.kept_epoch != len(history):
            _, last = rounded(ready, net, fitted.last)
            _, history.loc[len(history), figures] = measure(ready, last, seen, "test")
    split = ready.split[records.SPLIT]
    return kept, model, records.Record(Path(), {}, split, history, test, validation)


def rounded(ready: Ready, net, state: dict[str, torch.Tensor]) -> tuple[dict, torch.nn.Module]:
    """A trained state as it is kept, and the model it makes; of a frozen network ``state`` is the
    last layer's.
    """
    config = ready.task.config
    if config.frozen:
        state = net.state_dict() | {f"fc.{key}": value for key, value in state.items()}
    state = resnet.half(state)
    model = resnet.build(config.model, len(config.classes), state)
    return state, model.to(ready.device)


def measure(ready: Ready, model, seen: np.ndarray, part: str) -> tuple[pd.DataFrame, tuple]:
    """Predictions of a part of the split, and their loss and accuracy."""
    config, at = ready.task.config, ready.part(part)
    log_p = fit.predict(model.fc if config.frozen else model, seen[at], ready.device)
    targets = np.array([config.classes.index(label) for label in ready.rows["label"][at]], int)
    names = config.tested_as if part == "test" and config.tested_as else config.classes
    table = ready.rows.loc[at, PREDICTED].reset_index(drop=True)
    table[[f"p_{name}" for name in names]] = np.exp(log_p)
    return table, fit.loss_accuracy(log_p, targets)


def keep(ready: Ready, kept: dict[str, torch.Tensor], folder: Path, model: bool) -> list[str]:
    """Write what is kept of the network into ``folder``: names of the files."""
    config, files = ready.task.config, []
    if config.frozen:
        head = {key: kept[f"fc.{key}"].numpy() for key in ("weight", "bias")}
        np.savez_compressed(folder / "head.npz", **head)
        files.append("head.npz")
    if model:
        # one entry: safetensors writes several in random order, and the same run should give the
        # same file
        about = f"{ready.name}; classes {', '.join(config.classes)}; {ready.task.terms}"
        resnet.save(kept, folder / "model.safetensors", {"about": about.removesuffix("; ")})
        files.append("model.safetensors")
    if model and ready.task.licence:
        (folder / "MODEL-LICENSE.md").write_text(ready.task.licence, encoding="utf-8")
        files.append("MODEL-LICENSE.md")
    return files


def describe(ready: Ready, record: records.Record, fitted: fit.Fit) -> dict:
    """run.json: what the run was, and what the task has to say of it."""
    config = ready.task.config
    epochs = {"planned": config.epochs, "run": len(record.history), "kept": fitted.kept_epoch}
    packages = {name: importlib.metadata.version(name) for name in PACKAGES}
    names = dict.fromkeys([*config.classes, *config.tested_as])
    counts = pd.crosstab(ready.rows["split"], ready.rows["y_true"])
    counts = counts.reindex(index=["train", "val", "test"], columns=list(names), fill_value=0)
    return {
        "run": ready.name,
        "origin": "phantom" if ready.phantom else "images",
        "recorded": time.strftime("%Y-%m-%d", time.gmtime()),
        "config": settings.effective(config.training()) | {"precision": ready.precision},
        "classes": list(config.tested_as or config.classes),
        "trained_classes": list(config.classes),
        "seed": config.seed,
        "data": {
            "fingerprint": ready.fingerprint,
            "images": len(ready.rows),
            "missing": ready.split.loc[ready.split["missing"], "image_id"].tolist(),
            "counts": counts.to_dict("index"),
        },
        "weights": ready.weights,
        "epochs": epochs | {"reason": fitted.reason},
        "packages": packages | {"python": platform.python_version()},
        "device": resnet.describe(ready.device),
        "seconds": ready.seconds,
        "git": revision(ready.task.code),
        "metrics": metrics.overall(record.predictions),
    } | ready.task.say(ready, fitted)


def revision(folders: tuple[str, ...]) -> dict[str, str | bool]:
    """Commit of the checkout the library runs from and whether these folders of it had uncommitted
    changes; empty outside git.
    """
    here = Path(__file__).resolve().parents[2]

    def git(*words: str) -> str:
        command = ["git", "-C", str(here), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", *folders)
        return {"revision": git("rev-parse", "HEAD"), "dirty": bool(changed)}
    except (OSError, subprocess.CalledProcessError):
        return {"revision": "", "dirty": False}


def roomy_malloc() -> None:
    """Ask glibc to keep freed memory. By default each large tensor is mapped, zeroed and given back
    at every step.
    """
    with suppress(OSError):  # another C library: as slow as before
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-4, 0)  # M_MMAP_MAX: no mapping of its own for a large block
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: nothing given back
