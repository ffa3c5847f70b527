"""Study A's images (Che Azemin et al. 2020): which they are, how many, and how they are divided.

The paper trains and validates on ChestX-ray14 images whose airspace opacity radiologists settled,
and tests on COVID-19 images among 5,828 with "No Finding". Its Figure 1 has the counts; the text at
hand has not. What it leaves open is an assumption of ours, named in :func:`flow`. A stand-in
(:func:`standin_split`) runs where the adjudicated radiographs are not available.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from companion.studies.printed import texts
from cxrlib.data import chestxray14, covid_chestxray, rsna, splits
from cxrlib.data.manifest import present
from cxrlib.files import InputError

NEGATIVES = 5828  # test images without finding, as printed in section 2
POSITIVES = 154  # no other whole n makes n / (n + 5828) the printed 2.57 %
# commits and views that give 154 COVID-19 images
SNAPSHOTS = {"29e0b70": ("PA", "AP"), "0bae3ba": ("PA", "AP", "AP Supine")}
SNAPSHOT = "29e0b70"  # that of our runs
NO_FINDING = "No Finding"
OPACITY = r"Infiltration|Consolidation|Pneumonia|Edema"  # stand in for airspace opacity
EXCLUDE = {"image": "image_id", "patient": "patient_id"}
SPLIT = ["image_id", "patient_id", "y_true", "split"]


def covid(data=None, snapshot: str = SNAPSHOT) -> pd.DataFrame:
    """Manifest of the frontal COVID-19 radiographs at a commit of the collection: 154 at either of
    :data:`SNAPSHOTS`.

    29e0b70 (6 April 2020) has 106 patients, 0bae3ba (3 April) 99.
    """
    whole = covid_chestxray.read_manifest(data, snapshot)
    chosen = covid_chestxray.is_covid19(whole) & whole["view"].isin(SNAPSHOTS[snapshot])
    return whole[chosen].reset_index(drop=True)


def _lists(data) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The list, the adjudicated images, and those with No Finding that are not adjudicated."""
    listed, read = chestxray14.read_labels(data), chestxray14.read_adjudicated(data)
    lost = read.loc[~read["image_id"].isin(listed["image_id"]), "image_id"]
    if len(lost):
        raise InputError(f"{chestxray14.ADJUDICATED}: {lost.iloc[0]} is not in {chestxray14.LIST}")
    clear = listed[listed["finding"] == NO_FINDING]
    return listed, read, clear[~clear["image_id"].isin(read["image_id"])]


def _counts(steps: dict[str, pd.DataFrame | int], said: dict[str, dict]) -> pd.DataFrame:
    """A row per step: of a table its images, patients and ages, of a number that alone; and what
    is ``printed`` and ``assumed`` of it.
    """
    rows = []
    for step, found in steps.items():
        row = {"step": step, "images": found}
        if not isinstance(found, int):
            row["images"], row["patients"] = len(found), found["patient_id"].nunique()
            row["under_18"] = (found["age"] < 18).sum()
            row["age_known"] = found["age"].notna().sum()
        rows.append(row)
    numbers = ["images", "patients", "under_18", "age_known"]
    table = pd.DataFrame(rows, columns=["step", *numbers])
    for column, key in (("printed", "printed"), ("assumption", "assumed")):
        table[column] = [said.get(key, {}).get(step, "") for step in steps]
    return table.astype(dict.fromkeys(numbers, "Int64"))


