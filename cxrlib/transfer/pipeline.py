"""The way from images to a run record: the one place where the rooms are wired together."""

from __future__ import annotations

import ctypes
import importlib.metadata
import platform
import shutil
import subprocess
import time
from contextlib import contextmanager
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
    rows: pd.DataFrame  # those on disk: manifest columns, y_true, split; in the order of ``pixels``
    pixels: np.ndarray  # uint8 (N, size, size)
    hashes: list[str]  # SHA-256 of each file
    fingerprint: str
    phantom: bool
    device: torch.device
    precision: str
    micro: int
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


def prepare(task: Task, device=None, precision: str = "auto", micro: int | None = None) -> Ready:
    """Manifest and split, and the decoded images of what is on disk."""
    on, config, began = resnet.device(device), task.config, time.perf_counter()
    kind = resnet.precision(on, precision)
    there = present(task.manifest, task.root).to_numpy()
    split = task.split.assign(missing=~there)
    named = {key: split[key].to_numpy() for key in ("y_true", "split")}
    rows = task.manifest.assign(**named)[there].reset_index(drop=True)
    sizes = [radiographs.stored_size(task.root / path, path) for path in rows["path"]]
    rows[["width", "height"]] = sizes
    pixels, hashes = radiographs.load(task.root, rows["path"].tolist(), config.size)
    phantom = (task.root / "PHANTOM.txt").is_file()
    ready = Ready(
        task,
        f"phantom-{config.name.removeprefix('phantom-')}" if phantom else config.name,
        split,
        rows,
        pixels,
        hashes,
        radiographs.fingerprint(rows["image_id"], hashes),
        phantom,
        on,
        kind,
        min(micro or config.batch, config.batch),
    )
    ready.seconds["images"] = round(time.perf_counter() - began, 1)
    return ready


