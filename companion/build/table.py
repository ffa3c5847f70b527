"""``python -m companion.build table``: what is counted once in the images and kept in results/."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from companion import options as shared
from companion import studies
from companion.studies import cheazemin2020, subgroups, zhu2020
from cxrlib.files import write_text

TABLES = {  # file in the folder of the records, without its ending: what makes it
    "flow/zhu2020": zhu2020.flow,
    "flow/cheazemin2020": cheazemin2020.flow,
    "flow/cheazemin2020-shared": cheazemin2020.sharing,
    "flow/cheazemin2020-standin": cheazemin2020.standin_flow,
    "subgroups/covid-chestxray": subgroups.table,
    "audits/lungs-in-frame": zhu2020.lungs_in_frame,
}


def options(parser: ArgumentParser) -> None:
    parser.add_argument("name", choices=list(TABLES), metavar="TABLE", help=", ".join(TABLES))
    shared.add_shared(parser, "--data")
    parser.add_argument("--output", help="file (default: TABLE.csv in the folder of the records)")


def run(arguments: Namespace) -> None:
    table = TABLES[arguments.name](arguments.data)
    digits = "%.6f" if arguments.name.startswith("audits/") else None
    file = Path(arguments.output or studies.results_folder() / f"{arguments.name}.csv")
    write_text(file, table.to_csv(index=False, float_format=digits, lineterminator="\n"))
    if arguments.name.startswith("flow/"):
        print(table.drop(columns="assumption", errors="ignore").to_string(index=False))
    print(f"{len(table)} rows\n{file}")
