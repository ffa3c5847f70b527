"""Reported against rebuilt: every number that the studies print, as they print it, and the verdict
that its checks give.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection
from pathlib import Path

import pandas as pd
import yaml

from companion import checks, studies
from cxrlib import metrics
from cxrlib.files import InputError, checkout
from cxrlib.metrics import intervals
from cxrlib.records import Record

STUDIES = {"zhu2020": "B", "cheazemin2020": "A"}
FIELDS = ["id", "kind", "where", "printed", "decimals"]
OPTIONAL = {
    "denominator": None,
    "run": None,
    "metric": None,
    "quote": "",
    "unit": "",
    "relation": "",
    "check": [],
    "note": "",
    "treated": "",
}
CHOICES = {
    "kind": ("count", "setting", "formula", "cell", "sentence"),
    "relation": ("", "more than", "at least"),
}
PLACE = ("section", "table", "row", "column", "page")


def folder() -> Path:
    """Where the numbers as printed are kept: ``book/reported/`` of the clone this library runs from
    (:func:`cxrlib.files.checkout`).
    """
    return checkout() / "book" / "reported"


def reported(study: str, source: Path | None = None) -> pd.DataFrame:
    """The numbers a study prints, one row each; the columns are :data:`PLACE`, :data:`FIELDS` but
    ``where``, :data:`OPTIONAL` and ``study``.

    The file says what each means. A row with a run and no check is checked by that run's cell, and
    is treated on the page that the file names for its table or section.

    Raises:
        InputError: no such file, a field is missing, unknown or has no known value, an id occurs
        twice, ``printed`` has not the stated
            decimals, or a check is no rule of :mod:`companion.checks` or has other arguments. The
            line names file, row and field.
    """
    file = Path(source or folder()) / f"{study}.yml"
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{file}: cannot be read as YAML ({error})") from None
    numbers = content.get("numbers") if isinstance(content, dict) else None
    if not isinstance(numbers, list):
        raise InputError(f"{file}: lacks the list numbers")
    rows, seen = [], set()
    for place, number in enumerate(numbers, start=1):
        at = f"{file}: number {place}"
        for field in FIELDS:
            if not isinstance(number, dict) or field not in number:
                raise InputError(f"{at}: lacks the field {field}")
        row = {**OPTIONAL, **number, "study": study}
        if row["id"] in seen:
            raise InputError(f"{at}: id {row['id']} occurs twice")
        seen.add(row["id"])
        for field in number.keys() - set(FIELDS) - OPTIONAL.keys():
            raise InputError(f"{at}: unknown field {field}")
        for field, known in CHOICES.items():
            if row[field] not in known:
                raise InputError(
                    f"{at}: {field} is {row[field]!r}, none of {', '.join(filter(None, known))}"
                )
        text, where = row["printed"], row.pop("where")
        if not isinstance(text, str) or len(text.partition(".")[2]) != row["decimals"]:
            raise InputError(f"{at}: printed {text!r} is not text with {row['decimals']} decimals")
        if (
            not isinstance(where, dict)
            or where.keys() - set(PLACE)
            or not where.keys() & {"table", "section"}
        ):
            raise InputError(
                f"{at}: where is {where!r}; it needs a table or a section, and knows"
                f" {', '.join(PLACE)}"
            )
        if not row["check"] and row["run"]:
            row["check"] = [{"rule": "cell", "run": row["run"], "metric": row["metric"]}]
        _check(row["check"], at)
        row["treated"] = row["treated"] or (content.get("treated") or {}).get(
            where.get("table") or where["section"], ""
        )
        rows.append({**dict.fromkeys(PLACE), **where, **row})
    return pd.DataFrame(rows, dtype=object)  # None stays None


def _check(listed, at: str) -> None:
    """:class:`InputError` unless these are calls of rules with the arguments they take."""
    if not isinstance(listed, list) or not listed:
        raise InputError(f"{at}: lacks the field check (a list), or run and metric")
    for check in listed:
        arguments = dict(check) if isinstance(check, dict) else {"rule": check}
        rule = arguments.pop("rule", None)
        if rule not in checks.RULES:
            raise InputError(f"{at}: check has no rule {rule!r}, only {', '.join(checks.RULES)}")
        try:
            inspect.signature(checks.RULES[rule]).bind(None, None, **arguments)
        except TypeError as error:
            raise InputError(f"{at}: check {rule}: {error}") from None


def place(row: dict) -> str:
    """Where a number stands, in words: ``Table 4.2, Viral, Recall`` or ``Section 3.3.2``."""
    if row["table"]:
        return ", ".join([f"Table {row['table']}", *filter(None, [row["row"], row["column"]])])
    return (
        row["section"].capitalize() if row["section"][0].isalpha() else f"Section {row['section']}"
    )


def said(row: dict) -> str:
    """The number as a reader meets it: ``more than 96 %``."""
    return f"{row['relation']} {row['printed']} {row['unit']}".strip()


def rebuilt(row: dict) -> str:
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
    whose = "stand-in: " if any(studies.experiment(name).lacks for name in row["records"]) else ""

    def text(value, low, high):
        return f"{value:.{digits}f}{unit}" + (
            "" if low != low else f" ({low:.{digits}f}–{high:.{digits}f})"
        )

    found, formula = text(value, row["low"], row["high"]), [row[column] for column in FORMULA]
    return (
        f"{whose}{found}"
        if formula[0] != formula[0]
        else f"recall {found}; accuracy {text(*formula)}"
    )


FORMULA = ["by_formula", "by_formula_low", "by_formula_high"]
SHOWN = (
    f"study id kind place quote said printed unit rebuilt low high {' '.join(FORMULA)} verdict why"
    " also records treated".split()
)


def ledger(only: list[str] | None = None, ids: Collection[str] | None = None) -> pd.DataFrame:
    """Every printed number with its verdict (of some studies or numbers only, by their ids), by the
    order and the rules of :data:`companion.checks.VERDICTS`.

    The columns of :func:`reported`, ``study`` now A or B, and: ``place`` and ``said`` (in words),
    ``rebuilt``, ``low``, ``high`` (95 % interval), ``verdict``, ``why``, ``also`` (what the row's
    other checks say), ``records`` (the runs that it rests on). Where Study B's "accuracy" is a
    recall, ``rebuilt`` is the recall, and :data:`FORMULA` the accuracy by the study's formula with
    its interval; NaN elsewhere. :data:`SHOWN` are those that are published, by ``cxr claims
    --json`` and on the book's page.
    """
    made = []
    for study in only or STUDIES:
        rows = {row["id"]: row for row in reported(study).to_dict("records")}
        for row in [row for row in rows.values() if ids is None or row["id"] in ids]:
            first, *rest = checks.findings(row, rows)
            valued = next(
                (finding for finding in [first, *rest] if finding.value == finding.value), first
            )
            formula = next(
                (finding[2:5] for finding in rest if finding.by_formula), [float("nan")] * 3
            )
            names = dict.fromkeys(
                check["run"]
                for check in row["check"]
                if "run" in check and studies.recorded(check["run"])
            )
            made.append(
                {
                    **row,
                    "study": STUDIES[study],
                    "place": place(row),
                    "said": said(row),
                    "rebuilt": valued.value,
                    "low": valued.low,
                    "high": valued.high,
                    **dict(zip(FORMULA, formula, strict=True)),
                    "verdict": first.verdict,
                    "why": f"{first.why} {row['note']}".strip(),
                    "records": list(names),
                    "also": " ".join(
                        (
                            f"{finding.verdict.capitalize()}: {finding.why}"
                            if finding.verdict
                            else finding.why
                        )
                        for finding in rest
                    ),
                }
            )
    return pd.DataFrame(made, dtype=object)


def lacked(table: pd.DataFrame) -> dict[str, list[str]]:
    """What each run that a ledger rests on fell short of, in sentences."""
    return {
        name: studies.run(name).info["lacked"] for name in dict.fromkeys(sum(table["records"], []))
    }


def beside(study: str, run: Record) -> pd.DataFrame:
    """Every table cell that ``run`` can rebuild: rows of :func:`reported` with ``rebuilt``, ``low``
    and ``high`` (95 % interval).

    Intervals are patient-clustered (:func:`cxrlib.metrics.intervals.table`); sizes have none. A
    phantom run stands beside the numbers of the experiment it imitates.
    """
    rows = reported(study)
    rows = rows[rows["run"].isin([run.name, run.info["experiment"]])].reset_index(drop=True)
    table, bounds = metrics.per_class(run.predictions), intervals.table(run.predictions)
    cells = [metric.rsplit(".", 1) for metric in rows["metric"]]
    rows["rebuilt"] = [table.loc[row, column] for row, column in cells]
    for end in ("low", "high"):
        rows[end] = [
            float("nan") if column == "size" else bounds.loc[row, (column, end)]
            for row, column in cells
        ]
    return rows