def flow(data=None) -> pd.DataFrame:
    """How the images were chosen, as Figure 1 must have it: ``step, images, patients, under_18,
    age_known, printed, assumption``.

    ``under_18`` and ``age_known`` count images, by the ages of the row's own list; where a draw
    decides, images alone are counted. ``printed`` is as in the paper's text, empty where it gives
    no number; ``assumption`` says what is ours.
    """
    listed, read, free = _lists(data)
    steps = {"listed by ChestX-ray14": listed, "adjudicated": read}
    for title, name in (("adjudicated validation set", "val"), ("adjudicated test set", "test")):
        chosen = read[read["set"] == name]
        steps[title] = chosen
        steps[f"{title}, opacity"] = chosen[chosen["opacity"]]
        steps[f"{title}, no opacity"] = chosen[~chosen["opacity"]]
    text, kin = read[read["finding"] == NO_FINDING], free["patient_id"].isin(read["patient_id"])
    steps |= {
        "adjudicated, No Finding by text": text,
        "adjudicated, No Finding by text, opacity": text[text["opacity"]],
        "No Finding": listed[listed["finding"] == NO_FINDING],
        "No Finding, image not adjudicated": free,
        "No Finding, image not adjudicated but another of the patient": free[kin],
        "No Finding, patient not adjudicated": free[~kin],
        "test negatives": NEGATIVES,
    }
    expected = "expected among them, another image of the patient adjudicated"
    steps[expected] = round(NEGATIVES * float(kin.mean()))
    for snapshot in SNAPSHOTS:
        whole = covid_chestxray.read_manifest(data, snapshot)
        steps[f"radiographs of the COVID-19 collection, {snapshot}"] = whole
        steps[f"test COVID-19, {snapshot}"] = covid(data, snapshot)
    steps["test set"] = NEGATIVES + POSITIVES
    return _counts(steps, texts("cheazemin2020/flow"))


def split(
    data=None,
    seed: int = 0,
    *,
    exclude="patient",
    snapshot: str | None = SNAPSHOT,
    negatives: int = NEGATIVES,
) -> pd.DataFrame:
    """The paper's own division: ``image_id, patient_id, y_true, split``, one row per image, missing
    files included.

    ``y_true`` is ``opacity`` or ``none`` in training and validation, ``covid`` or ``none`` in the
    test set.

    Args:
        exclude: what the random draw of negatives avoids: adjudicated images (``image``) or every
        image of their patients (``patient``).
        snapshot: commit of the COVID-19 collection; with None its images are left out.
    """
    _, read, free = _lists(data)
    free = free[~free[EXCLUDE[exclude]].isin(read[EXCLUDE[exclude]])]
    if len(free) < negatives:
        raise InputError(
            f"split: {negatives} test negatives cannot be drawn from {len(free)} images"
        )
    seen = read.assign(split=read["set"].map({"val": "train", "test": "val"}))
    seen["y_true"] = np.where(read["opacity"], "opacity", "none")
    drawn = free.sample(negatives, random_state=np.random.default_rng(seed)).sort_index()
    tested = [covid(data, snapshot).assign(y_true="covid")] if snapshot else []
    tested = pd.concat([*tested, drawn.assign(y_true="none")]).assign(split="test")
    return pd.concat([seen, tested], ignore_index=True)[SPLIT]


def manifest(data=None, seed: int = 0) -> pd.DataFrame:
    """Manifest of the images of :func:`split`, missing files included."""
    images = pd.concat([chestxray14.read_manifest(data), covid(data)])
    return images[images["image_id"].isin(split(data, seed)["image_id"])].reset_index(drop=True)


def shared(split: pd.DataFrame) -> pd.DataFrame:
    """Patients on both sides of two parts: ``first, second, shared_patients, second_patients,
    shared_images, second_images``.

    ``shared_images`` are the images in the second part of patients who are in the first too. Of the
    test set, the negatives.
    """
    known = split[split["y_true"] != "covid"]
    ids = {part: known.loc[known["split"] == part, "patient_id"] for part in splits.PARTS}
    ids["train or val"] = pd.concat([ids["train"], ids["val"]])
    rows = []
    pairs = [("train", "val"), ("train", "test"), ("val", "test"), ("train or val", "test")]
    for first, second in pairs:
        common = ids[second][ids[second].isin(ids[first])]
        row = {"first": first, "second": second}
        row |= {"shared_patients": common.nunique(), "second_patients": ids[second].nunique()}
        rows.append(row | {"shared_images": len(common), "second_images": len(ids[second])})
    return pd.DataFrame(rows)


