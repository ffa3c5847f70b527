"""Anybody's file of predictions: which columns are of use, and what the words in them mean.

Nothing here asks where the predictions come from. Classes are those of the file, one of them is
*positive*, the rest is negative.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from cxrlib import metrics
from cxrlib.evaluate.tables import Table, number, opened
from cxrlib.files import InputError, line
from cxrlib.metrics.bootstrap import MOST
from cxrlib.metrics.predictions import KEYS, decimals

YES = {"1", "1.0", "true", "yes", "positive", "pos"}
NO = {"0", "0.0", "false", "no", "negative", "neg"}
# The first word of a class that a 0 may stand for as well as a 1
ABSENT = set("no not non none without normal healthy control negative neg".split())
# No patient's name, but a spreadsheet's or a program's word for nothing
NOBODY = set("na n/a #n/a <na> nan none null nil - ? unknown #ref! #name? #value!".split())
CUT = re.compile(r"[0-9]([.,][0-9]+)?E[+][0-9]+")  # a long number, as a spreadsheet cuts it
WORDS = {"imageid": "image_id", "patientid": "patient_id", "split": "split", "ytrue": "y_true"}
GUESSED = (
    "The file is neither UTF-8 nor UTF-16 text and is read as Windows-1252: letters with accents"
    " may be others."
)
ALONE = (
    "No column patient_id: each image is taken as a patient. If some patients have several, the"
    " intervals are too narrow."
)
MANY = (
    "Many patients: above 20,000 of a class they are drawn in 2,000 groups at random, and the AUC's"
    " interval is from grouped scores."
)


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
        (probabilities that sum to 1; ``y_true`` holds class names), or one column ``p`` or
        ``p_<class>``: the probability of that class, or that ``y_true`` is 1, where ``y_true``
        holds 0 and 1 (or yes and no, true and false, positive and negative). ``patient_id``,
        ``image_id`` and ``split`` may be there; without ``patient_id`` each image is taken as a
        patient. Commas, semicolons, tabs or bars; a decimal comma where commas do not separate;
        UTF-8 or UTF-16; plain or gzipped.
    positive : str, optional
        Default the class called 1, yes, true or positive, else the first ``p_`` column.

    Raises
    ------
    InputError
        One line, with file, line and column where there is one.
    """
    table = opened(path, lambda names: "y_true" in map(_usual, names))
    try:
        return _predictions(table, positive)
    except InputError as error:
        if table.guessed:
            raise InputError(f"{error}. {GUESSED}") from None
        raise


def _usual(cell: str) -> str:
    """A column's name without spaces around it or around the class in it; empty for what is of no
    use.

    What is no class may be spelled ``PatientID`` or ``y.true``.
    """
    cell = cell.strip()
    if cell[:2] in ("p_", "P_"):
        return f"p_{cell[2:].strip()}"
    return "p" if cell in ("p", "P") else WORDS.get(re.sub(r"[\W_]", "", cell).lower(), "")


def _places(table: Table) -> dict[str, int]:
    """Where the columns of use stand; of several spellings of one name the usual one counts."""
    found, head = {}, f"{table.path}, line {table.head}"
    for k, name in enumerate(map(_usual, table.names)):
        if name in found and (name not in WORDS.values() or table.names.count(name) != 1):
            raise InputError(f"{head}: column {name} occurs twice")
        if name:
            found[name] = table.names.index(name) if name in found else k
    if "y_true" not in found:
        raise InputError(f"{head}: no column y_true, only {', '.join(table.names)[:200]}")
    return found


