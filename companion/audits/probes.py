"""Audits by linear probes on what an ImageNet network makes of changed images: how much can be
taken away before COVID-19 can no longer be told, is it the source, and what does a mistake of
evaluation give?

A probe is a logistic regression on the network's features, which no radiograph has trained. Probe
and test see the same kind of change. Its five draws are the patients of the recorded re-draws. An
audit takes the data folder and the device, and gives what its record says and its tables.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import product
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from companion import studies
from companion.audits import curves, pictures, record
from companion.audits.curves import BINARY, FOURCLASS, STANDIN
from companion.studies import settings, training, zhu2020
from cxrlib import metrics
from cxrlib.data import covid_chestxray, kermany, splits
from cxrlib.data.manifest import data_folder
from cxrlib.files import InputError
from cxrlib.transfer import frozen, pipeline, resnet

DRAWS = range(5)  # as results/zhu-binary-redraws/seed-0 to seed-4
# C of the regression, tried in this order until the validation loss no longer falls
STRENGTHS = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)
NORMALS = 1000  # of the stand-in's test set
REST = {"p_non_covid", "p_none"}  # what p_covid leaves
SMALL, SHARED = 56, "px-56"  # pixels
LEAST = 15  # images of a publisher that is held out
FOLDS = 5
TOP = {"ac", "co", "com", "edu", "org"}  # in a domain of three parts, as ams.edu.sg
RECORDED = {  # mistake: runs with it and without
    "split by image": ("zhu-fourclass-variants/split-by-image", FOURCLASS),
    "epoch by test set": ("zhu-fourclass-variants/epoch-by-test", FOURCLASS),
}
TUNED = "threshold by test set"
PERMUTED = ", labels permuted"
KEYS = ["mistake", "by", "task", "draw", "made"]  # of a summary's row


@dataclasses.dataclass
class Seen:
    """A study's images, and the network through which they are seen."""

    ready: pipeline.Ready
    net: torch.nn.Module

    def features(self, pixels: np.ndarray, shown: str, at=slice(None)) -> np.ndarray:
        """Features ``(N, D)`` of pixels that show of the images ``at`` what is ``shown``."""
        hashes = list(np.array(self.ready.hashes)[at])
        how = {"shown": shown, "kind": self.ready.precision, "progress": True}
        return frozen.cached(self.net, pixels, hashes, self.ready.device, **how)

    def whole(self) -> np.ndarray:
        """Features of the unchanged images."""
        return self.features(self.ready.pixels, "whole")

    def part(self, name: str, draw: int = 0, **changes) -> tuple[np.ndarray, np.ndarray]:
        """Labels and parts of the images when an experiment divides them by this draw; ``changes``
        are of its settings.
        """
        experiment = dataclasses.replace(settings.experiment(name), seed=draw, **changes)
        split = training.divided(experiment, self.ready.task.root)[1].set_index("image_id")
        split = split.reindex(self.ready.rows["image_id"])  # another draw has other normals
        labels = split["y_true"].fillna("none").to_numpy(object)
        return labels, split["split"].fillna("test").to_numpy(object)


def see(name: str, data=None, device=None) -> Seen:
    """An experiment's images and the ImageNet network it begins with. Of the stand-in's normals
    :data:`NORMALS` are drawn.
    """
    task = training.task(settings.experiment(name), data)
    if name == STANDIN:
        normal = np.flatnonzero((task.split["split"] == "test") & (task.split["y_true"] == "none"))
        drawn = np.random.default_rng(0).choice(normal, min(NORMALS, len(normal)), replace=False)
        gone = np.setdiff1d(normal, drawn)
        task.manifest = task.manifest.drop(index=task.manifest.index[gone])
        task.split = task.split.drop(index=task.split.index[gone])
    ready = pipeline.prepare(task, device)
    state, ready.weights = resnet.imagenet(task.config.model)
    return Seen(ready, resnet.build(task.config.model, 2, state, 0).to(ready.device))


