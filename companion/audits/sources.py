"""Is it the source? Probes after the COVID-19 images went through the other collection's handling,
and on a publisher whose images no probe has seen.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
from PIL import Image, JpegImagePlugin

from companion.audits import probes
from companion.audits.probes import BINARY
from companion.studies import settings, zhu2020
from cxrlib.data import covid_chestxray, kermany, radiographs, splits
from cxrlib.data.manifest import data_folder
from cxrlib.files import InputError

SMALL, SHARED = 56, "px-56"  # pixels
LEAST = 15  # images of a publisher that is held out
FOLDS = 5
TOP = {"ac", "co", "com", "edu", "org"}  # in a domain of three parts, as ams.edu.sg


def stored_like(pixels: np.ndarray, files: Iterable[Path]) -> np.ndarray:
    """Pictures ``(N, H, W)`` stored as JPEG the way most of the files are, and read again:
    quantisation tables, colour and sampling. :class:`InputError` where no file is a JPEG.
    """
    ways: Counter = Counter()
    for file in files:
        with Image.open(file) as image:
            if isinstance(image, JpegImagePlugin.JpegImageFile):
                tables = tuple(tuple(image.quantization[key]) for key in sorted(image.quantization))
                ways[image.mode, JpegImagePlugin.get_sampling(image), tables] += 1
    if not ways:
        raise InputError("the pictures that others are to be stored like: none is a JPEG")
    (mode, sampling, tables), _ = ways.most_common(1)[0]
    again = np.empty_like(pixels)
    for place, picture in enumerate(pixels):
        stored, how = io.BytesIO(), {"qtables": [*map(list, tables)], "subsampling": sampling}
        Image.fromarray(picture).convert(mode).save(stored, "JPEG", **how)
        again[place] = Image.open(stored).convert("L")
    return again


def matched(pixels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Pictures whose grey values are shared out as ``counts`` (256) are: each grey becomes the one
    that is reached there by the same share of pixels.
    """
    greys = np.flatnonzero(counts)
    wanted = np.cumsum(counts)[greys] / counts.sum()
    again = np.empty_like(pixels)
    for place, picture in enumerate(pixels):
        reached = np.cumsum(np.bincount(picture.ravel(), minlength=256)) / picture.size
        again[place] = np.interp(reached, wanted, greys).round().astype(np.uint8)[picture]
    return again


def reduced(pixels: np.ndarray, side: int = SMALL) -> np.ndarray:
    """Pictures reduced to ``side`` pixels and enlarged again, bilinear."""
    pictures, full = map(Image.fromarray, pixels), pixels.shape[1]
    small = (Image.fromarray(radiographs.square(picture, side)) for picture in pictures)
    return np.stack([radiographs.square(picture, full) for picture in small])


def handled(seen: probes.Seen) -> Iterator[probes.Condition]:
    """The unchanged images, then COVID-19's through each step of Kermany's handling; at 56 pixels
    both, alone and after the other steps.
    """
    rows, pixels, whole = seen.ready.rows, seen.ready.pixels, seen.whole()
    ours = (rows["source"] == kermany.COLLECTION.name).to_numpy()
    theirs = rows[ours & (rows["predefined_split"] == "train").to_numpy()]
    counts = np.zeros(256)
    for place in theirs.index:
        counts += np.bincount(pixels[place].ravel(), minlength=256)
    files = [seen.ready.task.root / path for path in rows.loc[ours, "path"]]
    small = seen.features(reduced(pixels), SHARED)
    level = matched(pixels[~ours], counts)
    steps = {"jpeg": stored_like(pixels[~ours], files), "histogram": level}
    steps["jpeg, histogram and px-56"] = reduced(stored_like(level, files))
    yield "unchanged", 1.0, whole
    yield SHARED, 1.0, small
    for arm, changed in steps.items():
        features = (small if SHARED in arm else whole).copy()
        features[~ours] = seen.features(changed, f"COVID-19 {arm} as Kermany's", ~ours)
        yield arm, 1.0, features


def one_pipeline(data=None, device=None) -> tuple[dict, dict]:
    """Is it the file handling? Study B's two classes."""
    seen = probes.see(BINARY, data, device)
    predictions, made = probes.curve(seen, BINARY, handled(seen))
    said = probes.said(
        "linear probes where COVID-19 images went through the other collection's handling",
        {BINARY: seen},
        jpeg="squashed to 224 pixels, stored with Kermany's most frequent quantisation tables",
        histogram="grey values shared out as in all Kermany's training images together",
        px=SMALL,
    )
    said["cannot undo"] = (
        "What was done to a file before it came here: `images` says how large the files are, "
        "`lacked` whether they are copies that were reduced and stored anew, each collection in "
        "its own way."
    )
    return said, {"predictions": predictions.drop(columns="size"), "probes": made}


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
    seen = probes.see(BINARY, data, device)
    rows, features, (labels, _) = seen.ready.rows, seen.whole(), seen.part(BINARY)
    covid, origin = labels == "covid", publishers(seen.ready.rows, seen.ready.task.root)
    counts, found, made = origin[covid].value_counts(), [], []
    for draw in probes.DRAWS:
        fold = pd.Series(-1, rows.index)
        fold[covid] = splits.fold_by_patient(rows[covid], labels[covid], FOLDS, draw)
        outs = {("publisher", name): origin == name for name in counts.index[counts >= LEAST]}
        outs |= {("patients", f"fold {number}"): fold == number for number in range(FOLDS)}
        for (arm, held), out in outs.items():
            parts = held_out(rows, out.to_numpy() & covid, draw)
            result = probes.probe(features, labels, parts, settings.experiment(BINARY).oversample)
            keys = {"arm": f"{arm}-out", "held_out": held, "draw": draw}
            at = parts == "test"
            table = probes.tested(rows, labels, at, result, **keys)
            found.append(table.assign(publisher=origin[at]))
            made.append(keys | result[2] | dict(Counter(parts)))
    what = "linear probes tested on a publisher's COVID-19 images, or on a fold's, never seen"
    said = probes.said(what, {BINARY: seen}, least=LEAST, folds=FOLDS)
    said["publishers"] = {str(name): int(count) for name, count in counts.items()}
    return said, {"predictions": probes.by_image(found), "probes": pd.DataFrame(made)}
