"""View, sex and age band of the COVID-19 images, for numbers by subgroup in a book that is built
without the collections.

``results/subgroups/covid-chestxray.csv`` holds these facts of the COVID-19 images of both studies,
as the collection's table has them (facts alone; the collection's licences are about its pictures).
``python -m companion.build table subgroups/covid-chestxray`` makes it. The explorer's page adds
what is known of the others.
"""

from __future__ import annotations

import pandas as pd

from companion.studies import cheazemin2020
from cxrlib.data import covid_chestxray

BANDS = {"0–17": 0, "18–39": 18, "40–59": 40, "60–79": 60, "80 and over": 80}  # first years
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
    facts = both.assign(age=band.astype(object))[["image_id", "view", "sex", "age"]]
    return facts.sort_values("image_id", ignore_index=True)
