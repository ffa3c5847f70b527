"""The short tables of README and first page: what was printed and what came out."""

from __future__ import annotations

import numpy as np

from companion import ledger, studies
from cxrlib import formatting, metrics
from cxrlib.data import radiographs

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
    """The short Markdown tables of README and first page: printed, rebuilt, interval; or that there
    is no record yet.
    """
    again = [metrics.per_class(run.predictions) for run in studies.family(f"{name}-redraws")[0]]
    head = [
        f"| Study B, four classes | printed | rebuilt | 95 % interval | {len(again)} re-draws |",
        "|---|---|---|---|---|",
    ]
    if not studies.recorded(name):
        return "\n".join([*head, f"| *not yet recorded* (`cxr train {name}`) | | | | |"])
    run = studies.run(name)

    def range_of(row: str, column: str) -> str:
        values = [table.loc[row, column] for table in again] or [np.nan]
        return formatting.interval(min(values), max(values), decimals=2)

    printed = studies.printed(studies.experiment(name).study, "Table 4.2")
    rates = metrics.per_class(run.predictions)
    bounds = metrics.bootstrap_by_patient(run.predictions)
    rows = ledger.compare(printed, rates, bounds).set_index("metric")
    body = [
        f"| {title} | {rows.loc[metric, 'printed']} |"
        f" {formatting.number(rows.loc[metric, 'rebuilt'])} |"
        f" {formatting.interval(rows.loc[metric, 'low'], rows.loc[metric, 'high'])} |"
        f" {range_of(*metric.rsplit('.', 1))} |"
        for title, metric in HEADLINE.items()
    ]
    images, lost = run.info["metrics"]["images"], run.split[run.split["missing"]]
    note = f"\nRebuilt on {images} test images of {run.info['metrics']['patients']} patients"
    note += (
        f"; {len(lost)} of the study's images were unavailable, {(lost['split'] == 'test').sum()}"
        " of them for testing. "
        if len(lost)
        else ". "
    )
    note += (
        f"Intervals: {metrics.REPLICATES:,} bootstrap resamples of patients within classes, or"
        " Wilson over patients where a share is exactly 0 or 1; a dash where neither applies. The"
        " averages' intervals are too narrow where such a share is in them: resampling takes it"
        " for certain. Re-draws: lowest and highest over other draws of the COVID-19 test patients"
        " and other seeds of the same training."
    )
    note += (
        "\n\nIn this study COVID-19 differs from the other classes by age, hospital, view and file"
        " processing as well (the last in part by the reduced copies used here), so that a high"
        " score on its rows need not come from the disease."
    )
    return "\n".join([*head, *body, note + framed(f"{name}-shown/frame"), "", *others()])


def framed(name: str) -> str:
    """A sentence on what the frame of the pictures alone gave; empty
    while that run is not recorded.
    """
    if not studies.recorded(name):
        return ""
    found, size, taken, others = metrics.detected(studies.run(name).predictions, "covid")
    return (
        " A network trained in the same way on the outer frame of each picture alone,"
        f" {100 * radiographs.FRAME:g} % of each side wide, most of the lungs blacked out, finds"
        f" {found} of {size} COVID-19 images and takes {taken} of {others} others for COVID-19"
        " (page *How sure?*)."
    )


def others() -> list[str]:
    """Lines of a Markdown table of the other models' results, from the ledger, and what they
    are.
    """
    rows = ledger.claims(ids=OTHERS.values()).set_index("id")
    lines = ["| The other models | printed | rebuilt (95 % interval) |", "|---|---|---|"]
    for title, name in OTHERS.items():
        row = rows.loc[name]
        rebuilt = ledger.rebuilt_in_words(row) or "*not yet recorded*"
        lines.append(f"| {title} | {row['said']} | {rebuilt} |")
    return [
        *lines,
        "",
        (
            "Study A's network and training images could not be obtained: a stand-in's values at a"
            " threshold of one half are no test of the printed ones."
        ),
    ]
