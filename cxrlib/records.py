"""Run records: what one training run was and what it predicted. Reading one needs no torch and no
image.

A record is a folder ``<results>/<run>/``:

``run.json``
    version of this form, configuration, class order, seed, data fingerprint, what was missing,
    weights, package versions, device, seconds per stage, git revision, metrics; and, under
    ``about``, whatever else whoever trained has to say of the run. A setting that did nothing in
    the run is null in ``config``, and ``milestones`` holds those that were reached (records before
    December 2026 state both as they were asked for). In memory, and in records without a version,
    what is under ``about`` lies beside the rest.
``split.csv``
    ``image_id, patient_id, y_true, split, missing`` for every image, those not on disk included.
``history.csv``
    one row per epoch: rate, loss (nats) and accuracy of training and validation; test figures of
    the kept and the last epoch only.
``predictions.csv``, ``validation.csv``
    ``image_id, patient_id, source, split, y_true, p_<class>…`` of the test set and of the
    validation fold.
``model.safetensors``, ``MODEL-LICENSE.md``
    the kept model in float16, of headline runs.
``head.npz``
    of a frozen network the kept last layer, ``weight (K, D)`` and ``bias (K,)``, rounded to
    float16; the rest is ImageNet's.
``cams.npz``, ``localisation.csv``
    class-activation maps and where they lie, of headline runs (:func:`read_maps`).

A family of runs is a folder of such folders.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cxrlib.files import InputError, whole
from cxrlib.metrics.predictions import read_predictions
from cxrlib.transfer.config import HISTORY

VERSION = 2
REQUIRED = [  # fields of run.json that a record cannot do without
    *("run", "origin", "config", "classes", "seed", "data", "weights", "packages", "device"),
    *("seconds", "git", "epochs", "metrics"),
]
OWN = [*REQUIRED, "recorded", "trained_classes"]  # what is not under ``about``
SPLIT = ["image_id", "patient_id", "y_true", "split", "missing"]
CAMS = ["image_id", "split", "shape", "cam", "random_id", "stage", "random_cam"]
LOCALISATION = [
    *("image_id", "patient_id", "split", "kind", "stage", "draw"),
    *("region", "inside", "peak", "iou"),
]
SHOWN = ["model", "size", "batch", "lr", "milestones", "weight_decay"]  # settings, in Jupyter
# a folder with one of these files is a record's
OURS = ("run.json", "history.csv", "split.csv", "predictions.csv", "cams.npz")


@dataclass(frozen=True, repr=False)
class Record:
    """A record in memory.

    Parameters
    ----------
    folder : Path
        Where it lies.
    info : dict
        What run.json holds.
    split, history, predictions, validation : DataFrame
        The tables, as :mod:`cxrlib.records` says.
    maps : tuple, optional
        Class-activation maps and where they lie, where the folder is gone.

    Examples
    --------
    >>> table = pd.DataFrame({"y_true": ["ill"], "p_ill": [0.9], "p_well": [0.1]})
    >>> empty = pd.DataFrame()
    >>> record = Record(Path("mine"), {"run": "mine", "classes": ["ill", "well"]}, empty, empty,
    ...                 table, empty)
    >>> record.name, record.classes
    ('mine', ['ill', 'well'])
    """

    folder: Path
    info: dict
    split: pd.DataFrame
    history: pd.DataFrame
    predictions: pd.DataFrame
    validation: pd.DataFrame
    maps: tuple[dict[str, np.ndarray], pd.DataFrame] | None = None

    @property
    def name(self) -> str:
        return self.info["run"]

    @property
    def classes(self) -> list[str]:
        return self.info["classes"]

    def __repr__(self) -> str:
        return f"<Record {self.name}: {len(self.predictions)} test images>"

    def _repr_html_(self) -> str:
        """What Jupyter shows: what the run was, and what came out."""
        info, config = self.info, self.info.get("config") or {}
        shown = {"classes": self.classes, "origin": info.get("origin"), "seed": info.get("seed")}
        shown |= {name: config[name] for name in SHOWN if name in config}
        if epochs := info.get("epochs"):
            shown["epochs"] = "{run} of {planned}, {kept} kept".format_map(epochs)
        for name, value in (info.get("metrics") or {}).items():
            shown[name.replace("_", " ")] = f"{value:.3f}" if isinstance(value, float) else value
        rows = pd.Series(shown, name=f"Run {self.name}", dtype=object)
        return rows.to_frame().to_html(classes="numbers", border=0)


def read_record(folder: str | Path) -> Record:
    """Read and check the record in ``folder``, of this form or an older one.

    Returns
    -------
    Record

    Raises
    ------
    InputError
        There is none, or a file of it is damaged; one line naming file and field.

    Examples
    --------
    >>> read_record("nowhere")
    Traceback (most recent call last):
        ...
    cxrlib.files.InputError: nowhere: holds no record (no run.json)
    """
    folder = Path(folder)
    info = _info(folder / "run.json")
    split, history = _table(folder / "split.csv", SPLIT), _table(folder / "history.csv", HISTORY)
    trained = info.get("trained_classes", info["classes"])
    predictions = _predictions(folder / "predictions.csv", info["classes"])
    validation = _predictions(folder / "validation.csv", trained)
    return Record(folder, info, split, history, predictions, validation)


def _predictions(file: Path, expected: list[str]) -> pd.DataFrame:
    """A checked table of predictions for these classes."""
    table = read_predictions(file)
    classes = [column[2:] for column in table if column.startswith("p_")]
    if classes != expected:
        raise InputError(f"{file}: classes {classes} are not run.json's {expected}")
    return table


def _info(file: Path) -> dict:
    """run.json, with what is under ``about`` beside the rest."""
    if not file.is_file():
        raise InputError(f"{file.parent}: holds no record (no run.json)")
    try:
        info = json.loads(file.read_text(encoding="utf-8"))
        about, version = info.pop("about", {}), info.get("version", 1)
        info = about | info
    except ValueError as error:
        raise InputError(f"{file}: not valid JSON ({error})") from None
    except (AttributeError, TypeError):
        raise InputError(f"{file}: not a JSON object") from None
    if version not in range(1, VERSION + 1):
        what = f"version {version!r} of the form, which this copy of cxrlib cannot read"
        raise InputError(f"{file}: {what} (it knows {VERSION}); update it")
    for field in REQUIRED:
        if field not in info:
            raise InputError(f"{file}: lacks the field {field}")
    return info


def refuse_foreign(folder: Path, known: tuple[str, ...]) -> None:
    """:class:`InputError` where ``folder`` holds files, but none with a name that begins as one of
    ours.
    """
    names = [file.name for file in folder.iterdir()] if folder.is_dir() else []
    if names and not any(name.startswith(known) for name in names):
        raise InputError(
            f"{folder}: holds other files ({min(names)}), which a run of this name would delete;"
            " choose another --name"
        )


def read_maps(run: Record) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """A run's class-activation maps and where they lie, from ``cams.npz`` and
    ``localisation.csv``. :class:`InputError` without them.
    """
    if run.maps is not None:
        return run.maps
    file = run.folder / "cams.npz"
    try:
        with np.load(file, allow_pickle=False) as arrays:
            maps = {key: arrays[key] for key in CAMS}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{file}: class-activation maps cannot be read ({error})") from None
    return maps, _table(run.folder / "localisation.csv", LOCALISATION)


def _table(file: Path, columns: list[str]) -> pd.DataFrame:
    try:
        table = pd.read_csv(file, dtype={"image_id": str, "patient_id": str})
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read as CSV ({error})") from None
    for column in columns:
        if column not in table:
            raise InputError(f"{file}: lacks the column {column}")
    return table


def write_record(record: Record, folder: str | Path, extra: dict[str, Path] | None = None) -> Path:
    """Write a record whole: beside its place first, and what is there is replaced at the end.

    Parameters
    ----------
    record : its own ``folder`` plays no part
    folder : the place, which is returned
    extra : further files to copy in, ``{"model.safetensors": path}``

    Raises
    ------
    InputError
        It could not be read back: a field is missing, probabilities do not add up to 1.

    Examples
    --------
    >>> info = dict.fromkeys(REQUIRED, "") | {"run": "mine", "classes": ["ill", "well"]}
    >>> row = {"image_id": "s/1", "patient_id": "s/1", "source": "s", "split": "test"}
    >>> test = pd.DataFrame([row | {"y_true": "ill", "p_ill": 0.9, "p_well": 0.1}])
    >>> split, history = pd.DataFrame(columns=SPLIT), pd.DataFrame(columns=HISTORY)
    >>> record = Record(Path("mine"), info, split, history, test, test.assign(split="val"))
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as results:
    ...     read_record(write_record(record, Path(results) / "mine")).predictions["p_ill"].item()
    0.9
    """
    folder = Path(folder)
    with whole(folder) as new:
        _write_files(record, new)
        for name, source in (extra or {}).items():
            shutil.copyfile(source, new / name)
        read_record(new)  # what cannot be read back is not written
    return folder


def _write_files(record: Record, folder: Path) -> None:
    """run.json and the tables, as plain text."""
    for name in ("split", "history", "predictions", "validation"):
        digits = "%.6g" if name == "history" else "%.9g"
        table, file = getattr(record, name), folder / f"{name}.csv"
        table.to_csv(file, index=False, float_format=digits, lineterminator="\n")
    info = {key: value for key, value in record.info.items() if key != "version"}
    own = {key: info.pop(key) for key in record.info if key in OWN}
    text = json.dumps({"version": VERSION, **own, "about": info}, indent=1, ensure_ascii=False)
    (folder / "run.json").write_text(text + "\n", encoding="utf-8")
