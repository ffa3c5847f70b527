"""Training, in one file to be read from top to bottom: fine-tune a ResNet, keep the best epoch,
survive being killed.

Everything random in an epoch comes from one generator seeded by (seed, epoch), and a checkpoint
holds weights, momentum and history at an epoch's end. So a run that is killed and resumed repeats
at most one epoch and ends in the same weights as one that was not: bit for bit on the CPU with the
same number of threads, which a resumed run takes from its checkpoint.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from tqdm import tqdm

from companion.studies.settings import DEFAULTS, UNTRAINED, Experiment
from cxrlib.data.splits import oversample
from cxrlib.files import InputError, write_text
from cxrlib.transfer import augment, resnet
from cxrlib.transfer.config import HISTORY

BY_HAND = "ended by hand"
# pixels: up to this side the last layers see one place of an image, and of one image alone no
# variance
ALONE = 32
JUDGES = {
    "validation": "val",
    "test": "test",
}  # which part of the split chooses the epoch, by an experiment's ``epoch_by``


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


def learning_rate(experiment: Experiment, epoch: int) -> float:
    """Rate in ``epoch`` (counted from 1): multiplied by ``gamma`` after each milestone's epoch."""
    return experiment.lr * experiment.gamma ** sum(
        epoch > milestone for milestone in experiment.milestones
    )


def batches(experiment: Experiment, positions: np.ndarray, rng: torch.Generator):
    """Shuffled batches of positions; the last may be smaller, no image is left out."""
    order = positions[torch.randperm(len(positions), generator=rng).numpy()]
    yield from np.split(order, range(experiment.batch, len(order), experiment.batch))


