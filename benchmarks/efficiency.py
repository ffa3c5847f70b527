"""How many images a minute a network reads, in several ways of running it on one machine, and
whether it still says the same.

A way is a function from uint8 pixels ``(B, H, W)`` to scores ``(B, K)``: standardising is timed,
decoding of files is not. Measured figures lie in ``results/efficiency/<device>-<its name>.json``,
one file for each machine, from which the book is made.
"""

from __future__ import annotations

import contextlib
import copy
import importlib.metadata
import json
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from companion import studies
from companion.studies import training
from cxrlib import metrics
from cxrlib.files import InputError, write_text
from cxrlib.transfer import augment, pipeline, resnet

BATCHES = (1, 32)
CALIBRATION = 300  # training images whose activations set the ranges of int8
# convolutions of a bottleneck ResNet up to the end of its first block, the shortcut's among them
FIRST = 5
NEEDS = dict.fromkeys(["openvino", "nncf"], "pip install openvino nncf")
Way = Callable[[np.ndarray], np.ndarray]


def _torch(
    net: torch.nn.Module,
    on: torch.device,
    *,
    kind: str = "float32",
    last: bool = True,
    compiled: bool = False,
) -> Way:
    layout = torch.channels_last if last else torch.contiguous_format
    net = copy.deepcopy(net).to(on, memory_format=layout).eval()
    run = (
        torch.compile(net, dynamic=False, options={"freezing": True} if on.type == "cpu" else None)
        if compiled
        else net
    )

    @torch.no_grad()
    def way(pixels: np.ndarray) -> np.ndarray:
        x = augment.prepare(pixels, on).contiguous(memory_format=layout)
        with resnet.autocast(on, kind):
            return (
                run(x).float().cpu().numpy()
            )  # to the CPU: the clock stops when the answer is there

    return way


def _openvino(net: torch.nn.Module, calibration: np.ndarray | None = None, kept: int = 0) -> Way:
    """OpenVINO, float32; with calibration images ``(N, H, W)`` weights and activations in int8, by
    NNCF's post-training quantisation.

    The first ``kept`` convolutions stay as they are (in bfloat16 where the processor has it).
    """
    os.environ.setdefault("NNCF_CI", "1")  # neither library reports its use to its maker
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    net = copy.deepcopy(net).to("cpu", memory_format=torch.contiguous_format).eval()
    side = 32 if calibration is None else calibration.shape[1]
    model = openvino.convert_model(
        net,
        example_input=torch.zeros(1, 3, side, side),
        input=[-1, 3, -1, -1] if calibration is None else [-1, 3, side, side],
    )
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    if calibration is not None:
        model, hint = _int8(model, calibration, kept), {}
    compiled = openvino.Core().compile_model(_of_pixels(model), "CPU", hint)
    return lambda pixels: compiled(np.ascontiguousarray(pixels)[:, None])[0]


def _int8(model, calibration: np.ndarray, kept: int):
    """An OpenVINO model quantised but for its first ``kept`` convolutions."""
    import nncf

    nncf.set_log_level(40)  # errors only
    dataset = nncf.Dataset([augment.prepare(one[None]).contiguous().numpy() for one in calibration])
    convolutions = [
        node.get_friendly_name()
        for node in model.get_ordered_ops()
        if node.get_type_name() == "Convolution"
    ]
    # of NNCF's settings those under which the probabilities of the stand-in's validation images
    # moved least
    settings = {
        "preset": nncf.QuantizationPreset.MIXED,
        "fast_bias_correction": False,
        "subset_size": len(calibration),
    }
    return nncf.quantize(
        model, dataset, ignored_scope=nncf.IgnoredScope(names=convolutions[:kept]), **settings
    )


def _of_pixels(model):
    """An OpenVINO model of standardised images as one of uint8 pixels ``(B, 1, H, W)``, so that
    standardising is compiled with the rest.
    """
    import openvino
    from openvino import opset13 as ops

    first = model.get_parameters()[0]
    pixels = ops.parameter([first.partial_shape[0], 1, *list(first.partial_shape)[2:]], np.uint8)
    mean, std = (
        np.array(each, np.float32).reshape(1, 3, 1, 1)
        for each in (augment.IMAGENET_MEAN, augment.IMAGENET_STD)
    )
    grey = ops.multiply(ops.convert(pixels, "f32"), ops.constant(np.float32(1 / 255)))
    standard = ops.divide(ops.subtract(grey, ops.constant(mean)), ops.constant(std))
    for target in first.output(0).get_target_inputs():
        target.replace_source_output(standard.output(0))
    return openvino.Model(model.get_results(), [pixels])


