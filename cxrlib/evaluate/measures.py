"""``cxr evaluate``: anybody's predictions through the tables and intervals of this book. Reads a
CSV as people have it; :mod:`cxrlib.evaluate.report` shows it.

Nothing here asks where the predictions come from. Classes are those of the file, one of them is
*positive*, the rest is negative.
"""

from __future__ import annotations

import math
import re
import unicodedata
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from cxrlib import metrics
from cxrlib.evaluate.tables import CODES, Table, number, opened
from cxrlib.files import InputError, line, printable
from cxrlib.metrics import calibration, intervals
from cxrlib.metrics.bootstrap import MOST

YES, NO = (
    {"1", "1.0", "true", "yes", "positive", "pos"},
    {"0", "0.0", "false", "no", "negative", "neg"},
)
PREVALENCES = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]
# The first word of a class that a 0 may stand for as well as a 1
ABSENT = set("no not non none without normal healthy control negative neg".split())
# No patient's name, but a spreadsheet's or a program's word for nothing
NOBODY = {""} | set("na n/a #n/a <na> nan none null nil - ? unknown #ref! #name? #value!".split())
OTHER_CODE = (
    "The file is neither UTF-8 nor UTF-16 text and is read as Windows-1252: letters with accents"
    " may be others."
)
TEXTS = ["image_id", "patient_id", "split", "y_true"]  # columns of words
SHARES = {
    "sensitivity": ("TP", "FN"),
    "specificity": ("TN", "FP"),
    "ppv": ("TP", "FP"),
    "npv": ("TN", "FN"),
}
OVER_PATIENTS, PERCENTILES = "Wilson, patients", "Bootstrap, percentiles"  # names of methods
NARROW = "; too narrow: takes a class's 0 or 1 for certain"
STATISTIC_NAMES = {
    "auc": "AUC",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "accuracy": "Accuracy",
    "null_accuracy": "Accuracy of always answering the commoner side",
    "prevalence": "Share of positives",
    "lr_positive": "Positive likelihood ratio",
    "lr_negative": "Negative likelihood ratio",
    "f1": "F1",
    "recall": "Recall",
    "precision": "Precision",
}


@dataclass
class Predictions:
    """A file of predictions: the frame of :mod:`cxrlib.metrics.rates`, the positive class,
    ``notes`` on how it was read, and the ``ids`` of its images.
    """

    frame: pd.DataFrame
    positive: str
    notes: list[str] = field(default_factory=list)
    ids: pd.Series | None = None

    @property
    def classes(self) -> list[str]:
        return [column[2:] for column in self.frame if column.startswith("p_")]


def _name(cell: str) -> str:
    """A column's name without spaces around it or around the class in it.

    What is no class may be spelled ``PatientID`` or ``y.true``.
    """
    cell = cell.strip()
    plain = re.sub(r"[\W_]", "", cell).lower()
    if cell[:2] in ("p_", "P_"):
        return f"p_{cell[2:].strip()}"
    if cell == "P":
        return "p"
    return next((name for name in TEXTS if name.replace("_", "") == plain), cell)


def _places(table: Table) -> dict[str, int]:
    """Where the columns of use stand; of several spellings of one name the usual one counts."""
    names, found = [_name(name) for name in table.names], {}
    for k, name in enumerate(names):
        if name in TEXTS or name == "p" or name.startswith("p_"):
            if name in found and name in TEXTS and table.names.count(name) == 1:
                k = table.names.index(name)
            elif name in found:
                raise InputError(f"{table.path}, line {table.head}: column {name} occurs twice")
            found[name] = k
    if "y_true" not in found:
        only = ", ".join(names)[:200]
        raise InputError(f"{table.path}, line {table.head}: no column y_true, only {only}")
    return found