def train_epoch(
    model, optimizer, experiment, pixels, targets, positions, epoch, on, kind, micro, bar
) -> tuple[float, float]:
    """One pass over ``positions``; returns mean loss and accuracy in training mode, augmented
    images included.

    A batch may be processed ``micro`` images at a time to save memory. Gradients are summed to the
    batch's own, but batch norm then standardises over ``micro`` images, which makes its statistics
    noisier: not the same training.
    """
    model.train()
    rng = torch.Generator().manual_seed(experiment.seed * 1_000_003 + epoch)
    loss_sum = right = seen = torch.zeros((), dtype=torch.float32, device=on)
    steps = -(-len(positions) // experiment.batch)
    for step, batch in enumerate(batches(experiment, positions, rng), start=1):
        optimizer.zero_grad(set_to_none=True)
        for part in np.split(batch, range(micro, len(batch), micro)):
            if pixels.ndim == 2:  # features of a frozen network
                x = torch.from_numpy(np.array(pixels[part])).to(on)  # (b, D)
            else:
                x = augment.to_tensor(pixels[part], on)  # (b, 1, H, W)
                x = augment.augment(
                    x,
                    rng,
                    rotate=experiment.rotate,
                    scale=experiment.scale,
                    translate=experiment.translate,
                    hflip=experiment.hflip,
                )
                x = augment.normalise(x).contiguous(
                    memory_format=torch.channels_last
                )  # (b, 3, H, W)
            y = targets[torch.from_numpy(part)].to(on)  # (b,)
            with resnet.autocast(on, kind):
                scores = model(x)  # (b, K)
            loss = F.cross_entropy(scores.float(), y, reduction="sum")
            (loss / len(batch)).backward()
            loss_sum = loss_sum + loss.detach()
            right = right + (scores.argmax(1) == y).sum()
            seen = seen + len(y)
            bar.update(len(y))
        optimizer.step()
        bar.set_postfix_str(
            f"step {step}/{steps}, loss {float(loss_sum / seen):.3f}", refresh=False
        )
    return float(loss_sum / seen), float(right / seen)


@torch.no_grad()
def predict(
    model: torch.nn.Module, pixels: np.ndarray, on: torch.device | str = "cpu", batch: int = 64
) -> np.ndarray:
    """Log-probabilities, float64, shape ``(N, K)``, of uint8 images ``(N, H, W)``: evaluation mode,
    float32, not augmented.

    Or of features ``(N, D)`` by the last layer alone.
    """
    model.eval()
    out = []
    for start in range(0, len(pixels), batch):
        part = pixels[start : start + batch]
        x = (
            torch.from_numpy(np.array(part)).to(on)
            if pixels.ndim == 2
            else augment.prepare(part, on)
        )
        out.append(model(x).cpu().double().log_softmax(1))
    return (
        torch.cat(out).numpy() if out else np.zeros((0, getattr(model, "fc", model).out_features))
    )


def loss_accuracy(log_p: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """Mean cross-entropy (nats) and share of right answers; ``log_p`` is ``(N, K)``, ``targets``
    ``(N,)`` class numbers.
    """
    if not len(targets):
        return float("nan"), float("nan")
    return float(-log_p[np.arange(len(targets)), targets].mean()), float(
        (log_p.argmax(1) == targets).mean()
    )


def fit(
    experiment: Experiment,
    pixels: np.ndarray,
    labels: np.ndarray,
    split: np.ndarray,
    folder: str | Path,
    *,
    state: dict[str, torch.Tensor] | None,
    on: torch.device,
    kind: str = "float32",
    micro: int | None = None,
    resume: bool = False,
    finish: bool = False,
    identity: dict | None = None,
    progress: bool = True,
) -> Fit:
    """Fine-tune all layers by the experiment's schedule and keep the epoch with the lowest loss on
    the images that choose it.

    These are the validation images. Where an experiment lets the test images choose (``epoch_by``),
    each epoch is measured on both, so that its history says too which epoch the validation images
    would have kept.

    Args:
        pixels: uint8 ``(N, H, W)``, or features of a frozen network, float32 ``(N, D)``
        (:mod:`cxrlib.transfer.frozen`), on which the
            last layer alone is trained and whose states then are this layer's; ``labels`` class
            names and ``split`` (``train``, ``val``, …) ``(N,)`` alongside. Only ``train`` and
            ``val`` are looked at, and ``test`` where the experiment chooses its epoch by it.
        folder: holds the checkpoint of the last finished epoch; the caller deletes it when the run
        is recorded. state: ImageNet weights (:func:`cxrlib.transfer.resnet.imagenet`), or None for
        a random start. kind: ``float32`` or ``bfloat16`` (mixed precision); evaluation is in
        float32 either way. micro: images processed at a time, at most and by default the batch.
        resume: go on from ``folder``'s checkpoint if there is one. finish: train no further and
        take the checkpoint's last epoch for the end; the reason given then is :data:`BY_HAND`.
        identity: what makes this run this run (data, versions); a checkpoint with another identity
        is refused.

    Raises:
        InputError: no image of a class to train on, none that chooses the epoch, or a checkpoint
        that does not belong here.
    """
    folder = Path(folder)
    targets = np.array([experiment.classes.index(label) for label in labels])
    train, judge = np.flatnonzero(split == "train"), JUDGES[experiment.epoch_by]
    judges = {part: np.flatnonzero(split == part) for part in dict.fromkeys(["val", judge])}
    for number, name in enumerate(experiment.classes):
        if not (targets[train] == number).any():
            raise InputError(f"{experiment.name}: no training image of class {name} is on disk")
    if not len(judges[judge]):
        raise InputError(f"{experiment.name}: no {experiment.epoch_by} image is on disk")
    answers = torch.from_numpy(targets.astype(np.int64))  # (N,)
    positions = train[
        oversample(labels[train], experiment.oversample)
    ]  # copies of training images only
    micro = min(micro or experiment.batch, experiment.batch)
    rest = [len(positions) % experiment.batch] + [experiment.batch] * (
        len(positions) >= experiment.batch
    )
    if (
        pixels.ndim == 3
        and pixels.shape[1] <= ALONE
        and (micro == 1 or 1 in [many % micro for many in rest])
    ):
        raise InputError(
            f"{experiment.name}: of {len(positions)} images, copies counted, a part is one image"
            f" alone, which batch normalisation cannot standardise at size {pixels.shape[1]};"
            " change batch, --micro or size"
        )
    identity = {
        **experiment.as_dict(),
        "precision": kind,
        "device": on.type,
        "micro_batch": micro,
        **(identity or {}),
    }
    identity = json.loads(
        json.dumps({key: value for key, value in identity.items() if key not in UNTRAINED})
    )

    model = resnet.build(experiment.model, len(experiment.classes), state, experiment.seed).to(on)
    if pixels.ndim == 2:
        model = model.fc
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=experiment.lr,
        momentum=experiment.momentum,
        weight_decay=experiment.weight_decay,
    )
    rows: list[dict] = []
    best: dict[str, torch.Tensor] = {}
    kept_epoch = 0
    found = read_checkpoint(folder)
    if found and not resume:
        raise InputError(
            f"{folder}: holds a checkpoint of epoch {len(found[1]['history'])}; go on with --resume"
            " or delete the folder"
        )
    if found:
        tensors, note = found
        before = DEFAULTS | note["identity"]  # a setting that came later had its default
        for key in sorted(set(identity) | set(before)):
            if identity.get(key) != before.get(key):
                raise InputError(
                    f"{folder}: checkpoint was made with {key} {before.get(key)!r}, this run has"
                    f" {identity.get(key)!r}"
                )
        torch.set_num_threads(note["threads"])
        model.load_state_dict(
            {key[6:]: value for key, value in tensors.items() if key.startswith("model.")}
        )
        for name, parameter in model.named_parameters() if experiment.momentum else ():
            optimizer.state[parameter]["momentum_buffer"] = tensors[f"momentum.{name}"].to(
                on, memory_format=torch.preserve_format
            )
        best = {key[5:]: value for key, value in tensors.items() if key.startswith("best.")}
        rows, kept_epoch = note["history"], note["kept_epoch"]

    if finish and not rows:
        raise InputError(f"{folder}: holds no finished epoch that could be recorded")
    while not (reason := finished(experiment, rows, kept_epoch) or (BY_HAND if finish else "")):
        epoch, began = len(rows) + 1, time.perf_counter()
        rate = learning_rate(experiment, epoch)
        for group in optimizer.param_groups:
            group["lr"] = rate
        bar = tqdm(
            total=len(positions),
            desc=f"epoch {epoch}/{experiment.epochs}",
            unit="img",
            file=sys.stderr,
            disable=not progress,
            mininterval=1.0,
        )
        with bar:
            loss, accuracy = train_epoch(
                model,
                optimizer,
                experiment,
                pixels,
                answers,
                positions,
                epoch,
                on,
                kind,
                micro,
                bar,
            )
            measured = {}
            for part, at in judges.items():
                measured[f"{part}_loss"], measured[f"{part}_accuracy"] = loss_accuracy(
                    predict(model, pixels[at], on), targets[at]
                )
            watched = measured[f"{judge}_loss"]
            bar.set_postfix_str(
                f"loss {loss:.3f}, {experiment.epoch_by} loss {watched:.3f} accuracy"
                f" {measured[f'{judge}_accuracy']:.3f}"
            )
        if not np.isfinite([loss, watched]).all():
            raise InputError(
                f"{experiment.name}: loss is not finite in epoch {epoch}; lower lr (now {rate:g})"
                " or use precision float32"
            )
        rows.append(
            dict.fromkeys(HISTORY)  # what this run does not measure
            | {"epoch": epoch, "lr": rate, "train_loss": loss, "train_accuracy": accuracy}
            | measured
            | {"seconds": time.perf_counter() - began}
        )
        if (
            experiment.keep == "last"
            or kept_epoch == 0
            or watched < rows[kept_epoch - 1][f"{judge}_loss"]
        ):
            kept_epoch, best = (
                epoch,
                {key: value.detach().cpu().clone() for key, value in model.state_dict().items()},
            )
        write_checkpoint(
            folder,
            model,
            optimizer,
            best,
            {
                "identity": identity,
                "threads": torch.get_num_threads(),
                "kept_epoch": kept_epoch,
                "history": rows,
            },
        )

    last = {key: value.detach().cpu() for key, value in model.state_dict().items()}
    return Fit(best, last, pd.DataFrame(rows, columns=HISTORY), kept_epoch, reason)


def finished(experiment: Experiment, rows: list[dict], kept_epoch: int) -> str:
    """Why training ends after ``rows``, or an empty string: the schedule is complete, or patience
    is used up.
    """
    if len(rows) >= experiment.epochs:
        return f"schedule complete ({experiment.epochs} epochs)"
    if rows and len(rows) - kept_epoch >= experiment.patience:
        return (
            f"early stopping (no better {experiment.epoch_by} loss in {experiment.patience} epochs)"
        )
    return ""


def write_checkpoint(
    folder: Path, model, optimizer, best: dict[str, torch.Tensor], note: dict
) -> None:
    """Tensors first, under a name with the epoch; then ``checkpoint.json`` points to them, which
    makes it valid.
    """
    tensors = {f"model.{key}": value for key, value in model.state_dict().items()}
    tensors |= {f"best.{key}": value for key, value in best.items()}
    for name, parameter in model.named_parameters():
        if (
            buffer := optimizer.state[parameter].get("momentum_buffer")
        ) is not None:  # there is none without momentum
            tensors[f"momentum.{name}"] = buffer
    file = folder / f"checkpoint-{len(note['history']):04d}.safetensors"
    resnet.save(tensors, file)
    write_text(folder / "checkpoint.json", json.dumps({"file": file.name, **note}, indent=1))
    for other in folder.glob("checkpoint-*.safetensors"):
        if other != file:
            other.unlink()


def read_checkpoint(folder: Path) -> tuple[dict[str, torch.Tensor], dict] | None:
    """The last valid checkpoint, or None; :class:`InputError` for a damaged one."""
    pointer = folder / "checkpoint.json"
    if not pointer.is_file():
        return None
    try:
        note = json.loads(pointer.read_text(encoding="utf-8"))
        note = {key: note[key] for key in ("file", "identity", "threads", "kept_epoch", "history")}
        return load_file(folder / note["file"]), note
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise InputError(
            f"{pointer}: checkpoint cannot be read ({error}); delete the folder to start again"
        ) from None
