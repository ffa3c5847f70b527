"""Who is trained on and who is tested: splits by patient, folds, oversampling, and a count of what
leaks.

A split is a table ``image_id, split`` with ``split`` one of ``train``, ``val``, ``test``.
Everything random is seeded.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from cxrlib.data.manifest import numbered, require
from cxrlib.files import InputError, refuse

PARTS = ("train", "val", "test")


def split_by_patient(manifest: pd.DataFrame, test_images: int, seed: int = 0) -> pd.Series:
    """Draw whole patients at random until exactly ``test_images`` images are set apart.

    Patients are visited in random order; one whose images would overshoot is passed over. (A
    patient with many images is a little less likely to be tested.)

    Parameters
    ----------
    manifest : DataFrame
        One row per image, of which ``patient_id`` is known; ``image_id`` is for errors alone.
    test_images : int
        How many images the test set shall have, at least one and fewer than there are.
    seed : int
        The same seed and patients give the same split.

    Returns
    -------
    Series
        ``train`` or ``test`` for every row, index as ``manifest``.

    Raises
    ------
    InputError
        An image's patient is not known, ``test_images`` is no whole number of at least 1, or no
        whole patients in the drawn order add up to it.

    Examples
    --------
    >>> import pandas as pd
    >>> import cxrlib
    >>> manifest = pd.DataFrame({"patient_id": ["a", "a", "b", "c", "c", "d"]})
    >>> cxrlib.split_by_patient(manifest, test_images=2).tolist()
    ['train', 'train', 'train', 'test', 'test', 'train']
    """
    require(numbered(manifest), ["patient_id"], "manifest")
    _whole("test_images", test_images, 1)
    _whole("seed", seed, 0)
    counts = manifest.groupby("patient_id").size().sort_index()
    order = np.random.default_rng(seed).permutation(len(counts))
    chosen, left = [], test_images
    for patient, images in counts.iloc[order].items():
        if images <= left:
            chosen.append(patient)
            left -= images
    if left or test_images >= len(manifest):
        raise InputError(
            f"split: {test_images} test images cannot be drawn from {len(manifest)} images of"
            f" {len(counts)} patients"
        )
    return manifest["patient_id"].isin(chosen).map({True: "test", False: "train"})


def fold_by_patient(
    manifest: pd.DataFrame, labels: Sequence[str], n: int = 5, seed: int = 0
) -> pd.Series:
    """Cut images into folds: no patient in two of them, classes spread as evenly as that allows.

    Cut folds before :func:`oversample`, or nearly every copy would have a twin on the other side.

    Parameters
    ----------
    manifest : DataFrame
        One row per image, of which ``patient_id`` is known; ``image_id`` is for errors alone.
    labels : Series or sequence
        The class of each row, in the same order.
    n : int
        Number of folds, at least 2.
    seed : int
        The same seed and images give the same folds.

    Returns
    -------
    Series
        The fold of every row, 0 to n - 1, index as ``manifest``.

    Raises
    ------
    InputError
        A patient or class is not known, ``n`` is below 2 or above a class's number of patients.

    Examples
    --------
    >>> import pandas as pd
    >>> import cxrlib
    >>> manifest = pd.DataFrame({"patient_id": ["a", "a", "b", "c", "d", "d"]})
    >>> labels = pd.Series(["covid", "covid", "covid", "normal", "normal", "normal"])
    >>> fold = cxrlib.fold_by_patient(manifest, labels, n=2)
    >>> fold.groupby(manifest["patient_id"]).nunique().max()  # folds of one patient
    np.int64(1)
    """
    classes = _beside(manifest, "labels", labels).to_numpy()
    _whole("n", n, 2)
    _whole("seed", seed, 0)
    patients = manifest["patient_id"].to_numpy()
    fewest = manifest.groupby(classes)["patient_id"].nunique().min() if len(manifest) else 0
    if fewest < n:
        raise InputError(f"folds: a class has only {fewest} patients, too few for {n} folds")
    number = pd.Series(-1, index=manifest.index)
    cutter = StratifiedGroupKFold(n_splits=n, shuffle=True, random_state=seed)
    for fold, (_, held) in enumerate(cutter.split(classes, classes, patients)):
        number.iloc[held] = fold
    return number


def oversample(labels: Sequence[str], copies: dict[str, int]) -> np.ndarray:
    """Repeat the images of some classes.

    Parameters
    ----------
    labels : sequence of str, shape (N,)
        The class of each image.
    copies : dict
        How many times each image of a class occurs, at least once; of other classes, once.

    Returns
    -------
    array of int64, shape (M,)
        Positions into ``labels``.

    Raises
    ------
    InputError
        The class of an image is not known, or a number of copies is no whole number of at least 1.

    Examples
    --------
    >>> import cxrlib
    >>> cxrlib.oversample(["covid", "normal"], {"covid": 3}).tolist()
    [0, 0, 0, 1]
    """
    for label, number in copies.items():
        _whole(f"copies of {label}", number, 1)
    require(numbered(pd.DataFrame({"labels": labels})), ["labels"], "oversample")
    times = np.array([copies.get(label, 1) for label in labels], dtype=np.int64)
    return np.repeat(np.arange(len(labels)), times)


def leakage(manifest: pd.DataFrame, split: pd.Series) -> pd.Series:
    """Count the patients on both sides of the test boundary.

    Parameters
    ----------
    manifest : DataFrame
        One row per image, of which ``patient_id`` is known; ``image_id`` is for errors alone.
    split : Series
        ``train``, ``val`` or ``test`` for each row, index as ``manifest``.

    Returns
    -------
    Series
        ``train_patients`` (of training and validation), ``test_patients``, ``shared_patients``
        and ``test_images_of_shared``: test images whose patient has other images on the other side.

    Raises
    ------
    InputError
        A patient or a part is not known, or the two tables have not the same index.

    Examples
    --------
    >>> import pandas as pd
    >>> import cxrlib
    >>> manifest = pd.DataFrame({"patient_id": ["a", "a", "a", "b"]})
    >>> cxrlib.leakage(manifest, pd.Series(["train", "test", "test", "test"])).to_dict()
    {'train_patients': 1, 'test_patients': 2, 'shared_patients': 1, 'test_images_of_shared': 2}
    """
    if isinstance(split, pd.Series) and not split.index.equals(manifest.index):
        raise InputError("split: its index is not that of the manifest")
    test = _beside(manifest, "split", split, PARTS) == "test"
    trained, tested = manifest.loc[~test, "patient_id"], manifest.loc[test, "patient_id"]
    both = tested[tested.isin(trained)]
    counts = {"train_patients": trained.nunique(), "test_patients": tested.nunique()}
    return pd.Series(
        counts | {"shared_patients": both.nunique(), "test_images_of_shared": len(both)}
    )


def _beside(manifest: pd.DataFrame, name: str, values: Sequence, known: Sequence = ()) -> pd.Series:
    """What is said of each image of a manifest, in its order; InputError where it, or the patient,
    is not known.
    """
    table = numbered(manifest)
    require(table, ["patient_id"], "manifest")
    if len(values) != len(table):
        raise InputError(f"{name}: {len(values)} values of {len(table)} images")
    table = table.assign(**{name: pd.Series(values).to_numpy()})
    require(table, [name], "manifest")
    if known:
        refuse(~table[name].isin(known), table[name], f"is none of {', '.join(known)}", "manifest")
    return table[name].set_axis(manifest.index)


def _whole(name: str, value: object, least: int) -> None:
    """InputError unless an argument is a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise InputError(f"{name}: {value!r} is no whole number of at least {least}")
