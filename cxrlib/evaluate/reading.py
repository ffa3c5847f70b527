"""Anybody's file of predictions: which columns are of use, and what the words in them mean.

Nothing here asks where the predictions come from. Classes are those of the file, one of them is
*positive*, the rest is negative.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from cxrlib import metrics
from cxrlib.evaluate.tables import Table, number, opened
from cxrlib.files import InputError, line
from cxrlib.metrics.bootstrap import MOST
from cxrlib.metrics.predictions import decimals

YES = {"1", "1.0", "true", "yes", "positive", "pos"}
NO = {"0", "0.0", "false", "no", "negative", "neg"}
# The first word of a class that a 0 may stand for as well as a 1
ABSENT = set("no not non none without normal healthy control negative neg".split())
# No patient's name, but a spreadsheet's or a program's word for nothing
NOBODY = {""} | set("na n/a #n/a <na> nan none null nil - ? unknown #ref! #name? #value!".split())
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
    """A column's name without spaces around it or around the class in it.

    What is no class may be spelled ``PatientID`` or ``y.true``.
    """
    cell = cell.strip()
    if cell[:2] in ("p_", "P_"):
        return f"p_{cell[2:].strip()}"
    return "p" if cell == "P" else WORDS.get(re.sub(r"[\W_]", "", cell).lower(), cell)


def _is_score(name: str) -> bool:
    return name == "p" or name.startswith("p_")


def _places(table: Table) -> dict[str, int]:
    """Where the columns of use stand; of several spellings of one name the usual one counts."""
    names, found = [_usual(name) for name in table.names], {}
    for k, name in enumerate(names):
        if not _is_score(name) and name not in WORDS.values():
            continue
        if name in found:
            if _is_score(name) or table.names.count(name) != 1:
                raise InputError(f"{table.path}, line {table.head}: column {name} occurs twice")
            k = table.names.index(name)
        found[name] = k
    if "y_true" not in found:
        only = ", ".join(names)[:200]
        raise InputError(f"{table.path}, line {table.head}: no column y_true, only {only}")
    return found


class _Rows:
    """The columns of use, words as categories as they occur, and each row's line in the file."""

    def __init__(self, table: Table):
        self.table, places = table, _places(table)
        self.lines, width, rows = array("q"), len(table.names), table.rows()
        words = {name: (k, array("q"), {}) for name, k in places.items() if not _is_score(name)}
        scores = {name: (k, array("d")) for name, k in places.items() if _is_score(name)}
        next(rows)  # the names
        for at, cells in rows:
            if len(cells) > width and "".join(cells[width:]).strip():
                raise table.error(at, f"has {len(cells)} cells, the line of names {width}")
            cells += [""] * (width - len(cells))
            self.lines.append(at)
            for k, codes, levels in words.values():
                codes.append(levels.setdefault(cells[k].strip(), len(levels)))
            for name, (k, values) in scores.items():
                value = number(cells[k])
                if not 0 <= value <= 1:
                    what = line(cells[k].strip(), 100) or "an empty cell"
                    raise self.error(-1, name, f"{what} is not a number from 0 to 1")
                values.append(value + 0.0)  # no negative nothing
        if not self.lines:
            raise InputError(f"{table.path}: no rows")
        made = {name: np.array(values) for name, (_, values) in scores.items()}
        for name, (_, codes, levels) in words.items():
            made[name] = pd.Categorical.from_codes(np.array(codes), pd.Index(levels, dtype=object))
        self.frame, self.lines = pd.DataFrame(made)[list(places)], np.array(self.lines)

    def error(self, row: int, column: str, why: str) -> InputError:
        return InputError(f"{self.table.path}, line {self.lines[row]}, column {column}: {why}")

    def of_word(self, column: str, word: str) -> np.ndarray:
        """The rows in which a word stands."""
        cells = self.frame[column].cat
        return np.flatnonzero(cells.codes == cells.categories.get_loc(word))


def _predictions(table: Table, positive: str | None) -> Predictions:
    rows = _Rows(table)
    frame, notes = rows.frame, [GUESSED] if table.guessed else []
    frame, more = _classes(rows)
    notes += more
    ids = _image_names(rows)
    frame["image_id"] = np.arange(len(frame))
    if "patient_id" in frame:
        notes += _odd_patients(rows)
        frame["patient_id"] = frame["patient_id"].cat.codes.to_numpy(int)
    else:
        frame["patient_id"] = frame["image_id"]
        notes.append(ALONE)
    parts = list(frame["split"].cat.categories) if "split" in frame else []
    if len(parts) > 1:
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
    notes += [MANY] if len(frame) > MOST else []
    columns = ["image_id", "patient_id", "source", "split", "y_true", *columns]
    return Predictions(frame[columns], positive, notes, ids)


