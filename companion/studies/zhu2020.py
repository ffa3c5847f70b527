"""Study B's images (Zhu 2020): which they are, how many, and how they are divided."""

from __future__ import annotations

import pandas as pd

from companion.studies.settings import CV_FOLDS
from cxrlib.data import covid_chestxray, kermany, splits
from cxrlib.data.manifest import data_folder

SNAPSHOT = "6e57ed3"  # the commit of 4 May 2020, whose counts are those printed
KERMANY_CLASS = {"virus": "viral", "bacteria": "bacterial", "normal": "normal"}
VIEWS = {"PA", "AP", "AP Supine"}
COVID, TEST_COVID = 232, 60
FIGURE_4_6 = "covid-chestxray/covid-19-pneumonia-101"
# filed as frontal, so one of the 232
LATERAL = "covid-chestxray/covid-19-infection-exclusive-gastrointestinal-symptoms-l"


def manifest(data=None, snapshot: str = SNAPSHOT) -> pd.DataFrame:
    """Study B's images: all of Kermany and the COVID-19 radiographs in AP, PA or supine AP view
    (section 2.1).

    232 + 5,856 rows at the snapshot the thesis used. The thesis writes "anteroposterior or
    posteroanterior"; its 232 needs supine AP too.
    """
    covid = covid_chestxray.read_manifest(data, snapshot)
    covid = covid[covid_chestxray.is_covid19(covid) & covid["view"].isin(VIEWS)]
    return pd.concat([covid, kermany.read_manifest(data)], ignore_index=True)


def outside(data=None) -> pd.DataFrame:
    """Manifest row of the radiograph in Figure 4.6, with ``y_true`` and ``split`` (``outside``).

    Its comment stands in the notes of a file that the collection took up after the snapshot the
    thesis counted (commit 9e80e4c lists it, 10f0e4e does not), so it is none of the 232. The thesis
    names Radiopaedia, its source.
    """
    root = data_folder(data)
    path = f"{covid_chestxray.COLLECTION.locate(root)}/images/covid-19-pneumonia-101.png"
    row = {"image_id": FIGURE_4_6, "path": path, "patient_id": "covid-chestxray/203"}
    row |= {"source": "covid-chestxray", "finding": "COVID-19"}
    return pd.DataFrame([row | {"y_true": "covid", "split": "outside"}])


def flow(data=None, snapshot: str = SNAPSHOT) -> pd.DataFrame:
    """How the images were chosen, step by step: ``step, images, patients``. A Kermany patient is a
    class and number in a file name.
    """
    listed = covid_chestxray.read_metadata(data, snapshot)
    xray = covid_chestxray.read_manifest(data, snapshot)
    covid = xray[covid_chestxray.is_covid19(xray)]
    steps = {
        "listed by the COVID-19 collection, CT included": listed["patientid"],
        "of them radiographs": xray["patient_id"],
        "of them labelled COVID-19": covid["patient_id"],
        "of them in PA or AP view": covid.loc[covid["view"].isin({"PA", "AP"}), "patient_id"],
        "with supine AP view too": covid.loc[covid["view"].isin(VIEWS), "patient_id"],
        "Kermany's collection": kermany.read_manifest(data)["patient_id"],
        "chosen": manifest(data, snapshot)["patient_id"],
    }
    rows = [(step, len(patients), patients.nunique()) for step, patients in steps.items()]
    return pd.DataFrame(rows, columns=["step", "images", "patients"])


def labels(manifest: pd.DataFrame, classes: tuple[str, ...]) -> pd.Series:
    """Class name of every row of :func:`manifest`, for two classes or four."""
    four = manifest["finding"].map(KERMANY_CLASS).where(manifest["source"] == "kermany", "covid")
    return four if "non_covid" not in classes else four.where(four == "covid", "non_covid")


def split(
    manifest: pd.DataFrame,
    labels: pd.Series,
    seed: int,
    val_folds: int,
    *,
    unit: str = "patient",
    fold: int = 0,
) -> pd.DataFrame:
    """Study B's split (section 2.2): Kermany's own, COVID-19 by patient with 60 images for testing;
    then the validation fold.

    On a set with fewer COVID-19 images (a phantom) the test share is kept at 60/232.

    Args:
        unit: ``image`` draws the 60 without regard to patients, to show what that does. fold: 1 to
        5 tests on that fifth of all images instead, cut by patient with the classes spread evenly.

    Returns:
        ``image_id, patient_id, y_true, split`` with one row per image, missing files included.
    """
    if fold:
        fifth = splits.fold_by_patient(manifest, labels, CV_FOLDS, seed)
        part = fifth.eq(fold - 1).map({True: "test", False: "train"})
    else:
        covid = manifest["source"] == "covid-chestxray"
        drawn = manifest[covid]
        if unit != "patient":
            drawn = drawn.assign(patient_id=drawn["image_id"])
        held = max(1, round(len(drawn) * TEST_COVID / COVID))
        part = manifest["predefined_split"].copy()
        part[covid] = splits.split_by_patient(drawn, held, seed)
    train = part == "train"
    held_out = splits.fold_by_patient(manifest[train], labels[train], val_folds, seed)
    part[held_out.index[held_out == 0]] = "val"
    return manifest[["image_id", "patient_id"]].assign(y_true=labels, split=part)
