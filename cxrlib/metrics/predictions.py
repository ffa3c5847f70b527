"""The contract of predictions: one row an image, with its patient, its class and a probability for
each class.

A frame has the columns ``image_id, patient_id, source, split, y_true, p_<class>…``. N is the number
of its images, K of its classes, which are the ``p_`` columns in their order.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cxrlib.files import InputError, line, refuse

KEYS = ["image_id", "patient_id", "source", "split", "y_true"]


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read a CSV of predictions and check it, see `check_predictions`.

    The columns ``image_id, patient_id, source, split, y_true`` are read as text.

    Raises
    ------
    InputError
        The file cannot be read, or breaks the contract; one line with file, line and column.

    Examples
    --------
    >>> import io
    >>> text = "image_id,patient_id,source,split,y_true,p_sick,p_well\\n1,007,s,test,sick,0.9,0.1"
    >>> read_predictions(io.StringIO(text))["patient_id"].tolist()
    ['007']
    """
    try:
        frame = pd.read_csv(path, dtype=dict.fromkeys(KEYS, str), skip_blank_lines=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from None
    check_predictions(frame.set_axis(pd.RangeIndex(2, len(frame) + 2, name="line")), str(path))
    return frame


def check_predictions(frame: pd.DataFrame, where: str = "predictions") -> list[str]:
    """Check a frame of predictions and return its class names, in the order of the ``p_`` columns.

    Checked: the columns are there, once; there is a row; keys are filled in; ``image_id`` is
    unique; ``y_true`` is one of the classes (a class may be absent); each p is a number in [0, 1]
    and each row of p sums to 1 within 1e-4, or within what rounding all of them to d decimals
    allows, K ½ 10⁻ᵈ (`decimals`).

    Raises
    ------
    InputError
            One line, as `refuse` has it.
    """
    classes = _class_names(frame, where)
    for column in KEYS:
        refuse(frame[column].isna(), frame[column], "stands where a value is needed", where)
    ids, truth, p = frame["image_id"], frame["y_true"], _probabilities(frame, classes)
    refuse(ids.duplicated(), ids, "stands in an earlier row too", where)
    why = f"is none of {line(', '.join(classes), 300)}"
    if pd.api.types.is_numeric_dtype(truth):
        why = "is a number, but names of classes are text: use astype(str)"
    refuse(~truth.isin(classes), truth, why, where)
    for name, values in zip(classes, p.T, strict=True):
        outside = ~((values >= 0) & (values <= 1))  # NaN is outside, too
        refuse(outside, frame[f"p_{name}"], "is not a number from 0 to 1", where)
    sums = pd.Series(p.sum(axis=1), frame.index, name="p_" + "+p_".join(classes))
    off = (sums - 1).abs()
    if off.max() > 1e-4:
        d = decimals(p)
        allowed = max(1e-4, len(classes) / 2 * 10.0**-d if d else 0)
        refuse(off > allowed * (1 + 1e-9), sums, "is not a sum of 1", where)
    return classes


def _class_names(frame: pd.DataFrame, where: str) -> list[str]:
    for column in frame.columns[frame.columns.duplicated()]:
        raise InputError(f"{where}: column {column} occurs twice")
    for column in KEYS:
        if column not in frame:
            raise InputError(f"{where}: no column {column}")
    classes = [str(column)[2:] for column in frame if str(column).startswith("p_")]
    if len(classes) < 2 or "" in classes:
        raise InputError(
            f"{where}: needs a column p_<class> for each of two classes or more, has {classes}"
        )
    if frame.empty:
        raise InputError(f"{where}: no rows")
    return classes


def decimals(p: np.ndarray) -> int:
    """The fewest decimals, 1 to 9, that write all of p (N, K); 0 where none or more are needed."""
    for d in range(10):
        if (np.rint(p * 10.0**d) / 10.0**d == p).all():
            return d
    return 0


def _probabilities(frame: pd.DataFrame, classes: list[str]) -> np.ndarray:
    """The p_ columns as floats (N, K); what is no number is NaN."""
    columns = frame[[f"p_{name}" for name in classes]]
    return columns.apply(pd.to_numeric, errors="coerce").to_numpy(float)


def arrays(frame: pd.DataFrame) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Class names, y (N,) as positions in them, p (N, K)."""
    classes = check_predictions(frame)
    return classes, pd.Index(classes).get_indexer(frame["y_true"]), _probabilities(frame, classes)


def one_class(frame: pd.DataFrame, cls: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth (N,) bool and p (N,) of ``cls``, and what orders the images by it (`order_of`).

    Raises InputError if ``cls`` has no column.
    """
    classes, y, p = arrays(frame)
    if cls not in classes:
        raise InputError(f"predictions: no class {cls!r}, only {', '.join(classes)}")
    k = classes.index(cls)
    return y == k, p[:, k], order_of(p, k)


def order_of(p: np.ndarray, k: int) -> np.ndarray:
    """What orders the images (N,) by class k of p (N, K): its own p. Of two classes whose p is but
    what the other's leaves of 1, the other's, negated: 1 - 1e-20 and 1 - 1e-18 are both 1.
    """
    own = p[:, k]
    if p.shape[1] != 2:
        return own
    other = p[:, 1 - k]
    return -other if (own == 1 - other).all() and (other != 1 - own).any() else own
