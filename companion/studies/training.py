"""A study's run from its settings: which images, how divided, what it lacked, whether it is there
already. Needs torch.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from companion.studies import cheazemin2020, maps, runs, settings, zhu2020
from companion.studies.printed import folder, texts
from companion.studies.settings import Experiment, effective, spell
from cxrlib import records
from cxrlib.data import kermany
from cxrlib.data.manifest import COLUMNS, Absent, data_folder
from cxrlib.data.radiographs import FRAME
from cxrlib.files import InputError
from cxrlib.transfer import pipeline
from cxrlib.transfer.fit import Fit
from cxrlib.transfer.pipeline import Ready, Task

# pixels: no original of these collections is as small on its longest side as a whole set of copies
# may be
REDUCED = 512
COVID = {  # images the study counts, and the commit of their collection
    "zhu2020": (zhu2020.COVID, zhu2020.SNAPSHOT),
    "cheazemin2020": (cheazemin2020.POSITIVES, cheazemin2020.SNAPSHOT),
}
SAID = texts("lacked")


@dataclass
class StudyTask(Task):
    """A task of one of the studies."""

    config: Experiment
    terms: str = "licence CC BY-NC-SA 4.0, not a medical device"
    licence: str = (folder() / "model-licence.txt").read_text(encoding="utf-8")
    code: tuple[str, ...] = ("cxrlib", "companion", "book/studies")
    keep_maps: bool = False

    def stands(self, target: Path, ready: Ready) -> bool:
        """Whether the record in ``target`` is of this very run, which is then said; False where a
        new one may take its place.

        It may where the book publishes the record and the settings are its own: with other images
        or weights than the book's it is made again. :class:`InputError` for any other difference,
        the first of which it names.
        """
        info = records.read_record(target).info
        advice = "another --name keeps both, --overwrite replaces it"
        here, there = self._settings(), settings.recorded_settings(info)
        for key in sorted(here):
            was, now = (list(v) if isinstance(v, tuple) else v for v in (there[key], here[key]))
            if was != now:
                found = f"{key} {spell(was)}, this run has {spell(now)}"
                raise InputError(f"{target}: a finished record is there, with {found}; {advice}")
        others = ["images"] * (info["data"]["fingerprint"] != ready.fingerprint)
        others += ["weights"] * (info["weights"]["sha256"] != ready.weights["sha256"])
        what = f"made from other {' and '.join(others)}" if others else ""
        if what and info["run"] not in settings.RECORDS | settings.BASES:
            raise InputError(f"{target}: a finished record is there, {what}; {advice}")
        same = "already recorded, with these settings and images; --overwrite makes it again"
        line = f"the record there, {what}, is replaced" if what else same
        print(f"cxr: {target}: {line}", file=sys.stderr)
        return not what

    def _settings(self) -> dict:
        """Those that make the run; not its name or title, nor what its test classes are called."""
        stated = effective(self.config.as_dict())
        keys = {*self.config.training(), *self.config.own()} - {"name", "tested_as"}
        experiment = self.config.variant_of or self.config.name
        return {key: stated[key] for key in keys} | {"experiment": experiment}

    def say(self, ready: Ready, fitted: Fit) -> dict:
        run = self.config
        return {
            "experiment": run.variant_of or run.name,
            "title": run.title,
            **run.own(),
            "printed": run.printed,
            "assumptions": list(run.assumptions),
            "lacked": lacked(ready, run),
        }

    def draw(self, ready: Ready, model: torch.nn.Module, folder: Path) -> list[str]:
        if not self.keep_maps:
            return []
        rows = ready.rows
        if ready.phantom:
            shown = rows[rows["y_true"].ne("normal") & rows["split"].eq("test")]
        else:
            shown = maps.chosen(rows, self.root, self.config.study)
        shown = shown.reset_index(drop=True)
        classes = list(self.config.tested_as or self.config.classes)
        with ready.stage("class-activation maps"):
            pixels = maps.load(shown, self.root, self.config.size, self.config.shown)
            maps.write(shown, model, classes, pixels, self.root, folder)
        return ["cams.npz", "localisation.csv"]


def task(experiment: Experiment, data=None, **named) -> StudyTask:
    """An experiment's task on the images in the data folder."""
    try:
        root = data_folder(data)
        manifest, split = divided(experiment, root)
    except Absent as error:
        other = "kermany" if experiment.study == "zhu2020" else "nih"
        raise InputError(f"{error}; cxr fetch covid {other} weights brings the images") from None
    return StudyTask(experiment, manifest, split, root, experiment.own(), **named)


