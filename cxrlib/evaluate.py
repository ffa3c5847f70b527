"""``cxr evaluate``: anybody's predictions through the tables and intervals of this book. Reads a CSV as people have it; :mod:`cxrlib.report` shows it.

Nothing here asks where the predictions come from. Classes are those of the file, one of them is *positive*, the rest is negative.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from cxrlib import calibration, intervals, metrics
from cxrlib.files import InputError
from cxrlib.resamples import MOST

YES, NO = {"1", "1.0", "true", "yes", "positive", "pos"}, {"0", "0.0", "false", "no", "negative", "neg"}
PREVALENCES = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]
TEXTS = ["image_id", "patient_id", "split", "y_true"]  # columns of words
SHARES = {"sensitivity": ("TP", "FN"), "specificity": ("TN", "FP"), "ppv": ("TP", "FP"), "npv": ("TN", "FN")}
OVER_PATIENTS, PERCENTILES = "Wilson, patients", "Bootstrap, percentiles"  # names of methods
NARROW = "; too narrow: takes a class's 0 or 1 for certain"
NAMES = {
    "auc": "AUC", "sensitivity": "Sensitivity", "specificity": "Specificity", "ppv": "PPV", "npv": "NPV", "accuracy": "Accuracy",
    "null_accuracy": "Accuracy of always answering the commoner side", "prevalence": "Share of positives", "lr_positive": "Positive likelihood ratio",
    "lr_negative": "Negative likelihood ratio", "f1": "F1", "recall": "Recall", "precision": "Precision",
}  # fmt: skip


@dataclass
class Predictions:
    """A file of predictions: the frame of :mod:`cxrlib.metrics`, the positive class, ``notes`` on how it was read, and the ``ids`` of its images."""

    frame: pd.DataFrame
    positive: str
    notes: list[str] = field(default_factory=list)
    ids: pd.Series | None = None

    @property
    def classes(self) -> list[str]:
        return [column[2:] for column in self.frame if column.startswith("p_")]


def _name(cell: str) -> str:
    """A column's name without spaces around it or around the class in it; what is no class may have capitals."""
    cell = cell.strip()
    return f"p_{cell[2:].strip()}" if cell[:2] in ("p_", "P_") else cell.lower() if cell.lower() in {*TEXTS, "p"} else cell


def _dialect(path: Path) -> tuple[dict, list[str]]:
    """Options for ``pandas.read_csv`` and the column names, from the first 64 KiB: compression, encoding, separator, decimal sign."""
    with open(path, "rb") as handle:
        packed = handle.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rb") if packed else open(path, "rb") as handle:
        start = handle.read(65536)
    marks = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
    encoding = next((name for mark, name in marks.items() if start.startswith(mark)), None)
    if encoding is None:  # without a mark: UTF-16 has a zero in every other byte
        encoding = "utf-16-le" if start[1:2] == b"\0" else "utf-16-be" if start[:1] == b"\0" else "utf-8"
    lines = codecs.getincrementaldecoder(encoding)("strict").decode(start).splitlines()
    if not "".join(lines).strip():
        raise InputError(f"{path}: is empty")
    split = {sign: [_name(cell) for cell in next(csv.reader(lines[:1], delimiter=sign))] for sign in ",;\t"}
    sign = max(split, key=lambda sign: ("y_true" in split[sign], len(split[sign])))
    some = csv.reader(lines[1:100], delimiter=sign)
    comma = any("," in cell for row in some for name, cell in zip(split[sign], row, strict=False) if name == "p" or name.startswith("p_"))
    options = {
        "sep": sign,
        "encoding": encoding,
        "decimal": "," if comma and sign != "," else ".",
        "compression": "gzip" if packed else None,
    }
    return options, split[sign]


