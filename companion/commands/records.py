"""``cxr records``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from companion import studies


def options(parser: ArgumentParser) -> None:
    """None."""


def run(arguments: Namespace) -> None:
    for name in studies.RECORDS:
        missing = f"not yet recorded: cxr train {name} --resume"
        print(f"{name:45} {'recorded' if studies.recorded(name) else missing}")
    print(
        "make records makes what is missing; where there is no GPU all but the headline runs with"
        " --short"
    )