def _columns(table: Table) -> tuple[pd.DataFrame, np.ndarray]:
    """The columns of use, words as categories as they occur, and each row's line in the file."""
    places, lines = _places(table), array("q")
    words = {name: (k, array("q"), {}) for name, k in places.items() if name in TEXTS}
    scores = {name: (k, array("d")) for name, k in places.items() if name not in TEXTS}
    rows = table.rows()
    next(rows)  # the names
    for at, cells in rows:
        lines.append(at)
        for k, codes, levels in words.values():
            codes.append(levels.setdefault(cells[k].strip(), len(levels)))
        for name, (k, values) in scores.items():
            cell = cells[k]
            try:
                value = float(cell) if "_" not in cell else np.nan
            except ValueError:
                value = number(cell)
            if not 0 <= value <= 1:
                what = value if math.isfinite(value) else line(cell.strip(), 100) or "an empty cell"
                where = f"{table.path}, line {at}, column {name}"
                raise InputError(f"{where}: {what} is not a number from 0 to 1")
            values.append(value + 0.0)  # no negative nothing
    if not lines:
        raise InputError(f"{table.path}: no rows")
    made = {name: np.array(values) for name, (_, values) in scores.items()}
    for name, (_, codes, levels) in words.items():
        made[name] = pd.Categorical.from_codes(np.array(codes), pd.Index(levels, dtype=object))
    return pd.DataFrame(made)[list(places)], np.array(lines)


def read_file(path: str | Path, positive: str | None = None) -> Predictions:
    """Read a file of predictions.

    Needed: ``y_true``, and either ``p_<class>`` for each class (probabilities that sum to 1;
    ``y_true`` holds class names), or one column ``p`` or ``p_<class>``: the probability of that
    class, or that ``y_true`` is 1, where ``y_true`` holds 0 and 1 (or yes and no, true and false,
    positive and negative). ``patient_id``, ``image_id``, ``source`` and ``split`` may be there;
    without ``patient_id`` each image is taken as a patient. Commas, semicolons or tabs; a decimal
    comma where commas do not separate; UTF-8 or UTF-16; plain or gzipped.

    ``positive`` defaults to the class called 1, yes, true or positive, else the first ``p_``
    column.

    Raises InputError, one line, with file, line and column where there is one.
    """
    table = opened(path, lambda names: "y_true" in map(_name, names))
    try:
        return _predictions(table, positive)
    except InputError as error:
        if table.encoding in CODES:
            raise InputError(f"{error}. {OTHER_CODE}") from None
        raise


def _predictions(table: Table, positive: str | None) -> Predictions:
    (frame, lines), path = _columns(table), table.path
    notes = [OTHER_CODE] if table.encoding in CODES else []
    columns = [name for name in frame if name == "p" or name.startswith("p_")]
    if not columns:
        raise InputError(f"{path}, line {table.head}: no column of probabilities, p or p_<class>")
    if len(columns) > 1 and "p" in columns:
        other = columns[1] if columns[0] == "p" else columns[0]
        raise InputError(f"{path}, line {table.head}: has both p and {other}; p stands alone")
    if len(columns) == 1:
        frame, note = _binary(frame, columns[0], table, lines)
        notes.append(note)
    else:
        names = _taken(list(frame["y_true"].cat.categories), [column[2:] for column in columns])
        frame["y_true"] = frame["y_true"].map(names).astype("category")
        changed = [f"{a} is read as {b}" for a, b in names.items() if b not in (a, None)]
        notes += [f"y_true: {', '.join(changed[:9])}."] if changed else []
    ids = _ids(frame, table, lines)
    frame["image_id"] = np.arange(len(frame))
    if "patient_id" in frame:
        frame["patient_id"], more = _patients(frame["patient_id"], table, lines)
        notes += more
    else:
        frame["patient_id"] = frame["image_id"]
        notes.append(
            "No column patient_id: each image is taken as a patient. If some patients have several,"
            " the intervals are too narrow."
        )
    parts = list(frame["split"].cat.categories) if "split" in frame else []
    if len(parts) > 1:
        notes.append(f"All rows are used, of the splits {', '.join(parts[:9])} alike.")
    classes = metrics.check_predictions(frame.assign(source="", split=""), str(path), lines)
    notes += _rounded(frame[[f"p_{name}" for name in classes]].to_numpy())
    if positive is None:
        positive = next((name for name in classes if name.lower() in YES), classes[0])
    elif (positive := unicodedata.normalize("NFC", positive)) not in classes:
        raise InputError(
            f"--positive {positive}: {path} has no such class, only {', '.join(classes)}"
        )
    for missing in [name for name in classes if not (frame["y_true"] == name).any()]:
        notes.append(
            f"No image is {missing}: what needs some cannot be computed: a dash on a page, an empty"
            " field in a table."
        )
    if len(frame) > MOST:
        notes.append(
            "Many patients: above 20,000 of a class they are drawn in 2,000 groups at random, and"
            " the AUC's interval is from grouped scores."
        )
    keep = ["image_id", "patient_id", "y_true", *(f"p_{name}" for name in classes)]
    return Predictions(frame[keep].assign(source="", split=""), positive, notes, ids)