def sharing(data=None, seed: int = 0) -> pd.DataFrame:
    """:func:`shared` under both readings of "mutually exclusive", with ``seed`` and ``exclude``
    before its columns.
    """
    found = {(seed, level): shared(split(data, seed, exclude=level)) for level in EXCLUDE}
    return pd.concat(found, names=["seed", "exclude", None]).droplevel(2).reset_index()


def standin_manifest(data=None) -> pd.DataFrame:
    """Manifest of the stand-in's images with ``y_true``: ``opacity``, ``none`` or ``covid``.

    ChestX-ray14 images on disk by their text-mined label, ``opacity`` with any of :data:`OPACITY`
    and ``none`` with No Finding (other findings alone are left out); RSNA's normals, ``none``; and
    the COVID-19 images, those not on disk included.
    """
    images = chestxray14.read_manifest(data, absent=False)
    parts = [
        images[images["finding"].str.contains(OPACITY)].assign(y_true="opacity"),
        images[images["finding"] == NO_FINDING].assign(y_true="none"),
        covid(data).assign(y_true="covid"),
        rsna.read_manifest(data).assign(y_true="none"),
    ]
    return pd.concat(parts, ignore_index=True)


def standin_split(data=None, seed: int = 0) -> pd.DataFrame:
    """The stand-in's division, in the form of :func:`split`: text-mined labels train and validate,
    RSNA's normals are the negatives.

    About a quarter of the training patients validates. As many normals are drawn as keep the
    COVID-19 images on disk at the printed share. The normals are ChestX-ray14 images too, their
    index lost, so that patients shared with training cannot be excluded.
    """
    manifest = standin_manifest(data)
    ours = manifest["source"] == chestxray14.COLLECTION.name
    normals = manifest.index[manifest["source"] == rsna.COLLECTION.name]
    held = splits.fold_by_patient(manifest[ours], manifest.loc[ours, "y_true"], 4, seed)
    part = held.eq(0).map({True: "val", False: "train"})
    manifest["split"] = part.reindex(manifest.index).fillna("test")
    positives = present(manifest[manifest["y_true"] == "covid"], data).sum()
    wanted = round(int(positives) * NEGATIVES / POSITIVES)
    if not 0 < wanted <= len(normals):
        raise InputError(
            f"split: {wanted} test negatives cannot be drawn from {len(normals)} normal images"
        )
    left_out = np.random.default_rng(seed).permutation(normals)[wanted:]
    return manifest.drop(index=left_out).reset_index(drop=True)[SPLIT]


def standin_flow(data=None, seed: int = 0) -> pd.DataFrame:
    """The stand-in's images step by step, in the form of :func:`flow`; the patients of RSNA's
    normals are not known.
    """
    images, read = chestxray14.read_manifest(data, absent=False), chestxray14.read_adjudicated(data)
    whole = standin_manifest(data)
    split = standin_split(data, seed).set_index("image_id")["split"]
    parts = dict(list(whole.groupby([whole["image_id"].map(split), "y_true"])))
    positive = parts["test", "covid"]
    steps = {
        "ChestX-ray14 images on disk": images,
        "of them adjudicated": images[images["image_id"].isin(read["image_id"])],
        "left out, other findings only": images[~images["image_id"].isin(whole["image_id"])],
        "training, opacity": parts["train", "opacity"],
        "training, none": parts["train", "none"],
        "validation, opacity": parts["val", "opacity"],
        "validation, none": parts["val", "none"],
        "test COVID-19": positive,
        "test COVID-19, on disk": positive[present(positive, data)],
        "RSNA normals": int((whole["source"] == rsna.COLLECTION.name).sum()),
        "test negatives": len(parts["test", "none"]),
    }
    return _counts(steps, {})
