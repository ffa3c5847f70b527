"""Reported against rebuilt: the numbers as the studies print them, each beside what a recorded run gives."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import yaml

from cxrlib import intervals, metrics
from cxrlib.files import InputError
from cxrlib.runs import Run

FIELDS = ["id", "where", "printed", "decimals", "denominator", "run", "metric"]


def folder() -> Path:
    """Where the numbers as printed are kept: ``book/reported/`` of the checkout this library was imported from."""
    return Path(__file__).resolve().parents[1] / "book" / "reported"


def reported(study: str, source: Path | None = None) -> pd.DataFrame:
    """The numbers a study prints, one row each: ``id``, ``section``, ``table``, ``row``, ``column``, ``page``, ``printed`` (text), ``decimals``,
    ``denominator``, ``run``, ``metric``.

    Raises:
        InputError: no such file, a field is missing, an id occurs twice, or ``printed`` has not the stated decimals.
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
        if number["id"] in seen:
            raise InputError(f"{at}: id {number['id']} occurs twice")
        seen.add(number["id"])
        text = number["printed"]
        if not isinstance(text, str) or len(text.partition(".")[2]) != number["decimals"]:
            raise InputError(f"{at}: printed {text!r} is not text with {number['decimals']} decimals")
        where = number["where"]
        rows.append(
            {
                **{key: where.get(key) for key in ("section", "table", "row", "column", "page")},
                **{field: number[field] for field in FIELDS if field != "where"},
            }
        )
    return pd.DataFrame(rows)


def beside(study: str, run: Run) -> pd.DataFrame:
    """Every number that ``run`` can rebuild: the rows of :func:`reported` with ``rebuilt``, ``low`` and ``high`` (95 % interval).

    Intervals are patient-clustered (:func:`cxrlib.intervals.table`); sizes have none. A phantom run stands beside
    the numbers of the experiment it imitates.
    """
    rows = reported(study)
    rows = rows[rows["run"].isin([run.name, run.info["experiment"]])].reset_index(drop=True)
    table, bounds = metrics.per_class(run.predictions), intervals.table(run.predictions)
    cells = [metric.rsplit(".", 1) for metric in rows["metric"]]
    rows["rebuilt"] = [table.loc[row, column] for row, column in cells]
    for end in ("low", "high"):
        rows[end] = [float("nan") if column == "size" else bounds.loc[row, (column, end)] for row, column in cells]
    return rows
