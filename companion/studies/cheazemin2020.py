"""Study A's images (Che Azemin et al. 2020): which they are, how many, and how they are divided.

The paper trains and validates on ChestX-ray14 images whose airspace opacity radiologists settled,
and tests on COVID-19 images among 5,828 with "No Finding". Its Figure 1 has the counts; the text at
hand has not. What it leaves open is an assumption of ours, named in :func:`flow`. A stand-in
(:func:`standin_split`) runs where the adjudicated radiographs are not to be had.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cxrlib.data import chestxray14, covid_chestxray, rsna, splits
from cxrlib.data.manifest import present
from cxrlib.files import InputError

NEGATIVES = 5828  # test images without finding, as printed in section 2
POSITIVES = 154  # no other whole n makes n / (n + 5828) the printed 2.57 %
SNAPSHOTS = {
    "29e0b70": ("PA", "AP"),
    "0bae3ba": ("PA", "AP", "AP Supine"),
}  # commits and views that give 154 COVID-19 images
SNAPSHOT = "29e0b70"  # that of our runs
NO_FINDING = "No Finding"
OPACITY = (  # text-mined findings that stand in for airspace opacity
    r"Infiltration|Consolidation|Pneumonia|Edema"
)
EXCLUDE = {"image": "image_id", "patient": "patient_id"}
SPLIT = ["image_id", "patient_id", "y_true", "split"]


def covid(data=None, snapshot: str = "29e0b70") -> pd.DataFrame:
    """Manifest of the frontal COVID-19 radiographs at a commit of the collection: 154 at either of
    :data:`SNAPSHOTS`.

    29e0b70 (6 April 2020) has 106 patients, 0bae3ba (3 April) 99. :class:`InputError` for any other
    snapshot.
    """
    if snapshot not in SNAPSHOTS:
        raise InputError(
            f"snapshot {snapshot!r}: Study A's images are known at {' and '.join(SNAPSHOTS)} only"
        )
    whole = covid_chestxray.read_manifest(data, snapshot)
    return whole[
        covid_chestxray.is_covid19(whole) & whole["view"].isin(SNAPSHOTS[snapshot])
    ].reset_index(drop=True)


def _lists(data) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The list, the adjudicated images, and those with No Finding that are not adjudicated."""
    listed, read = chestxray14.read_labels(data), chestxray14.read_adjudicated(data)
    lost = read.loc[~read["image_id"].isin(listed["image_id"]), "image_id"]
    if len(lost):
        raise InputError(f"{chestxray14.ADJUDICATED}: {lost.iloc[0]} is not in {chestxray14.LIST}")
    return (
        listed,
        read,
        listed[(listed["finding"] == NO_FINDING) & ~listed["image_id"].isin(read["image_id"])],
    )


def _counts(steps: list[tuple]) -> pd.DataFrame:
    """Steps as ``(name, table or number[, printed[, assumption]])``."""
    rows = []
    for name, found, printed, assumption in [(*step, "", "")[:4] for step in steps]:
        if isinstance(found, int):
            counts = [found, None, None, None]
        else:
            counts = [
                len(found),
                found["patient_id"].nunique(),
                int((found["age"] < 18).sum()),
                int(found["age"].notna().sum()),
            ]
        rows.append((name, *counts, printed, assumption))
    numbers = ["images", "patients", "under_18", "age_known"]
    return pd.DataFrame(rows, columns=["step", *numbers, "printed", "assumption"]).astype(
        dict.fromkeys(numbers, "Int64")
    )