def train(
    task: Task,
    results: str | Path,
    *,
    work: str | Path = "work",
    device: str | None = None,
    precision: str = "auto",
    micro: int | None = None,
    resume: bool = False,
    finish: bool = False,
    keep_model: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> Path:
    """Train, and write the record to ``results/<name>/``; returns that folder.

    The checkpoint lies in ``work/<name>/`` until the record is complete. A run on phantoms is named
    ``phantom-<name>``, so that it cannot be taken for a run on radiographs. ``finish`` records a
    run before its time, as its checkpoint stands. Everything printed about the model is computed
    from the model as it is kept, that is after rounding to float16; of a frozen network, whose
    features are computed before, the last layer alone is rounded.

    Raises :class:`InputError` for images, weights or settings that cannot be used, and where other
    files are in the way.
    """
    roomy_malloc()
    ready = prepare(task, device, precision, micro)
    folder, target = Path(work) / ready.name, Path(results) / ready.name
    records.refuse_foreign(target, records.OURS)
    records.refuse_foreign(folder, ("checkpoint", ".checkpoint"))
    if task.config.pretrained:
        ready.state, ready.weights = resnet.imagenet(task.config.model)
    if not overwrite and (target / "run.json").is_file() and task.stands(target, ready):
        return target
    net, seen = look(ready)
    fitted = learn(ready, seen, folder, resume=resume or finish, finish=finish, progress=progress)
    kept, model, record = evaluate(ready, net, seen, fitted)
    files = keep(ready, kept, folder, keep_model)
    files += task.draw(ready, model, folder)
    record = replace(record, info=describe(ready, record, fitted))
    written = records.write_record(record, target, {name: folder / name for name in files})
    shutil.rmtree(folder)
    return written


def look(ready: Ready) -> tuple[torch.nn.Module | None, np.ndarray]:
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
        return net, frozen.cached(net, seen, ready.hashes, ready.device, shown=config.shown)


def labels(ready: Ready) -> np.ndarray:
    """Each image's label, by the name of the class it is trained as."""
    trained_as = dict(zip(ready.task.config.tested_as, ready.task.config.classes, strict=False))
    return ready.rows["y_true"].replace(trained_as).to_numpy()


def learn(ready: Ready, seen: np.ndarray, folder: Path, **options) -> fit.Fit:
    """:func:`cxrlib.transfer.fit.fit` of what is seen."""
    about = {"data": ready.fingerprint, "weights": ready.weights["sha256"]}
    fitted = fit.fit(
        ready.task.config,
        seen,
        labels(ready),
        ready.rows["split"].to_numpy(),
        folder,
        state=ready.state,
        device=ready.device,
        precision=ready.precision,
        micro=ready.micro,
        identity=ready.task.own | about,
        **options,
    )
    # over all sessions of a resumed run
    ready.seconds["training"] = round(float(fitted.history["seconds"].sum()), 1)
    return fitted


def evaluate(ready: Ready, net, seen: np.ndarray, fitted: fit.Fit):
    """State and model as they are kept, and a record of what it predicts."""
    config, answers = ready.task.config, labels(ready)

    def rounded(state: dict[str, torch.Tensor]) -> tuple[dict, torch.nn.Module]:
        state = resnet.half(whole(net, state) if config.frozen else state)
        return state, resnet.build(config.model, len(config.classes), state).to(ready.device)

    def measure(model: torch.nn.Module, part: str) -> tuple[np.ndarray, tuple[float, float]]:
        head = model.fc if config.frozen else model
        log_p = fit.predict(head, seen[ready.part(part)], ready.device)
        targets = [config.classes.index(label) for label in answers[ready.part(part)]]
        return log_p, fit.loss_accuracy(log_p, np.array(targets, int))

    with ready.stage("evaluation"):
        kept, model = rounded(fitted.kept)
        history = fitted.history.set_index("epoch", drop=False)
        columns, tables = ["test_loss", "test_accuracy"], {}
        for part, classes in (
            ("test", config.tested_as or config.classes),
            ("val", config.classes),
        ):
            log_p, figures = measure(model, part)
            tables[part] = predictions_table(ready.rows[ready.part(part)], log_p, classes)
            if part == "test":
                history.loc[fitted.kept_epoch, columns] = figures
        if fitted.kept_epoch != len(history):
            history.loc[len(history), columns] = measure(rounded(fitted.last)[1], "test")[1]
    split = ready.split[records.SPLIT]
    return kept, model, records.Record(Path(), {}, split, history, tables["test"], tables["val"])


def whole(net: torch.nn.Module, last: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """State of a frozen network with its trained last layer."""
    head = {f"fc.{key}": value for key, value in last.items()}
    return {key: value.detach().cpu() for key, value in net.state_dict().items()} | head


def predictions_table(
    rows: pd.DataFrame, log_p: np.ndarray, classes: tuple[str, ...]
) -> pd.DataFrame:
    """The predictions contract from manifest rows and log-probabilities ``(N, K)``."""
    table = rows[["image_id", "patient_id", "source", "split", "y_true"]].reset_index(drop=True)
    return table.assign(**{f"p_{name}": np.exp(log_p[:, k]) for k, name in enumerate(classes)})


def keep(ready: Ready, kept: dict[str, torch.Tensor], folder: Path, model: bool) -> list[str]:
    """Write what is kept of the network into ``folder``: names of the files."""
    config, names = ready.task.config, []
    if config.frozen:
        head = {key: kept[f"fc.{key}"].numpy() for key in ("weight", "bias")}
        with open(folder / "head.npz", "wb") as file:
            np.savez_compressed(file, **head)
        names.append("head.npz")
    if model:
        # one entry: safetensors writes several in random order, and the same run should give the
        # same file
        about = f"{ready.name}; classes {', '.join(config.classes)}; {ready.task.terms}"
        resnet.save(kept, folder / "model.safetensors", {"about": about.removesuffix("; ")})
        names.append("model.safetensors")
    if model and ready.task.licence:
        (folder / "MODEL-LICENSE.md").write_text(ready.task.licence, encoding="utf-8")
        names.append("MODEL-LICENSE.md")
    return names


def describe(ready: Ready, record: records.Record, fitted: fit.Fit) -> dict:
    """run.json: what the run was, and what the task has to say of it."""
    config = ready.task.config
    machine = {"precision": ready.precision, "micro_batch": ready.micro}
    packages = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        "run": ready.name,
        "origin": "phantom" if ready.phantom else "images",
        "recorded": time.strftime("%Y-%m-%d", time.gmtime()),
        "config": settings.effective(config.training()) | machine,
        "classes": list(config.tested_as or config.classes),
        "trained_classes": list(config.classes),
        "seed": config.seed,
        "data": describe_data(ready),
        "weights": ready.weights,
        "epochs": {
            "planned": config.epochs,
            "run": len(record.history),
            "kept": fitted.kept_epoch,
            "reason": fitted.reason,
        },
        "packages": packages | {"python": platform.python_version()},
        "device": resnet.describe(ready.device),
        "seconds": ready.seconds,
        "git": revision(ready.task.code),
        "metrics": metrics.overall(record.predictions),
    } | ready.task.say(ready, fitted)


def describe_data(ready: Ready) -> dict:
    """What was trained and tested on, as counts, with the fingerprint of the files."""
    counts = ready.rows.groupby(["split", "y_true"]).size()
    config = ready.task.config
    names = list(dict.fromkeys([*config.classes, *config.tested_as]))
    return {
        "fingerprint": ready.fingerprint,
        "images": len(ready.rows),
        "missing": ready.split.loc[ready.split["missing"], "image_id"].tolist(),
        "counts": {
            part: {name: int(counts.get((part, name), 0)) for name in names}
            for part in ("train", "val", "test")
        },
    }


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
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-4, 0)  # M_MMAP_MAX: no mapping of its own for a large block
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: nothing given back
    except OSError:
        pass  # another C library: as slow as before
