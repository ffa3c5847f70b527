"""The short tables of README and first page: what was printed and what came out."""

from __future__ import annotations

from pathlib import Path

import jinja2
import numpy as np
import pandas as pd

from companion import ledger, studies
from companion.clone import clone_folder
from cxrlib import formatting, metrics
from cxrlib.data import radiographs
from cxrlib.files import InputError, write_text
from cxrlib.records import Record

MARKS = ("<!-- headline: written by make readme -->", "<!-- end of headline -->")
HEADLINE = {  # row of the short table: metric of cxrlib.metrics.rates.per_class
    "Images classified correctly (weighted accuracy)": "weighted avg.recall",
    "Recall, macro average": "macro avg.recall",
    "Precision, macro average": "macro avg.precision",
    "Specificity, macro average": "macro avg.specificity",
    "F1-score, macro average": "macro avg.f1",
    "AUC, macro average": "macro avg.auc",
    "COVID-19 recall": "covid.recall",
    "Viral pneumonia precision": "viral.precision",
    "Normal recall": "normal.recall",
    "COVID-19 AUC": "covid.auc",
    "Viral pneumonia AUC": "viral.auc",
    "Bacterial pneumonia AUC": "bacterial.auc",
    "Normal AUC": "normal.auc",
}
OTHERS = {  # row of the table below it: row of the ledger
    "Study B, two classes: COVID-19 recall": "zhu-t4.1-covid-recall",
    "Study B, two classes: recall of the others": "zhu-t4.1-non-covid-recall",
    "Study A: AUC": "azemin-3-auc",
    "Study A: sensitivity": "azemin-3-sensitivity",
    "Study A: specificity": "azemin-3-specificity",
}


def tables(name: str = "zhu-fourclass") -> str:
    """The short Markdown tables of README and first page, by ``book/_headline.md.jinja``: printed,
    rebuilt, interval; or that there is no record yet.
    """
    text = (clone_folder() / "book" / "_headline.md.jinja").read_text(encoding="utf-8")
    again = [metrics.per_class(run.predictions) for run in studies.family(f"{name}-redraws")[0]]
    found: dict = {"name": name, "redraws": len(again)}
    if studies.recorded(name):
        record, frame = studies.run(name), f"{name}-shown/frame"
        lost = record.split[record.split["missing"]]
        found |= {
            "record": record,
            "rows": measures(record, again),
            "lost": len(lost),
            "lost_of_test": int((lost["split"] == "test").sum()),
            "replicates": f"{metrics.REPLICATES:,}",
            "frame": f"{100 * radiographs.FRAME:g}",
            "others": others(),
        }
        if studies.recorded(frame):
            found["framed"] = metrics.confusion(studies.run(frame).predictions)
    return jinja2.Template(text).render(found)


def measures(record: Record, again: list[pd.DataFrame]) -> list[dict[str, str]]:
    """A row for each measure of :data:`HEADLINE`; its range is over the rates of other draws."""
    printed = studies.printed(studies.experiment(record.name).study, "Table 4.2")
    rates = metrics.per_class(record.predictions)
    bounds = metrics.bootstrap_by_patient(record.predictions)
    compared = ledger.compare(printed, rates, bounds).set_index("metric")
    rows = []
    for title, metric in HEADLINE.items():
        row, column = metric.rsplit(".", 1)
        values = [table.loc[row, column] for table in again] or [np.nan]
        here = compared.loc[metric]
        rows.append(
            {
                "title": title,
                "printed": here["printed"],
                "rebuilt": formatting.number(here["rebuilt"]),
                "interval": formatting.interval(here["low"], here["high"]),
                "range": formatting.interval(min(values), max(values), decimals=2),
            }
        )
    return rows


def others() -> list[dict[str, str]]:
    """A row for each result of the other models, from the ledger."""
    rows = ledger.claims(ids=OTHERS.values()).set_index("id")
    return [
        {
            "title": title,
            "printed": rows.loc[name, "said"],
            "rebuilt": ledger.rebuilt_in_words(rows.loc[name]),
        }
        for title, name in OTHERS.items()
    ]


def readme(file: Path = Path("README.md")) -> None:
    """Rewrite the headline table in README.md from the records.

    file: the README (default README.md)
    """
    try:
        before, rest = file.read_text(encoding="utf-8").split(MARKS[0])
        after = rest.split(MARKS[1])[1]
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f"{file}: no pair of headline marks ({error})") from None
    write_text(file, f"{before}{MARKS[0]}\n{tables()}\n{MARKS[1]}{after}")
