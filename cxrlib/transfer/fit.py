"""Training, in one file to be read from top to bottom: fine-tune a ResNet, keep the best epoch,
survive being killed.

Everything random in an epoch comes from one generator seeded by (seed, epoch), and a checkpoint
holds weights, momentum and history at an epoch's end. So a run that is killed and resumed repeats
at most one epoch and ends in the same weights as one that was not: bit for bit on the CPU with the
same number of threads, which a resumed run takes from its checkpoint.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from tqdm import tqdm

from cxrlib.data import radiographs
from cxrlib.data.splits import oversample
from cxrlib.files import InputError, atomic
from cxrlib.transfer import augment, resnet
from cxrlib.transfer.config import DEFAULTS, HISTORY, Config

CHECKPOINT = "checkpoint.pt"
JUDGES = {"validation": "val", "test": "test"}  # part of the split that ``epoch_by`` names


@dataclass
class Fit:
    """What training leaves: states of the kept and of the last epoch, one history row per epoch,
    and why it ended.
    """

    kept: dict[str, torch.Tensor]
    last: dict[str, torch.Tensor]
    history: pd.DataFrame
    kept_epoch: int
    reason: str


@dataclass
class Training:
    """What every epoch needs, and how far it has come."""

    config: Config
    pixels: np.ndarray  # uint8 (N, H, W), or features, float32 (N, D)
    targets: np.ndarray  # (N,) class numbers
    parts: dict[str, np.ndarray]  # positions by part of the split, in train with their copies
    model: torch.nn.Module
    device: torch.device
    precision: str
    progress: bool = True
    rows: list[dict] = field(default_factory=list)  # of the history
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    kept_epoch: int = 0

    def __post_init__(self):
        settings = {key: getattr(self.config, key) for key in ("lr", "momentum", "weight_decay")}
        self.optimizer = torch.optim.SGD(self.model.parameters(), **settings)

    def state(self) -> dict[str, torch.Tensor]:
        """The weights as they stand, a copy."""
        state = self.model.state_dict()
        return {key: value.detach().cpu().clone() for key, value in state.items()}


def fit(
    config: Config,
    pixels: np.ndarray,
    labels: np.ndarray,
    split: np.ndarray,
    folder: str | Path | None = None,
    *,
    state: dict[str, torch.Tensor] | None = None,
    device: torch.device | str = "cpu",
    precision: str = "float32",
    resume: bool = False,
    identity: dict | None = None,
    progress: bool = True,
) -> Fit:
    """Train by the schedule; keep the epoch of lowest loss, or the last (``keep="last"``).
    Returns a :class:`Fit`; :class:`InputError` for a class without image, a checkpoint of another.

    Parameters
    ----------
    pixels : uint8 ``(N, H, W)``; or features, float32 ``(N, D)``: the last layer alone is trained
    labels, split : class names, and ``train``, ``val`` or ``test``, ``(N,)``
    folder : of the checkpoint of the last finished epoch; whoever calls deletes it
    state : ImageNet weights (:func:`cxrlib.transfer.resnet.imagenet`), None for a random start
    precision : ``float32`` or ``bfloat16`` (mixed); evaluation is in float32 either way
    resume : go on from the checkpoint, if there is one
    identity : what else makes this run this run; a checkpoint of another is refused

    >>> pixels = np.random.default_rng(0).integers(0, 256, (12, 33, 33), dtype=np.uint8)
    >>> labels, split = np.array(["ill", "well"] * 6), np.repeat(["train", "val"], [8, 4])
    >>> config = Config(classes=("ill", "well"), size=33, epochs=1, batch=8)
    >>> fit(config, pixels, labels, split, progress=False).reason
    'schedule complete (1 epochs)'
    """
    run = _begin(config, pixels, labels, split, state, torch.device(device))
    run.precision, run.progress = precision, progress
    machine = {"precision": precision, "device": run.device.type}
    identity = config.training() | machine | (identity or {})
    del identity["tested_as"]  # says nothing about the training
    if folder is not None:
        _go_on(run, Path(folder), identity, resume)
    while not (reason := finished(config, run.rows, run.kept_epoch)):
        one_epoch(run)
        if folder is not None:
            write_checkpoint(run, Path(folder), identity)
    history = pd.DataFrame(run.rows, columns=HISTORY)
    return Fit(run.best, run.state(), history, run.kept_epoch, reason)


def _begin(config, pixels, labels, split, state, device) -> Training:
    """A training before its first epoch."""
    if pixels.ndim != 2 or pixels.dtype != np.float32:
        pixels = radiographs.grey(pixels)
    if not len(pixels) == len(labels) == len(split):
        counts = f"{len(pixels)} images, {len(labels)} labels and {len(split)} parts of the split"
        raise InputError(f"{config.name}: {counts}; each image needs one of each")
    targets = np.array([config.classes.index(label) for label in labels])
    judge = JUDGES[config.epoch_by]
    parts = {part: np.flatnonzero(split == part) for part in dict.fromkeys(["train", "val", judge])}
    for number, name in enumerate(config.classes):
        if not (targets[parts["train"]] == number).any():
            raise InputError(f"{config.name}: no training image of class {name} is on disk")
    if not len(parts[judge]):
        raise InputError(f"{config.name}: no {config.epoch_by} image is on disk")
    parts["train"] = parts["train"][oversample(labels[parts["train"]], config.oversample)]
    model = resnet.build(config.model, len(config.classes), state, config.seed).to(device)
    model = model.fc if pixels.ndim == 2 else model
    return Training(config, pixels, targets, parts, model, device, "float32")


def learning_rate(config: Config, epoch: int) -> float:
    """Rate in ``epoch`` (counted from 1): multiplied by ``gamma`` after each milestone's epoch."""
    return config.lr * config.gamma ** sum(epoch > milestone for milestone in config.milestones)


