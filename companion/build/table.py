"""``python -m companion.build table``: what is counted once in the images and kept in results/."""

from __future__ import annotations

from companion import studies
from companion.studies import cheazemin2020, subgroups, zhu2020
from cxrlib.data import lungs
from cxrlib.files import InputError, write_text

TABLES = {  # file in the folder of the records, without its ending: what makes it
    "flow/zhu2020": zhu2020.flow,
    "flow/cheazemin2020": cheazemin2020.flow,
    "flow/cheazemin2020-shared": cheazemin2020.sharing,
    "flow/cheazemin2020-standin": cheazemin2020.standin_flow,
    "subgroups/covid-chestxray": subgroups.table,
    "audits/lung-outlines": lungs.outlines,
}


def table(name: str, data: str | None = None) -> None:
    """Write a table that the book reads from the folder of the records and that is counted in the
    images.

    name: its file in results/, e.g. flow/zhu2020; another name lists them all
    """
    if name not in TABLES:
        raise InputError(f"table {name}: there are {', '.join(TABLES)}")
    made = TABLES[name](data)
    file = studies.results_folder() / f"{name}.csv"
    write_text(file, made.to_csv(index=False, lineterminator="\n"))
    print(f"{len(made)} rows\n{file}")