def ways(
    net: torch.nn.Module, on: torch.device, calibration: np.ndarray
) -> dict[tuple[str, str, str], Callable[[], Way]]:
    """Ways of running ``net`` on a device, by ``(library, number format, how)``, each built when
    called; the first is the plain one.

    ``calibration``: uint8 ``(N, H, W)``, images for the ranges of int8, none of them a test image.
    """
    found = {
        ("PyTorch", "float32", "eager"): lambda: _torch(net, on, last=False),
        ("PyTorch", "float32", "eager, channels last"): lambda: _torch(net, on),
        ("PyTorch", "bfloat16", "eager, channels last"): lambda: _torch(net, on, kind="bfloat16"),
        ("PyTorch", "float32", "torch.compile"): lambda: _torch(net, on, compiled=True),
        ("PyTorch", "bfloat16", "torch.compile"): lambda: _torch(
            net, on, kind="bfloat16", compiled=True
        ),
    }
    if on.type == "cpu":
        found["OpenVINO", "float32", "compiled"] = lambda: _openvino(net)
        found["OpenVINO", "int8", "compiled, calibrated"] = lambda: _openvino(net, calibration)
        found["OpenVINO", "int8", "the same but for the first block"] = lambda: _openvino(
            net, calibration, FIRST
        )
    return found


def scores(way: Way, pixels: np.ndarray, batch: int) -> np.ndarray:
    """Scores ``(N, K)`` of ``pixels`` in batches all of one size; the last is filled up with its
    last image.
    """
    out = []
    for start in range(0, len(pixels), batch):
        part = np.array(pixels[start : start + batch])
        out.append(way(part[np.minimum(np.arange(batch), len(part) - 1)])[: len(part)])
    return np.concatenate(out)