def _first(column: pd.Series, word: str, most: int = 1) -> list[int]:
    """The first rows of a categorical column in which a word stands."""
    return np.flatnonzero(column.cat.codes == column.cat.categories.get_loc(word))[:most].tolist()


def _ids(frame: pd.DataFrame, table: Table, lines: np.ndarray) -> pd.Series | None:
    """What to call each image: its name, its line, or nothing where there are very many."""
    if "image_id" not in frame:
        return "line " + pd.Series(lines.astype(str)) if len(frame) <= MOST else None
    ids = frame["image_id"].astype(object)
    for row in np.flatnonzero(ids.duplicated() | (ids == ""))[:1]:
        what = line(ids.iloc[row], 100) or "nothing"
        why = f"{what} stands there, twice or instead of a name"
        raise InputError(f"{table.path}, line {lines[row]}, column image_id: {why}")
    return ids


def _patients(column: pd.Series, table: Table, lines: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Patients as numbers, and a note on two that may be one.

    InputError for what stands for several images and is no patient: a word for nobody, or a long
    number that a spreadsheet has cut to ``1.23E+11``.
    """
    spelt, notes = {}, []
    for word in column.cat.categories:
        if word.lower() in NOBODY or re.fullmatch(r"[0-9]([.,][0-9]+)?E[+][0-9]+", word):
            rows = _first(column, word, 2)
            if word == "" or len(rows) > 1:
                why = f"{word} stands there more than once: is it one patient?"
                where = f"{table.path}, line {lines[rows[-1]]}, column patient_id"
                raise InputError(f"{where}: {why if word else 'is empty'}")
        whole = re.fullmatch(r"0*([0-9]+?)([.]0*)?", word)
        if whole and spelt.setdefault(whole[1], word) != word and not notes:
            twins = f"{spelt[whole[1]]} and {word}"
            notes.append(f"patient_id holds {twins}, which are taken as two patients.")
    return column.cat.codes.to_numpy(int), notes


def _rounded(p: np.ndarray) -> list[str]:
    """A note where few decimals keep the probabilities of an image from a sum of 1."""
    sums, d = p.sum(axis=1), metrics.decimals(p)
    if not 0 < d <= 3 or np.abs(sums - 1).max() < 1e-9:
        return []
    digits, ends = (
        (f"{d} decimals" if d > 1 else "one decimal"),
        f"{sums.min():.{d}f} to {sums.max():.{d}f}",
    )
    return [
        f"The probabilities have {digits}, so that an image's sum to {ends}; they are used as"
        " given."
    ]


def _meaning(word: str) -> str:
    """``1`` for 1, 1.0, yes, true and positive, ``0`` for their opposites, ``2`` for 2.0; words
    stay.
    """
    low = word.lower()
    whole = re.fullmatch(r"([0-9]+)[.,]0*", word)
    return "1" if low in YES else "0" if low in NO else whole[1] if whole else word


def _taken(levels: list[str], classes: list[str]) -> dict[str, str | None]:
    """The class that each word in ``y_true`` stands for: itself, else the only class of the same
    meaning.
    """
    alike = {
        word: [name for name in classes if _meaning(name) == _meaning(word)] for word in levels
    }
    alone = {word: names[0] for word, names in alike.items() if len(names) == 1}
    return {word: (word if word in classes else alone.get(word, word)) or None for word in levels}


def _one_class(column: str, levels: list[str], where: Callable[[str], str]) -> dict[str, str]:
    """Which words in ``y_true`` are the class of the one column, and which the rest.

    InputError where a word may be either.
    """
    named, rest = column[2:], f"not {column[2:]}"
    which = f"is it {named}? With the one column {column} that must be clear; p is that of 1"

    def spelt(word: str) -> str:
        return re.sub(r"[\W_]", "", word.casefold()) or word

    if named not in levels and all(_meaning(word) in ("0", "1") for word in levels):
        if named.lower() in ("0", "0.0", "false"):
            return {word: named if _meaning(word) == "0" else rest for word in levels}
        if named.lower() in NO or re.split(r"[\W_]", named.lower())[0] in ABSENT:
            raise InputError(f"{where(levels[0])}: {which}")
        return {word: named if _meaning(word) == "1" else rest for word in levels}
    same = {word for word in levels if _meaning(word) == _meaning(named)}
    for word in levels:
        answer = word.lower() in ("1", "1.0", "true", "yes") and not named[0].isdigit()
        doubtful = answer and named.lower() not in NO
        if word not in same and (doubtful or spelt(word) == spelt(named)):
            raise InputError(f"{where(word)}: {which}")
    others = [word for word in levels if word not in same]
    return {word: named if word in same else word if len(others) == 1 else rest for word in levels}


def _binary(
    frame: pd.DataFrame, column: str, table: Table, lines: np.ndarray
) -> tuple[pd.DataFrame, str]:
    """Two classes from one column of probabilities, and the rule as a sentence."""
    named, truth = column[2:], frame["y_true"]
    levels = [word for word in truth.cat.categories if word]

    def where(word: str) -> str:
        return (
            f"{table.path}, line {lines[_first(truth, word)[0]]}, column y_true: {line(word, 100)}"
        )

    if column == "p_":
        raise InputError(f"{table.path}, line {table.head}: column p_ names no class")
    if not named:
        for word in levels:
            if _meaning(word) not in ("0", "1"):
                raise InputError(f"{where(word)} is neither 1 nor 0, which the one column p needs")
        names = {word: "positive" if _meaning(word) == "1" else "negative" for word in levels}
    else:
        names = _one_class(column, levels, where)
    one = named or "positive"
    other = next(
        (name for name in names.values() if name != one), f"not {named}" if named else "negative"
    )
    rest = [word for word, name in names.items() if name == other]
    note = f"One column of probabilities, {column}: that an image is {one}; the rest is {other}."
    if named and len(rest) > 1:
        note += f" Taken for {other}: {', '.join(rest[:9])}{' and others' * (len(rest) > 9)}."
    truth = truth.map(names | {"": None}).astype("category")
    made = frame.drop(columns=column).assign(y_true=truth)
    return made.assign(**{f"p_{one}": frame[column], f"p_{other}": 1 - frame[column]}), note


def compare_methods(frame: pd.DataFrame, cls: str, threshold: float = 0.5) -> pd.DataFrame:
    """The same statistics by every method: a row for each ``statistic`` and ``method``, with ``n``
    (images), ``estimate, low, high``.

    Shares: Wilson and Clopper-Pearson over images, Wilson over patients
    (`intervals.over_patients`), percentiles and BCa of patients drawn anew. AUC: DeLong over
    images, and the latter two. The bootstrap's ends are NaN where resampling cannot tell
    (`intervals.bootstrap`), DeLong's of an area of 0 or 1.
    """
    point, drawn = (
        metrics.operating_point(frame, cls, threshold),
        intervals.bootstrap(frame, cls, threshold, ["auc", *SHARES], fill=False),
    )
    truth, called = (frame["y_true"] == cls).to_numpy(), (frame[f"p_{cls}"] >= threshold).to_numpy()
    among = {"sensitivity": truth, "specificity": ~truth, "ppv": called, "npv": ~called}
    rows = [("auc", "DeLong, images", len(frame), *intervals.delong(frame, cls))]
    for name, (right, wrong) in SHARES.items():
        k, n = point[right], point[right] + point[wrong]
        rows.append((name, "Wilson, images", n, point[name], *intervals.wilson(k, n)))
        rows.append(
            (name, "Clopper–Pearson, images", n, point[name], *intervals.clopper_pearson(k, n))
        )
        rows.append(
            (
                name,
                OVER_PATIENTS,
                n,
                point[name],
                *intervals.over_patients(point[name], frame.loc[among[name], "patient_id"]),
            )
        )
    for name, row in drawn.iterrows():
        n = len(frame) if name == "auc" else sum(point[part] for part in SHARES[name])
        low, high = (np.nan, np.nan) if point[name] in (0, 1) else (row["low"], row["high"])
        rows.append((name, PERCENTILES, n, point[name], low, high))
        rows.append((name, "Bootstrap, BCa", n, point[name], row["bca_low"], row["bca_high"]))
    found = pd.DataFrame(rows, columns=["statistic", "method", "n", "estimate", "low", "high"])
    return found.sort_values(
        "statistic",
        key=lambda names: names.map(list(drawn.index).index),
        kind="stable",
        ignore_index=True,
    )


def at_prevalences(sensitivity: float, specificity: float, prevalences) -> pd.DataFrame:
    """``ppv, npv``, false alarms for each true positive (``alarms``) and ``TP, FN, FP, TN`` per
    1,000 people, a row for each prevalence.
    """
    share = np.asarray(prevalences, float)
    ppv, npv = metrics.at_prevalence(sensitivity, specificity, share)
    with np.errstate(invalid="ignore", divide="ignore"):
        rows = pd.DataFrame(
            {"prevalence": share, "ppv": ppv, "npv": npv, "alarms": (1 - ppv) / ppv}
        )
    if np.isnan([sensitivity, specificity]).any():
        return rows.assign(TP=np.nan, FN=np.nan, FP=np.nan, TN=np.nan)
    return rows.join(
        pd.DataFrame(
            [metrics.natural_frequencies(sensitivity, specificity, value) for value in share]
        )
    )


@dataclass
class Measures:
    """Everything that is measured of predictions at a threshold, once for the table and the page;
    ``prevalence`` is that asked for, or None.
    """

    found: Predictions
    threshold: float = 0.5
    prevalence: float | None = None

    def __post_init__(self):
        frame, cls = self.found.frame, self.found.positive
        self.point = metrics.operating_point(frame, cls, self.threshold)
        self.compared = compare_methods(frame, cls, self.threshold)
        self.cells, self.drawn = metrics.per_class(frame), intervals.cluster_bootstrap(frame)
        self.bounds = intervals.filled(frame, self.drawn)
        self.brier = calibration.brier(frame, cls)
        self.reliability = {
            by: calibration.reliability(frame, cls, by=by) for by in ("width", "count")
        }
        self.ece = {by: calibration.ece_of(table) for by, table in self.reliability.items()}

    def tidy(self) -> pd.DataFrame:
        """All numbers in one table: ``section, class, statistic, method, estimate, low, high``."""
        rows = [
            (f"threshold {self.threshold:g}", self.found.positive, *row)
            for row in self.compared.drop(columns="n").itertuples(index=False)
        ]
        classes = len(self.found.classes)
        for row, name in enumerate(self.cells.index):
            for metric in metrics.METRICS[2:]:
                ends = self.bounds.loc[name, [(metric, "low"), (metric, "high")]]
                value = self.cells.loc[name, metric]
                known, certain = (
                    ends.notna().all(),
                    self.cells[metric].iloc[:classes].isin([0, 1]).any(),
                )
                drawn = (
                    known
                    and value not in (0, 1)
                    and self.drawn.loc[name, (metric, "low")] == ends.iloc[0]
                )
                method = OVER_PATIENTS if known and not drawn else PERCENTILES
                method += NARROW if drawn and certain and row >= classes else ""
                rows.append(("most probable class", name, metric, method, value, *ends))
        cls, none = self.found.positive, (np.nan, np.nan)
        rows.append(
            ("calibration", cls, "brier", PERCENTILES, *self.brier[["brier", "low", "high"]])
        )
        rows.append(
            (
                "calibration",
                cls,
                "brier skill",
                PERCENTILES,
                *self.brier[["skill", "skill_low", "skill_high"]],
            )
        )
        rows += [
            ("calibration", cls, "ece", f"10 bins of equal {by}", value, *none)
            for by, value in self.ece.items()
        ]
        share = self.point["prevalence"] if self.prevalence is None else self.prevalence
        there = at_prevalences(self.point["sensitivity"], self.point["specificity"], [share]).iloc[
            0
        ]
        rows += [
            (f"prevalence {share:.4g}", cls, name, "Bayes", there[name], *none)
            for name in ("ppv", "npv", "alarms")
        ]
        return pd.DataFrame(
            rows, columns=["section", "class", "statistic", "method", "estimate", "low", "high"]
        )


def spreadsheet_text(value):
    """Text that a spreadsheet will not take for a formula, and a terminal not for a command."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
