"""Linear probes on what an ImageNet network makes of changed images: how much can be taken away
before COVID-19 can no longer be told?

A probe is a logistic regression on the network's features, which no radiograph has trained. Probe
and test see the same kind of change. Its five draws are the patients of the recorded re-draws.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from companion.audits import record
from companion.studies import settings, training
from cxrlib.data import covid_chestxray, lungs, radiographs
from cxrlib.occlusion import black_out
from cxrlib.transfer import frozen, pipeline, resnet

DRAWS = range(5)  # as results/zhu-binary-redraws/seed-0 to seed-4
SIZES = [share / 10 for share in range(1, 10)]
ARMS = {"square-black": False, "rest-black": True}
# C of the regression, tried in this order until the validation loss no longer falls
STRENGTHS = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)
NORMALS = 1000  # of the stand-in's test set
ABOUT = ["image_id", "patient_id"]
REST = {"p_non_covid", "p_none"}  # what p_covid leaves
BINARY, FOURCLASS, STANDIN = (
    made.name for made in (settings.ZHU_BINARY, settings.ZHU_FOURCLASS, settings.AZEMIN_STANDIN)
)


@dataclass
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
    ready = pipeline.prepare(training.task(settings.experiment(name), data), device)
    rows, at = ready.rows, np.ones(len(ready.rows), bool)
    if name == STANDIN:
        normal = np.flatnonzero((rows["split"] == "test") & (rows["y_true"] == "none"))
        drawn = min(NORMALS, len(normal))
        at[normal] = False
        at[np.random.default_rng(0).choice(normal, drawn, replace=False)] = True
        ready.rows, ready.pixels = rows[at].reset_index(drop=True), ready.pixels[at]
        ready.hashes = [digest for digest, kept in zip(ready.hashes, at, strict=True) if kept]
        ready.fingerprint = radiographs.fingerprint(ready.rows["image_id"], ready.hashes)
    state, ready.weights = resnet.imagenet(ready.task.config.model)
    return Seen(ready, resnet.build(ready.task.config.model, 2, state, 0).to(ready.device))


def probe(
    features: np.ndarray, labels: np.ndarray, parts: np.ndarray, copies: dict, judge: str = "val"
) -> tuple[list[str], np.ndarray, dict]:
    """Train a probe on the part ``train``: its classes, the probabilities ``(N, K)`` of all images,
    and the last of :data:`STRENGTHS` at which the cross-entropy on the part ``judge`` fell.

    An image weighs as many times as ``copies`` says of its class, as if it were oversampled.
    """
    train, held = parts == "train", parts == judge
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
    return list(line.classes_), p, {"C": strength, "validation_loss": loss}


def permuted(labels: np.ndarray, parts: np.ndarray, draw: int) -> np.ndarray:
    """Labels permuted among training images, and among validation images."""
    rng, labels = np.random.default_rng(draw), labels.copy()
    for part in ("train", "val"):
        labels[parts == part] = rng.permutation(labels[parts == part])
    return labels


def tested(rows: pd.DataFrame, labels, at, found: tuple, **keys) -> pd.DataFrame:
    """A probe's predictions of the images ``at``, ``keys`` before them; of two classes ``p_covid``
    alone.
    """
    names, p, _ = found
    table = rows.loc[at, ABOUT].assign(y_true=labels[at])
    table[[f"p_{'covid' if name == 'opacity' else name}" for name in names]] = p[at].round(6)
    for place, (key, value) in enumerate(keys.items()):
        table.insert(place, key, value)
    return table.drop(columns=REST.intersection(table))


def by_image(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Tables of predictions as one, an image's rows together: so a compressed file is smallest."""
    return pd.concat(tables).sort_values("image_id", kind="stable", ignore_index=True)


Condition = tuple[str, float, np.ndarray]  # arm, size, features


