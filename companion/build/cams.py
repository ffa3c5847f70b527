"""``python -m companion.build cams``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from companion import options as shared


def options(parser: ArgumentParser) -> None:
    parser.add_argument("run_name", metavar="RUN", help="record that holds a model")
    shared.add_shared(parser, "--data", "--results", "--device")


def run(arguments: Namespace) -> None:
    maps = shared.heavy("companion.studies.maps", "drawing maps")
    print(maps.of_run(arguments.run_name, arguments.data, arguments.results, arguments.device))