def flow(data=None) -> pd.DataFrame:
    """How the images were chosen, as Figure 1 must have it: ``step, images, patients, under_18,
    age_known, printed, assumption``.

    ``under_18`` and ``age_known`` count images, by the ages of the row's own list; where a draw
    decides, images alone are counted. ``printed`` is as in the paper's text, empty where it gives
    no number; ``assumption`` says what is ours.
    """
    listed, read, free = _lists(data)
    text, kin = read[read["finding"] == NO_FINDING], free["patient_id"].isin(read["patient_id"])
    steps = [
        (
            "listed by ChestX-ray14",
            listed,
            "",
            "The edition of the list is not stated. Here, that of 2020.",
        ),
        ("adjudicated", read),
    ]
    for name, assumption in {
        "val": (
            "Which of Google's two sets trained, and whether whole, is not stated. Here this one."
            " (Google's documentation says 2,412.)"
        ),
        "test": (
            "Which of Google's two sets validated, and whether whole, is not stated. Here this one."
        ),
    }.items():
        chosen, title = (
            read[read["set"] == name],
            f"adjudicated {'validation' if name == 'val' else 'test'} set",
        )
        steps.append((title, chosen, "", assumption))
        steps += [
            (f"{title}, opacity", chosen[chosen["opacity"]]),
            (f"{title}, no opacity", chosen[~chosen["opacity"]]),
        ]
    steps += [
        ("adjudicated, No Finding by text", text),
        ("adjudicated, No Finding by text, opacity", text[text["opacity"]]),
        ("No Finding", listed[listed["finding"] == NO_FINDING]),
        (
            "No Finding, image not adjudicated",
            free,
            "",
            "If “mutually exclusive” is meant by image, these can be drawn.",
        ),
        ("No Finding, image not adjudicated but another of the patient", free[kin]),
        (
            "No Finding, patient not adjudicated",
            free[~kin],
            "",
            "If it is meant by patient, these can be drawn. Here so.",
        ),
        (
            "test negatives",
            NEGATIVES,
            f"{NEGATIVES}",
            "How they were chosen is not stated. Here, at random with a recorded seed.",
        ),
        (
            "expected among them, another image of the patient adjudicated",
            round(NEGATIVES * float(kin.mean())),
        ),
    ]
    for snapshot, views in SNAPSHOTS.items():
        why = (
            f"Neither number, commit nor views are stated. Commit {snapshot} gives {POSITIVES} with"
            f" {', '.join(views)}."
        )
        steps.append(
            (
                f"radiographs of the COVID-19 collection, {snapshot}",
                covid_chestxray.read_manifest(data, snapshot),
            )
        )
        steps.append((f"test COVID-19, {snapshot}", covid(data, snapshot), "", why))
    steps.append(
        (
            "test set",
            NEGATIVES + POSITIVES,
            "2.57 % COVID-19",
            f"The sum is not stated. Only {POSITIVES} COVID-19 images give the share.",
        )
    )
    return _counts(steps)


def split(
    data=None,
    seed: int = 0,
    *,
    train="val",
    exclude="patient",
    snapshot="29e0b70",
    negatives: int = NEGATIVES,
) -> pd.DataFrame:
    """The paper's own division: ``image_id, patient_id, y_true, split``, one row per image, missing
    files included.

    ``y_true`` is ``opacity`` or ``none`` in training and validation, ``covid`` or ``none`` in the
    test set.

    Args:
        train: the adjudicated set that trains, ``val`` or ``test``; the other one validates.
        exclude: what the random draw of negatives avoids: adjudicated images (``image``) or every
        image of their patients (``patient``).
    """
    if train not in {"val", "test"} or exclude not in EXCLUDE:
        raise InputError(
            f"split: train must be val or test and exclude image or patient, not {train!r} and"
            f" {exclude!r}"
        )
    _, read, free = _lists(data)
    free = free[~free[EXCLUDE[exclude]].isin(read[EXCLUDE[exclude]])]
    if len(free) < negatives:
        raise InputError(
            f"split: {negatives} test negatives cannot be drawn from {len(free)} images"
        )
    seen = read.assign(
        y_true=np.where(read["opacity"], "opacity", "none"),
        split=np.where(read["set"] == train, "train", "val"),
    )
    drawn = (
        free.sample(negatives, random_state=np.random.default_rng(seed))
        .sort_index()
        .assign(y_true="none", split="test")
    )
    return pd.concat(
        [seen, covid(data, snapshot).assign(y_true="covid", split="test"), drawn], ignore_index=True
    )[SPLIT]


def shared(split: pd.DataFrame) -> pd.DataFrame:
    """Patients on both sides of two parts: ``first, second, shared_patients, second_patients,
    shared_images, second_images``.

    ``shared_images`` are the images in the second part of patients who are in the first too. Of the
    test set, the negatives.
    """
    ids = {
        part: split.loc[(split["split"] == part) & (split["y_true"] != "covid"), "patient_id"]
        for part in ("train", "val", "test")
    }
    ids["train or val"] = pd.concat([ids["train"], ids["val"]])
    rows = []
    for first, second in (
        ("train", "val"),
        ("train", "test"),
        ("val", "test"),
        ("train or val", "test"),
    ):
        common = ids[second][ids[second].isin(ids[first])]
        rows.append(
            (first, second, common.nunique(), ids[second].nunique(), len(common), len(ids[second]))
        )
    return pd.DataFrame(
        rows,
        columns=[
            "first",
            "second",
            "shared_patients",
            "second_patients",
            "shared_images",
            "second_images",
        ],
    )