def train(experiment: Experiment, *, data=None, results=None, keep_maps=False, **options) -> Path:
    """Train an experiment (:func:`cxrlib.transfer.pipeline.train`); returns the record's folder.
    ``options`` are those of that function.

    A finished record of that name stands (:meth:`StudyTask.stands`) unless ``overwrite``: where its
    settings, images and weights are the same, nothing is trained, and a line on standard error says
    so.
    """
    made = task(experiment, data, keep_maps=keep_maps)
    note = other_state(made.split, made.root, experiment.study)
    if note and options.get("progress", True):
        print(f"cxr: {note}", file=sys.stderr)
    return pipeline.train(made, results or runs.results_folder(), **options)


def prepare(experiment: Experiment, data=None) -> Ready:
    """An experiment's images as its training sees them."""
    return pipeline.prepare(task(experiment, data))


def divided(experiment: Experiment, root: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Manifest and split of a study's images, row by row the same."""
    if experiment.study == "zhu2020":
        manifest = zhu2020.manifest(root)
        labels = zhu2020.labels(manifest, experiment.classes)
        seed, folds = experiment.seed, experiment.val_folds
        how = {"unit": experiment.unit, "fold": experiment.fold}
        return manifest, zhu2020.split(manifest, labels, seed, folds, **how)
    if (experiment.variant_of or experiment.name) == settings.AZEMIN_STANDIN.name:
        manifest = cheazemin2020.standin_manifest(root)
        split = cheazemin2020.standin_split(root, experiment.seed)
    else:
        manifest = cheazemin2020.manifest(root, experiment.seed)
        split = cheazemin2020.split(root, experiment.seed)
    manifest = manifest.set_index("image_id").loc[split["image_id"]].reset_index()
    return manifest[COLUMNS], split


def other_state(split: pd.DataFrame, root: Path, study: str) -> str:
    """One sentence where the COVID-19 collection's table is not of the commit that the study's
    count needs.
    """
    expected, snapshot = COVID[study]
    listed = int(split["image_id"].str.startswith("covid-chestxray/").sum())
    if (root / "PHANTOM.txt").is_file() or listed in (0, expected):
        return ""
    return SAID["other state"].format(listed=listed, expected=expected, snapshot=snapshot)


def lacked(ready: Ready, experiment: Experiment) -> list[str]:
    """One sentence for each thing in which this run falls short of the study's own."""
    found = list(experiment.lacks)
    if ready.phantom:
        found.append(SAID["phantom"])
    found += images_lacked(ready, experiment)
    if ready.weights["note"]:
        found.append(SAID["weights"].format(**ready.weights))
    if not experiment.pretrained:
        found.append(SAID["random start"])
    base = effective(settings.BASES[experiment.variant_of or experiment.name].as_dict())
    here, told = effective(experiment.as_dict()), settings.idle(experiment.as_dict())
    for key in here:
        said = told.get(key) == ""  # by the number of epochs
        if key in experiment.printed and not said and here[key] != base[key]:
            values = {"here": spell(here[key]), "base": spell(base[key])}
            found.append(SAID["setting"].format(key=key, **values))
    if here["unit"] == "image":
        found.append(SAID["unit"])
    if experiment.shown != "whole":
        what = "all that was seen" if experiment.shown == "frame" else "blacked out"
        found.append(SAID["shown"].format(share=100 * FRAME, what=what))
    if here["epoch_by"] == "test":
        found.append(SAID["epoch by test"])
    return found


def images_lacked(ready: Ready, experiment: Experiment) -> list[str]:
    """What of the images is not there, or not as it was."""
    found, missing = [], ready.split[ready.split["missing"]]
    if len(missing):
        parts = missing["split"].value_counts().items()
        where = ", ".join(f"{count} of the {part} set" for part, count in parts)
        counts = {"missing": len(missing), "all": len(ready.split)}
        found.append(SAID["missing"].format(**counts, where=where))
    if ready.phantom:
        return found
    # Kermany's is counted from the disk: it has no list of its own
    listed = int(ready.split["image_id"].str.startswith("kermany/").sum())
    if experiment.study == "zhu2020" and listed < (images := kermany.COLLECTION.images):
        found.append(SAID["kermany"].format(listed=listed, images=images))
    found += filter(None, [other_state(ready.split, ready.task.root, experiment.study)])
    sides = ready.rows[["width", "height"]].max(axis=1).groupby(ready.rows["source"]).max()
    for source, side in sides[sides <= REDUCED].items():
        found.append(SAID["reduced"].format(source=source, side=int(side)))
    if sides.nunique() > 1 and sides.min() <= REDUCED:
        found.append(SAID["reduced differently"])
    return found
