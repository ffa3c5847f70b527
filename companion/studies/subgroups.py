"""View, sex and age band of the test images, for numbers by subgroup in a book that is built
without the collections.

``results/subgroups/covid-chestxray.csv`` holds these facts of the COVID-19 images of both studies,
as the collection's table has them (facts alone; the collection's licences are about its pictures).
``python -m companion.build table subgroups/covid-chestxray`` makes it.
Kermany's images have no such list: its description says of all of them
that they are anterior-posterior views of children of one to five years. RSNA's normals have lost
theirs.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from companion import studies
from companion.studies import cheazemin2020
from cxrlib.data import covid_chestxray, kermany
from cxrlib.files import InputError

COLUMNS = ["view", "sex", "age"]
BANDS = {
    "0–17": 0,
    "18–39": 18,
    "40–59": 40,
    "60–79": 60,
    "80 and over": 80,
}  # the first year of each
DESCRIBED = {kermany.COLLECTION.name: {"view": "AP", "age": "0–17"}}
UNKNOWN = "not known"
NONE = pd.DataFrame({"image_id": pd.Series(dtype=str)})  # for `of`: nothing is known of any image
FILE = "subgroups/covid-chestxray.csv"  # in the folder of the records
LABELS = {"view": "View", "sex": "Sex", "age": "Age", "source": "Source"}


def table(data=None) -> pd.DataFrame:
    """``image_id, view, sex, age`` (band) of the COVID-19 images of both studies, by image; an
    unknown is empty.

    Where the studies' versions of the collection's table differ, the later one counts.
    """
    listed = covid_chestxray.read_manifest(data)
    both = pd.concat(
        [listed[covid_chestxray.is_covid19(listed)], cheazemin2020.covid(data)]
    ).drop_duplicates("image_id")
    band = pd.cut(both["age"], [*BANDS.values(), 200], right=False, labels=list(BANDS))
    return both.assign(age=band.astype(object))[["image_id", *COLUMNS]].sort_values(
        "image_id", ignore_index=True
    )


def of(predictions: pd.DataFrame, known: pd.DataFrame | None = None) -> pd.DataFrame:
    """Subgroups of each row of a predictions frame, as text: view, sex, age band and source, ``not
    known`` where nothing says.

    ``known`` has a row per ``image_id`` and a column per grouping; default: the recorded table.
    :class:`InputError` if it cannot be read, lacks ``image_id`` or names an image twice.
    """
    file: Path | str = "subgroups"
    if known is None:
        file = studies.results_folder() / FILE
        try:
            known = pd.read_csv(file, dtype=str)
        except (OSError, ValueError) as error:
            raise InputError(
                f"{file}: cannot be read as CSV ({error}); make it with"
                " python -m companion.build table subgroups/covid-chestxray"
            ) from None
    if "image_id" not in known or known["image_id"].duplicated().any():
        raise InputError(f"{file}: needs a column image_id with no image twice")
    found = (
        known.set_index("image_id").reindex(predictions["image_id"]).set_index(predictions.index)
    )
    for source, facts in DESCRIBED.items():
        for column in [name for name in facts if name in found]:
            found.loc[(predictions["source"] == source) & found[column].isna(), column] = facts[
                column
            ]
    return (
        found.assign(source=predictions["source"])
        .astype(object)
        .where(lambda cells: cells.notna(), UNKNOWN)
        .astype(str)
    )