class _Rows:
    """The columns of use as categories, in the order in which texts occur, and each row's line in
    the file.
    """

    def __init__(self, table: Table):
        self.table, places, width = table, _places(table), len(table.names)
        lines, codes = array("q"), {name: array("q") for name in places}
        texts: dict[str, dict[str, int]] = {name: {} for name in places}
        for at, cells in islice(table.rows(), 1, None):  # after the names
            if len(cells) > width and "".join(cells[width:]).strip():
                raise table.error(at, f"has {len(cells)} cells, the line of names {width}")
            cells += [""] * (width - len(cells))
            lines.append(at)
            for name, k in places.items():
                text, known = cells[k].strip(), texts[name]
                codes[name].append(known.setdefault(text, len(known)))
        if not lines:
            raise InputError(f"{table.path}: no rows")
        self.lines, self.columns = np.array(lines), {}
        for name, known in texts.items():
            words = pd.Index(known, dtype=object)
            self.columns[name] = pd.Categorical.from_codes(np.array(codes[name]), words)

    def error(self, column: str, word: str, why: str, nth: int = 0) -> InputError:
        """Names the line of the first row in which a word stands, or with ``nth`` of a later one,
        if there is one.
        """
        cells = self.columns[column]
        row = np.flatnonzero(cells.codes == cells.categories.get_loc(word))[: nth + 1][-1]
        return InputError(f"{self.table.path}, line {self.lines[row]}, column {column}: {why}")

    def shares(self, column: str) -> np.ndarray:
        """The numbers of a column, from 0 to 1."""
        cells = self.columns[column]
        values = np.array([number(text) for text in cells.categories])
        for text in cells.categories[~((values >= 0) & (values <= 1))][:1]:
            what = line(text, 100) or "an empty cell"
            raise self.error(column, text, f"{what} is not a number from 0 to 1")
        plain = [text for text in cells.categories if "%" not in text]
        if 0 < len(plain) < len(cells.categories):
            raise self.error(column, plain[0], f"{plain[0]} has no %, as other cells of it have")
        return values[cells.codes] + 0.0  # no negative nothing

    def check_repeated(self, column: str, why: str, allowed: Callable[[str], bool]) -> None:
        """InputError for an empty cell, and for a word that stands in several rows though it is not
        ``allowed`` to.
        """
        cells = self.columns[column]
        for word, size in zip(cells.categories, np.bincount(cells.codes), strict=True):
            if word == "":
                raise self.error(column, word, "is empty")
            if size > 1 and not allowed(word):
                raise self.error(column, word, f"{line(word, 100)} stands there{why}", nth=1)


def _is_patient(word: str) -> bool:
    """Not a word for nobody, nor a long number that a spreadsheet has cut to ``1.23E+11``."""
    return word.lower() not in NOBODY and not CUT.fullmatch(word)


def _predictions(table: Table, positive: str | None) -> Predictions:
    rows = _Rows(table)
    frame, notes = _classes(rows)
    notes = [GUESSED, *notes] if table.guessed else notes
    frame["patient_id"] = frame["image_id"] = np.arange(len(frame))
    ids = "line " + pd.Series(rows.lines).astype(str)
    if "image_id" in rows.columns:
        rows.check_repeated("image_id", ", twice", lambda name: False)
        ids = pd.Series(rows.columns["image_id"]).astype(object)
    if "patient_id" in rows.columns:
        why = " more than once: is it one patient?"
        rows.check_repeated("patient_id", why, _is_patient)
        frame["patient_id"] = rows.columns["patient_id"].codes.astype(int)
    else:
        notes.append(ALONE)
    if "split" in rows.columns and len(parts := rows.columns["split"].categories) > 1:
        notes.append(f"All rows are used, of the splits {', '.join(parts[:9])} alike.")
    frame = frame.assign(source="", split="")
    classes = metrics.check_predictions(frame, str(table.path), rows.lines)
    columns = [f"p_{name}" for name in classes]
    notes += _rounded(frame[columns].to_numpy())
    if positive is None:
        positive = next((name for name in classes if name.lower() in YES), classes[0])
    elif (positive := unicodedata.normalize("NFC", positive)) not in classes:
        known = ", ".join(classes)
        raise InputError(f"--positive {positive}: {table.path} has no such class, only {known}")
    for missing in [name for name in classes if not (frame["y_true"] == name).any()]:
        what = "what needs some cannot be computed: a dash on a page, an empty field in a table"
        notes.append(f"No image is {missing}: {what}.")
    if len(frame) > MOST:
        notes.append(MANY)
    return Predictions(frame[[*KEYS, *columns]], positive, notes, ids)


