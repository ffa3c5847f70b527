"""The way from images to a run record: the one place where the rooms are wired together."""

from __future__ import annotations

import ctypes
import importlib.metadata
import platform
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from companion import studies
from companion.studies import cheazemin2020, zhu2020
from companion.studies.settings import Experiment
from cxrlib import maps, metrics, records
from cxrlib.data import chestxray14, covid_chestxray, kermany, radiographs
from cxrlib.data.manifest import COLUMNS, data_folder, present
from cxrlib.files import InputError
from cxrlib.transfer import fit, frozen, resnet

# pixels: no original of these collections is as small on its longest side as a whole set of copies
# may be
REDUCED = 512
COVID = {
    "zhu2020": (zhu2020.COVID, zhu2020.SNAPSHOT),
    "cheazemin2020": (cheazemin2020.POSITIVES, cheazemin2020.SNAPSHOT),
}  # images, commit
RANDOM = {"name": "random start", "sha256": "", "note": ""}
PACKAGES = ("torch", "torchvision", "numpy", "pandas", "scikit-learn", "pillow", "safetensors")


@dataclass
class Prepared:
    """A study's images ready for training: the whole split, the rows that are on disk, and their
    pixels.
    """

    split: pd.DataFrame  # every image of the study, with the column ``missing``
    rows: pd.DataFrame  # those on disk: manifest columns, y_true, split; in the order of ``pixels``
    pixels: np.ndarray  # uint8 (N, size, size)
    hashes: list[str]  # SHA-256 of each file
    fingerprint: str
    phantom: bool
    root: Path


def prepare(experiment: Experiment, data: str | Path | None = None) -> Prepared:
    """Manifest, labels, split, and the decoded images of what is on disk."""
    root = data_folder(data)
    manifest, split = divided(experiment, root)
    split["missing"] = ~present(manifest, root).to_numpy()
    rows = manifest.assign(y_true=split["y_true"].to_numpy(), split=split["split"].to_numpy())[
        ~split["missing"].to_numpy()
    ].reset_index(drop=True)
    rows[["width", "height"]] = [
        radiographs.stored_size(root / path, path) for path in rows["path"]
    ]
    pixels, hashes = radiographs.load(root, rows["path"].tolist(), experiment.size)
    fingerprint = radiographs.fingerprint(rows["image_id"], hashes)
    return Prepared(
        split, rows, pixels, hashes, fingerprint, (root / "PHANTOM.txt").is_file(), root
    )