def _table(path: Path) -> pd.DataFrame:
    """The columns that are of use, text as text, whatever the file's encoding and separator."""
    try:
        options, names = _dialect(path)
        wanted = {k: name for k, name in enumerate(names) if name in TEXTS or name == "p" or name.startswith("p_")}
        for name in wanted.values():
            if names.count(name) > 1:
                raise InputError(f"{path}, line 1: column {name} occurs twice")
        if "y_true" not in names:
            raise InputError(f"{path}, line 1: no column y_true, only {', '.join(names)[:200]}")
        words = {k: str if name in TEXTS else "category" for k, name in enumerate(names) if k not in wanted or name in TEXTS}
        options |= {"header": None, "skiprows": 1, "dtype": words, "keep_default_na": False}
        table = pd.read_csv(
            path, skipinitialspace=True, low_memory=False, **options
        )  # all columns, so that a row with too many cells is seen
        more = table[table.columns[len(names) :]].replace("", np.nan)
        if len(table.columns) < len(names) or more.notna().any(axis=None):
            raise InputError(f"{path}, line 2: has {len(table.columns)} cells, the line of names {len(names)}")
        return table[list(wanted)].rename(columns=wanted)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (IsADirectoryError, PermissionError) as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except pd.errors.EmptyDataError:
        raise InputError(f"{path}: no rows") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: damaged gzip file ({error})") from None
    except UnicodeError:
        raise InputError(f"{path}: is neither UTF-8 nor UTF-16 text") from None
    except (csv.Error, ValueError) as error:  # pandas' own errors are ValueErrors
        raise error if isinstance(error, InputError) else InputError(f"{path}: cannot be read as CSV ({error})") from None


def read(path: str | Path, positive: str | None = None) -> Predictions:
    """Read a file of predictions.

    Needed: ``y_true``, and either ``p_<class>`` for each class (probabilities that sum to 1; ``y_true`` holds class names), or one column ``p`` or
    ``p_<class>``: the probability of that class, or that ``y_true`` is 1, where ``y_true`` holds 0 and 1 (or yes and no, true and false, positive and
    negative). ``patient_id``, ``image_id``, ``source`` and ``split`` may be there; without ``patient_id`` each image is taken as a patient. Commas,
    semicolons or tabs; a decimal comma where commas do not separate; UTF-8 or UTF-16; plain or gzipped.

    ``positive`` defaults to the class called 1, yes, true or positive, else the first ``p_`` column.

    Raises InputError, one line, with file, line and column where there is one.
    """
    path = Path(path)
    frame, notes = _table(path), []
    ids, truth = frame.get("image_id"), frame["y_true"].astype("category")
    frame["y_true"] = truth.map({name: name.strip() or None for name in truth.cat.categories}).astype("category")
    columns = [name for name in frame if name == "p" or name.startswith("p_")]
    if not columns:
        raise InputError(f"{path}, line 1: no column of probabilities, p or p_<class>")
    if len(columns) == 1:
        frame, note = _binary(frame, columns[0], path)
        notes.append(note)
    elif "p" in columns:
        raise InputError(f"{path}, line 1: has both p and {columns[1] if columns[0] == 'p' else columns[0]}; p stands alone")
    if ids is None:
        ids = "row " + pd.Series(np.arange(2, len(frame) + 2).astype(str)) if len(frame) <= MOST else None
    elif ids.duplicated().any() or (ids == "").any():
        row = int(np.flatnonzero(ids.duplicated() | (ids == ""))[0])
        raise InputError(f"{path}, line {row + 2}, column image_id: {ids.iloc[row] or 'nothing'} stands there, twice or instead of a name")
    frame["image_id"] = np.arange(len(frame))
    if "patient_id" in frame:
        for row in np.flatnonzero(frame["patient_id"] == "")[:1]:
            raise InputError(f"{path}, line {row + 2}, column patient_id: is empty")
        frame["patient_id"] = pd.factorize(frame["patient_id"])[0]
    else:
        frame["patient_id"] = frame["image_id"]
        notes.append("No column patient_id: each image is taken as a patient. If some patients have several, the intervals are too narrow.")
    parts = list(frame["split"].unique()) if "split" in frame else []
    if len(parts) > 1:
        notes.append(f"All rows are used, of the splits {', '.join(map(str, parts[:9]))} alike.")
    classes = metrics.check_predictions(frame.assign(source="", split=""), str(path))
    if positive is None:
        positive = next((name for name in classes if name.lower() in YES), classes[0])
    elif positive not in classes:
        raise InputError(f"--positive {positive}: {path} has no such class, only {', '.join(classes)}")
    present = [name for name in classes if (frame["y_true"] == name).any()]
    for missing in [name for name in classes if name not in present]:
        notes.append(f"No image is {missing}: what needs some cannot be computed: a dash on a page, an empty field in a table.")
    if len(frame) > MOST:
        notes.append(
            "Many patients: above 20,000 of a class they are drawn in 2,000 groups at random, and the AUC's interval is from grouped scores."
        )
    keep = ["image_id", "patient_id", "y_true", *(f"p_{name}" for name in classes)]
    return Predictions(frame[keep].assign(source="", split=""), positive, notes, ids)


