"""What ``cxr audit`` measures: audits that apply to anybody's ResNet and anybody's images. Nothing
is trained; the images are changed, and the network is asked again.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import jinja2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import torchvision
from tqdm import tqdm

from companion.audits import duplicates
from cxrlib import __version__, metrics, occlusion, plots
from cxrlib.data.radiographs import show_part
from cxrlib.evaluate import report
from cxrlib.explorer.payload import UNKNOWN
from cxrlib.files import InputError
from cxrlib.formatting import DASH, number, signed
from cxrlib.metrics.predictions import KEYS
from cxrlib.transfer import fit, resnet
from cxrlib.transfer.config import NETWORKS

BATCH = 64  # images that are changed and looked at together
SIZES = [k / 10 for k in range(1, 10)]  # of the black square, as a share of the side
ALIKE = 0.97  # correlation of two thumbnails from which on a pair close by its hash is listed
RATES = {"auc": "AUC", "sensitivity": "Share found", "specificity": "Specificity"}
GROUPS = ["source", "view", "sex", "age"]
CONTROL = "-control"  # behind the name of an arm
ARMS = {"square-black": "the middle", "rest-black": "all but the middle"}
HEADS = {"black-out": "Black", "lungs": "Picture", "marks": "Picture", "subgroups": "By"}
HEADS["duplicates"] = "Kept"
PAIRS = 20  # that the page lists
TEMPLATES = report.TEMPLATES.overlay()
TEMPLATES.loader = jinja2.ChoiceLoader(
    [jinja2.FileSystemLoader(Path(__file__).parent), report.TEMPLATES.loader]
)


def told(file: str | Path, classes: int) -> tuple[str, torch.nn.Module]:
    """Which torchvision ResNet a file of weights is, by the names and shapes of what is in it, and
    the network. :class:`InputError` for any other, and for another number of ``classes``.
    """
    state = resnet.read(file)
    if len(last := state.get("fc.weight", [])) != classes:
        has = f"has {len(last)}" if len(last) else "is missing"
        named = f"--classes names {classes} classes"
        raise InputError(f"{file}: {named}, but the last layer (fc.weight) {has}")
    ours = _shapes(state)
    alike = {name: len(ours & _known(name)) for name in NETWORKS}
    name = max(alike, key=alike.__getitem__)  # the smallest of those that share most
    try:
        return name, resnet.build(name, classes, state)
    except InputError as error:
        raise InputError(f"{file}: is no ResNet of torchvision's; the nearest: {error}") from None


def _shapes(state: dict) -> set[tuple]:
    return {(key, value.shape) for key, value in state.items()}


@functools.cache
def _known(name: str) -> set[tuple]:
    with torch.device("meta"):  # no weights are drawn
        return _shapes(torchvision.models.get_model(name).state_dict())


def changes(pixels: np.ndarray, regions: np.ndarray, at: np.ndarray) -> Iterator[tuple]:
    """``arm, size, pixels`` and the places of the images, of every change of images ``(N, H, W)``;
    ``regions`` are those of the images ``at`` their places.
    """
    everywhere, some, away = np.arange(len(pixels)), pixels[at], occlusion.elsewhere(regions)
    yield "unchanged", 0.0, pixels, everywhere
    for size in SIZES:
        yield "square-black", size, occlusion.black_out(pixels, size), everywhere
        yield "rest-black", size, occlusion.black_out(pixels, size, rest=True), everywhere
    for kind in occlusion.MARKS:
        yield kind, np.nan, occlusion.mark(pixels, kind), everywhere
        yield kind + CONTROL, np.nan, occlusion.mark(pixels, kind, control=True), everywhere
    if len(at):
        for fill in occlusion.FILLS:
            yield f"lungs-{fill}", np.nan, occlusion.cover(some, regions, fill), at
            yield f"lungs-{fill}{CONTROL}", np.nan, occlusion.cover(some, away, fill), at
        yield "lungs-alone", np.nan, occlusion.cover(some, ~regions), at


def looks(net, rows: pd.DataFrame, pixels: np.ndarray, regions: dict) -> pd.DataFrame:
    """Predictions of all images after every change: ``arm, size`` and the columns of predictions.

    ``net`` is a :class:`companion.commands.audit.Network`; the index of ``rows`` says which of
    ``pixels`` are meant; ``regions`` are packed bits by ``image_id``. Memory grows with the
    predictions alone. Before it begins, a line on standard error says how long it takes.
    """

    def predict(images: np.ndarray) -> np.ndarray:
        return np.exp(fit.predict(net.model, show_part(images, net.shown), net.device, BATCH))

    asked = len(rows) * (1 + 2 * len(SIZES) + 2 * len(occlusion.MARKS)) + 7 * len(regions)
    first = pixels[rows.index[:16]]
    predict(first)  # the first time takes longer
    began = time.perf_counter()
    predict(first)
    minutes = (time.perf_counter() - began) / len(first) * asked / 60
    said = f"{len(rows):,} images, each changed in {asked // len(rows) - 1} ways"
    print(f"cxr: {said}: some {minutes:.1f} minutes on {net.device}", file=sys.stderr, flush=True)
    found: dict[tuple, list] = {}
    with tqdm(total=asked, desc="looks", unit="image", disable=None) as bar:
        for start in range(0, len(rows), BATCH):
            ids = rows["image_id"][start : start + BATCH]
            block = pixels[ids.index]
            at = np.flatnonzero(ids.isin(list(regions)))
            bits = [np.unpackbits(regions[name]) for name in ids.iloc[at]]
            masks = np.reshape(bits, (len(at), *block.shape[1:])).astype(bool)
            for arm, size, changed, places in changes(block, masks, at):
                found.setdefault((arm, size), []).append((start + places, predict(changed)))
                bar.update(len(changed))
    tables = []
    for (arm, size), parts in found.items():
        places, p = (np.concatenate(each) for each in zip(*parts, strict=True))
        table = rows[KEYS].iloc[places].reset_index(drop=True)
        table.insert(0, "arm", arm)
        table.insert(1, "size", size)
        table[[f"p_{name}" for name in net.classes]] = p
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


class Measures:
    """Everything that is measured of what :func:`looks` gives, row by row: ``audit, arm, size,
    group, statistic, images, patients, estimate, low, high``. An image is called positive where the
    probability of the class ``positive`` is ``threshold`` or more.
    """

    def __init__(self, looked: pd.DataFrame, positive: str, threshold: float):
        self.positive, self.threshold, self.rows = positive, threshold, []
        arms = dict(list(looked.groupby("arm", sort=False)))
        self.plain = arms.pop("unchanged")
        self.rates("black-out", "unchanged", self.plain, 0.0)
        for arm in ARMS:
            for size, frame in arms.pop(arm).groupby("size"):
                self.rates("black-out", arm, frame, size)
        for arm, frame in arms.items():
            audit = "lungs" if arm.startswith("lungs") else "marks"
            self.rates(audit, arm, frame)
            self.moved(audit, arm, frame, self.plain, "change")
            if arm + CONTROL in arms:
                self.moved(audit, arm, frame, arms[arm + CONTROL], "change less control's")

    def subgroups(self, rows: pd.DataFrame) -> None:
        """The rates of the images as they are, of each group of :data:`GROUPS`."""
        for column in GROUPS:
            for value, part in rows.groupby(rows[column].astype(object).fillna(UNKNOWN)):
                frame = self.plain[self.plain["image_id"].isin(part["image_id"])]
                self.rates("subgroups", column, frame, group=value)

    def without(self, listed: pd.DataFrame) -> None:
        """The rates without images whose copy is in another split, and with one of each copy."""
        for arm, gone in (("no copy elsewhere", "twins"), ("one of each copy", "spare")):
            frame = self.plain[~self.plain["image_id"].isin(getattr(duplicates, gone)(listed))]
            self.rates("duplicates", arm, frame)

    def rates(
        self, audit: str, arm: str, frame: pd.DataFrame, size=np.nan, group: str = ""
    ) -> None:
        """AUC, sensitivity and specificity, with intervals over patients; of no images nothing."""
        if frame.empty:
            return
        known, cls = frame.drop(columns=["arm", "size"]), self.positive
        found = metrics.bootstrap_by_patient(known, list(RATES), cls, threshold=self.threshold)
        for name, *ends in found.itertuples():
            self._add((audit, arm, size, group, name), frame, ends)

    def moved(self, audit: str, arm: str, frame: pd.DataFrame, other, statistic: str) -> None:
        """Mean change of the probability against ``other`` pictures of the same images."""
        p = f"p_{self.positive}"
        before = other.set_index("image_id").loc[frame["image_id"], p].to_numpy()
        for group, wanted in (("positive", True), ("others", False)):
            at = (frame["y_true"] == self.positive) == wanted
            ends = metrics.mean_by_patient((frame[p] - before)[at], frame["patient_id"][at])
            self._add((audit, arm, np.nan, group, statistic), frame[at], ends)

    def _add(self, names: tuple, frame: pd.DataFrame, ends) -> None:
        self.rows.append((*names, len(frame), frame["patient_id"].nunique(), *ends))

    def table(self) -> pd.DataFrame:
        """All rows so far."""
        heads = "audit arm size group statistic images patients estimate low high".split()
        return pd.DataFrame(self.rows, columns=heads)


def measure(
    looked: pd.DataFrame, rows: pd.DataFrame, pixels: np.ndarray, positive: str, threshold: float
) -> dict[str, pd.DataFrame]:
    """The tables of the record: ``measures``, ``pairs`` and ``predictions``."""
    measured = Measures(looked, positive, threshold)
    measured.subgroups(rows)
    found = duplicates.pairs(duplicates.thumbnails(pixels), least=ALIKE)
    listed = duplicates.named(found, rows)
    measured.without(listed)
    return {"measures": measured.table(), "pairs": listed, "predictions": looked}


def page(info: dict, tables: dict[str, pd.DataFrame]) -> str:
    """The whole report, one file without a script; the template escapes everything."""
    measured, listed = tables["measures"], tables["pairs"]
    ends = measured[["estimate", "low", "high"]].to_numpy()
    moved = measured["statistic"].str.startswith("change")
    words = [
        (signed if change else report.in_words)(*each)
        for change, each in zip(moved, ends, strict=True)
    ]
    done = measured.assign(text=words)
    done.loc[moved, "statistic"] += ": " + done["group"]
    for arm, name in ARMS.items():
        at = done["arm"] == arm
        done.loc[at, "arm"] = [f"{name} {100 * size:.0f} %" for size in done.loc[at, "size"]]
    shown = {audit: _wide(part) for audit, part in done.groupby("audit")}
    return TEMPLATES.get_template("audit.html").render(
        info=info,
        tables=shown,
        black=shown["black-out"].set_index("Black")["AUC"],
        plain=shown["black-out"].iloc[0],
        pairs=listed[:PAIRS].assign(correlation=listed["correlation"].map(number)),
        listed=listed,
        figure_of_curves=report.picture(curves, measured),
        version=__version__,
    )


def _wide(part: pd.DataFrame) -> pd.DataFrame:
    """A row for each arm, or group of it, in their order, and a column for each statistic."""
    keys = ["arm", "group"] if (part["audit"] == "subgroups").all() else ["arm"]
    wide = part.pivot_table("text", keys, "statistic", "first", sort=False).fillna(DASH)
    wide = wide[sorted(wide, key=lambda name: name in RATES)].rename(columns=RATES)
    if part["audit"].iloc[0] in ("subgroups", "duplicates"):
        wide.insert(0, "images", part.groupby(keys, sort=False)["images"].max().astype(str))
    wide = wide.reset_index()
    wide["arm"] = wide["arm"].str.replace(CONTROL, ", control").str.replace("lungs-", "lungs ")
    wide["arm"] = wide["arm"].str[:1].str.upper() + wide["arm"].str[1:]
    wide = wide.rename(columns={"arm": HEADS[part["audit"].iloc[0]]})
    return wide.rename(columns=lambda name: name[0].upper() + name[1:])


def curves(measured: pd.DataFrame) -> plt.Axes:
    """AUC and share found against the side of the square, with intervals; the first of two axes."""
    axes = plt.subplots(1, 2, figsize=(7, 3.8), sharex=True)[1]
    black = measured[measured["audit"] == "black-out"]
    for ax, statistic in zip(axes, list(RATES)[:2], strict=True):
        of = black[black["statistic"] == statistic]
        for place, (arm, name) in enumerate(ARMS.items()):
            part = of[of["arm"].isin([arm, "unchanged"])].copy()
            part.loc[part["arm"] == "unchanged", "size"] = float(arm == "rest-black")
            part, drawn = part.sort_values("size"), plots.look(arm, place)
            ax.fill_between(
                part["size"], part["low"], part["high"], alpha=0.18, color=drawn["color"], lw=0
            )
            ax.plot(part["size"], part["estimate"], label=f"Black: {name}", **drawn)
        ax.set(xlabel="Side of the square (share)", ylabel=RATES[statistic])
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.03, 1.03))
        ax.grid(color="0.9")
    axes[0].axhline(0.5, color="0.45", linestyle=":", label="Chance")
    axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncol=3)
    return axes[0]
