"""``cxr train``, ``cxr records`` and ``cxr claims``: the two studies' runs and printed numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

import pandas as pd

import cxrlib.records
from companion import ledger, studies
from companion.options import heavy, pairs
from companion.rules import VERDICTS

# Options that the training takes as they are.
HANDED_ON = "data results device work resume overwrite precision".split()


@dataclass
class train:
    """Train an experiment and write its record.

    experiment: zhu-fourclass, zhu-binary or another that cxr records lists
    work: folder of checkpoints (default work/)
    resume: go on from the last finished epoch, if there is one
    overwrite: train again what is recorded, in the record's place
    precision: auto: bfloat16 where it is faster
    name: of the new record, needed when settings are changed
    set: SETTING=VALUE changes a setting, e.g. lr=0.0003; may be given several times
    phantom: take the small settings meant for phantoms
    keep_model: keep the model in the record (headline runs always do)
    maps: keep class-activation maps in the record (headline runs and Study A's always do)
    """

    experiment: str
    data: str | None = None
    results: str | None = None
    device: str | None = None
    work: str = "work"
    resume: bool = False
    overwrite: bool = False
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    name: str | None = None
    set: list[str] | None = None
    phantom: bool = False
    keep_model: bool = False
    maps: bool = False

    def chosen(self) -> studies.Experiment:
        """The experiment that is asked for, changed as the options say."""
        experiment, asked = studies.experiment(self.experiment), pairs(self.set or [], "--set")
        if self.phantom:
            name = self.name or f"phantom-{experiment.name.replace('/', '-')}"
            return experiment.variant(name, **(studies.PHANTOM | asked))
        if asked or self.name:
            return experiment.variant(self.name or experiment.name, **asked)
        return experiment

    def run(self) -> None:
        experiment = self.chosen()
        training = heavy("companion.studies.training", "training")
        headline = experiment.name in studies.EXPERIMENTS
        folder = training.train(
            experiment,
            **{name: getattr(self, name) for name in HANDED_ON},
            keep_model=self.keep_model or headline,
            keep_maps=self.maps or not experiment.variant_of,
        )
        info = cxrlib.records.read_record(folder).info
        epochs, accuracy = info["epochs"], info["metrics"]["accuracy"]
        print(f"{folder}: {epochs['run']} epochs, kept {epochs['kept']}; accuracy {accuracy:.3f}")


def records() -> None:
    """List the records that the book knows, and how to make those that are missing."""
    for name in studies.RECORDS:
        missing = f"not yet recorded: cxr train {name} --resume"
        print(f"{name:45} {'recorded' if studies.recorded(name) else missing}")
    print("make records makes what is missing")


def claims(json: bool = False) -> None:
    """List every number that the studies print, what was rebuilt, and the verdict with its reason.

    json: rules, what the runs lacked, and all fields of companion.ledger.PUBLISHED, as JSON
    """
    table = ledger.claims()
    print(as_json(table) if json else as_text(table))


def as_json(table: pd.DataFrame) -> str:
    """The ledger for programs; what is not known is null."""
    rows = [
        {key: None if value != value else value for key, value in row.items()}
        for row in table[ledger.PUBLISHED].to_dict("records")
    ]
    whole = {"rules": VERDICTS, "lacked": ledger.shortfalls(table), "claims": rows}
    return json.dumps(whole, indent=1, ensure_ascii=False)


def as_text(table: pd.DataFrame) -> str:
    """The ledger for a terminal: a line each, and how many there are of each verdict."""
    lines = [("", "Place", "Printed", "Rebuilt", "Verdict", "Id")]
    for row in table.to_dict("records"):
        shown = (row["study"], row["place"], row["said"], ledger.rebuilt_in_words(row))
        lines.append((*shown, row["verdict"], row["id"]))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    counts = table["verdict"].value_counts()
    each = ", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in VERDICTS)
    return "\n".join([*texts, f"{len(table)} numbers: {each}"])