def _rounded(p: np.ndarray) -> list[str]:
    """A note where few decimals keep the probabilities of an image from a sum of 1."""
    sums, d = p.sum(axis=1), decimals(p)
    if not 0 < d <= 3 or np.abs(sums - 1).max() < 1e-9:
        return []
    digits = f"{d} decimals" if d > 1 else "one decimal"
    sums = f"an image's sum to {sums.min():.{d}f} to {sums.max():.{d}f}"
    return [f"The probabilities have {digits}, so that {sums}; they are used as given."]


def _meaning(word: str) -> str:
    """``1`` for 1, 1.0, yes, true and positive, ``0`` for their opposites, ``2`` for 2.0; words
    stay.
    """
    low, whole = word.lower(), re.fullmatch(r"([0-9]+)[.,]0*", word)
    return "1" if low in YES else "0" if low in NO else whole[1] if whole else word


def _classes(rows: _Rows) -> tuple[pd.DataFrame, list[str]]:
    """A frame with ``y_true`` as class names and a column for each class, and notes on that."""
    columns = {name: rows.shares(name) for name in rows.columns if name not in WORDS.values()}
    head = f"{rows.table.path}, line {rows.table.head}"
    if not columns:
        raise InputError(f"{head}: no column of probabilities, p or p_<class>")
    if len(columns) > 1 and "p" in columns:
        other = next(name for name in columns if name != "p")
        raise InputError(f"{head}: has both p and {other}; p stands alone")
    if [*columns] == ["p_"]:
        raise InputError(f"{head}: column p_ names no class")
    truth, classes = rows.columns["y_true"], [name[2:] for name in columns]
    words = [word for word in truth.categories if word]
    if len(columns) > 1:
        names = {word: _alike(word, classes) for word in words}
        changed = [f"{a} is read as {b}" for a, b in names.items() if b != a]
        notes = [f"y_true: {', '.join(changed[:9])}."] if changed else []
    else:
        ((column, p),) = columns.items()
        one, other, names = _one_class(column, words, rows)
        columns = {f"p_{one}": p, f"p_{other}": 1 - p}
        rest = [word for word in words if names[word] == other]
        note = (
            f"One column of probabilities, {column}: that an image is {one}; the rest is {other}."
        )
        if column != "p" and len(rest) > 1:
            note += f" Taken for {other}: {', '.join(rest[:9])}{' and others' * (len(rest) > 9)}."
        notes = [note]
    truth = pd.Series(truth).map(names | {"": None}).astype("category")
    return pd.DataFrame({"y_true": truth, **columns}), notes


def _alike(word: str, classes: list[str]) -> str:
    """The class that a word stands for: itself, else the only class of the same meaning."""
    alike = [name for name in classes if _meaning(name) == _meaning(word)]
    return alike[0] if word not in classes and len(alike) == 1 else word


def _spelt(word: str) -> str:
    return re.sub(r"[\W_]", "", word.casefold()) or word


def _one_class(column: str, words: list[str], rows: _Rows) -> tuple[str, str, dict[str, str]]:
    """The class of the one column, the name of the rest, and which of them each word is.

    InputError where a word may be either.
    """
    named, low, unclear = column[2:], column[2:].lower(), []
    why = f": is it {named}? With the one column {column} that must be clear; p is that of 1"
    binary = all(_meaning(word) in ("0", "1") for word in words)
    if column == "p":
        same, named, rest = "1", "positive", "negative"
        why = " is neither 1 nor 0, which the one column p needs"
        unclear = [word for word in words if _meaning(word) not in ("0", "1")]
    elif named not in words and binary:
        same, rest = "0" if low in ("0", "0.0", "false") else "1", f"not {named}"
        if same == "1" and (low in NO or re.split(r"[\W_]", low)[0] in ABSENT):
            unclear = words
    else:
        same = _meaning(named)
        others = [word for word in words if _meaning(word) != same]
        rest = others[0] if len(others) == 1 else f"not {named}"
        yes = () if named[0].isdigit() or low in NO else ("1", "1.0", "true", "yes")
        unclear = [x for x in others if _spelt(x) == _spelt(named) or x.lower() in yes]
    for word in unclear:
        raise rows.error("y_true", word, line(word, 100) + why)
    return named, rest, {word: named if _meaning(word) == same else rest for word in words}