def probe(
    rows: pd.DataFrame, features: np.ndarray, labels, parts, copies: dict, keys: dict, judge="val"
) -> tuple[pd.DataFrame, dict]:
    """Train a probe on the part ``train`` of images ``rows`` with ``features`` ``(N, D)``: its
    predictions of the part ``test``, of two classes ``p_covid`` alone, and what it was. ``keys`` go
    before both.

    Its strength is the last of :data:`STRENGTHS` at which the cross-entropy on the part ``judge``
    fell. An image weighs as many times as ``copies`` says of its class, as if it were oversampled.
    """
    train, held, tested = (parts == part for part in ("train", judge, "test"))
    scaled = StandardScaler().fit(features[train]).transform(features)
    weights = np.array([copies.get(label, 1) for label in labels[train]], float)
    best: tuple = (np.inf,)
    for strength in STRENGTHS:
        line = LogisticRegression(C=strength, max_iter=5000)
        line.fit(scaled[train], labels[train], sample_weight=weights)
        p = line.predict_proba(scaled)
        loss = log_loss(labels[held], p[held], labels=line.classes_)
        if loss >= best[0]:
            break
        best = loss, strength, p
    loss, strength, p = best
    about = rows.loc[tested, ["image_id", "patient_id"]].assign(y_true=labels[tested])
    table = about.assign(**keys)[[*keys, *about]]
    names = ["covid" if name == "opacity" else name for name in line.classes_]
    table[[f"p_{name}" for name in names]] = p[tested].round(6)
    made = keys | {"C": strength, "validation_loss": loss} | dict(Counter(parts))
    return table.drop(columns=REST.intersection(table)), made


def permuted(labels: np.ndarray, parts: np.ndarray, draw: int) -> np.ndarray:
    """Labels permuted among training images, and among validation images."""
    rng, labels = np.random.default_rng(draw), labels.copy()
    for part in ("train", "val"):
        labels[parts == part] = rng.permutation(labels[parts == part])
    return labels


