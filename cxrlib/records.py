"""Run records: what one training run was, what it lacked, and what it predicted. Reading one needs
no torch and no image.

A record is a folder ``results/<run>/``:

``run.json``
    study, experiment, configuration, class order, seed, data fingerprint, what was missing,
    weights, package versions, device, seconds per stage, git revision, metrics. A setting that did
    nothing in the run is null in ``config``, and ``milestones`` holds those that were reached
    (records before December 2026 state both as they were asked for). ``data.covid`` says how many
    COVID-19 images the collection's table lists by the study's rule and the study counts.
``split.csv``
    ``image_id, patient_id, y_true, split, missing`` for every image of the study, those not on disk
    included.
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
    class-activation maps and where they lie, of headline runs (:mod:`cxrlib.maps`).

A family of runs is a folder of such folders: ``results/zhu-fourclass-redraws/seed-1/``.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cxrlib.files import InputError
from cxrlib.metrics.predictions import check_predictions
from cxrlib.transfer.config import HISTORY

REQUIRED = [
    "run",
    "study",
    "experiment",
    "title",
    "origin",
    "config",
    "classes",
    "seed",
    "data",
    "lacked",
    "weights",
    "packages",
    "device",
    "seconds",
    "git",
    "epochs",
    "metrics",
]
SPLIT = ["image_id", "patient_id", "y_true", "split", "missing"]
CAMS = ["image_id", "split", "shape", "cam", "random_id", "stage", "random_cam"]
LOCALISATION = [
    "image_id",
    "patient_id",
    "split",
    "kind",
    "stage",
    "draw",
    "region",
    "inside",
    "peak",
    "iou",
]
OURS = (
    "run.json",
    "history.csv",
    "split.csv",
    "predictions.csv",
    "cams.npz",
)  # a folder with one of them is a record's
FILES = {"history.csv": HISTORY, "split.csv": SPLIT}


@dataclass(frozen=True)
class Record:
    """A record in memory. ``info`` is run.json; the tables are as the module says; ``maps`` are
    those of `cams` where the folder is gone.
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


def read_record(folder: str | Path) -> Record:
    """Read and check the record in ``folder``.

    Raises:
        InputError: there is none, or a file of it is damaged; one line naming file and field.
    """
    folder = Path(folder)
    file = folder / "run.json"
    if not file.is_file():
        raise InputError(f"{folder}: holds no record (no run.json)")
    try:
        info = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file}: not valid JSON ({error})") from None
    if not isinstance(info, dict):
        raise InputError(f"{file}: not a JSON object")
    for field in REQUIRED:
        if field not in info:
            raise InputError(f"{file}: lacks the field {field}")
    tables = {table: _table(folder / table, columns) for table, columns in FILES.items()}
    for table in ("predictions.csv", "validation.csv"):
        tables[table] = _table(folder / table, [])
        classes = check_predictions(tables[table], where=str(folder / table))
        expected = (
            info["classes"]
            if table == "predictions.csv"
            else info.get("trained_classes", info["classes"])
        )
        if classes != expected:
            raise InputError(f"{folder / table}: classes {classes} are not run.json's {expected}")
    return Record(
        folder,
        info,
        tables["split.csv"],
        tables["history.csv"],
        tables["predictions.csv"],
        tables["validation.csv"],
    )


def read_maps(run: Record) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """A run's class-activation maps and where they lie, as :func:`cxrlib.maps.write` left them.
    :class:`InputError` without them.
    """
    if run.maps is not None:
        return run.maps
    file = run.folder / "cams.npz"
    try:
        with np.load(file, allow_pickle=False) as arrays:
            maps = {key: arrays[key] for key in CAMS}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{file}: class-activation maps cannot be read ({error}); python -m companion.build"
            f" cams {run.name} makes them"
        ) from None
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
    """Write a record whole: into a temporary folder beside its place, which then takes the place.

    ``extra`` names further files to move in (``{"model.safetensors": path}``). A record that is
    already there is replaced only after the new one is complete.
    """
    folder = Path(folder)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        for name, table in {
            "split.csv": record.split,
            "history.csv": record.history,
            "predictions.csv": record.predictions,
            "validation.csv": record.validation,
        }.items():
            table.to_csv(
                temporary / name,
                index=False,
                float_format="%.6g" if name == "history.csv" else "%.9g",
                lineterminator="\n",
            )
        for name, source in (extra or {}).items():
            shutil.copyfile(source, temporary / name)
        (temporary / "run.json").write_text(
            json.dumps(record.info, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        read_record(temporary)  # what cannot be read back is not written
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        temporary.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if old.exists() and not folder.exists():
            old.rename(folder)
    return folder
