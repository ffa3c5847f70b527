"""The runs of the book: where their records lie, and which are there."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from companion import options
from companion.clone import clone_folder
from companion.studies import settings
from cxrlib import records
from cxrlib.data import phantom
from cxrlib.files import InputError
from cxrlib.records import Record


def results_folder() -> Path:
    """Folder of the records: ``CXR_RESULTS``, else ``results/`` of the clone this runs from."""
    return Path(os.environ.get("CXR_RESULTS") or clone_folder() / "results")


def recorded(name: str, results: str | Path | None = None) -> bool:
    """True when the record exists (a record is written last, so its folder is whole)."""
    return (Path(results or results_folder()) / name / "run.json").is_file()


def or_stand_in(name: str) -> str:
    """The run itself, but the stand-in's name for Study A's own rule while that is not recorded."""
    own = settings.AZEMIN_ADJUDICATED.name
    return settings.AZEMIN_STANDIN.name if name == own and not recorded(own) else name


def run(
    name: str,
    origin: str = "recorded",
    data: str | Path | None = None,
    *,
    results: str | Path | None = None,
) -> Record:
    """The run a notebook shows: ``recorded`` reads it, ``phantom`` trains on synthetic images in
    seconds, ``images`` on real ones.

    Raises:
        InputError: there is no such record, or a file of it is damaged.
    """
    folder = Path(results or results_folder()) / name
    if origin == "recorded":
        if not recorded(name, results):
            raise InputError(
                f"{folder}: not yet recorded (no run.json); cxr train {name} makes it if cxr"
                " records lists it; cxr train EXPERIMENT --name makes others"
            )
        return records.read_record(folder)
    if origin not in {"phantom", "images"}:
        raise ValueError(f"origin must be recorded, phantom or images, not {origin!r}")
    training = options.heavy("companion.studies.training", "training")

    experiment = settings.experiment(name)
    if origin == "images":
        return records.read_record(
            training.train(experiment, data=data, resume=True, keep_model=True, keep_maps=True)
        )
    with tempfile.TemporaryDirectory(prefix="phantom-") as scratch:
        places = {place: Path(scratch) / place for place in ("data", "results", "work")}
        phantom.write(places["data"], 160, seed=0, size=96)
        variant = experiment.variant(f"phantom-{name}", **settings.PHANTOM)
        made = training.train(variant, **places, keep_maps=True, progress=False)
        record = records.read_record(made)
        return replace(record, maps=records.read_maps(record))


def read_maps(run: Record) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """:func:`cxrlib.records.read_maps`, whose error says here how such maps are made."""
    try:
        return records.read_maps(run)
    except InputError as error:
        draw = f"python -m companion.build cams {run.name} draws those of a record with a model"
        raise InputError(f"{error}; cxr train with --maps keeps them, {draw}") from None


def family(name: str) -> tuple[list[Record], list[str]]:
    """The recorded runs of a family (:data:`companion.studies.settings.FAMILIES`) in its order, and
    the names of those not yet recorded.
    """
    members = settings.FAMILIES[name]
    there = [member for member in members if recorded(member)]
    return [run(member) for member in there], [name for name in members if name not in there]
