"""What ``cxr audit`` does: audits that apply to anybody's ResNet and anybody's images. Nothing is
trained; the images are changed, and the network is asked again.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from torchvision.models import get_model
from tqdm import tqdm

from companion import studies
from companion.audits import duplicates, pictures, record
from companion.studies.subgroups import BANDS
from cxrlib import __version__, files, inference, metrics, occlusion
from cxrlib.data import manifest, radiographs
from cxrlib.evaluate import report
from cxrlib.explorer.payload import UNKNOWN
from cxrlib.files import InputError, refuse
from cxrlib.formatting import DASH, number, signed
from cxrlib.metrics.predictions import KEYS
from cxrlib.transfer import resnet
from cxrlib.transfer.config import NETWORKS

BATCH = 64  # images that are changed and looked at together
ALIKE = 0.97  # correlation of two thumbnails from which on a pair close by its hash is listed
RATES = {"auc": "AUC", "sensitivity": "Share found", "specificity": "Specificity"}
CONTROL = ", control"  # behind the name of an arm


def audit(asked, page: Path) -> None:
    """Audit what was ``asked`` for, a :class:`companion.commands.audit.audit`; the record and the
    ``page`` are written into one folder, whole or not at all.
    """
    began = time.perf_counter()
    root = manifest.data_folder(asked.data)
    model, config, weights = network(asked)
    file, classes = Path(asked.manifest or root / "manifest.csv"), config["classes"]
    config |= {"positive": asked.positive or classes[0], "threshold": asked.threshold}
    rows = read_rows(file, root, classes)
    tested = tested_of(rows, config["positive"], classes, file)
    regions = regions_of(tested, root, config["size"], asked.regions)
    pixels, hashes = radiographs.load(root, rows["path"].tolist(), config["size"])

    def predict(shown: np.ndarray) -> np.ndarray:
        seen = radiographs.show_part(shown, config["shown"])
        return inference.predict(model, seen, device=asked.device, batch=BATCH)

    looked = looks(predict, classes, tested, pixels, regions)
    listed = duplicates.pairs(duplicates.thumbnails(pixels), least=ALIKE)
    listed = duplicates.named(listed, rows)
    measures = measured(looked, tested, listed, config["positive"], asked.threshold)
    tables = {"measures": measures, "pairs": listed, "predictions": looked}
    images = {"fingerprint": radiographs.fingerprint(rows["image_id"], hashes)}
    images |= {"images": len(rows), "tested": len(tested), "regions": len(regions)}
    images["patients"] = tested["patient_id"].nunique()
    images["positive"] = int((tested["y_true"] == config["positive"]).sum())
    info = {"audit": "anybody", "study": "", "made": "cxr audit", "weights": weights}
    info |= {"what": "audits of a network on somebody's own images", "images": images}
    info["config"] = config | {"manifest": file.name}
    info["seconds"] = round(time.perf_counter() - began, 1)
    with files.whole(page.parent) as new:
        record.write(new, info, tables, asked.device)
        files.write_text(new / page.name, html(info, tables))


def network(asked) -> tuple[torch.nn.Module, dict, dict]:
    """The network of a recorded run, or of a file of weights; what it is (``model, size, shown,
    classes``); and ``name`` and ``sha256`` of the weights.
    """
    on, given = resnet.device(asked.device), asked.classes or ""
    if Path(asked.model).suffix not in {".safetensors", ".pth", ".pt"}:
        run = studies.run(asked.model, results=asked.results)
        if given:
            raise InputError(f"--classes {given}: {asked.model} has its own in its record")
        seen = {key: run.info["config"].get(key, "whole") for key in ("model", "size", "shown")}
        model = resnet.recorded(run.folder, run.info, on)
        return model, seen | {"classes": run.classes}, {"name": run.name, "sha256": ""}
    names = [name.strip() for name in given.split(",")]
    if len({*names} - {""}) < max(2, len(names)):
        raise InputError(f"--classes {given}: name each class of the file once, as covid,normal")
    kind, model = told(asked.model, len(names))
    about = {"model": kind, "size": asked.size, "shown": "whole", "classes": names}
    weights = {"name": Path(asked.model).name, "sha256": files.sha256(asked.model)}
    return model.to(on), about, weights


def told(file: str | Path, classes: int) -> tuple[str, torch.nn.Module]:
    """Which torchvision ResNet a file of weights is, by the names and shapes of what is in it, and
    the network. :class:`InputError` for any other, and for another number of ``classes``.
    """
    state = resnet.read(file)
    last = len(state.get("fc.weight", []))
    if last != classes:
        named = f"--classes names {classes} classes, but the last layer (fc.weight) has {last}"
        raise InputError(f"{file}: {named}")
    with torch.device("meta"):  # no weights are drawn
        known = {name: _shapes(get_model(name).state_dict()) for name in NETWORKS}
    name = min(known, key=lambda name: len(known[name] ^ _shapes(state)))
    try:
        return name, resnet.build(name, classes, state)
    except InputError as error:
        raise InputError(f"{file}: is no ResNet of torchvision's; the nearest: {error}") from None


def _shapes(state: dict) -> set[tuple]:
    return {(key, value.shape) for key, value in state.items()}


def read_rows(file: Path, root: Path, classes: list[str]) -> pd.DataFrame:
    """Somebody's manifest, checked: its columns, ``y_true`` (or ``label``), ``split`` (``test``
    where there is none), and ``age`` as a band. :class:`InputError` names file, row and column, the
    row as a spreadsheet counts.
    """
    where = str(file)
    read = manifest.read_csv(file, where, manifest.NEEDED)
    read = read if "y_true" in read else read.rename(columns={"label": "y_true"})
    read = read if "split" in read else read.assign(split="test")
    if read.empty or read.columns.duplicated().any():
        raise InputError(f"{where}: lists no image, or has a column twice")
    manifest.require(read, [*manifest.NEEDED, "y_true", "split"], where)
    refuse(read["image_id"].duplicated(), read["image_id"], "occurs twice", where)
    unknown = f"is none of the model's classes {', '.join(classes)}"
    refuse(~read["y_true"].isin(classes), read["y_true"], unknown, where)
    for row, path in read["path"].items():
        files.inside(root, path, where=f"{where}, row {row}, column path")
    lost = ~manifest.present(read, root)
    gone = f"is not in {root} ({lost.sum():,} of {len(read):,} images are missing)"
    refuse(lost, read["path"], gone, where)
    rows = read.reindex(columns=[*manifest.COLUMNS, "y_true", "split"]).replace("", None)
    years = pd.to_numeric(rows["age"], errors="coerce").astype(float)
    odd = rows["age"].notna() & ~years.between(0, 120)
    refuse(odd, rows["age"], "is not a number of years from 0 to 120", where)
    bands = pd.cut(years, [*BANDS.values(), 121], right=False, labels=list(BANDS)).astype(object)
    return rows.assign(age=bands).reset_index(drop=True)


def tested_of(rows: pd.DataFrame, positive: str, classes: list[str], file: Path) -> pd.DataFrame:
    """The rows whose split is ``test``, or all where none is; images of both sides are needed."""
    if positive not in classes:
        raise InputError(f"--positive {positive}: the classes are {', '.join(classes)}")
    tested = rows[rows["split"] == "test"] if (rows["split"] == "test").any() else rows
    if len((tested["y_true"] == positive).unique()) < 2:
        raise InputError(f"{file}: y_true: all or none of {len(tested)} test images are {positive}")
    return tested


def regions_of(rows: pd.DataFrame, root: Path, size: int, folder: str | None) -> dict:
    """Regions by ``image_id``, as packed bits: masks in ``folder`` named by the stem of the image's
    file, else the lungs that the COVID-19 collection ships, masks before boxes, or a phantom's.
    """
    found = {}
    if folder is None:
        with suppress(manifest.Absent):  # no collection that ships any
            known = pictures.lungs_of(rows["image_id"], size, root)
            found = {image: region for image, (_, region) in known.items()}
    else:
        masks = {file.stem: file for file in Path(folder).glob("*")}
        for image, path in zip(rows["image_id"], rows["path"], strict=True):
            if Path(path).stem in masks:
                found[image] = radiographs.read_radiograph(masks[Path(path).stem], size) >= 128
        if not found:
            raise InputError(f"--regions {folder}: no file there has the name of an image")
    return {image: np.packbits(region) for image, region in found.items() if region.any()}


def changes(rows: pd.DataFrame, pixels: np.ndarray, regions: dict) -> Iterator[tuple]:
    """``audit, arm, size``, the rows, and their pictures ``(N, H, W)``, of every change of some
    rows; those with a region alone have the lungs covered.
    """
    shown = pixels[rows.index]
    yield "black-out", "unchanged", 0.0, rows, shown
    for arm, size in product(pictures.ARMS, pictures.SIZES):
        yield "black-out", arm, size, rows, pictures.blacked(shown, arm, size)
    for about, changed in pictures.mark_arms(shown):
        yield "marks", about["mark"] + CONTROL * about["control"], 0.0, rows, changed
    known = rows[rows["image_id"].isin(list(regions))]
    if len(known):
        bits = [np.unpackbits(regions[image], count=shown[0].size) for image in known["image_id"]]
        masks = np.reshape(bits, (len(known), *shown.shape[1:])).astype(bool)
        for about, changed in pictures.lung_arms(pixels[known.index], masks):
            arm = f"{about['part']} {about['fill']}" + CONTROL * about["control"]
            yield "lungs", arm, 0.0, known, changed


def looks(
    predict: Callable, classes: list[str], rows: pd.DataFrame, pixels: np.ndarray, regions: dict
) -> pd.DataFrame:
    """Predictions of all images after every change: ``audit, arm, size`` (of the square), and the
    columns of predictions.

    ``predict`` gives probabilities ``(N, K)`` of pictures ``(N, H, W)``; the index of ``rows`` says
    which of ``pixels`` are meant; ``regions`` are packed bits by ``image_id``. Memory grows with
    the predictions alone. Before it begins, a line on standard error says how long it takes.
    """
    asked = len(rows) * (1 + 2 * len(pictures.SIZES) + 2 * len(occlusion.MARKS))
    asked += len(regions) * 4 * len(occlusion.FILLS)
    first = pixels[rows.index[:16]]
    predict(first)  # the first time takes longer
    began = time.perf_counter()
    predict(first)
    minutes = (time.perf_counter() - began) / len(first) * asked / 60
    said = f"{len(rows):,} images, each changed in {asked // len(rows) - 1} ways"
    print(f"cxr: {said}: some {minutes:.1f} minutes", file=sys.stderr, flush=True)
    tables = []
    with tqdm(total=asked, desc="looks", unit="image", disable=None) as bar:
        for start in range(0, len(rows), BATCH):
            block = rows[start : start + BATCH]
            for audit, arm, size, part, changed in changes(block, pixels, regions):
                table = part[KEYS].assign(audit=audit, arm=arm, size=size)
                table[[f"p_{name}" for name in classes]] = predict(changed)
                tables.append(table)
                bar.update(len(changed))
    return pd.concat(tables, ignore_index=True)


def measured(
    looked: pd.DataFrame, tested: pd.DataFrame, listed: pd.DataFrame, positive: str, threshold
) -> pd.DataFrame:
    """Everything that is measured of what :func:`looks` gives, of groups of the ``tested`` images
    and without pairs that are ``listed``: ``audit, arm, size, statistic, estimate, low, high,
    images, patients``. An image is called positive where the probability of the class ``positive``
    is ``threshold`` or more.
    """
    plain = looked[looked["arm"] == "unchanged"]
    frames = dict(list(looked.groupby(["audit", "arm", "size"], sort=False)))
    for column in ("source", "view", "sex", "age"):
        for value, part in tested.groupby(tested[column].astype(object).fillna(UNKNOWN)):
            inside = plain["image_id"].isin(part["image_id"])
            frames["subgroups", f"{column}: {value}", 0.0] = plain[inside]
    for arm, gone in duplicates.left_out(listed).items():
        frames["duplicates", arm, 0.0] = plain[~plain["image_id"].isin(gone)]
    found = {}
    for (audit, arm, size), frame in frames.items():
        if frame.empty:
            continue
        rates = metrics.bootstrap_by_patient(frame, list(RATES), positive, threshold=threshold)
        parts = [rates.assign(images=len(frame), patients=frame["patient_id"].nunique())]
        if audit in ("lungs", "marks"):
            parts.append(moved("change", frame, plain, positive))
        control = frames.get((audit, arm + CONTROL, size))
        if control is not None:
            parts.append(moved("change less control's", frame, control, positive))
        found[audit, arm, size] = pd.concat(parts)
    return pd.concat(found, names=["audit", "arm", "size", "statistic"]).reset_index()


def moved(name: str, frame: pd.DataFrame, other: pd.DataFrame, positive: str) -> pd.DataFrame:
    """Mean change of the probability against ``other`` pictures of the same images, of the positive
    ones and of the others: ``estimate, low, high, images, patients``.
    """
    p, ill, rows = f"p_{positive}", frame["y_true"] == positive, {}
    change = frame[p] - other.set_index("image_id")[p].loc[frame["image_id"]].to_numpy()
    for group, at in (("positive", ill), ("others", ~ill)):
        patients = frame["patient_id"][at]
        found = metrics.mean_by_patient(change[at], patients)
        rows[f"{name}, {group}"] = [*found, len(patients), patients.nunique()]
    columns = ["estimate", "low", "high", "images", "patients"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns)


def html(info: dict, tables: dict[str, pd.DataFrame]) -> str:
    """The whole report, one file without a script; the template escapes everything."""
    listed = tables["pairs"].assign(correlation=tables["pairs"]["correlation"].map(number))
    measures = tables["measures"]
    shown = {audit: wide(part) for audit, part in measures.groupby("audit")}
    template = Path(__file__).with_name("audit.html").read_text(encoding="utf-8")
    return report.TEMPLATES.from_string(template).render(
        info=info,
        tables=shown,
        rates=shown["black-out"].set_index("Images"),
        listed=listed,
        figure_of_curves=report.picture(curves, measures),
        version=__version__,
    )


def wide(part: pd.DataFrame) -> pd.DataFrame:
    """A row for each arm and a column for each statistic, as text."""
    rows: dict[str, dict] = {}
    for row in part.itertuples():
        words = signed if row.statistic.startswith("change") else report.in_words
        arm = f"{row.arm} {100 * row.size:.0f} %" if row.size else row.arm
        rows.setdefault(arm, {"Images": arm, "Number": f"{row.images:,}"})
        rows[arm][RATES.get(row.statistic, row.statistic)] = words(row.estimate, row.low, row.high)
    return pd.DataFrame(rows.values()).fillna(DASH)


def curves(measures: pd.DataFrame) -> plt.Axes:
    """AUC and share found against the side of the square, with intervals; the first of two axes."""
    axes = plt.subplots(1, 2, figsize=(7, 3.8), sharey=True)[1]
    black = measures[measures["audit"] == "black-out"].set_index(["statistic", "arm"]).sort_index()
    for ax, statistic in zip(axes, ("auc", "sensitivity"), strict=True):
        plain = black.loc[(statistic, "unchanged"), "estimate"].item()
        ax.axhline(plain, color="0.45", linestyle="--", label="Unchanged")
        for arm, name in pictures.ARMS.items():
            part = black.loc[(statistic, arm)]
            ax.plot(part["size"], part["estimate"], marker=".", label=name)
            ax.fill_between(part["size"], part["low"], part["high"], alpha=0.18)
        ax.set(xlabel="Side of the square (share)", ylabel=RATES[statistic], xlim=(0, 1))
    axes[0].axhline(0.5, color="0.45", linestyle=":", label="Chance")
    axes[0].set_ylim(-0.03, 1.03)
    axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncol=2)
    return axes[0]
