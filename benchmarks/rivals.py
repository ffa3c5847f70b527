"""Benchmarks: what the library's own code gains over a known library that does the same, measured
side by side.
"""

from __future__ import annotations

import copy
import dataclasses
import shutil
import statistics
import time

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix, roc_auc_score

from companion import studies
from cxrlib import metrics
from cxrlib.files import InputError
from cxrlib.metrics.bootstrap import Resamples
from cxrlib.metrics.rates import one_vs_rest, rates


def gradcam(
    batches: int = 2, batch: int = 32, size: int = 224, repeats: int = 3
) -> dict[str, str | int | float]:
    """Grad-CAM against ``pytorch_grad_cam`` on the CPU: the last block of a ResNet-18 with random
    weights, four classes.

    Both turn the same images into maps of the pictures' size, each scaled to 0…1. They take turns
    after a warm-up each; ``ours_s`` and ``theirs_s`` are medians over ``repeats`` of all
    ``batches``, ``ratio`` is theirs to ours, ``difference`` the largest absolute one between two
    maps' values. :class:`InputError` where pytorch_grad_cam is not installed.
    """
    import torch
    import torchvision

    from cxrlib.gradcam import cams, resize

    try:
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except ImportError:
        raise InputError("gradcam: needs grad-cam: pip install grad-cam") from None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = torchvision.models.resnet18(num_classes=4).eval()
        x = torch.randn(batches, batch, 3, size, size)
    other = copy.deepcopy(model)  # the other library's hooks stay on the model
    cam = GradCAM(model=other, target_layers=[other.layer4[-1]])

    def ours(part: torch.Tensor) -> np.ndarray:
        maps = resize(cams(model, part, 0).numpy(), (size, size))
        maps -= maps.min((1, 2), keepdims=True)
        return maps / np.maximum(maps.max((1, 2), keepdims=True), 1e-30)

    def theirs(part: torch.Tensor) -> np.ndarray:
        return cam(input_tensor=part, targets=[ClassifierOutputTarget(0)] * batch)

    difference = max(float(np.abs(ours(part) - theirs(part)).max()) for part in x)  # warms up, too
    seconds: dict = {ours: [], theirs: []}
    for _ in range(repeats):
        for call, taken in seconds.items():
            began = time.perf_counter()
            for part in x:
                call(part)
            taken.append(time.perf_counter() - began)
    ours_s, theirs_s = (statistics.median(taken) for taken in seconds.values())
    return {
        "ours": "cxrlib.gradcam",
        "theirs": "pytorch_grad_cam.GradCAM",
        "ours_s": ours_s,
        "theirs_s": theirs_s,
        "ours_images_per_s": batches * batch / ours_s,
        "theirs_images_per_s": batches * batch / theirs_s,
        "ratio": theirs_s / ours_s,
        "difference": difference,
        "batch": batch,
        "size": size,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def frozen(
    number: int = 256, size: int = 224, epochs: int = 8, name: str = "resnet50"
) -> dict[str, str | int | float]:
    """Training the last layer of a frozen network by Study A's options: features computed once,
    against every image in every epoch.

    A quarter of ``number`` random images validates after each epoch, on both sides; weights are
    random. ``cached_s`` includes the one forward pass, of which ``features_s`` is the time;
    ``difference`` is the largest between the two last layers' weights.
    """
    import torch

    from cxrlib.transfer import augment, fit, frozen, resnet

    experiment = dataclasses.replace(
        studies.AZEMIN_STANDIN, model=name, size=size, epochs=epochs, patience=epochs
    )
    rng = np.random.default_rng(0)
    pixels, targets = (
        rng.integers(0, 256, (number, size, size), dtype=np.uint8),
        torch.from_numpy(rng.integers(0, 2, number)),
    )
    train, val, cpu = np.arange(number)[number // 4 :], np.arange(number // 4), torch.device("cpu")
    net = resnet.build(name, 2, None).eval()
    start = copy.deepcopy(net.fc.state_dict())

    def rounds(model: torch.nn.Module, layer: torch.nn.Module, seen: np.ndarray) -> None:
        """The epochs on ``seen``, whole images or features: only ``layer`` learns."""
        optimizer = torch.optim.SGD(
            layer.parameters(), lr=experiment.lr, momentum=experiment.momentum
        )
        for epoch in range(1, epochs + 1):
            for batch in fit.batches(experiment, train, torch.Generator().manual_seed(epoch)):
                x = (
                    torch.from_numpy(seen[batch])
                    if seen.ndim == 2
                    else augment.prepare(seen[batch])
                )
                loss = torch.nn.functional.cross_entropy(model(x), targets[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            fit.predict(model, seen[val], cpu)

    for parameter in net.parameters():
        parameter.requires_grad = False
    net.fc.requires_grad_(True)
    net(augment.prepare(pixels[:2]))  # warms up
    began = time.perf_counter()
    found = frozen.extract(net, pixels)
    features_s = time.perf_counter() - began
    rounds(net.fc, net.fc, found)
    cached_s = time.perf_counter() - began
    layer = copy.deepcopy(net.fc.state_dict())
    net.fc.load_state_dict(start)
    began = time.perf_counter()
    rounds(net, net.fc, pixels)
    uncached_s = time.perf_counter() - began
    difference = max(
        float((layer[key] - value).abs().max()) for key, value in net.fc.state_dict().items()
    )
    return {
        "network": name,
        "images": number,
        "epochs": epochs,
        "cached_s": cached_s,
        "features_s": features_s,
        "uncached_s": uncached_s,
        "ratio": uncached_s / cached_s,
        "ratio_epochs_alone": uncached_s / max(cached_s - features_s, 1e-9),
        "difference": difference,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def _random(positives: int, negatives: int) -> pd.DataFrame:
    """Predictions with random scores, images per patient as in Study A: 154 positive ones of
    106.
    """
    rng, truth = np.random.default_rng(0), np.repeat([True, False], [positives, negatives])
    score = 1 / (1 + np.exp(-rng.normal(1.3 * truth)))
    patient = np.concatenate(
        [rng.integers(-(-positives * 106 // 154), size=positives), positives + np.arange(negatives)]
    )
    frame = pd.DataFrame(
        {
            "image_id": np.arange(len(truth)).astype(str),
            "patient_id": patient.astype(str),
            "source": "random",
            "split": "test",
        }
    )
    return frame.assign(y_true=np.where(truth, "covid", "none"), p_covid=score, p_none=1 - score)


def bootstrap(
    positives: int = 154, negatives: int = 5828, replicates: int = 2000, repeats: int = 3
) -> dict[str, str | int | float]:
    """The patient-clustered bootstrap of AUC, sensitivity, specificity and PPV against a plain loop
    over scikit-learn, same resamples.

    Random scores, of Study A's size unless told otherwise: 154 positive images of 106 patients,
    5,828 negative ones of as many. ``ours_s`` is all of :func:`cxrlib.bootstrap_by_patient`,
    drawing included, ``replicates_s`` drawing and replicates alone, medians over
    ``repeats``. ``theirs_s`` is one run of the loop, which is given its resamples. ``difference``
    is the largest between two replicates.
    """
    frame, names = _random(positives, negatives), ["auc", "sensitivity", "specificity", "ppv"]
    truth, score = (frame["y_true"] == "covid").to_numpy(), frame["p_covid"].to_numpy()

    def ours() -> pd.DataFrame:
        return metrics.bootstrap_by_patient(frame, names, "covid", replicates=replicates)

    def drawn() -> np.ndarray:
        parts = one_vs_rest(truth, score >= 0.5, score)
        return Resamples(frame["patient_id"], truth.astype(int), replicates).drawn(
            parts,
            lambda sums: np.stack([each[name] for each in [rates(sums)] for name in names], axis=1),
        )

    ours()  # warms up
    seconds: dict = {ours: [], drawn: []}
    for _ in range(repeats):
        for call, taken in seconds.items():
            began = time.perf_counter()
            call()
            taken.append(time.perf_counter() - began)
    found = Resamples(frame["patient_id"], truth.astype(int), replicates)
    weights, rows = found.counts[found.patient].T, []
    began = time.perf_counter()
    for weight in weights:
        tn, fp, fn, tp = confusion_matrix(truth, score >= 0.5, sample_weight=weight).ravel()
        rows.append(
            (
                roc_auc_score(truth, score, sample_weight=weight),
                tp / (tp + fn),
                tn / (tn + fp),
                tp / (tp + fp),
            )
        )
    theirs_s = time.perf_counter() - began
    ours_s, replicates_s = (statistics.median(taken) for taken in seconds.values())
    return {
        "images": len(frame),
        "patients": frame["patient_id"].nunique(),
        "replicates": replicates,
        "ours_s": ours_s,
        "replicates_s": replicates_s,
        "theirs_s": theirs_s,
        "ratio": theirs_s / ours_s,
        "ratio_replicates": theirs_s / replicates_s,
        "difference": float(np.abs(np.array(rows) - drawn()).max()),
    }


MOVE = """([which, frames]) => new Promise((done) => {
  const slider = document.querySelectorAll('.cxr input[type=range]')[which], gaps = [], work = [];
  let last, i = 0;
  const step = (now) => {
    if (last !== undefined) gaps.push(now - last);
    last = now;
    if (i++ === frames) return done({gap: gaps, work});
    const began = performance.now();
    slider.value = Math.round(500 + 450 * Math.sin(i / 20));
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    document.querySelector('.cxr-tools').getBoundingClientRect();  // style and layout again
    work.push(performance.now() - began);
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""


def explorer(
    positives: int = 154, negatives: int = 5828, frames: int = 600, browser: str | None = None
) -> dict[str, str | int | float]:
    """The explorer in headless Chromium with an input event in every frame: milliseconds between
    frames, and of work per event.

    For threshold and prevalence: median and 95th percentile of the ``gap`` between frames (16.7 is
    none dropped at 60 Hz) and of the ``work`` an event causes on the main thread, style and layout
    included, painting not. ``browser`` is a path, default: what ``PATH`` or playwright has.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise InputError("explorer: needs playwright: pip install playwright") from None
    from cxrlib.explorer import Explorer

    page_html = Explorer(_random(positives, negatives)).html()
    path = browser or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    found: dict[str, str | int | float] = {"images": positives + negatives, "frames": frames}
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        page = started.new_page(viewport={"width": 1000, "height": 900})
        page.set_content(page_html)
        page.wait_for_selector(".cxr-alive")
        for which, name in enumerate(("threshold", "prevalence")):
            page.evaluate(MOVE, [which, 60])  # warms up
            for key, values in page.evaluate(MOVE, [which, frames]).items():
                found |= {
                    f"{name}_{key}_{end}_ms": float(np.quantile(values, share))
                    for end, share in (("median", 0.5), ("p95", 0.95))
                }
        found["browser"] = started.version
        started.close()
    return found


BENCHES = {"gradcam": gradcam, "frozen": frozen, "bootstrap": bootstrap, "explorer": explorer}