def _image_names(rows: _Rows) -> pd.Series | None:
    """What to call each image: its name, its line, or nothing where there are very many."""
    if "image_id" not in rows.frame:
        lines = pd.Series(rows.lines).astype(str)
        return "line " + lines if len(lines) <= MOST else None
    names = rows.frame["image_id"].astype(object)
    for row in np.flatnonzero(names.duplicated() | (names == ""))[:1]:
        what = line(names.iloc[row], 100) or "nothing"
        raise rows.error(row, "image_id", f"{what} stands there, twice or instead of a name")
    return names


def _odd_patients(rows: _Rows) -> list[str]:
    """A note on two patients that may be one.

    InputError for what stands for several images and is no patient: a word for nobody, or a long
    number that a spreadsheet has cut to ``1.23E+11``.
    """
    spelt, notes = {}, []
    for word in rows.frame["patient_id"].cat.categories:
        if word.lower() in NOBODY or re.fullmatch(r"[0-9]([.,][0-9]+)?E[+][0-9]+", word):
            where = rows.of_word("patient_id", word)[:2]
            if word == "":
                raise rows.error(where[-1], "patient_id", "is empty")
            if len(where) > 1:
                why = f"{word} stands there more than once: is it one patient?"
                raise rows.error(where[-1], "patient_id", why)
        whole = re.fullmatch(r"0*([0-9]+?)([.]0*)?", word)
        if whole and spelt.setdefault(whole[1], word) != word and not notes:
            twins = f"{spelt[whole[1]]} and {word}"
            notes.append(f"patient_id holds {twins}, which are taken as two patients.")
    return notes


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
    """The frame with ``y_true`` as class names and a column for each class, and notes on that."""
    frame, truth, path = rows.frame, rows.frame["y_true"], rows.table.path
    columns, head = [name for name in frame if _is_score(name)], f"{path}, line {rows.table.head}"
    if not columns:
        raise InputError(f"{head}: no column of probabilities, p or p_<class>")
    if len(columns) > 1 and "p" in columns:
        other = next(name for name in columns if name != "p")
        raise InputError(f"{head}: has both p and {other}; p stands alone")
    if columns == ["p_"]:
        raise InputError(f"{head}: column p_ names no class")
    words = [word for word in truth.cat.categories if word]
    if len(columns) > 1:
        classes = [column[2:] for column in columns]
        names = {word: _alike(word, classes) for word in words}
        changed = [f"{a} is read as {b}" for a, b in names.items() if b != a]
        notes = [f"y_true: {', '.join(changed[:9])}."] if changed else []
    else:
        one, other, names = _one_class(columns[0], words, rows)
        p = frame[columns[0]]
        frame = frame.drop(columns=columns).assign(**{f"p_{one}": p, f"p_{other}": 1 - p})
        rest = [word for word in words if names[word] == other]
        what = f"One column of probabilities, {columns[0]}: that an image is {one}"
        note = f"{what}; the rest is {other}."
        if columns[0] != "p" and len(rest) > 1:
            note += f" Taken for {other}: {', '.join(rest[:9])}{' and others' * (len(rest) > 9)}."
        notes = [note]
    return frame.assign(y_true=truth.map(names | {"": None}).astype("category")), notes


def _alike(word: str, classes: list[str]) -> str:
    """The class that a word stands for: itself, else the only class of the same meaning."""
    alike = [name for name in classes if _meaning(name) == _meaning(word)]
    return alike[0] if word not in classes and len(alike) == 1 else word


def _one_class(column: str, words: list[str], rows: _Rows) -> tuple[str, str, dict[str, str]]:
    """The class of the one column, the name of the rest, and which of them each word is.

    InputError where a word may be either.
    """

    def doubt(word: str, why: str) -> InputError:
        return rows.error(rows.of_word("y_true", word)[0], "y_true", f"{line(word, 100)}{why}")

    def spelt(word: str) -> str:
        return re.sub(r"[\W_]", "", word.casefold()) or word

    named, low, unclear = column[2:], column[2:].lower(), []
    if not named:
        same, named, rest = {"1"}, "positive", "negative"
        for word in words:
            if _meaning(word) not in ("0", "1"):
                raise doubt(word, " is neither 1 nor 0, which the one column p needs")
    elif named not in words and all(_meaning(word) in ("0", "1") for word in words):
        none = low in ("0", "0.0", "false")
        same, rest = {"0" if none else "1"}, f"not {named}"
        if not none and (low in NO or re.split(r"[\W_]", low)[0] in ABSENT):
            unclear = words
    else:
        same = {_meaning(named)}
        others = [word for word in words if _meaning(word) not in same]
        rest = others[0] if len(others) == 1 else f"not {named}"
        yes = () if named[0].isdigit() or low in NO else ("1", "1.0", "true", "yes")
        unclear = [x for x in others if spelt(x) == spelt(named) or x.lower() in yes]
    for word in unclear:
        why = f": is it {named}? With the one column {column} that must be clear; p is that of 1"
        raise doubt(word, why)
    return named, rest, {word: named if _meaning(word) in same else rest for word in words}