def sharing(data=None, seed: int = 0) -> pd.DataFrame:
    """:func:`shared` under both readings of "mutually exclusive", with ``seed`` and ``exclude``
    before its columns.
    """
    found = {(seed, level): shared(split(data, seed, exclude=level)) for level in EXCLUDE}
    return pd.concat(found, names=["seed", "exclude", None]).droplevel(2).reset_index()


def standin_manifest(data=None, snapshot: str = "29e0b70") -> pd.DataFrame:
    """Manifest of the stand-in's images with ``y_true``: ``opacity``, ``none`` or ``covid``.

    ChestX-ray14 images on disk by their text-mined label, ``opacity`` with any of :data:`OPACITY`
    and ``none`` with No Finding (other findings alone are left out); RSNA's normals, ``none``; and
    the COVID-19 images, those not on disk included.
    """
    images = chestxray14.read_manifest(data, absent=False)
    opaque, clear = images["finding"].str.contains(OPACITY), images["finding"] == NO_FINDING
    parts = {"opacity": images[opaque], "none": images[clear], "covid": covid(data, snapshot)}
    parts = [part.assign(y_true=label) for label, part in parts.items()]
    return pd.concat([*parts, rsna.read_manifest(data).assign(y_true="none")], ignore_index=True)


def standin_split(data=None, seed: int = 0, snapshot: str = "29e0b70") -> pd.DataFrame:
    """The stand-in's division, in the form of :func:`split`: text-mined labels train and validate,
    RSNA's normals are the negatives.

    About a quarter of the training patients validates. As many normals are drawn as keep the
    COVID-19 images on disk at the printed share. The normals are ChestX-ray14 images too, their
    index lost, so that patients shared with training cannot be excluded.
    """
    manifest = standin_manifest(data, snapshot)
    ours, normals = (
        manifest["source"] == chestxray14.COLLECTION.name,
        manifest.index[manifest["source"] == rsna.COLLECTION.name],
    )
    held = splits.fold_by_patient(manifest[ours], manifest.loc[ours, "y_true"], 4, seed)
    manifest["split"] = (
        held.eq(0).map({True: "val", False: "train"}).reindex(manifest.index).fillna("test")
    )
    wanted = round(
        int(present(manifest[manifest["y_true"] == "covid"], data).sum()) * NEGATIVES / POSITIVES
    )
    if not 0 < wanted <= len(normals):
        raise InputError(
            f"split: {wanted} test negatives cannot be drawn from {len(normals)} normal images"
        )
    return manifest.drop(
        index=np.random.default_rng(seed).permutation(normals)[wanted:]
    ).reset_index(drop=True)[SPLIT]


def standin_flow(data=None, seed: int = 0) -> pd.DataFrame:
    """The stand-in's images step by step, in the form of :func:`flow`; the patients of RSNA's
    normals are not known.
    """
    images, whole, read = (
        chestxray14.read_manifest(data, absent=False),
        standin_manifest(data),
        chestxray14.read_adjudicated(data),
    )
    whole["split"] = whole["image_id"].map(standin_split(data, seed).set_index("image_id")["split"])
    steps = [
        ("ChestX-ray14 images on disk", images),
        ("of them adjudicated", images[images["image_id"].isin(read["image_id"])]),
        ("left out, other findings only", images[~images["image_id"].isin(whole["image_id"])]),
    ]
    parts = {key: part for key, part in whole.groupby(["split", "y_true"])}
    for part, title in (("train", "training"), ("val", "validation")):
        steps += [(f"{title}, {label}", parts[part, label]) for label in ("opacity", "none")]
    positive = parts["test", "covid"]
    steps += [
        ("test COVID-19", positive),
        ("test COVID-19, on disk", positive[present(positive, data)]),
    ]
    steps += [
        ("RSNA normals", int((whole["source"] == rsna.COLLECTION.name).sum())),
        ("test negatives", len(parts["test", "none"])),
    ]
    return _counts(steps)
