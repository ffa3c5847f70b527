"""Audits of recorded models: what they say of other adults, of pictures without lungs and of
annotated ones, and whether their maps follow the texture. Nothing is trained; no pixel is recorded.

An audit takes the data folder and the device; it gives what its record says and a table of images.
Features of each picture shown are kept in the library's cache under a hash of its pixels, so that
an audit that was interrupted goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata

from companion.audits import pictures
from companion.audits.curves import MODELS, STANDIN
from companion.studies import cheazemin2020, runs, settings, training
from cxrlib import occlusion
from cxrlib.data import chestxray14, covid_chestxray, radiographs, rsna
from cxrlib.data.manifest import data_folder, present
from cxrlib.files import InputError
from cxrlib.records import Record
from cxrlib.transfer import fit, frozen, resnet

SNAPSHOT = "9e80e4c"  # of the COVID-19 collection: the newest at hand, with most other diseases
FRONTAL = ("PA", "AP", "AP Supine", "AP Erect", "AP semi erect")
CLEAR, ADULT, SIZE = "No Finding", 18, 224  # years; pixels a side, of all three models
NORMALS, FEWER = 2000, 100  # RSNA's that are drawn; images a class of the stand-in, which is slow
SEED = 0
GROUP = ["group", "image_id", "patient_id", "finding", "view", "age"]
KEPT = ["image_id", "patient_id", "y_true"]


def asked(model, classes: list[str], on: torch.device, pixels: np.ndarray) -> pd.DataFrame:
    """Of uint8 images ``p``, the probability of COVID-19, and ``called``, the likeliest class."""
    hashes = [hashlib.sha256(image.tobytes()).hexdigest() for image in pixels]
    features = frozen.cached(model, pixels, hashes, on)
    p = pd.DataFrame(np.exp(fit.predict(model.fc, features, on)), columns=classes)
    return pd.DataFrame({"p": p["covid"], "called": p.idxmax(axis=1)})


def changes(ask: Callable, rows: pd.DataFrame, pixels: np.ndarray, arms: pictures.Arms):
    """What changes of the pictures change: the rows for each arm, with the arm's own columns, then
    ``p_before, called_before, p_after, called_after``.

    ``ask`` gives a table of the answers to pictures (:func:`asked`); ``arms`` gives columns of an
    arm and the changed pictures of all rows.
    """
    before, tables = ask(pixels).add_suffix("_before"), []
    for columns, changed in arms:
        after = ask(changed).add_suffix("_after")
        tables.append(rows.assign(**columns).join(before).join(after))
    return pd.concat(tables, ignore_index=True)


def collection(root: Path) -> pd.DataFrame:
    """Frontal radiographs of adults without COVID-19 in the COVID-19 collection at
    :data:`SNAPSHOT`, by ``group``; none of a patient who has a COVID-19 image there.

    Unknown ages are kept. The snapshot lists some images twice, so that no manifest can be read.
    """
    table = covid_chestxray.read_metadata(root, SNAPSHOT)
    ill = table.loc[covid_chestxray.is_covid19(table), "patientid"]
    frontal = (table["modality"] == "X-ray") & table["view"].isin(FRONTAL)
    table = table[frontal & ~table["patientid"].isin(ill)].drop_duplicates("filename")
    kinds = {True: f"same collection, {CLEAR}", False: "same collection, other disease"}
    folder = covid_chestxray.COLLECTION.locate(root)
    return table.assign(
        group=table["finding"].eq(CLEAR).map(kinds),
        image_id="covid-chestxray/" + table["filename"].map(lambda name: Path(name).stem.strip()),
        patient_id="covid-chestxray/" + table["patientid"],
        path=f"{folder}/" + table["folder"] + "/" + table["filename"],
        age=pd.to_numeric(table["age"], errors="coerce"),
    )


def others(root: Path, run: Record) -> pd.DataFrame:
    """Images of adults without COVID-19, by ``group``; none of which the image or the patient is in
    the run's training or validation part.
    """
    nih, normal = chestxray14.read_manifest(root, absent=False), rsna.read_manifest(root)
    drawn = normal.sample(min(NORMALS, len(normal)), random_state=np.random.default_rng(SEED))
    opaque = nih["finding"].str.contains(cheazemin2020.OPACITY)
    nih["group"] = np.where(opaque, "NIH, opacity", f"NIH, {CLEAR}")
    nih = nih[opaque | (nih["finding"] == CLEAR)]
    table = pd.concat([collection(root), drawn.assign(group="RSNA normal"), nih])
    used = run.split[run.split["split"] != "test"]
    seen = table["image_id"].isin(used["image_id"]) | table["patient_id"].isin(used["patient_id"])
    return table[~seen & ~(table["age"] < ADULT)].reset_index(drop=True)


def test_images(run: Record, root: Path) -> pd.DataFrame:
    """The run's test images, their ``path`` and ``finding``; of the stand-in at most :data:`FEWER`
    a class.
    """
    table = run.predictions
    manifest, _ = training.divided(settings.experiment(run.name), root)
    if run.name == STANDIN:
        table = table.sample(frac=1, random_state=np.random.default_rng(SEED))
        table = table.groupby("y_true").head(FEWER).sort_index()
    about = manifest[["image_id", "path", "finding"]]
    return table.merge(about, on="image_id", validate="one_to_one")


def masked(rows: pd.DataFrame, root: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """COVID-19 images with a lung mask, else a box, then the other images with one of these, drawn
    at random: rows with ``kind``, ``mask_of``, ``area`` and ``overlap`` (share of the region that
    its control cannot avoid); and the regions.
    """
    found = pictures.lungs_of(rows["image_id"], SIZE, root)
    ill, well = rows[rows["image_id"].isin(list(found))], rows[rows["y_true"] != "covid"]
    if ill.empty:
        raise InputError(f"{root}: no lung mask and no lung box is there for any COVID-19 image")
    drawn = np.random.default_rng(SEED).integers(len(ill), size=len(well))
    table = pd.concat([ill, well], ignore_index=True)
    table["mask_of"] = [*ill["image_id"], *ill["image_id"].to_numpy()[drawn]]
    kinds, regions = zip(*(found[owner] for owner in table["mask_of"]), strict=True)
    regions = np.stack(regions)
    shared = (regions & occlusion.elsewhere(regions, SEED)).sum((1, 2)) / regions.sum((1, 2))
    return table.assign(kind=kinds, area=regions.mean((1, 2)), overlap=shared), regions


def textures(pixels: np.ndarray, cells: int) -> dict[str, np.ndarray]:
    """In each of ``cells`` x ``cells`` cells, ``(N, cells, cells)``: standard deviation of the grey
    values, and mean magnitude of their gradient (central differences, grey values a pixel).
    """
    side = pixels.shape[1] // cells
    grey = pixels[:, : side * cells, : side * cells].astype(float)
    steep = np.hypot(*np.gradient(grey, axis=(1, 2)))
    grey, steep = (x.reshape(len(x), cells, side, cells, side) for x in (grey, steep))
    return {"deviation": grey.std((2, 4)), "gradient": steep.mean((2, 4))}


def follows(rows: pd.DataFrame, cams: np.ndarray, pixels: np.ndarray) -> pd.DataFrame:
    """Spearman's correlation of each map with the texture of its picture (``own``), of other
    patients' maps with it (``others``, the mean), and the share of those that correlate less.
    """
    maps, tables = rankdata(cams.reshape(len(cams), -1), axis=1), []
    same = rows["patient_id"].to_numpy()[:, None] == rows["patient_id"].to_numpy()
    for name, values in textures(pixels, cams.shape[1]).items():
        ranks = rankdata(values.reshape(maps.shape), axis=1)
        found = np.corrcoef(ranks, maps)[: len(maps), len(maps) :]  # (picture, map)
        null, own = np.ma.masked_array(found, same), np.diag(found)
        less = (null < own[:, None]).mean(1)
        tables.append(rows.assign(texture=name, own=own, others=null.mean(1), less=less))
    return pd.concat(tables, ignore_index=True)


def _other_adults(run: Record, ask, load, root: Path) -> pd.DataFrame:
    known = run.predictions.set_index("image_id")
    called = known[[f"p_{name}" for name in run.classes]].idxmax(axis=1).str.removeprefix("p_")
    known = known.assign(p=known["p_covid"], called=called)
    ill = run.predictions[run.predictions["y_true"] == "covid"].assign(group="covid")
    table = others(root, run)
    fresh = ~table["image_id"].isin(known.index)
    new, pixels = load(table[fresh])
    said = pd.concat([ask(pixels).set_index(new["image_id"]), known[["p", "called"]]])
    rows = pd.concat([ill, table[~fresh], new])[GROUP].join(said, on="image_id")
    return rows.assign(from_record=rows["image_id"].isin(known.index).astype(int))


def _lungs_out(run: Record, ask, load, root: Path) -> pd.DataFrame:
    rows, pixels = load(test_images(run, root))
    table, regions = masked(rows, root)
    shown = pixels[pd.Index(rows["image_id"]).get_indexer(table["image_id"])]
    fills = ("black",) if run.name == STANDIN else occlusion.FILLS
    tables = []
    for ill, controls in ((True, fills), (False, ("black",))):
        at = table["y_true"].eq("covid").to_numpy() == ill
        about = table.loc[at, [*KEPT, "kind", "mask_of", "area", "overlap"]].reset_index(drop=True)
        arms = pictures.lung_arms(shown[at], regions[at], fills, controls)
        tables.append(changes(ask, about, shown[at], arms))
    return pd.concat(tables)


def _marks(run: Record, ask, load, root: Path) -> pd.DataFrame:
    rows = test_images(run, root)
    asked_of = rows["y_true"].eq("covid") | rows["finding"].str.lower().eq("normal")
    rows, pixels = load(rows[asked_of])
    return changes(ask, rows[KEPT], pixels, pictures.mark_arms(pixels))


def _cam_texture(run: Record, ask, load, root: Path) -> pd.DataFrame:
    rows = test_images(run, root)
    rows, pixels = load(rows[rows["y_true"] == "covid"])
    maps, _ = runs.read_maps(run)
    order = pd.Index(maps["image_id"]).get_indexer(rows["image_id"])
    return follows(rows[KEPT], maps["cam"][order], pixels)


def _each(one: Callable, what: str, config: dict, data, device) -> tuple[dict, dict]:
    """``one``'s table of each run, and what the record says."""
    root, on, weights, tables = data_folder(data), resnet.device(device), {}, []
    missing, seen = set(), {}  # images, and the SHA-256 of each image's file

    def load(rows: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
        there = present(rows, root)
        missing.update(rows.loc[~there, "image_id"])
        rows = rows[there].reset_index(drop=True)
        pixels, hashes = radiographs.load(root, rows["path"].tolist(), SIZE)
        seen.update(zip(rows["image_id"], hashes, strict=True))
        return rows, pixels

    for name in MODELS:
        run = runs.run(name)
        weights[name] = run.info["weights"]
        ask = partial(asked, resnet.recorded(run.folder, run.info, on), run.classes, on)
        tables.append(one(run, ask, load, root).assign(model=name))
    images = {"fingerprint": radiographs.fingerprint([*seen], [*seen.values()])}
    images |= {"images": len(seen), "missing": sorted(missing)}
    config |= {"runs": [*MODELS], "size": SIZE, "seed": SEED, "precision": "float32"}
    said = {"study": ["zhu2020", "cheazemin2020"], "what": what, "config": config}
    return said | {"images": images, "weights": weights}, {"images": pd.concat(tables)}


def other_adults(data=None, device=None) -> tuple[dict, dict]:
    """What the recorded models say of adults without COVID-19, and of their own COVID-19 test
    images (group ``covid``); what a run has predicted already is taken from its record.
    """
    config = {"snapshot": SNAPSHOT, "views": FRONTAL, "adult_from": ADULT, "rsna_drawn": NORMALS}
    return _each(_other_adults, "probability of COVID-19 of other adults", config, data, device)


def lungs_out(data=None, device=None) -> tuple[dict, dict]:
    """The lungs covered and all but them: COVID-19 test images and, with masks of those, the other
    test images; the same area elsewhere as control (on other images with black only).
    """
    config = {"fills": occlusion.FILLS, "standin_images_a_class": FEWER}
    return _each(_lungs_out, "lungs covered, and all but them", config, data, device)


def marks(data=None, device=None) -> tuple[dict, dict]:
    """Annotations on normal and COVID-19 test images; as many pixels elsewhere as control."""
    config = {"marks": [*occlusion.MARKS], "standin_images_a_class": FEWER}
    return _each(_marks, "annotations added", config, data, device)


def cam_texture(data=None, device=None) -> tuple[dict, dict]:
    """Recorded maps of COVID-19 test images against the texture of the pictures."""
    config = {"null": "maps of other patients on the same picture"}
    what = "rank correlation of maps with the texture of pictures"
    return _each(_cam_texture, what, config, data, device)