def by_image(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Tables of predictions as one, an image's rows together: so a compressed file is smallest."""
    return pd.concat(tables).sort_values("image_id", kind="stable", ignore_index=True)


def curve(seen: Seen, name: str, conditions: Iterable[tuple]) -> tuple:
    """Probes of an experiment's classes in every draw under each condition (arm, size, features):
    predictions of the test images, and a row for each probe. Unchanged images are probed with
    permuted labels, too.
    """
    divided = {draw: seen.part(name, draw) for draw in DRAWS}
    copies, found = dict(settings.experiment(name).oversample), []
    for arm, size, features in conditions:
        for draw, (labels, parts) in divided.items():
            keys = {"arm": arm, "size": size, "draw": draw}
            found.append(probe(seen.ready.rows, features, labels, parts, copies, keys))
            if arm == "unchanged":
                keys, mixed = keys | {"arm": "permuted-labels"}, permuted(labels, parts, draw)
                found.append(probe(seen.ready.rows, features, mixed, parts, copies, keys))
    predictions, made = zip(*found, strict=True)
    return by_image(predictions), pd.DataFrame(made)


def said(what: str, seen: dict[str, Seen], **config) -> dict:
    """What every record of probes says."""
    config |= {"draws": list(DRAWS), "C": list(STRENGTHS), "scaled": "by the training images"}
    config["C chosen by"] = "where the validation cross-entropy stops falling, from small to large"
    made = {name: settings.experiment(name) for name in seen}
    config["copies"] = {name: dict(experiment.oversample) for name, experiment in made.items()}
    about = {"study": sorted({experiment.study for experiment in made.values()}), "what": what}
    about |= {"config": config, "images": {}, "weights": {}, "lacked": {}}
    for name, each in seen.items():
        about["images"][name] = record.images(each.ready)
        about["weights"][each.ready.task.config.model] = each.ready.weights
        about["lacked"][name] = training.lacked(each.ready, made[name])
    return about


def blacked(seen: Seen) -> Iterator[tuple]:
    """``arm, size, features`` of the unchanged images, then with a centred square black, or all but
    it, at each size.
    """
    yield "unchanged", 0.0, seen.whole()
    for arm, size in product(pictures.ARMS, pictures.SIZES):
        changed = pictures.blacked(seen.ready.pixels, arm, size)
        yield arm, size, seen.features(changed, f"{arm} {size}")


def lung_left(seen: list[Seen]) -> pd.DataFrame:
    """Share of the lungs that each arm and size leaves of every COVID-19 image with a mask, else a
    box: ``image_id, kind, size, square_black, rest_black``.
    """
    images = pd.concat([each.ready.rows for each in seen]).drop_duplicates("image_id")
    ids = images.loc[images["source"] == covid_chestxray.COLLECTION.name, "image_id"]
    ready, rows = seen[0].ready, []
    found = pictures.lungs_of(ids, ready.pixels.shape[1], ready.task.root)
    for image, size in product(ids[ids.isin(list(found))], pictures.SIZES):
        kind, lung = found[image]
        left = pictures.blacked(lung[None].astype(np.uint8), "square-black", size)
        share = left.sum() / lung.sum()
        rows.append((image, kind, size, share, 1 - share))
    return pd.DataFrame(rows, columns=["image_id", "kind", "size", "square_black", "rest_black"])


def blackout_probes(data=None, device=None) -> tuple[dict, dict]:
    """How much of the picture can go: Study B's two tasks and Study A's stand-in."""
    b, a = see(BINARY, data, device), see(STANDIN, data, device)
    tables, made = {"lung-left": lung_left([b, a])}, {}
    whole = list(blacked(b))  # for both of its tasks
    for name, seen, conditions in ((BINARY, b, whole), (FOURCLASS, b, whole), (STANDIN, a, None)):
        tables[name], made[name] = curve(seen, name, conditions or blacked(seen))
    made = pd.concat(made, names=["task", None]).reset_index("task")
    what = "linear probes trained and tested on images with a centred square black, or all but it"
    about = said(what, {BINARY: b, FOURCLASS: b, STANDIN: a}, sizes=pictures.SIZES, normals=NORMALS)
    return about, tables | {"probes": made}


def handled(seen: Seen) -> Iterator[tuple]:
    """The unchanged images, then COVID-19's through each step of Kermany's handling; at 56 pixels
    both, alone and after the other steps.
    """
    rows, pixels, whole = seen.ready.rows, seen.ready.pixels, seen.whole()
    ours = (rows["source"] == kermany.COLLECTION.name).to_numpy()
    theirs = rows[ours & (rows["predefined_split"] == "train").to_numpy()]
    counts = sum(np.bincount(pixels[place].ravel(), minlength=256) for place in theirs.index)
    files = [seen.ready.task.root / path for path in rows.loc[ours, "path"]]
    small = seen.features(pictures.reduced(pixels, SMALL), SHARED)
    level = pictures.matched(pixels[~ours], counts)
    steps = {"jpeg": pictures.stored_like(pixels[~ours], files), "histogram": level}
    steps["jpeg, histogram and px-56"] = pictures.reduced(pictures.stored_like(level, files), SMALL)
    yield "unchanged", 1.0, whole
    yield SHARED, 1.0, small
    for arm, changed in steps.items():
        features = (small if SHARED in arm else whole).copy()
        features[~ours] = seen.features(changed, f"COVID-19 {arm} as Kermany's", ~ours)
        yield arm, 1.0, features


def one_pipeline_probes(data=None, device=None) -> tuple[dict, dict]:
    """Is it the file handling? Study B's two classes."""
    seen = see(BINARY, data, device)
    predictions, made = curve(seen, BINARY, handled(seen))
    what = "linear probes where COVID-19 images went through the other collection's handling"
    jpeg = "squashed to 224 pixels, stored with Kermany's most frequent quantisation tables"
    greys = "grey values shared out as in all Kermany's training images together"
    about = said(what, {BINARY: seen}, jpeg=jpeg, histogram=greys, px=SMALL)
    about["cannot undo"] = "what was done to a file before it came here: see `images`, `lacked`"
    return about, {"predictions": predictions.drop(columns="size"), "probes": made}


def publishers(rows: pd.DataFrame, data=None) -> pd.Series:
    """Where each COVID-19 image was published, the domain of its address; of other images their
    source. :class:`InputError` where the collection's table has no addresses.
    """
    root = data_folder(data)
    listed = covid_chestxray.read_metadata(root, zhu2020.SNAPSHOT)
    if "url" not in listed:
        raise InputError(f"{root}: the table of the COVID-19 collection has no column url")
    place = f"{covid_chestxray.COLLECTION.locate(root)}/"
    known = listed.set_index(place + listed["folder"] + "/" + listed["filename"])["url"]
    known = known[~known.index.duplicated()]  # of CT images several in one file
    return rows["path"].map(known).map(domain, na_action="ignore").fillna(rows["source"])


def domain(address: str) -> str:
    """The part of a web address that its owner has registered: rsna.org for pubs.rsna.org."""
    parts = (urlsplit(address).hostname or "not known").split(".")
    return ".".join(parts[-3 if len(parts) > 2 and parts[-2] in TOP else -2 :])


def held_out(rows: pd.DataFrame, out: np.ndarray, draw: int) -> np.ndarray:
    """Parts of the images where the COVID-19 images ``out`` and Kermany's test set are tested. No
    other image of their patients is used.
    """
    covid = (rows["source"] == covid_chestxray.COLLECTION.name).to_numpy()
    parts = np.full(len(rows), "train", object)
    parts[(rows["predefined_split"] == "test").to_numpy()] = "test"
    parts[rows["patient_id"].isin(rows.loc[out, "patient_id"])] = "left out"
    parts[out] = "test"
    train = parts == "train"
    folds, kinds = settings.experiment(BINARY).val_folds, np.where(covid, "covid", "other")[train]
    validation = splits.fold_by_patient(rows[train], pd.Series(kinds), folds, draw) == 0
    parts[np.flatnonzero(train)[validation]] = "val"
    return parts


def leave_source_out(data=None, device=None) -> tuple[dict, dict]:
    """Does it travel? Each publisher held out, against folds cut by patient."""
    seen = see(BINARY, data, device)
    rows, features, (labels, _) = seen.ready.rows, seen.whole(), seen.part(BINARY)
    covid, origin = labels == "covid", publishers(seen.ready.rows, seen.ready.task.root)
    counts, found, made = origin[covid].value_counts(), [], []
    copies = settings.experiment(BINARY).oversample
    for draw in DRAWS:
        fold = pd.Series(-1, rows.index)
        fold[covid] = splits.fold_by_patient(rows[covid], labels[covid], FOLDS, draw)
        outs = {("publisher", name): origin == name for name in counts.index[counts >= LEAST]}
        outs |= {("patients", f"fold {number}"): fold == number for number in range(FOLDS)}
        for (arm, held), out in outs.items():
            parts = held_out(rows, out.to_numpy() & covid, draw)
            keys = {"arm": f"{arm}-out", "held_out": held, "draw": draw}
            table, about = probe(rows, features, labels, parts, copies, keys)
            found.append(table.assign(publisher=origin))
            made.append(about)
    what = "linear probes tested on a publisher's COVID-19 images, or on a fold's, never seen"
    about = said(what, {BINARY: seen}, least=LEAST, folds=FOLDS)
    about["publishers"] = {str(name): int(count) for name, count in counts.items()}
    return about, {"predictions": by_image(found), "probes": pd.DataFrame(made)}


def frozen_against_finetuned(data=None, device=None) -> tuple[dict, dict]:
    """Study B's four classes by a probe: the thesis says that this cannot be done (3.2)."""
    seen = see(FOURCLASS, data, device)
    predictions, made = curve(seen, FOURCLASS, [("unchanged", 1.0, seen.whole())])
    about = said("linear probes of four classes on unchanged images", {FOURCLASS: seen})
    about["beside"] = [FOURCLASS, *(f"{FOURCLASS}-redraws/seed-{draw}" for draw in DRAWS)]
    return about, {"predictions": predictions.drop(columns="size"), "probes": made}


def measured(table: pd.DataFrame, threshold: float = 0.5) -> dict[str, float]:
    """Number of COVID-19 images, their AUC, recall and specificity at a threshold, and the share of
    all images in their most probable class; of two classes, at the threshold.
    """
    point = metrics.operating_point(curves.against_rest(table), "covid", threshold)
    p = table.filter(regex="^p_")
    if p.shape[1] > 2:
        point["accuracy"] = np.mean(p.idxmax(axis=1) == "p_" + table["y_true"])
    found = {"covid": point["TP"] + point["FN"], "threshold": threshold}
    return found | {name: point[name] for name in ("auc", "recall", "specificity", "accuracy")}


def youden(table: pd.DataFrame) -> float:
    """The threshold with the largest sum of recall and specificity in these very predictions."""
    return metrics.suggested_thresholds(curves.against_rest(table), "covid", 0.5)["youden"]


def mistaken(seen: Seen, features: np.ndarray, name: str, draw: int) -> dict:
    """Predictions by mistake, ``none`` among them; ``all by …`` divides Kermany's images, too. Of a
    ``name`` with :data:`PERMUTED`, labels are permuted among all images: nothing is to be found.
    """
    task, rng = name.removesuffix(PERMUTED), np.random.default_rng(draw)
    rows, copies = seen.ready.rows, dict(settings.experiment(task).oversample)
    labels, parts = seen.part(task, draw)
    labels = rng.permutation(labels) if name != task else labels
    once = np.arange(len(rows))
    runs = {name: (once, parts, copies) for name in ("none", "C by test set")}
    for unit in ("patient", "image"):
        people = rows.assign(patient_id=rows[f"{unit}_id"])
        fold = splits.fold_by_patient(people, labels, settings.CV_FOLDS, draw).to_numpy()
        part = np.select([fold == 0, fold == 1], ["test", "val"], "train")
        runs[f"all by {unit}"] = once, part, copies
    runs["split by image"] = once, seen.part(task, draw, unit="image")[1], copies
    covid = np.flatnonzero(labels == "covid")
    at = np.append(np.delete(once, covid), np.tile(covid, copies["covid"]))
    part = parts[at]
    part[labels[at] == "covid"] = rng.permutation(part[labels[at] == "covid"])
    runs["copies before the split"] = at, part, {}
    found = {}
    for mistake, (at, part, weights) in runs.items():
        judge = "test" if mistake == "C by test set" else "val"
        table = rows.iloc[at].reset_index(drop=True)
        keys = {"mistake": mistake, "draw": draw}
        table, _ = probe(table, features[at], labels[at], part, weights, keys, judge)
        found[mistake] = table.drop_duplicates("image_id")  # of copies
    return found


def leakage(data=None, device=None) -> tuple[dict, dict]:
    """How much does each mistake give? By probes in five draws, and by recorded runs."""
    seen = see(BINARY, data, device)
    features, tables = seen.whole(), {}
    sides = {}  # predictions and threshold, by KEYS
    for name in (BINARY, FOURCLASS, BINARY + PERMUTED):
        found = [mistaken(seen, features, name, draw) for draw in DRAWS]
        each_table = by_image(table for each in found for table in each.values())
        tables[name.replace(",", "").replace(" ", "-")] = each_table
        for draw, each in enumerate(found):
            for mistake in each.keys() - {"none", "all by patient"}:
                right = "all by patient" if mistake == "all by image" else "none"
                sides[mistake, "probe", name, draw, True] = each[mistake], 0.5
                sides[mistake, "probe", name, draw, False] = each[right], 0.5
    for mistake, runs in RECORDED.items():
        for made, run in zip((True, False), runs, strict=True):
            sides[mistake, "recorded run", FOURCLASS, 0, made] = studies.run(run).predictions, 0.5
    redraws = {f"{BINARY}-redraws/seed-{draw}": draw for draw in DRAWS}
    for name, draw in (redraws | {STANDIN: 0}).items():
        task, run = name.partition("-redraws")[0], studies.run(name)
        own = run.validation.rename(columns={"p_opacity": "p_covid"})
        for made, table in ((True, run.predictions), (False, own)):
            sides[TUNED, "recorded run", task, draw, made] = run.predictions, youden(table)
    about = said("mistakes of evaluation made on purpose", {BINARY: seen, FOURCLASS: seen})
    about["recorded runs"] = RECORDED | {TUNED: [*redraws, STANDIN]}
    summary = pd.DataFrame.from_dict({key: measured(*side) for key, side in sides.items()}, "index")
    summary = summary.rename_axis(KEYS).reset_index().sort_values(KEYS[:-1], kind="stable")
    return about, tables | {"summary": summary}
