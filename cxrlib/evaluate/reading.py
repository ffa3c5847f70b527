"""Anybody's file of predictions: which columns are of use, and what the words in them mean.

Nothing here asks where the predictions come from. Classes are those of the file, one of them is
*positive*, the rest is negative.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from cxrlib import metrics
from cxrlib.evaluate.tables import Table, number, opened
from cxrlib.files import InputError
from cxrlib.metrics.bootstrap import MOST
from cxrlib.metrics.predictions import KEYS, decimals, refuse

YES = {"1", "1.0", "true", "yes", "positive", "pos"}
NO = {"0", "0.0", "false", "no", "negative", "neg"}
# No patient's name, but a spreadsheet's or a program's word for nothing, or a long number cut short
NOBODY = set("na n/a #n/a <na> nan none null nil - ? unknown #ref! #name? #value!".split())
CUT = r"[0-9](?:[.,][0-9]+)?E[+][0-9]+"
WORDS = {"imageid": "image_id", "patientid": "patient_id", "split": "split", "ytrue": "y_true"}
GUESSED = "The file is neither UTF-8 nor UTF-16 and is read as Windows-1252; accents may be wrong."
ALONE = "No column patient_id: each image is taken as a patient; intervals may be too narrow."
MANY = "Above 20,000 patients of a class they are drawn in groups; scores are grouped for the AUC."
ROUNDED = "So few decimals that some images' probabilities do not sum to 1; they are used as given."


@dataclass
class Predictions:
    """A file of predictions: a frame with ``image_id, patient_id, y_true, p_<class>…``, the
    positive class, ``notes`` on how it was read, and the ``ids`` of its images.
    """

    frame: pd.DataFrame
    positive: str
    notes: list[str] = field(default_factory=list)
    ids: pd.Series | None = None

    @property
    def classes(self) -> list[str]:
        return [column[2:] for column in self.frame if column.startswith("p_")]


def read_file(path: str | Path, positive: str | None = None) -> Predictions:
    """Read anybody's file of predictions.

    Parameters
    ----------
    path : str or Path
        A table with a row per image. Needed: ``y_true``, and either ``p_<class>`` for each class
        (probabilities that sum to 1; ``y_true`` holds class names), or one column: ``p``, the
        probability that ``y_true`` is 1, where that holds 0 and 1 (or yes and no, true and false,
        positive and negative), or ``p_<class>``, the probability of that class, where ``y_true``
        holds its name and others. ``patient_id``, ``image_id`` and ``split`` may be there; without
        ``patient_id`` each image is taken as a patient. Commas, semicolons, tabs or bars; a decimal
        comma where commas do not separate; UTF-8 or UTF-16; plain or gzipped.
    positive : str, optional
        Default the class called 1, yes, true or positive, else the first ``p_`` column.

    Raises
    ------
    InputError
        One line, with file, line and column where there is one.
    """
    table = opened(path, lambda names: "y_true" in map(_usual, names))
    try:
        found = _predictions(table)
    except InputError as error:
        raise InputError(f"{error}. {GUESSED}" if table.guessed else str(error)) from None
    usual = [name for name in found.classes if name.lower() in YES]
    found.positive = unicodedata.normalize("NFC", positive or [*usual, *found.classes][0])
    if found.positive not in found.classes:
        known = ", ".join(found.classes)
        raise InputError(f"--positive {positive}: {path} has no such class, only {known}")
    return found


def _usual(cell: str) -> str:
    """A column's name without spaces around it or around the class in it; empty for what is of no
    use.

    What is no class may be spelled ``PatientID`` or ``y.true``.
    """
    cell = cell.strip()
    if cell[:2] in ("p_", "P_"):
        return f"p_{cell[2:].strip()}"
    return "p" if cell in ("p", "P") else WORDS.get(re.sub(r"[\W_]", "", cell).lower(), "")


def _cells(table: Table) -> pd.DataFrame:
    """The columns of use as text, by the file's lines; as categories, since few texts occur in many
    rows.
    """
    names, width = [_usual(name) for name in table.names], len(table.names)
    for name in names:
        if name and names.count(name) > 1:
            raise InputError(f"{table.path}, line {table.head}: column {name} occurs twice")
    places = {name: k for k, name in enumerate(names) if name}
    lines, columns = [], {name: [] for name in places}
    for at, cells in islice(table.rows(), 1, None):  # after the names
        if "".join(cells[width:]).strip():
            raise table.error(at, f"has {len(cells)} cells, the line of names {width}")
        cells += [""] * (width - len(cells))
        lines.append(at)
        for name, k in places.items():
            columns[name].append(sys.intern(cells[k].strip()))
    if not lines:
        raise InputError(f"{table.path}: no rows")
    columns = {name: pd.Categorical(cells, dict.fromkeys(cells)) for name, cells in columns.items()}
    return pd.DataFrame(columns, pd.Index(lines, name="line"))


def _shares(cells: pd.Series, where: str) -> pd.Series:
    """The numbers of a column, from 0 to 1."""
    values, percent = cells.map(number).astype(float), cells.str.contains("%")
    refuse(~values.between(0, 1), cells, "is not a number from 0 to 1", where)
    refuse(percent.any() & ~percent, cells, "has no %, as other cells of this column have", where)
    return values + 0.0  # no negative nothing


def _predictions(table: Table) -> Predictions:
    """The predictions in a table, of which the positive class is still to be chosen."""
    cells, where = _cells(table), str(table.path)
    frame, note = _classes(cells, where, table)
    notes = [GUESSED] * table.guessed + ([note] if note else [])
    ids = "line " + pd.Series(cells.index).astype(str)
    frame["patient_id"] = frame["image_id"] = np.arange(len(frame))
    for name in frame.columns.intersection(cells.columns).difference(["y_true"]):
        refuse(cells[name] == "", cells[name], f"is no {name}", where)
    if "image_id" in cells:
        refuse(cells["image_id"].duplicated(), cells["image_id"], "stands there, twice", where)
        ids = cells["image_id"].astype(object).reset_index(drop=True)
    if "patient_id" in cells:
        named = cells["patient_id"]
        nobody = named.str.lower().isin(NOBODY) | named.str.fullmatch(CUT)
        why = "stands there more than once: is it one patient?"
        refuse(nobody & named.duplicated(), named, why, where)
        frame["patient_id"] = named.cat.codes.astype(int)
    else:
        notes.append(ALONE)
    if "split" in cells and len(parts := cells["split"].cat.categories) > 1:
        notes.append(f"All rows are used, of the splits {', '.join(parts[:9])} alike.")
    frame = frame.assign(source="", split="")
    classes = metrics.check_predictions(frame, where)
    p = frame[[f"p_{name}" for name in classes]].to_numpy()
    if 0 < decimals(p) <= 3 and np.abs(p.sum(axis=1) - 1).max() > 1e-9:
        notes.append(ROUNDED)
    for missing in [name for name in classes if not (frame["y_true"] == name).any()]:
        what = "what needs some cannot be computed: a dash on a page, an empty field in a table"
        notes.append(f"No image is {missing}: {what}.")
    if len(frame) > MOST:
        notes.append(MANY)
    frame = frame[[*KEYS, *(f"p_{name}" for name in classes)]].reset_index(drop=True)
    return Predictions(frame, classes[0], notes, ids)


def _meaning(word: str) -> str:
    """``1`` for 1, 1.0, yes, true and positive, ``0`` for their opposites, ``2`` for 2.0; words
    stay.
    """
    low, whole = word.lower(), re.fullmatch(r"([0-9]+)[.,]0*", word)
    return "1" if low in YES else "0" if low in NO else whole[1] if whole else word


def _classes(cells: pd.DataFrame, where: str, table: Table) -> tuple[pd.DataFrame, str]:
    """A frame with ``y_true`` as class names and a column for each class, and a note on that."""
    scores = [name for name in cells if name not in WORDS.values()]
    wrong = {
        f"no column y_true, only {', '.join(table.names)[:200]}": "y_true" not in cells,
        "no column of probabilities, p or p_<class>": not scores,
        f"p stands alone, without {', '.join(scores)[:200]}": "p" in scores and len(scores) > 1,
        "column p_ names no class": "p_" in scores,
    }
    for why in [why for why, is_so in wrong.items() if is_so]:
        raise InputError(f"{where}, line {table.head}: {why}")
    truth, columns = cells["y_true"], {name: _shares(cells[name], where) for name in scores}
    words = [word for word in truth.cat.categories if word]
    if len(scores) > 1:
        names = {word: _alike(word, [name[2:] for name in scores]) for word in words}
        changed = [f"{a} is read as {b}" for a, b in names.items() if b != a]
        note = f"y_true: {', '.join(changed[:9])}." if changed else ""
    else:
        ((column, p),) = columns.items()
        one, rest, unclear = _one_class(column[2:], words)
        why = f"may be {one} or not. Call the column p if it is the probability of 1"
        refuse(truth.isin(unclear), truth, why if column != "p" else "is neither 1 nor 0", where)
        names = {word: one if _meaning(word) == _meaning(one) else rest for word in words}
        columns = {f"p_{one}": p, f"p_{rest}": 1 - p}
        others = [word for word in words if names[word] == rest]
        note = f"One column of probabilities, {column}: that an image is {one}; the rest is {rest}."
        if column != "p" and len(others) > 1:
            more = " and others" if len(others) > 9 else ""
            note += f" Taken for {rest}: {', '.join(others[:9])}{more}."
    truth = truth.map(names | {"": None}).astype("category")
    return pd.DataFrame({"y_true": truth, **columns}), note


def _alike(word: str, classes: list[str]) -> str:
    """The class that a word stands for: itself, else the only class of the same meaning."""
    alike = [name for name in classes if _meaning(name) == _meaning(word)]
    return alike[0] if word not in classes and len(alike) == 1 else word


def _one_class(named: str, words: list[str]) -> tuple[str, str, list[str]]:
    """The class of the one column, the name of the rest, and the words that may be either: another
    spelling of the class, and 1 or yes unless the class is a number; of the column ``p``, all that
    is neither 1 nor 0.
    """
    if not named:
        return "positive", "negative", [word for word in words if _meaning(word) not in ("0", "1")]
    others = [word for word in words if _meaning(word) != _meaning(named)]
    spelt = [re.sub(r"[\W_]", "", word.casefold()) or word for word in (named, *others)]
    answers = [] if named[0].isdigit() else [word for word in others if _meaning(word) == "1"]
    unclear = [word for word, own in zip(others, spelt[1:], strict=True) if own == spelt[0]]
    return named, others[0] if len(others) == 1 else f"not {named}", unclear + answers