def divided(experiment: Experiment, root: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Manifest and split of a study's images, row by row the same."""
    if experiment.study == "zhu2020":
        manifest = zhu2020.manifest(root)
        labels = zhu2020.labels(manifest, experiment.classes)
        return manifest, zhu2020.split(
            manifest,
            labels,
            experiment.seed,
            experiment.val_folds,
            unit=experiment.unit,
            fold=experiment.fold,
        )
    if (experiment.variant_of or experiment.name) == studies.AZEMIN_STANDIN.name:
        manifest, split = (
            cheazemin2020.standin_manifest(root),
            cheazemin2020.standin_split(root, experiment.seed),
        )
    else:
        manifest, split = (
            pd.concat([chestxray14.read_manifest(root), cheazemin2020.covid(root)]),
            cheazemin2020.split(root, experiment.seed),
        )
    manifest = manifest.set_index("image_id").loc[split["image_id"]].reset_index()
    return manifest[COLUMNS], split


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


def train(
    experiment: Experiment,
    *,
    data=None,
    results=None,
    work: str | Path = "work",
    on: str | None = None,
    precision: str = "auto",
    micro: int | None = None,
    resume: bool = False,
    finish: bool = False,
    keep_model: bool = False,
    keep_maps: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> Path:
    """Train an experiment and write its record to ``results/<name>/``; returns that folder.

    A finished record of that name stands (:func:`stands`) unless ``overwrite``: where its settings,
    images and weights are the same, nothing is trained, and a line on standard error says so.

    The checkpoint lies in ``work/<name>/`` until the record is complete. A run on phantoms is named
    ``phantom-<name>``, so that it cannot be taken for a run on radiographs. ``finish`` records a
    run before its time, as its checkpoint stands, which the record then says. Everything printed
    about the model is computed from the model as it is kept, that is after rounding to float16; of
    a frozen network, whose features are computed before, the last layer alone is rounded.

    Raises:
        InputError: images, weights or settings that cannot be used, a record of other settings, a
        folder of other files.
    """
    seconds: dict[str, float] = {}

    @contextmanager
    def stage(name: str):
        began = time.perf_counter()
        yield
        seconds[name] = round(time.perf_counter() - began, 1)

    roomy_malloc()
    on_device = resnet.device(on)
    kind = resnet.precision(on_device, precision)
    with stage("images"):
        ready = prepare(experiment, data)
    name = (
        f"phantom-{experiment.name}".replace("phantom-phantom-", "phantom-")
        if ready.phantom
        else experiment.name
    )
    folder, target = Path(work) / name, Path(results or studies.results_folder()) / name
    records.refuse_foreign(target, records.OURS)
    records.refuse_foreign(folder, ("checkpoint", ".checkpoint"))
    state, weights = resnet.imagenet(experiment.model) if experiment.pretrained else (None, RANDOM)
    asked = {
        "precision": kind if precision != "auto" else None,
        "micro_batch": micro and min(micro, experiment.batch),
    }
    files = ["model.safetensors or head.npz"] * keep_model + ["cams.npz"] * keep_maps
    if (
        not overwrite
        and (target / "run.json").is_file()
        and stands(target, experiment, ready, weights, asked, files)
    ):
        return target
    if progress and (other := other_state(ready, experiment)):
        print(f"cxr: {other}", file=sys.stderr)
    trained_as = dict(zip(experiment.tested_as, experiment.classes, strict=False))
    labels, split = (
        ready.rows["y_true"].replace(trained_as).to_numpy(),
        ready.rows["split"].to_numpy(),
    )
    seen = radiographs.show_part(ready.pixels, experiment.shown)
    if experiment.frozen:
        with stage("features"):
            net = resnet.build(
                experiment.model, len(experiment.classes), state, experiment.seed
            ).to(on_device)
            if experiment.batch_norm == "re-estimated":
                frozen.reestimate(net, seen[split == "train"], on_device)
            seen = frozen.cached(net, seen, ready.hashes, on_device, shown=experiment.shown)
    with stage("training"):
        fitted = fit.fit(
            experiment,
            seen,
            labels,
            split,
            folder,
            state=state,
            on=on_device,
            kind=kind,
            micro=micro,
            resume=resume or finish,
            finish=finish,
            progress=progress,
            identity={"data": ready.fingerprint, "weights": weights["sha256"]},
        )
    targets = np.array([experiment.classes.index(label) for label in labels])
    with stage("evaluation"):
        kept = resnet.half(whole(net, fitted.kept) if experiment.frozen else fitted.kept)
        model = resnet.build(experiment.model, len(experiment.classes), kept).to(on_device)

        def predict(model: torch.nn.Module, part: str) -> np.ndarray:
            return fit.predict(
                model.fc if experiment.frozen else model, seen[split == part], on_device
            )

        log_p = {part: predict(model, part) for part in ("test", "val")}
        history = fitted.history.set_index("epoch", drop=False)
        history.loc[fitted.kept_epoch, ["test_loss", "test_accuracy"]] = fit.loss_accuracy(
            log_p["test"], targets[split == "test"]
        )
        if fitted.kept_epoch != len(history):
            last = resnet.half(whole(net, fitted.last) if experiment.frozen else fitted.last)
            last = resnet.build(experiment.model, len(experiment.classes), last).to(on_device)
            scores = fit.loss_accuracy(predict(last, "test"), targets[split == "test"])
            history.loc[len(history), ["test_loss", "test_accuracy"]] = scores
    named = {"test": experiment.tested_as or experiment.classes, "val": experiment.classes}
    predictions = {
        part: predictions_table(ready.rows[split == part], log_p[part], named[part])
        for part in log_p
    }
    seconds["training"] = round(
        float(history["seconds"].sum()), 1
    )  # over all sessions of a resumed run

    info = {
        "run": name,
        "study": experiment.study,
        "experiment": experiment.variant_of or experiment.name,
        "title": experiment.title,
        "origin": "phantom" if ready.phantom else "images",
        "recorded": time.strftime("%Y-%m-%d", time.gmtime()),
        "config": {
            **studies.effective(experiment.as_dict()),
            "precision": kind,
            "micro_batch": min(micro or experiment.batch, experiment.batch),
        },
        "classes": list(named["test"]),
        "trained_classes": list(experiment.classes),
        "seed": experiment.seed,
        "data": describe_data(ready, experiment),
        "lacked": lacked(ready, experiment, weights) + cut_short(experiment, fitted),
        "weights": weights,
        "epochs": {
            "planned": experiment.epochs,
            "run": len(history),
            "kept": fitted.kept_epoch,
            "reason": fitted.reason,
        },
        "packages": (
            {name: importlib.metadata.version(name) for name in PACKAGES}
            | {"python": platform.python_version()}
        ),
        "device": resnet.describe(on_device),
        "seconds": seconds,
        "git": revision(),
        "metrics": metrics.overall(predictions["test"]),
    }
    run = records.Record(
        target, info, ready.split[records.SPLIT], history, predictions["test"], predictions["val"]
    )
    extra = {}
    if experiment.frozen:
        extra["head.npz"] = folder / "head.npz"
        with open(extra["head.npz"], "wb") as file:
            np.savez_compressed(
                file, **{key: kept[f"fc.{key}"].numpy() for key in ("weight", "bias")}
            )
    if keep_model:
        resnet.save(
            kept,
            folder / "model.safetensors",
            # one entry: safetensors writes several in random order, and the same run should give
            # the same file
            {
                "about": (
                    f"{name}; classes {', '.join(experiment.classes)}; licence CC BY-NC-SA 4.0, not"
                    " a medical device"
                )
            },
        )
        (folder / "MODEL-LICENSE.md").write_text(MODEL_LICENCE, encoding="utf-8")
        extra |= {name: folder / name for name in ("model.safetensors", "MODEL-LICENSE.md")}
    if keep_maps:
        with stage("class-activation maps"):
            shown = (
                ready.rows[ready.rows["y_true"].ne("normal") & ready.rows["split"].eq("test")]
                if ready.phantom
                else maps.chosen(ready.rows, ready.root, experiment.study)
            )
            maps.write(
                shown.reset_index(drop=True),
                model,
                list(named["test"]),
                experiment.size,
                ready.root,
                folder,
                on_device,
                experiment.shown,
            )
        extra |= {name: folder / name for name in ("cams.npz", "localisation.csv")}
    written = records.write_record(run, target, extra)
    shutil.rmtree(folder)
    return written


def stands(
    target: Path,
    experiment: Experiment,
    ready: Prepared,
    weights: dict,
    asked: dict,
    files: list[str],
) -> bool:
    """Whether the record in ``target`` is of this very run, which is then said; False where a new
    one may take its place.

    It may where the book publishes the record and the settings are its own: with other images or
    weights than the book's it is made anew. ``asked`` holds settings that count where not None,
    ``files`` what the record should hold.

    Raises:
        InputError: any other difference, the first of which it names.
    """
    info = records.read_record(target).info
    here = studies.effective(experiment.as_dict()) | {
        "experiment": experiment.variant_of or experiment.name
    }
    there = studies.effective(info["config"]) | {"experiment": info["experiment"]}
    here |= {key: value for key, value in asked.items() if value is not None}
    advice = "another --name keeps both, --overwrite replaces it"
    for key in sorted(set(here) - studies.UNTRAINED - {"name"}):
        was, now = (
            list(value) if isinstance(value, tuple) else value
            for value in (there.get(key), here[key])
        )
        if was != now:
            found = f"{key} {studies.spell(was)}, this run has {studies.spell(now)}"
            raise InputError(f"{target}: a finished record is there, with {found}; {advice}")
    others = ["images"] * (info["data"]["fingerprint"] != ready.fingerprint)
    others += ["weights"] * (info["weights"]["sha256"] != weights["sha256"])
    lost = [
        name for name in files if not any((target / file).is_file() for file in name.split(" or "))
    ]
    what = (
        f"made from other {' and '.join(others)}"
        if others
        else f"without {lost[0]}"
        if lost
        else ""
    )
    if what and info["run"] not in studies.RECORDS | studies.STUDY_A:
        raise InputError(f"{target}: a finished record is there, {what}; {advice}")
    line = (
        f"the record there, {what}, is replaced"
        if what
        else "already recorded, with these settings and images; --overwrite makes it anew"
    )
    print(f"cxr: {target}: {line}", file=sys.stderr)
    return not what


def whole(net: torch.nn.Module, last: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """State of a frozen network with its trained last layer."""
    body = {
        key: value.detach().cpu()
        for key, value in net.state_dict().items()
        if not key.startswith("fc.")
    }
    return body | {f"fc.{key}": value for key, value in last.items()}


def predictions_table(
    rows: pd.DataFrame, log_p: np.ndarray, classes: tuple[str, ...]
) -> pd.DataFrame:
    """The predictions contract from manifest rows and log-probabilities ``(N, K)``."""
    table = rows[["image_id", "patient_id", "source", "split", "y_true"]].reset_index(drop=True)
    return table.assign(**{f"p_{name}": np.exp(log_p[:, k]) for k, name in enumerate(classes)})


def describe_data(ready: Prepared, experiment: Experiment) -> dict:
    """What was trained and tested on, as counts, with the fingerprint of the files."""
    counts = ready.rows.groupby(["split", "y_true"]).size()
    names = list(dict.fromkeys([*experiment.classes, *experiment.tested_as]))
    return {
        "fingerprint": ready.fingerprint,
        "images": len(ready.rows),
        "missing": ready.split.loc[ready.split["missing"], "image_id"].tolist(),
        "counts": {
            part: {name: int(counts.get((part, name), 0)) for name in names}
            for part in ("train", "val", "test")
        },
        "covid": covid_images(ready, experiment),
    }


def covid_images(ready: Prepared, experiment: Experiment) -> dict:
    """COVID-19 images: how many the study counts, the collection's table lists by its rule, and are
    on disk.

    ``left_out`` counts the other radiographs that the table labels COVID-19, by view. Of phantoms
    none is expected.
    """
    expected, snapshot = COVID[experiment.study]
    ours = ready.split[ready.split["image_id"].str.startswith("covid-chestxray/")]
    listed = covid_chestxray.read_manifest(ready.root, snapshot)
    other = listed[covid_chestxray.is_covid19(listed) & ~listed["image_id"].isin(ours["image_id"])]
    return {
        "expected": None if ready.phantom else expected,
        "listed": len(ours),
        "found": int((~ours["missing"]).sum()),
        "left_out": {
            str(view): int(count)
            for view, count in other["view"].fillna("no view").value_counts().items()
        },
    }


def other_state(ready: Prepared, experiment: Experiment) -> str:
    """One sentence where the COVID-19 collection's table is not of the commit that the study's
    count needs.
    """
    expected, snapshot = COVID[experiment.study]
    listed = int(ready.split["image_id"].str.startswith("covid-chestxray/").sum())
    if ready.phantom or listed in (0, expected):
        return ""
    return (
        f"The COVID-19 collection's table lists {listed} images by the study's rule, not"
        f" {expected}: it is of another state than commit {snapshot} (git checkout {snapshot} in"
        " its folder)."
    )


def lacked(ready: Prepared, experiment: Experiment, weights: dict[str, str]) -> list[str]:
    """One sentence for each thing in which this run falls short of the study's own."""
    found = list(experiment.lacks)
    if ready.phantom:
        found.append(
            "Trained and tested on synthetic phantoms: a demonstration of the pipeline that says"
            " nothing about any patient."
        )
    missing = ready.split[ready.split["missing"]]
    if len(missing):
        where = ", ".join(
            f"{count} of the {part} set" for part, count in missing["split"].value_counts().items()
        )
        found.append(
            f"{len(missing)} of the study's {len(ready.split):,} images were not on disk ({where})."
        )
    listed = int(
        ready.split["image_id"].str.startswith("kermany/").sum()
    )  # from the disk: it has no list of its own
    if experiment.study == "zhu2020" and listed < kermany.COLLECTION.images and not ready.phantom:
        found.append(
            f"Only {listed} of the kermany collection's {kermany.COLLECTION.images} images were on"
            " disk."
        )
    found += filter(None, [other_state(ready, experiment)])
    longest = {
        source: int(rows[["width", "height"]].to_numpy().max())
        for source, rows in ready.rows.groupby("source")
    }
    for source, side in longest.items():
        if side <= REDUCED and not ready.phantom:
            found.append(
                f"The {source} images were copies reduced to at most {side} pixels a side and"
                " stored anew, not the originals."
            )
    if len(set(longest.values())) > 1 and min(longest.values()) <= REDUCED and not ready.phantom:
        found.append(
            "The sources were reduced and stored anew differently, so that a network could tell"
            " them apart by image processing too. That adds to the difference of source that the"
            " study has anyway."
        )
    if weights["note"]:
        found.append(
            f"ImageNet weights from the file {weights['name']}, not torchvision's:"
            f" {weights['note']}."
        )
    if not experiment.pretrained:
        found.append("Started from random weights, not from ImageNet's.")
    base, here = (
        studies.effective(run.as_dict())
        for run in (studies.BASES[experiment.variant_of or experiment.name], experiment)
    )
    told = {
        key for key, why in studies.idle(experiment.as_dict()).items() if not why
    }  # the number of epochs says it
    for setting in here:
        if setting in experiment.printed and setting not in told and here[setting] != base[setting]:
            found.append(
                f"Setting {setting} was {studies.spell(here[setting])}, not"
                f" {studies.spell(base[setting])}."
            )
    if here["unit"] == "image":
        found.append(
            "COVID-19 test images were drawn at random without regard to patients, so that patients"
            " are in training and test."
        )
    if experiment.shown != "whole":
        frame = f"the frame of {100 * radiographs.FRAME:g} % of each side"
        found.append(
            f"Of each image {frame} was"
            f" {'all that was seen' if experiment.shown == 'frame' else 'blacked out'}, in training"
            " and test: a test of shortcuts."
        )
    if here["epoch_by"] == "test":
        found.append(
            "The epoch was chosen by its loss on the test set, so that its test results are too"
            " good."
        )
    return found


def cut_short(experiment: Experiment, fitted: fit.Fit) -> list[str]:
    """One sentence when neither the schedule nor early stopping ended the training."""
    if fitted.reason != fit.BY_HAND:
        return []
    waited = studies.effective(experiment.as_dict())["patience"]
    until = (
        "; early stopping would have waited until epoch"
        f" {min(fitted.kept_epoch + waited, experiment.epochs)}"
        if waited
        else ""
    )
    ran = f"{len(fitted.history)} of {experiment.epochs} epochs"
    return [f"Training was ended by hand after {ran}{until}."]


def revision() -> dict[str, str | bool]:
    """Commit of the checkout the library runs from and whether it had uncommitted changes; empty
    outside git.
    """
    here = Path(__file__).resolve().parents[1]

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return {
            "revision": git("rev-parse", "HEAD"),
            "dirty": bool(git("status", "--porcelain", "--", ".")),
        }
    except (OSError, subprocess.CalledProcessError):
        return {"revision": "", "dirty": False}


MODEL_LICENCE = (
    "# Licence of model.safetensors\n"
    "\n"
    "For research and teaching, **non-commercial** use only (CC BY-NC-SA 4.0), because what "
    "it was made from asks for that:\n"
    "many of the COVID-19 radiographs it was trained on are CC BY-NC-SA or carry no licence, "
    "and parts of the ImageNet weights\n"
    "it started from have non-commercial terms. The radiographs themselves are not in it. It "
    "is **not a medical device**.\n"
)
