"""The same picture twice: pairs of images that a perceptual hash, or what a frozen network sees of
them, holds for alike, and what is left of a recorded result without them.

The hash is the DCT hash of C. Zauner, Implementation and Benchmarking of Perceptual Image Hash
Functions (thesis, Upper Austria University of Applied Sciences, 2010): a picture of 32x32 means,
of its discrete cosine transform the 8x8 lowest frequencies but the constant row and column, each a
bit: whether it is above their median. Chests are alike, so that many pairs close by it are no
copies. What to list was stated before any pair was looked at: a Hamming distance of at most
:data:`HAMMING`, or a cosine of at least :data:`COSINE`.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from PIL import Image
from scipy.fft import dctn
from sklearn.preprocessing import normalize

from companion import studies
from companion.audits import probes, record
from companion.audits.curves import BINARY, FOURCLASS, STANDIN
from companion.studies import training
from cxrlib import metrics
from cxrlib.transfer import resnet

HAMMING, COSINE = 6, 0.98
SIDE, BITS = 32, 64
BLOCK = 500  # images that are compared with all others at once
MOST = 100_000  # pairs that are listed
RUNS = {"zhu2020": [BINARY, FOURCLASS], "cheazemin2020": [STANDIN]}  # whose images are compared
KEYS = ["study", "first", "second"]
RATES = ["auc", "sensitivity", "specificity"]
SAME = "same radiograph"


def thumbnails(pixels: np.ndarray) -> np.ndarray:
    """Images ``(N, H, W)`` uint8 as means of boxes, float32 ``(N, 32, 32)``."""
    box = Image.Resampling.BOX
    small = [Image.fromarray(image).resize((SIDE, SIDE), box) for image in pixels]
    return np.array(small, np.float32).reshape(-1, SIDE, SIDE)


def hashes(small: np.ndarray) -> np.ndarray:
    """Bits of thumbnails ``(N, 32, 32)``, bool ``(N, 64)``."""
    low = dctn(small, axes=(1, 2))[:, 1:9, 1:9].reshape(-1, BITS)
    return low > np.median(low, axis=1, keepdims=True)


def pairs(small: np.ndarray, features: np.ndarray | None = None, least: float = -1) -> pd.DataFrame:
    """Pairs of thumbnails ``(N, 32, 32)`` that may be copies, the surest first.

    ``features`` are ``(N, D)``. Listed are ``first`` and ``second``, places from 0; the ``hamming``
    distance of their hashes, 0 to 64; the ``correlation`` of their thumbnails; and, with features,
    their ``cosine``. ``least`` is the correlation below which a pair is left out. Memory grows with
    N, not with its square; after :data:`MOST` pairs no more are looked for.
    """
    bits, grey = 2 * hashes(small).astype(np.float32) - 1, small.reshape(len(small), -1)
    grey, found = normalize(grey - grey.mean(axis=1, keepdims=True)), []
    seen = None if features is None else normalize(features)
    for start in range(0, len(small), BLOCK):
        rows = slice(start, start + BLOCK)
        hamming = (BITS - bits[rows] @ bits[start:].T) / 2
        close = hamming <= HAMMING
        if seen is not None:
            cosine = seen[rows] @ seen[start:].T
            close |= cosine >= COSINE
        i, j = np.nonzero(np.triu(close, 1))
        table = pd.DataFrame({"first": start + i, "second": start + j})
        table["hamming"] = hamming[i, j].astype(int)
        table["correlation"] = np.einsum("nd,nd->n", grey[start + i], grey[start + j])
        if seen is not None:
            table["cosine"] = cosine[i, j]
        found.append(table[table["correlation"] >= least])
        if sum(map(len, found)) >= MOST:
            break
    order = [*found[0].columns[:2:-1]]  # cosine first, if there is one
    listed = pd.concat(found).sort_values(order, ascending=False, kind="stable")
    return listed[:MOST].reset_index(drop=True)


def named(found: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Pairs with ``image_id``, ``split`` and ``y_true`` of both, and whether the manifest says that
    they are of one patient, from the ``rows`` that the places are of.
    """
    first, second = (rows.iloc[found[side]].reset_index() for side in ("first", "second"))
    table = pd.DataFrame({"first": first["image_id"], "second": second["image_id"]})
    for column, name in (("split", "split"), ("y_true", "label")):
        table[f"first_{name}"], table[f"second_{name}"] = first[column], second[column]
    table["same_patient"] = first["patient_id"] == second["patient_id"]
    return table.join(found.drop(columns=["first", "second"]))


def left_out(listed: pd.DataFrame) -> dict[str, set[str]]:
    """What a result without copies leaves out, ``image_id``: test images of which a pair is in
    another split, and of each pair of test images the second.
    """
    first, second = listed["first_split"] == "test", listed["second_split"] == "test"
    twins = {*listed.loc[first & ~second, "first"], *listed.loc[~first & second, "second"]}
    spare = {*listed.loc[first & second, "second"]}
    return {"no copy elsewhere": twins, "one of each copy": spare}


def duplicates(data=None, device=None) -> tuple[dict, dict[str, pd.DataFrame]]:
    """Pairs of each study's images, and its recorded results without them. What was ``seen`` when
    somebody looked at the pairs is kept as it is recorded: :data:`SAME` or another word.
    """
    listed, images = [], {}
    state, weights = resnet.imagenet("resnet18")
    for study, (run, *_) in RUNS.items():
        ready = training.prepare(studies.experiment(run), data)
        net = resnet.build("resnet18", 2, state).to(resnet.device(device))
        features = probes.Seen(ready, net).whole()
        found = named(pairs(thumbnails(ready.pixels), features), ready.rows)
        listed.append(found.assign(study=study))
        images[study] = record.images(ready)
    table = pd.concat(listed, ignore_index=True)
    there = (record.folder("duplicates") / "run.json").is_file()
    looked = record.read("duplicates")[1]["pairs"] if there else table.assign(seen=None)
    table = table.merge(looked[[*KEYS, "seen"]], "left", KEYS)
    what = "pairs of images that may show the same radiograph, and results without them"
    config = {"hamming": HAMMING, "cosine": COSINE, "embedding": "resnet18, ImageNet"}
    said = {"study": [*RUNS], "what": what, "config": config, "images": images, "weights": weights}
    return said, {"pairs": table, "results": results(table)}


def results(table: pd.DataFrame) -> pd.DataFrame:
    """COVID-19 against the rest in the recorded test predictions, and the share of all that is
    called rightly: of all images and without those of pairs, with intervals over patients.
    """
    rows = []
    for study, runs in RUNS.items():
        listed = table[table["study"] == study]
        same = listed[listed["seen"] == SAME]
        pairs_gone = left_out(listed)["no copy elsewhere"]
        sets = {"all": set(), "no pair elsewhere": pairs_gone} | left_out(same)
        for run, (kept, gone) in itertools.product(runs, sets.items()):
            frame = studies.run(run).predictions
            frame = frame[~frame["image_id"].isin(gone)]
            found = dict(metrics.bootstrap_by_patient(frame, RATES, "covid").T)
            found["accuracy"] = metrics.bootstrap_by_patient(frame, "accuracy")
            for name, ends in found.items():
                rows.append((study, run, kept, len(frame), name, *ends))
    heads = ["study", "run", "kept", "images", "statistic", "estimate", "low", "high"]
    return pd.DataFrame(rows, columns=heads)
