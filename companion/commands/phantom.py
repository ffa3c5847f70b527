"""``cxr phantom``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from cxrlib.data import phantom


def options(parser: ArgumentParser) -> None:
    parser.add_argument("folder")
    parser.add_argument("-n", type=int, default=200, help="images, 40 or more (default 200)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--artefact", help="class whose images carry a planted tag")


def run(arguments: Namespace) -> None:
    truth = phantom.write(
        arguments.folder, arguments.n, arguments.seed, artefact=arguments.artefact
    )
    print(f"{len(truth)} synthetic radiographs in {arguments.folder}")
