"""The ledger: every number that the studies print, the number rebuilt for it, and the verdict that
the rules give.

Printed numbers are those of :func:`companion.studies.printed`; rules and verdicts stand in
:mod:`companion.rules`.
"""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from companion import rules, studies

BY_FORMULA = ["by_formula", "by_formula_low", "by_formula_high"]
# of each number, by ``cxr claims --json`` and on the page; "said" is the number in words
PUBLISHED = (
    "study id kind place quote said printed unit rebuilt low high".split()
    + BY_FORMULA
    + "verdict why also records treated".split()
)


def compare(printed: pd.DataFrame, rates: pd.DataFrame, bounds: pd.DataFrame) -> pd.DataFrame:
    """Rows of a printed table of results with what a run rebuilds: ``rebuilt``, ``low`` and
    ``high`` (95 % interval).

    ``rates`` and ``bounds`` are :func:`cxrlib.per_class` of the run's predictions and its
    intervals.
    """
    values = [rules.rebuilt(metric, rates, bounds) for metric in printed["metric"]]
    return printed.join(pd.DataFrame(values, printed.index, ["rebuilt", "low", "high"]))


def claims(ids: Collection[str] | None = None) -> pd.DataFrame:
    """Every printed number with its verdict, or those of some ids.

    The columns of :func:`companion.studies.printed`, ``study`` now A or B, and: ``said`` (the
    number in words), ``rebuilt``, ``low``, ``high`` (95 % interval), ``verdict``, ``why``, ``also``
    (what the row's other checks say), ``records`` (the runs that it rests on). Where Study B's
    "accuracy" is a recall, ``rebuilt`` is the recall, and :data:`BY_FORMULA` the accuracy by the
    study's formula with its interval; NaN elsewhere.
    """
    found = []
    for study in studies.LETTERS:
        rows = {row["id"]: row for row in studies.printed(study).to_dict("records")}
        found += [_claim(row, rows) for row in rows.values() if ids is None or row["id"] in ids]
    return pd.DataFrame(found, dtype=object)


def _claim(row: dict, rows: dict[str, dict]) -> dict:
    first, *rest = rules.findings(row, rows)
    valued = next((finding for finding in [first, *rest] if finding.value == finding.value), first)
    nothing = rules.Finding(None, "")
    formula = next((finding for finding in rest if finding.by_formula), nothing)
    runs = [studies.or_stand_in(check["run"]) for check in row["check"] if "run" in check]
    also = [
        f"{each.verdict.capitalize()}: {each.why}" if each.verdict else each.why for each in rest
    ]
    return {
        **row,
        "study": studies.LETTERS[row["study"]],
        "said": f"{row['relation']} {row['printed']} {row['unit']}".strip(),
        "rebuilt": valued.value,
        "low": valued.low,
        "high": valued.high,
        **dict(zip(BY_FORMULA, (formula.value, formula.low, formula.high), strict=True)),
        "verdict": first.verdict,
        "why": f"{first.why} {row['note']}".strip(),
        "records": [name for name in dict.fromkeys(runs) if studies.recorded(name)],
        "also": " ".join(also),
    }


def rebuilt_in_words(row: dict) -> str:
    """The rebuilt value with its 95 % interval: ``86.9 % (83.9–89.6)``, ``6,088``; empty where
    there is none. Results have a digit more than printed.

    Where the study prints recall as accuracy, both: ``recall 0.838 (0.733–0.922); accuracy 0.868
    (0.834–0.901)``.
    """
    value, digits, unit = row["rebuilt"], row["decimals"] + 1, " %" if row["unit"] == "%" else ""
    if value != value:
        return ""
    if row["kind"] not in ("cell", "sentence"):
        return (f"{value:,.0f}" if value == round(value) else f"{value:.4g}") + unit

    def text(value, low, high):
        ends = "" if low != low else f" ({low:.{digits}f}–{high:.{digits}f})"
        return f"{value:.{digits}f}{unit}{ends}"

    found, by_formula = text(value, row["low"], row["high"]), [row[column] for column in BY_FORMULA]
    if by_formula[0] == by_formula[0]:
        return f"recall {found}; accuracy {text(*by_formula)}"
    stand_in = any(studies.experiment(name).lacks for name in row["records"])
    return f"stand-in: {found}" if stand_in else found


def shortfalls(table: pd.DataFrame) -> dict[str, list[str]]:
    """What each run that some rows of the ledger rest on fell short of, in sentences."""
    return {
        name: studies.run(name).info["lacked"] for name in dict.fromkeys(sum(table["records"], []))
    }