def rate(way: Way, pixels: np.ndarray, batch: int, seconds: float) -> float:
    """Images a minute in batches of ``batch``, over at least ``seconds``."""
    parts = [
        np.array(pixels[start : start + batch])
        for start in range(0, len(pixels) - batch + 1, batch)
    ]
    began, done = time.perf_counter(), 0
    while (taken := time.perf_counter() - began) < seconds or not done:
        way(parts[done // batch % len(parts)])
        done += batch
    return 60 * done / taken


def measure(
    net, pixels, on, calibration, *, seconds: float = 5.0, repeats: int = 3, say=lambda text: None
) -> tuple[list[dict], dict, dict]:
    """Rates of every way, the ways themselves, and why others cannot be had.

    ``pixels``: uint8 ``(N, H, W)``, N at least the largest of :data:`BATCHES`. The ways take turns,
    ``repeats`` times, so that a machine that slows down slows all of them. Rows: ``library, format,
    how, batch, per_minute`` (median), ``low, high`` (extremes).
    """
    built, skipped, rates = {}, {}, {}
    for key, build in ways(net, on, calibration).items():
        try:
            way = build()
            for batch in BATCHES:
                way(np.array(pixels[:batch]))  # warms up, compiles
            built[key] = way
        except ModuleNotFoundError as error:
            skipped[" ".join(key)] = (
                f"needs {error.name}: {NEEDS.get(error.name, f'pip install {error.name}')}"
            )
        except Exception as error:  # a machine without a compiler, an operator that a library lacks
            skipped[" ".join(key)] = (str(error).splitlines() or [type(error).__name__])[0][:200]
    for turn in range(repeats):
        for key, way in built.items():
            for batch in BATCHES:
                rates.setdefault((key, batch), []).append(rate(way, pixels, batch, seconds))
        say(f"turn {turn + 1} of {repeats}")
    rows = [
        {
            **dict(zip(("library", "format", "how"), key, strict=True)),
            "batch": batch,
            "per_minute": statistics.median(found),
            "low": min(found),
            "high": max(found),
        }
        for (key, batch), found in rates.items()
    ]
    return rows, built, skipped


def agrees(p: pd.DataFrame, plain: pd.DataFrame, cls: str) -> dict[str, float | int | None]:
    """How predictions ``p`` of the same images differ from the plain way's: AUC of ``cls``, its
    ``change`` with the 95 % interval ``patients_low``, ``patients_high`` (resampled patients, the
    same for both; None where nothing varies), largest difference of a probability, and how many
    answers at one half are others.
    """
    change, column = metrics.difference_by_patient(p, plain, "auc", cls), f"p_{cls}"
    ends = dict(zip(("change", "patients_low", "patients_high"), change, strict=True))
    return {
        "auc": float(metrics.per_class(p).loc[cls, "auc"]),
        **{name: None if np.isnan(value) else value for name, value in ends.items()},
        "largest_difference": float((p[column] - plain[column]).abs().max()),
        "other_answers": int(((p[column] >= 0.5) != (plain[column] >= 0.5)).sum()),
    }


def processor() -> str:
    """Name of the CPU as the operating system gives it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def write(
    run_name: str,
    data=None,
    on: str | None = None,
    *,
    results=None,
    limit: int | None = None,
    seconds: float = 5.0,
    say=print,
) -> Path:
    """Measure a recorded run's network, and the study's own where it is another, and write
    ``results/efficiency/<device>-<its name>.json``.

    Of the run's network AUC is measured for each way on the same test images, ``limit`` of them at
    most (up to half of these positives), with an interval for its change from the plain way,
    resampled patients, the same for both. The study's ResNet-101 runs with random weights: its
    rate does not depend on them, and it has no AUC.

    Raises:
        InputError: ``seconds`` is not above 0 or ``limit`` below 2, no such record, or other images
        than the record's.
    """
    if not seconds > 0:
        raise InputError(f"seconds {seconds:g}: expected a time above 0")
    if limit is not None and limit < 2:
        raise InputError(f"limit {limit}: expected a number of images from 2, one of each class")
    run, device = studies.run(run_name, results=results), resnet.device(on)
    ready = training.prepare(studies.experiment(run.info["experiment"]), data)
    if ready.fingerprint != run.info["data"]["fingerprint"]:
        raise InputError(f"{ready.task.root}: other images than those of the record {run_name}")
    split = ready.rows["split"].to_numpy()
    train = np.random.default_rng(0).permutation(np.flatnonzero(split == "train"))
    calibration = ready.pixels[np.sort(train[:CALIBRATION])]
    positive = ready.rows.loc[split == "test", "y_true"] == run.classes[0]
    first = positive[positive].index[: None if limit is None else limit // 2]
    test = first.append(positive[~positive].index)[:limit]
    pixels, truth = ready.pixels[test], ready.rows.loc[test]
    pipeline.roomy_malloc()
    measured, skipped, agreement = [], {}, []
    nets = {run.info["config"]["model"]: resnet.recorded(run.folder, run.info, device)}
    if (other := studies.AZEMIN_ADJUDICATED.model) not in nets:
        nets[other] = resnet.build(other, len(run.classes), None)
    for name, net in nets.items():
        ranges = (
            calibration if name == run.info["config"]["model"] else calibration[:10]
        )  # a rate does not depend on them
        rows, built, left = measure(
            net,
            pixels[: 4 * max(BATCHES)],
            device,
            ranges,
            seconds=seconds,
            say=lambda text, name=name: say(f"{name}: {text}"),
        )
        measured += [{"network": name, **row} for row in rows]
        skipped |= {f"{name} {key}": why for key, why in left.items()}
        if name == run.info["config"]["model"]:
            kept = built
        del built
    plain = None
    for key, way in kept.items():
        found = torch.tensor(scores(way, pixels, max(BATCHES))).double()
        p = truth[pipeline.PREDICTED].reset_index(drop=True)
        p[[f"p_{name}" for name in run.classes]] = np.exp(found.log_softmax(1).numpy())
        plain = p if plain is None else plain
        agreement.append(
            {
                **dict(zip(("library", "format", "how"), key, strict=True)),
                **agrees(p, plain, run.classes[0]),
            }
        )
        say(f"{' '.join(key)}: AUC {agreement[-1]['auc']:.4f}")
    packages = [
        "torch",
        "torchvision",
        *(["openvino", "nncf"] if any(key[0] == "OpenVINO" for key in kept) else []),
    ]
    info = {
        "run": run_name,
        "network": run.info["config"]["model"],
        "device": resnet.describe(device) | ({"name": processor()} if device.type == "cpu" else {}),
        "recorded": time.strftime("%Y-%m-%d", time.gmtime()),
        "side": int(pixels.shape[1]),
        "test_images": len(test),
        "positives": int((truth["y_true"] == run.classes[0]).sum()),
        "calibration_images": len(calibration),
        "packages": {name: importlib.metadata.version(name) for name in packages},
        "git": pipeline.revision(("cxrlib", "companion", "benchmarks")),
        "rates": measured,
        "agreement": agreement,
        "skipped": skipped,
    }
    name = re.sub(
        r"[^a-z0-9]+",
        "-",
        re.sub(r"\(\w+\)", "", f"{device.type} {info['device']['name']}").lower(),
    ).strip("-")
    file = Path(results or studies.results_folder()) / "efficiency" / f"{name}.json"
    write_text(file, json.dumps(info, indent=1) + "\n")
    return file
