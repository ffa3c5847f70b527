"""Who is trained on and who is tested: splits by patient, folds, oversampling, and a count of what
leaks.

A split is a table ``image_id, split`` with ``split`` one of ``train``, ``val``, ``test``.
Everything random is seeded.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from cxrlib.files import InputError


def split_by_patient(manifest: pd.DataFrame, test_images: int, seed: int) -> pd.Series:
    """Draw whole patients at random until exactly ``test_images`` images are set apart.

    Patients are visited in random order; one whose images would overshoot is passed over, which a
    following patient with fewer images makes good. (A patient with many images is thereby a little
    less likely to be tested near the end.)

    Returns:
        ``train`` or ``test`` for every row, index as ``manifest``.

    Raises:
        InputError: no set of whole patients in the drawn order adds up to ``test_images``.
    """
    counts = manifest.groupby("patient_id").size().sort_index()
    order = np.random.default_rng(seed).permutation(len(counts))
    chosen, left = [], test_images
    for patient, images in zip(counts.index[order], counts.to_numpy()[order], strict=True):
        if images <= left:
            chosen.append(patient)
            left -= int(images)
    if left or test_images >= len(manifest):
        raise InputError(
            f"split: {test_images} test images cannot be drawn from {len(manifest)} images of"
            f" {len(counts)} patients"
        )
    return manifest["patient_id"].isin(chosen).map({True: "test", False: "train"})


def fold_by_patient(manifest: pd.DataFrame, labels: pd.Series, n: int, seed: int) -> pd.Series:
    """Fold number 0…n-1 of every image: no patient in two folds, classes spread as evenly as that
    allows.

    Cut folds first and oversample after (:func:`oversample`): the other way round nearly every
    copied image would have a twin on the other side.
    """
    if n < 2:
        raise InputError(f"folds: {n} folds hold nothing out, at least 2 are needed")
    patients = manifest["patient_id"].to_numpy()
    fewest = (
        manifest.groupby(labels.to_numpy())["patient_id"].nunique().min() if len(manifest) else 0
    )
    if fewest < n:
        raise InputError(f"folds: a class has only {fewest} patients, too few for {n} folds")
    number = pd.Series(-1, index=manifest.index)
    cutter = StratifiedGroupKFold(n_splits=n, shuffle=True, random_state=seed)
    for fold, (_, held) in enumerate(
        cutter.split(np.zeros(len(manifest)), labels.to_numpy(), patients)
    ):
        number.iloc[held] = fold
    return number


def oversample(labels: np.ndarray, copies: dict[str, int]) -> np.ndarray:
    """Positions (int64, shape ``(M,)``) into ``labels`` in which each image of a class in
    ``copies`` occurs that many times.
    """
    times = np.array([copies.get(label, 1) for label in labels], dtype=np.int64)
    if (times < 1).any():
        raise InputError("oversample: each image must occur at least once")
    return np.repeat(np.arange(len(labels)), times)


def leakage(manifest: pd.DataFrame, split: pd.Series) -> pd.DataFrame:
    """Patients on both sides of the test boundary, under both readings of the Kermany file names.

    ``personN`` occurs with bacterial and with viral images. If the numbering runs per class,
    ``patient_id`` (class and number) tells patients apart; if it runs through both, only the number
    does. The names alone do not decide.

    Returns:
        Rows ``class and number`` and ``number alone``; columns ``train_patients``,
        ``test_patients``, ``shared_patients`` and ``test_images_of_shared`` (test images whose
        patient also has training or validation images).
    """
    number = manifest["patient_id"].str.replace(
        r"^kermany/(bacteria|virus|normal)-", "kermany/", regex=True
    )
    test = split == "test"
    rows = {}
    for reading, patients in {
        "class and number": manifest["patient_id"],
        "number alone": number,
    }.items():
        train_ids, test_ids = set(patients[~test]), set(patients[test])
        shared = train_ids & test_ids
        rows[reading] = {
            "train_patients": len(train_ids),
            "test_patients": len(test_ids),
            "shared_patients": len(shared),
            "test_images_of_shared": int(patients[test].isin(shared).sum()),
        }
    return pd.DataFrame.from_dict(rows, orient="index")
