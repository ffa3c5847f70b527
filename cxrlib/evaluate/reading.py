"""Anybody's predictions in a CSV: its form, and which of its columns are of use.

Nothing here asks where the predictions come from. Classes are those of the file, one of them is
*positive*, the rest is negative. What is written in any other way than `read_file` says is refused,
never guessed.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from cxrlib import metrics
from cxrlib.files import InputError, refuse
from cxrlib.metrics.predictions import KEYS

NUMBER = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)
# No patient's name, but a spreadsheet's or a program's word for nothing, or a long number cut short
NOBODY = r"n/?a|#n/a|<na>|nan|none|null|nil|-|\?|unknown|#(ref|name|value)[!?]|[0-9.]+e[+][0-9]+"
ALONE = "No column patient_id: each image is taken as a patient; intervals may be too narrow."
LONGEST = 24  # letters of a class's name, which figures have room for


@dataclass
class Predictions:
    """A file of predictions: a frame as `cxrlib.metrics.predictions` has it, the positive class,
    and ``notes`` on how it was read.
    """

    frame: pd.DataFrame
    positive: str
    notes: list[str] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        return [column[2:] for column in self.frame if column.startswith("p_")]


def read_file(path: str | Path, positive: str | None = None) -> Predictions:
    """Read anybody's file of predictions.

    Parameters
    ----------
    path : str or Path
        A CSV: UTF-8, commas between cells, decimal points; a line of names, then a row per image.
        Needed: ``y_true``, and ``p_<class>`` for each class, probabilities that sum to 1, where
        ``y_true`` holds names of classes; or one column ``p``, the probability that ``y_true`` is
        1, where that holds 1 and 0. ``image_id``, ``patient_id``, ``source`` and ``split`` may be
        there; without ``patient_id`` each image is taken as a patient. Others are not read.
    positive : str, optional
        Default the class ``1`` or ``positive``, else the first ``p_`` column.

    Raises
    ------
    InputError
        One line, with file, line and column where there is one.
    """
    cells, where = _cells(Path(path)), str(path)
    frame = pd.DataFrame({"image_id": cells.index.astype(str), "source": "", "split": ""})
    frame = frame.assign(patient_id=frame["image_id"]).set_axis(cells.index)
    frame = frame.assign(**{name: cells[name] for name in KEYS if name in cells})
    frame, notes = frame.assign(**_probabilities(cells, where)), []
    if "p" in cells:
        refuse(~cells["y_true"].isin(["0", "1"]), cells["y_true"], "is neither 1 nor 0", where)
        frame["y_true"] = cells["y_true"].map({"1": "positive", "0": "negative"})
    classes = metrics.check_predictions(frame, where)
    for name in classes:
        if not (name.isprintable() and name[0].isalnum() and len(name) <= LONGEST):
            why = f"a class's name begins with a letter or digit and has at most {LONGEST} of them"
            raise InputError(f"{where}, column p_{name[:LONGEST]!r}: {why}")
    if "patient_id" in cells:
        named = cells["patient_id"]
        nobody = named.str.fullmatch(NOBODY, case=False) & named.duplicated()
        refuse(nobody, named, "stands there more than once: is it one patient?", where)
    else:
        notes.append(ALONE)
    if len(parts := frame["split"].unique()) > 1:
        notes.append(f"All rows are used, of the splits {', '.join(parts[:9])} alike.")
    positive = positive or next((x for x in classes if x in ("1", "positive")), classes[0])
    if positive not in classes:
        known = ", ".join(classes)
        raise InputError(f"--positive {positive}: {where} has no such class, only {known}")
    return Predictions(frame.reset_index(drop=True), positive, notes)


def _cells(path: Path) -> pd.DataFrame:
    """The columns of use as text without spaces around it, by the file's lines; NaN where a cell is
    empty.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: a regular file is needed")
    lines, rows = [], []
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            names = [name.strip() for name in next(reader, [])]
            while names and not names[-1]:  # a spreadsheet's empty columns
                names.pop()
            used = _columns(names, path)
            for row in filter(None, reader):
                if len(row) < len(names) or "".join(row[len(names) :]).strip():
                    why = f"{len(row)} cells, the line of names has {len(names)}"
                    raise InputError(f"{path}, line {reader.line_num}: {why}")
                lines.append(reader.line_num)
                rows.append([cell.strip() for cell in row[: len(names)]])
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV in UTF-8 ({error})") from None
    if not rows:
        raise InputError(f"{path}: no rows")
    cells = pd.DataFrame(rows, pd.Index(lines, name="line"), names)[used]
    return cells.mask(cells == "")


def _columns(names: list[str], path: Path) -> list[str]:
    """The names of use. InputError for one that is missing, there twice, or spelt otherwise."""
    used = [name for name in names if name in KEYS or name == "p" or name.startswith("p_")]
    scores = [name for name in used if name not in KEYS]
    spelt = {key.replace("_", ""): key for key in KEYS}
    for name in names:
        usual = spelt.get(re.sub(r"[\W_]", "", name).lower(), name)
        if usual != name:
            raise InputError(f"{path}, line 1: column {name} is to be called {usual}")
        if name in used and names.count(name) > 1:
            raise InputError(f"{path}, line 1: column {name} occurs twice")
    if "y_true" not in used or not scores:
        what, known = "y_true" if scores else "p or p_<class>", ", ".join(names)[:200]
        raise InputError(f"{path}, line 1: needs commas and a column {what}, has {known}")
    if "p" in scores and len(scores) > 1:
        raise InputError(f"{path}, line 1: p stands alone, without {', '.join(scores)[:200]}")
    return used


def _probabilities(cells: pd.DataFrame, where: str) -> dict[str, pd.Series]:
    """A column for each class; the one column ``p`` is that of ``positive``."""
    found = {}
    for name in cells.columns.difference(KEYS, sort=False):
        texts = cells[name].fillna("")
        refuse(~texts.str.fullmatch(NUMBER), texts, "is not a number from 0 to 1", where)
        found[name] = texts.astype(float)
        refuse(found[name] > 1, texts, "is not a number from 0 to 1", where)
    return found if "p" not in found else {"p_positive": found["p"], "p_negative": 1 - found["p"]}