def finished(config: Config, rows: list[dict], kept_epoch: int) -> str:
    """Why training ends after ``rows``, or an empty string: the schedule is complete, or patience
    is used up.
    """
    if len(rows) >= config.epochs:
        return f"schedule complete ({config.epochs} epochs)"
    if rows and len(rows) - kept_epoch >= config.patience:
        return f"early stopping (no better {config.epoch_by} loss in {config.patience} epochs)"
    return ""


def one_epoch(run: Training) -> None:
    """Train, measure, and keep the weights where they are the best so far."""
    config, epoch, began = run.config, len(run.rows) + 1, time.perf_counter()
    judge, total = JUDGES[config.epoch_by], len(run.parts["train"])
    rate = learning_rate(config, epoch)
    run.optimizer.param_groups[0]["lr"] = rate
    how = {"unit": "img", "mininterval": 1.0, "disable": not run.progress}
    with tqdm(total=total, desc=f"epoch {epoch}/{config.epochs}", **how) as bar:
        loss, accuracy = train_epoch(run, epoch, bar)
        row = {"epoch": epoch, "lr": rate, "train_loss": loss, "train_accuracy": accuracy}
        for part, at in run.parts.items():
            if part != "train":
                log_p = predict(run.model, run.pixels[at], run.device)
                figures = loss_accuracy(log_p, run.targets[at])
                row[f"{part}_loss"], row[f"{part}_accuracy"] = figures
        watched, right = row[f"{judge}_loss"], row[f"{judge}_accuracy"]
        words = f"loss {loss:.3f}, {config.epoch_by} loss {watched:.3f} accuracy {right:.3f}"
        bar.set_postfix_str(words)
    if not np.isfinite([loss, watched]).all():
        advice = f"lower lr (now {rate:g}) or use precision float32"
        raise InputError(f"{config.name}: loss is not finite in epoch {epoch}; {advice}")
    row["seconds"] = time.perf_counter() - began
    run.rows.append(dict.fromkeys(HISTORY) | row)  # None is what this run does not measure
    before = run.rows[run.kept_epoch - 1][f"{judge}_loss"] if run.kept_epoch else np.inf
    if config.keep == "last" or run.kept_epoch == 0 or watched < before:
        run.kept_epoch, run.best = epoch, run.state()


def batches(config: Config, positions: np.ndarray, rng: torch.Generator):
    """Shuffled batches of positions; the last may be smaller, no image is left out."""
    order = positions[torch.randperm(len(positions), generator=rng).numpy()]
    yield from np.split(order, range(config.batch, len(order), config.batch))


