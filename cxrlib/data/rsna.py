"""Adult radiographs that RSNA's radiologists read as normal (pneumonia challenge of 2018)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cxrlib.data.manifest import Collection, data_folder, read_csv
from cxrlib.files import InputError

CHALLENGE = "rsna-pneumonia-detection-challenge"  # the folder of the challenge's own files
CLASSES, IMAGES = "stage_2_detailed_class_info.csv", "stage_2_train_images"
FORMS = {
    "patientId": r"[0-9a-f-]{36}",
    "class": r"Normal|Lung Opacity|No Lung Opacity / Not Normal",
}
COLLECTION = Collection(
    "rsna-normal",
    ("rsna-normal-224", "rsna-normal", CHALLENGE),
    5828,
    "it needs an account: accept the terms at"
    " https://www.kaggle.com/competitions/rsna-pneumonia-detection-challenge/data, download all and"
    f" unpack it in {CHALLENGE}, so that {CLASSES} and {IMAGES}/ are there",
)


def read_manifest(data: str | Path | None = None) -> pd.DataFrame:
    """ChestX-ray14 radiographs whose place in that collection's list is lost: ``images/Normal-*``,
    or the challenge's own files as they are downloaded (``stage_2_train_images/*.dcm``, of which
    those that ``stage_2_detailed_class_info.csv`` calls Normal).

    So the patient is unknown and each image counts as its own. Some may be of patients whom
    :func:`cxrlib.data.chestxray14.read_manifest` has too. :class:`InputError` when the folder is
    missing or holds no such image.
    """
    root = data_folder(data)
    folder = COLLECTION.locate(root)
    if folder == CHALLENGE:
        return _read_challenge(root)
    files = COLLECTION.pictures(root, "images/Normal-*")
    return _manifest(pd.DataFrame({"image_id": files.index, "path": files.to_numpy()}), folder)


def _read_challenge(root: Path) -> pd.DataFrame:
    """The 8,851 that are Normal; one whose file is missing stays in the table."""
    folder, where = root / CHALLENGE, f"{CHALLENGE}/{CLASSES}"
    for needed in (CLASSES, IMAGES):
        if not (folder / needed).exists():
            raise InputError(f"{folder}: holds no {needed}; {COLLECTION.advice}")
    table = read_csv(folder / CLASSES, where, FORMS)
    names = table.loc[table["class"] == "Normal", "patientId"].drop_duplicates()
    paths = f"{CHALLENGE}/{IMAGES}/" + names + ".dcm"
    return _manifest(pd.DataFrame({"image_id": names, "path": paths}), where)


def _manifest(images: pd.DataFrame, where: str) -> pd.DataFrame:
    names = f"{COLLECTION.name}/" + images["image_id"]
    whole = images.assign(image_id=names, patient_id=names, finding="Normal")
    return COLLECTION.manifest(whole, where)