def curve(seen: Seen, name: str, conditions: Iterable[Condition]) -> tuple:
    """Probes of an experiment's classes in every draw under each condition: predictions of the test
    images, and a row for each probe. Unchanged images are probed with permuted labels, too.
    """
    divided = {draw: seen.part(name, draw) for draw in DRAWS}
    copies, predictions, made = dict(settings.experiment(name).oversample), [], []
    for arm, size, features in conditions:
        for draw, (labels, parts) in divided.items():
            for permute in (False, True) if arm == "unchanged" else (False,):
                trained_on = permuted(labels, parts, draw) if permute else labels
                found = probe(features, trained_on, parts, copies)
                keys = {"arm": "permuted-labels" if permute else arm, "size": size, "draw": draw}
                predictions.append(tested(seen.ready.rows, labels, parts == "test", found, **keys))
                made.append(keys | found[2] | dict(Counter(parts)))
    return by_image(predictions), pd.DataFrame(made)


def blacked(seen: Seen) -> Iterator[Condition]:
    """The unchanged images, then a centred square black or all but it, at each size."""
    yield "unchanged", 0.0, seen.whole()
    for arm, rest in ARMS.items():
        for size in SIZES:
            pixels = black_out(seen.ready.pixels, size, rest=rest)
            yield arm, size, seen.features(pixels, f"{arm} {size}")


def lung_left(seen: list[Seen]) -> pd.DataFrame:
    """Share of the lungs that each arm and size leaves of every COVID-19 image with a mask, else a
    box: ``image_id, kind, size, square_black, rest_black``.
    """
    rows, images = [], pd.concat([each.ready.rows for each in seen]).drop_duplicates("image_id")
    ids = images.loc[images["source"] == covid_chestxray.COLLECTION.name, "image_id"]
    root, side = seen[0].ready.task.root, seen[0].ready.pixels.shape[1]
    found = lungs.regions(ids, side, root)
    kinds = {image: kind for kind in ("lung box", "lung mask") for image in found.get(kind, {})}
    for image in ids[ids.isin(list(kinds))]:
        lung = found[kinds[image]][image]
        for size in SIZES if lung.any() else ():
            share = black_out(lung[None].astype(np.uint8), size).sum() / lung.sum()
            row = {"image_id": image, "kind": kinds[image], "size": size}
            rows.append(row | {"square_black": share, "rest_black": 1 - share})
    return pd.DataFrame(rows, columns=["image_id", "kind", "size", "square_black", "rest_black"])


def said(what: str, seen: dict[str, Seen], **config) -> dict:
    """What every record of probes says."""
    about = {"draws": list(DRAWS), "C": list(STRENGTHS), "scaled": "by the training images"}
    about["C chosen by"] = "where the validation cross-entropy stops falling, from small to large"
    experiments = {name: settings.experiment(name) for name in seen}
    about["copies"] = {name: dict(made.oversample) for name, made in experiments.items()}
    lacked = {name: training.lacked(seen[name].ready, experiments[name]) for name in seen}
    return {
        "study": sorted({made.study for made in experiments.values()}),
        "what": what,
        "config": about | config,
        "images": {name: record.images(each.ready) for name, each in seen.items()},
        "weights": {each.ready.task.config.model: each.ready.weights for each in seen.values()},
        "lacked": lacked,
    }


def blackout(data=None, device=None) -> tuple[dict, dict]:
    """How much of the picture can go: Study B's two tasks and Study A's stand-in."""
    b, a = see(BINARY, data, device), see(STANDIN, data, device)
    tables, made = {"lung-left": lung_left([b, a])}, {}
    whole = list(blacked(b))  # for both of its tasks
    for name, seen, conditions in ((BINARY, b, whole), (FOURCLASS, b, whole), (STANDIN, a, None)):
        tables[name], made[name] = curve(seen, name, conditions or blacked(seen))
    made = pd.concat(made, names=["task", None]).reset_index("task")
    what = "linear probes trained and tested on images with a centred square black, or all but it"
    told = said(what, {BINARY: b, FOURCLASS: b, STANDIN: a}, sizes=SIZES, normals=NORMALS)
    return told, tables | {"probes": made}