def train_epoch(run: Training, epoch: int, bar: tqdm) -> tuple[float, float]:
    """One pass over the training images; returns mean loss and accuracy in training mode, augmented
    images included.
    """
    run.model.train()
    rng = torch.Generator().manual_seed(run.config.seed * 1_000_003 + epoch)
    answers = torch.from_numpy(run.targets.astype(np.int64))  # (N,)
    loss_sum = right = torch.zeros((), dtype=torch.float32, device=run.device)
    for batch in batches(run.config, run.parts["train"], rng):
        run.optimizer.zero_grad(set_to_none=True)
        x = _input(run, batch, rng)  # (B, 3, H, W) or (B, D)
        y = answers[torch.from_numpy(batch)].to(run.device)  # (B,)
        with resnet.autocast(run.device, run.precision):
            scores = run.model(x)  # (B, K)
        loss = F.cross_entropy(scores.float(), y, reduction="sum")
        (loss / len(batch)).backward()
        run.optimizer.step()
        loss_sum = loss_sum + loss.detach()
        right = right + (scores.argmax(1) == y).sum()
        bar.update(len(y))
    count = len(run.parts["train"])
    return float(loss_sum / count), float(right / count)


def _input(run: Training, at: np.ndarray, rng: torch.Generator) -> torch.Tensor:
    """What the network is given of the images at these positions."""
    if run.pixels.ndim == 2:  # features of a frozen network
        return augment.prepare(run.pixels[at], run.device)
    x = augment.to_tensor(run.pixels[at], run.device)  # (B, 1, H, W)
    keys = ("rotate", "scale", "translate", "hflip")
    x = augment.augment(x, rng, **{key: getattr(run.config, key) for key in keys})
    return augment.normalise(x).contiguous(memory_format=torch.channels_last)


def predict(
    model: torch.nn.Module, pixels: np.ndarray, on: torch.device | str = "cpu", batch: int = 64
) -> np.ndarray:
    """Log-probabilities, float64, shape ``(N, K)``, of uint8 images ``(N, H, W)``: evaluation mode,
    float32, not augmented.

    Or of features ``(N, D)`` by the last layer alone.
    """
    return resnet.scores(model, pixels, on, batch).double().log_softmax(1).numpy()


def loss_accuracy(log_p: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """Mean cross-entropy (nats) and share of right answers; ``log_p`` is ``(N, K)``, ``targets``
    ``(N,)`` class numbers.
    """
    if not len(targets):
        return float("nan"), float("nan")
    loss = -log_p[np.arange(len(targets)), targets].mean()
    return float(loss), float((log_p.argmax(1) == targets).mean())


def _go_on(run: Training, folder: Path, identity: dict, resume: bool) -> None:
    """Take over what a checkpoint holds, if there is one and it is of this run."""
    found = read_checkpoint(folder)
    if not found:
        return
    if not resume:
        what = f"holds a checkpoint of epoch {len(found['history'])}"
        raise InputError(f"{folder}: {what}; go on with --resume or delete the folder")
    before = DEFAULTS | found["identity"]  # a setting that came later had its default
    for key in sorted(identity.keys() & before.keys()):
        if identity[key] != before[key]:
            what = f"{key} {before[key]!r}, this run has {identity[key]!r}"
            raise InputError(f"{folder}: checkpoint was made with {what}")
    torch.set_num_threads(found["threads"])
    run.model.load_state_dict(found["model"])
    run.optimizer.load_state_dict(found["optimizer"])
    run.best, run.rows, run.kept_epoch = found["best"], found["history"], found["kept_epoch"]


def write_checkpoint(run: Training, folder: Path, identity: dict) -> None:
    """All that a resumed run needs, in one file, which replaces the epoch's before it whole."""
    found = {"identity": identity, "threads": torch.get_num_threads()}
    found |= {"history": run.rows, "kept_epoch": run.kept_epoch, "best": run.best}
    found |= {"model": run.model.state_dict(), "optimizer": run.optimizer.state_dict()}
    with atomic(folder / CHECKPOINT) as temporary:
        torch.save(found, temporary)


def read_checkpoint(folder: Path) -> dict | None:
    """What :func:`write_checkpoint` wrote, or None; :class:`InputError` for a damaged one, or for
    one of version 0.1.0.
    """
    if not any(folder.glob("checkpoint*")):
        return None
    try:
        return torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)
    except Exception:  # PyTorch's own line advises to load what may run code
        what = "holds a checkpoint that cannot be read (damaged, or of an earlier version)"
        raise InputError(f"{folder}: {what}; delete the folder to start again") from None
