"""What a widget's page is given: predictions as columns of numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cxrlib import plots
from cxrlib.files import InputError
from cxrlib.metrics.predictions import arrays, decimals

UNKNOWN = "not known"
WORDS = {  # of a class: its name in a list, what people "are" or "have" in a sentence
    "normal": ("Normal", "are normal"),
    "none": ("No finding", "have no finding"),
    "non_covid": ("Non-COVID-19", "have no COVID-19"),
    "viral": ("Viral pneumonia", "have viral pneumonia"),
    "bacterial": ("Bacterial pneumonia", "have bacterial pneumonia"),
    "positive": ("positive", "are positive"),
    "negative": ("negative", "are negative"),
}


def _column(values: np.ndarray, columns: dict[tuple, int]) -> int:
    """The place of an array among the payload's columns; equal arrays share one."""
    return columns.setdefault(tuple(values.tolist()), len(columns))


def _scores(p: np.ndarray, columns: dict[tuple, int]) -> list[list[int]] | dict[str, int]:
    """Probabilities (N, K) without loss, as places of columns.

    Of two classes with up to four decimals the first alone, in units of the last decimal. The last
    class is else nearly what the others leave of 1. Where it is a number of nine digits, it takes
    two short columns: its decimals, and how many units of the last of them it is away from that.
    """
    d = decimals(p)
    units = np.rint(p * 10.0**d).astype(int)
    if p.shape[1] == 2 and 0 < d <= 4 and (units.sum(axis=1) == 10**d).all():
        return {"units": _column(units[:, 0], columns), "decimals": d}
    places, rest = [[_column(values, columns)] for values in p.T[:-1]], np.ones(len(p))
    for values in p.T[:-1]:  # one by one, as the page does
        rest = rest - values
    last = p[:, -1]
    with np.errstate(divide="ignore"):
        digits = np.where(last > 0, 8 - np.floor(np.log10(last)), 9)
    if digits.max(initial=0) <= 22:  # up to there powers of ten are exact
        ten = 10.0**digits
        away = np.rint(last * ten) - np.floor(rest * ten)
        if ((np.floor(rest * ten) + away) / ten == last).all():
            short = [away.astype(int), digits.astype(int)]
            return [*places, [_column(values, columns) for values in short]]
    return [*places, [_column(last, columns)]]


def subgroups_of(frame: pd.DataFrame, known: pd.DataFrame | None) -> pd.DataFrame:
    """Subgroups of each row of predictions, as text: a column for each of ``known``, and its
    source.
    """
    known = pd.DataFrame({"image_id": []}) if known is None else known
    if "image_id" not in known or known["image_id"].duplicated().any():
        raise InputError("subgroups: needs a column image_id with no image twice")
    found = known.set_index("image_id").reindex(frame["image_id"]).set_index(frame.index)
    found = found.assign(source=frame["source"]).astype(object)
    return found.where(found.notna(), UNKNOWN).astype(str)


def _apart(name: str) -> str:
    """A name for a sentence, kept apart from what is beside it: its letters may run to the left."""
    return name if name.isascii() else f"\u2068{name}\u2069"


def pack(frame: pd.DataFrame, groups: pd.DataFrame, columns: dict[tuple, int]) -> dict:
    """One run of the payload: ids stay here, patients become numbers, subgroups codes; a grouping
    of one value is left out.
    """
    classes, y, p = arrays(frame)
    packed = []
    for name in groups:
        codes, values = pd.factorize(groups[name], sort=True)
        if len(values) > 1:
            label = name[:1].upper() + name[1:]
            place = _column(codes, columns)
            packed.append({"name": name, "label": label, "values": values.tolist(), "codes": place})
    words = {cls: (plots.label(cls), f"have {_apart(plots.label(cls))}") for cls in classes}
    labels, have = zip(*[(words | WORDS)[cls] for cls in classes], strict=True)
    return {
        "classes": classes,
        "labels": [_apart(x) for x in (labels if len({*labels}) == len(labels) else classes)],
        "have": list(have),
        "groups": packed,
        "y": _column(y, columns),
        "patient": _column(pd.factorize(frame["patient_id"])[0], columns),
        "p": _scores(p, columns),
    }