def _binary(frame: pd.DataFrame, column: str, path: Path) -> tuple[pd.DataFrame, str]:
    """Two classes from one column of probabilities, and the rule as a sentence."""
    named, levels = column[2:] if column != "p" else "", [str(name) for name in frame["y_true"].cat.categories]
    if column != "p" and not named:
        raise InputError(f"{path}, line 1: column p_ names no class")
    lower = {name: name.lower() for name in levels}
    if all(low in YES | NO for low in lower.values()) and named not in levels:
        names = {name: (named or "positive") if low in YES else (f"not {named}" if named else "negative") for name, low in lower.items()}
    elif named and len(set(levels) - {named}) <= 1:
        names = {name: name for name in levels}
    elif named:
        names = {name: name if name == named else f"not {named}" for name in levels}
    else:
        bad = next(name for name in levels if lower[name] not in YES | NO)
        row = int(np.flatnonzero(frame["y_true"] == bad)[0])
        raise InputError(f"{path}, line {row + 2}, column y_true: {bad} is neither 1 nor 0, which the one column p needs")
    one = named or "positive"
    other = next((name for name in names.values() if name != one), f"not {named}" if named else "negative")
    score = pd.to_numeric(frame[column], errors="coerce")
    for row in np.flatnonzero(~((score >= 0) & (score <= 1)))[:1]:
        raise InputError(
            f"{path}, line {row + 2}, column {column}: {str(frame[column].iloc[row]) or 'an empty cell'} is not a number from 0 to 1"
        )
    made = frame.drop(columns=column).assign(y_true=frame["y_true"].map(names).astype("category"))
    return made.assign(
        **{f"p_{one}": score, f"p_{other}": 1 - score}
    ), f"One column of probabilities, {column}: that an image is {one}; the rest is {other}."


def compared(frame: pd.DataFrame, cls: str, threshold: float = 0.5) -> pd.DataFrame:
    """The same statistics by every method: a row for each ``statistic`` and ``method``, with ``n`` (images), ``estimate, low, high``.

    Shares: Wilson and Clopper-Pearson over images, Wilson over patients (`intervals.over_patients`), percentiles and BCa of patients drawn anew. AUC: DeLong over images,
    and the latter two. The bootstrap's ends are NaN where resampling cannot tell
    (`intervals.bootstrap`), DeLong's of an area of 0 or 1.
    """
    point, drawn = metrics.operating_point(frame, cls, threshold), intervals.bootstrap(frame, cls, threshold, ["auc", *SHARES], fill=False)
    truth, called = (frame["y_true"] == cls).to_numpy(), (frame[f"p_{cls}"] >= threshold).to_numpy()
    among = {"sensitivity": truth, "specificity": ~truth, "ppv": called, "npv": ~called}
    rows = [("auc", "DeLong, images", len(frame), *intervals.delong(frame, cls))]
    for name, (right, wrong) in SHARES.items():
        k, n = point[right], point[right] + point[wrong]
        rows.append((name, "Wilson, images", n, point[name], *intervals.wilson(k, n)))
        rows.append((name, "Clopper–Pearson, images", n, point[name], *intervals.clopper_pearson(k, n)))
        rows.append((name, OVER_PATIENTS, n, point[name], *intervals.over_patients(point[name], frame.loc[among[name], "patient_id"])))
    for name, row in drawn.iterrows():
        n = len(frame) if name == "auc" else sum(point[part] for part in SHARES[name])
        low, high = (np.nan, np.nan) if point[name] in (0, 1) else (row["low"], row["high"])
        rows.append((name, PERCENTILES, n, point[name], low, high))
        rows.append((name, "Bootstrap, BCa", n, point[name], row["bca_low"], row["bca_high"]))
    found = pd.DataFrame(rows, columns=["statistic", "method", "n", "estimate", "low", "high"])
    return found.sort_values("statistic", key=lambda names: names.map(list(drawn.index).index), kind="stable", ignore_index=True)


