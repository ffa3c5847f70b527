"""The explorer of recorded runs, with what this book knows of them: what the studies print, how
prevalent COVID-19 is in Study A's test set, and what is known of the images.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pandas as pd

import cxrlib.explorer
from companion import forensics, studies
from companion.studies import subgroups
from cxrlib.records import Record

RATES = ("sensitivity", "specificity")


@cache
def _printed(study: str) -> pd.DataFrame:
    return studies.printed(study)


def printed_points(run: Record) -> dict[str, dict[str, list]]:
    """Sensitivity and specificity of a run's classes as its study prints them: the texts, and each
    share with the lowest and the highest that print so.
    """
    study, table = run.info["study"], _printed(run.info["study"])
    if study == "cheazemin2020":
        found = table.set_index("id")["printed"]
        texts = {"covid": [f"{found[f'azemin-3-{name}']} %" for name in RATES]}
    else:
        found = table[table["run"] == run.info["experiment"]].set_index("metric")["printed"]
        names = {cls: [f"{cls}.recall", f"{cls}.specificity"] for cls in run.classes}
        texts = {cls: found[pair].tolist() for cls, pair in names.items() if pair[0] in found}
    return {
        cls: {RATES[0]: _share(a), RATES[1]: _share(b), "text": [a, b]}
        for cls, (a, b) in texts.items()
    }


def _share(text: str) -> list[float]:
    number, scale = text.strip(" %"), 100 if "%" in text else 1
    low, high = forensics.unrounded(number)
    return [float(number) / scale, max(low, 0) / scale, min(high, scale) / scale]


def title(run: Record) -> str:
    """What to call a run among others: a variant by its own name first."""
    family, _, own = run.name.rpartition("/")
    own += " alone" if family.endswith("-shown") else ""
    own = own.replace("-", " ").replace("re estimated", "re-estimated")
    own = own.replace("lr ", "learning rate ")
    return f"{own}: {run.info['title']}" if family else run.info["title"]


def explorer_of(runs: Sequence[Record], **more) -> cxrlib.explorer.Explorer:
    """The explorer of ``runs``; ``more`` as :class:`cxrlib.explorer.Explorer` takes it."""
    known = [
        subgroups.of(run.predictions)
        .drop(columns="source")
        .assign(image_id=run.predictions["image_id"])
        for run in runs
    ]
    prevalence = _printed("cheazemin2020").set_index("id")["printed"]["azemin-2-prevalence"]
    return cxrlib.explorer.Explorer(
        {run.name: run.predictions for run in runs},
        marks={"Study A": float(prevalence) / 100},
        titles={run.name: title(run) for run in runs},
        printed={run.name: printed_points(run) for run in runs},
        subgroups=pd.concat(known).drop_duplicates("image_id"),
        **more,
    )
