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

import pandas as pd

from companion import studies
from companion.studies import cheazemin2020
from cxrlib.data import covid_chestxray, kermany
from cxrlib.data.manifest import read_csv
from cxrlib.explorer.payload import UNKNOWN, subgroups_of

COLUMNS = ["view", "sex", "age"]
BANDS = {"0–17": 0, "18–39": 18, "40–59": 40, "60–79": 60, "80 and over": 80}  # first years
DESCRIBED = {"view": "AP", "age": "0–17"}  # of all Kermany's images
FILE = "subgroups/covid-chestxray.csv"  # in the folder of the records


def table(data=None) -> pd.DataFrame:
    """``image_id, view, sex, age`` (band) of the COVID-19 images of both studies, by image; an
    unknown is empty.

    Where the studies' versions of the collection's table differ, the later one counts.
    """
    listed = covid_chestxray.read_manifest(data)
    listed = listed[covid_chestxray.is_covid19(listed)]
    both = pd.concat([listed, cheazemin2020.covid(data)]).drop_duplicates("image_id")
    band = pd.cut(both["age"], [*BANDS.values(), 200], right=False, labels=list(BANDS))
    facts = both.assign(age=band.astype(object))[["image_id", *COLUMNS]]
    return facts.sort_values("image_id", ignore_index=True)


def of(predictions: pd.DataFrame, known: pd.DataFrame | None = None) -> pd.DataFrame:
    """Subgroups of each row of a predictions frame, as text: view, sex, age band and source, ``not
    known`` where nothing says.

    ``known`` has a row per ``image_id`` and a column per grouping; default: the recorded table.
    :class:`InputError` if it cannot be read, lacks ``image_id`` or names an image twice.
    """
    if known is None:
        file = studies.results_folder() / FILE
        known = read_csv(file, str(file), ["image_id"]).replace("", None)
    found = subgroups_of(predictions, known)
    children = predictions["source"] == kermany.COLLECTION.name
    for column in found.columns.intersection(list(DESCRIBED)):
        found.loc[children & (found[column] == UNKNOWN), column] = DESCRIBED[column]
    return found
