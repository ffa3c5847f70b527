"""What a widget's page is given: predictions as a few columns of numbers, and the points that the
studies print.
"""

from __future__ import annotations

import base64
import io
from functools import cache

import numpy as np
import pandas as pd
from PIL import Image

from companion import claims, forensics, subgroups
from cxrlib import metrics, plots
from cxrlib.files import isolated
from cxrlib.records import Record

NAMES = {
    "viral": "Viral pneumonia",
    "bacterial": "Bacterial pneumonia",
    "none": "No finding",
}  # in a sentence, not a table
HAVE = {
    "normal": "are normal",
    "none": "have no finding",
    "non_covid": "have no COVID-19",
    "viral": "have viral pneumonia",
    "bacterial": "have bacterial pneumonia",
    "positive": "are positive",
    "negative": "are negative",
}


def _column(values: np.ndarray, columns: dict[tuple[str, str], int]) -> int:
    """The place of an array among the payload's columns, as little-endian base64; equal arrays
    share a place.
    """
    code = values.dtype.kind + str(values.dtype.itemsize)
    text = base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode()
    return columns.setdefault((code, text), len(columns))


def _whole(values: np.ndarray) -> np.ndarray:
    return values.astype(
        np.min_scalar_type(int(values.max(initial=0)))
        if values.max(initial=0) < 2**16
        else np.uint32
    )


def _scores(p: np.ndarray, rest: np.ndarray | None, columns: dict) -> list[int]:
    """Probabilities (N,) without loss, as places of columns: digits and power of ten (their
    quotient is the same double), else doubles.

    Where they are nearly what is left of the other classes, ``rest`` (N,), the digits are given by
    how far they are from it: three places.
    """
    with np.errstate(divide="ignore"):
        power = np.where(p > 0, 8 - np.floor(np.log10(p)), 9)
    if power.max(initial=0) > 22:  # up to there powers of ten are exact
        return [_column(p.astype(np.float64), columns)]
    digits, ten = np.rint(p * 10.0**power), 10.0**power
    if (digits / ten != p).any() or digits.max(initial=0) >= 2**32:
        return [_column(p.astype(np.float64), columns)]
    powers = _column(power.astype(np.uint8), columns)
    if rest is not None:
        away = digits - np.floor(rest * ten)
        if (np.abs(away) < 2**15).all():
            return [
                _column(away.astype(np.int8 if (np.abs(away) < 2**7).all() else np.int16), columns),
                powers,
                1,
            ]
    return [_column(digits.astype(np.uint32), columns), powers]


def pack(
    frame: pd.DataFrame, name: str, title: str, printed: dict, groups: pd.DataFrame, columns: dict
) -> dict:
    """One run of the payload: ids stay here, patients become numbers, subgroups codes; a grouping
    of one value is left out.
    """
    classes, y, p = metrics.arrays(frame)
    packed = [
        {
            "name": column,
            "label": subgroups.LABELS.get(column, column),
            "values": values.tolist(),
            "codes": _column(_whole(codes), columns),
        }
        for column in groups
        for codes, values in [pd.factorize(groups[column], sort=True)]
        if len(values) > 1
    ]
    labels = [NAMES.get(cls, plots.label(cls)) for cls in classes]
    labels = [isolated(name) for name in (labels if len(set(labels)) == len(labels) else classes)]
    rest = np.ones(len(p))
    for values in p.T[:-1]:  # one by one, as the page does
        rest = rest - values
    return {
        "name": name,
        "title": isolated(title),
        "classes": classes,
        "labels": labels,
        "have": [HAVE.get(cls, f"have {isolated(plots.label(cls))}") for cls in classes],
        "printed": printed,
        "groups": packed,
        "y": _column(_whole(y), columns),
        "patient": _column(_whole(pd.factorize(frame["patient_id"])[0]), columns),
        "p": [
            *(_scores(values, None, columns) for values in p.T[:-1]),
            _scores(p[:, -1], rest, columns),
        ],
    }


def rounded(text: str, scale: float = 1) -> list[float]:
    """A printed share, of ``scale`` (100 for per cent), as fractions: value, and the lowest and
    highest that print so.
    """
    low, high = forensics.unrounded(text)
    return [float(text) / scale, max(low, 0) / scale, min(high, scale) / scale]


@cache
def reported(study: str) -> pd.DataFrame:
    """The numbers a study prints, read once."""
    return claims.reported(study)


def printed_points(run: Record) -> dict[str, dict]:
    """Sensitivity and specificity that the study prints for a run's classes: value and what
    rounding leaves open, and the text as printed.
    """
    table = reported(run.info["study"])
    if run.info["study"] == "cheazemin2020":
        found = table.set_index("id")["printed"]
        pairs, scale, unit = (
            {"covid": [found[f"azemin-3-{name}"] for name in ("sensitivity", "specificity")]},
            100,
            " %",
        )
    else:
        found = table[table["run"] == run.info["experiment"]].set_index("metric")["printed"]
        pairs = {
            cls: [found[f"{cls}.recall"], found[f"{cls}.specificity"]]
            for cls in run.classes
            if f"{cls}.recall" in found
        }
        scale, unit = 1, ""
    return {
        cls: {
            "sensitivity": rounded(pair[0], scale),
            "specificity": rounded(pair[1], scale),
            "text": [text + unit for text in pair],
        }
        for cls, pair in pairs.items()
    }


def title(run: Record) -> str:
    family, _, own = run.name.rpartition("/")
    own += " alone" if family.endswith("-shown") else ""
    return f"{own.replace('-', ' ')}: {run.info['title']}" if family else run.info["title"]


def png(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