def elsewhere(sensitivity: float, specificity: float, prevalences) -> pd.DataFrame:
    """``ppv, npv``, false alarms for each true positive (``alarms``) and ``TP, FN, FP, TN`` per 1,000 people, a row for each prevalence."""
    share = np.asarray(prevalences, float)
    ppv, npv = metrics.at_prevalence(sensitivity, specificity, share)
    with np.errstate(invalid="ignore", divide="ignore"):
        rows = pd.DataFrame({"prevalence": share, "ppv": ppv, "npv": npv, "alarms": (1 - ppv) / ppv})
    if np.isnan([sensitivity, specificity]).any():
        return rows.assign(TP=np.nan, FN=np.nan, FP=np.nan, TN=np.nan)
    return rows.join(pd.DataFrame([metrics.natural_frequencies(sensitivity, specificity, value) for value in share]))


@dataclass
class Measures:
    """Everything that is measured of predictions at a threshold, once for the table and the page; ``prevalence`` is that asked for, or None."""

    found: Predictions
    threshold: float = 0.5
    prevalence: float | None = None

    def __post_init__(self):
        frame, cls = self.found.frame, self.found.positive
        self.point = metrics.operating_point(frame, cls, self.threshold)
        self.compared = compared(frame, cls, self.threshold)
        self.cells, self.drawn = metrics.per_class(frame), intervals.cluster_bootstrap(frame)
        self.bounds = intervals.filled(frame, self.drawn)
        self.brier = calibration.brier(frame, cls)
        self.reliability = {by: calibration.reliability(frame, cls, by=by) for by in ("width", "count")}
        self.ece = {by: calibration.ece_of(table) for by, table in self.reliability.items()}

    def tidy(self) -> pd.DataFrame:
        """All numbers in one table: ``section, class, statistic, method, estimate, low, high``."""
        rows = [
            (f"threshold {self.threshold:g}", self.found.positive, *row) for row in self.compared.drop(columns="n").itertuples(index=False)
        ]
        classes = len(self.found.classes)
        for row, name in enumerate(self.cells.index):
            for metric in metrics.METRICS[2:]:
                ends = self.bounds.loc[name, [(metric, "low"), (metric, "high")]]
                value = self.cells.loc[name, metric]
                known, certain = ends.notna().all(), self.cells[metric].iloc[:classes].isin([0, 1]).any()
                drawn = known and value not in (0, 1) and self.drawn.loc[name, (metric, "low")] == ends.iloc[0]
                method = OVER_PATIENTS if known and not drawn else PERCENTILES
                method += NARROW if drawn and certain and row >= classes else ""
                rows.append(("most probable class", name, metric, method, value, *ends))
        cls, none = self.found.positive, (np.nan, np.nan)
        rows.append(("calibration", cls, "brier", PERCENTILES, *self.brier[["brier", "low", "high"]]))
        rows.append(("calibration", cls, "brier skill", PERCENTILES, *self.brier[["skill", "skill_low", "skill_high"]]))
        rows += [("calibration", cls, "ece", f"10 bins of equal {by}", value, *none) for by, value in self.ece.items()]
        share = self.point["prevalence"] if self.prevalence is None else self.prevalence
        there = elsewhere(self.point["sensitivity"], self.point["specificity"], [share]).iloc[0]
        rows += [(f"prevalence {share:.4g}", cls, name, "Bayes", there[name], *none) for name in ("ppv", "npv", "alarms")]
        return pd.DataFrame(rows, columns=["section", "class", "statistic", "method", "estimate", "low", "high"])


def harmless(value):
    """Text that a spreadsheet will not take for a formula, and a terminal not for a command."""
    if not isinstance(value, str):
        return value
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
