"""``python -m benchmarks``, in a clone after ``make test``: rivals side by side in one run, or how
many images a minute a recorded network reads.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import rivals
from cxrlib.files import InputError, line


def parser() -> argparse.ArgumentParser:
    """The rivals' names and ``all`` stand alone; ``efficiency`` has options."""
    top = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    which = top.add_subparsers(dest="name", metavar="NAME", required=True)
    for name in [*rivals.BENCHES, "all"]:
        which.add_parser(name, help="ours and theirs, side by side")
    efficiency = which.add_parser("efficiency", help="images a minute, into results/efficiency")
    efficiency.add_argument(
        "run_name",
        nargs="?",
        metavar="RUN",
        default="azemin-standin-resnet50",
        help="record that holds a model (default azemin-standin-resnet50)",
    )
    efficiency.add_argument("--data", help="data folder (default: CXR_DATA, else data/)")
    efficiency.add_argument("--results", help="folder of the records (default: results/ here)")
    efficiency.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    efficiency.add_argument("--limit", type=int, help="test images for the AUC, at most")
    efficiency.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    return top


def rows(name: str) -> list[str]:
    """What a rival's benchmark found, a line each."""
    found = rivals.BENCHES[name]()
    return [
        f"{name:10} {key:24} {format(value, '.4g') if isinstance(value, float) else value}"
        for key, value in found.items()
    ]


def main(argv: list[str] | None = None) -> int:
    """0, or 2 with one line on standard error."""
    asked = parser().parse_args(argv)
    try:
        if asked.name == "efficiency":
            from benchmarks import efficiency

            print(
                efficiency.write(
                    asked.run_name,
                    asked.data,
                    asked.device,
                    results=asked.results,
                    limit=asked.limit,
                    seconds=asked.seconds,
                )
            )
        else:
            for name in rivals.BENCHES if asked.name == "all" else [asked.name]:
                print(*rows(name), sep="\n", flush=True)
    except ModuleNotFoundError as error:
        print(
            f"benchmarks: {asked.name} needs {error.name}: make test installs it", file=sys.stderr
        )
        return 2
    except InputError as error:
        print(f"benchmarks: {line(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
