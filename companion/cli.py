"""The ``cxr`` command. Bad input ends in one line and exit code 2; code 1 says that `cxr predict`
left out what it could not read.

A command is a module with ``options(parser)`` and ``run(arguments)``, imported when asked for.
"""

from __future__ import annotations

import argparse
import sys

from companion.options import heavy
from cxrlib import __version__
from cxrlib.files import InputError, line

COMMANDS = {
    "train": "Train an experiment and write its record.",
    "records": "List the records that the book knows, and how to make those that are missing.",
    "predict": (
        "Class probabilities of your own radiographs by a recorded model, a row each as it comes."
        " Not a medical device. A file that cannot be read is named on standard error and left out;"
        " the exit status is then 1, and 2 when nothing was done."
    ),
    "evaluate": (
        "Tables, 95 % intervals and figures for your own predictions, a CSV with y_true and"
        " p_<class>."
    ),
    "claims": (
        "List every number that the studies print, what was rebuilt, and the verdict with its"
        " reason."
    ),
    "sources": "Say where each image collection was looked for, what is there and what is missing.",
    "phantom": "Write synthetic radiographs in the layout of the real collections.",
}
MOVED = {  # commands of 0.1.0 and what to type now
    "cams": "python -m companion.build cams RUN",
    "flow": "python -m companion.build table flow/STUDY",
    "subgroups": "python -m companion.build table subgroups/covid-chestxray",
    "frame": "python -m companion.build table audits/lungs-in-frame",
    "readme": "make readme",
    "notebooks": "make notebooks",
    "make": "make book or make records",
    "execute": "python -m companion.build execute SOURCE TARGET",
    "book": "make book",
    "bench": "python -m benchmarks all",
    "efficiency": "python -m benchmarks efficiency",
}


class Parser(argparse.ArgumentParser):
    """Says what it cannot use as `main` does: cleaned, and no longer than a few lines."""

    def error(self, message: str):
        super().error(line(message))


def listing(prog: str, commands: dict[str, str]) -> tuple[Parser, dict[str, Parser]]:
    """The parser of help, version and mistyped names, and one parser a command, still empty."""
    about = "Rebuild two studies of COVID-19 in chest radiographs. Not a medical device."
    top = Parser(prog=prog, description=about)
    top.add_argument("--version", action="version", version=__version__)
    added = top.add_subparsers(metavar="COMMAND")
    made = {
        name: added.add_parser(name, help=about.replace("%", "%%"), description=about)
        for name, about in commands.items()
    }
    return top, made


def serve(prog: str, package: str, commands: dict[str, str], words: list[str]) -> int:
    """Run the command that ``words`` begin with; the exit status."""
    top, parsers = listing(prog, commands)
    if not words or words[0] not in commands:
        top.parse_args(words)
        top.print_help(sys.stderr)
        return 2
    module = heavy(f"{package}.{words[0]}", words[0])
    module.options(parsers[words[0]])
    return module.run(parsers[words[0]].parse_intermixed_args(words[1:])) or 0


def in_one_line(prog: str, package: str, commands: dict[str, str], words: list[str]) -> int:
    """`serve`, with one line on standard error for what the user can mend; the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that the terminal's code lacks
            stream.reconfigure(errors="backslashreplace")
    try:
        return serve(prog, package, commands, words)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except InputError as error:
        said, status = str(error), 2
    except OSError as error:  # a file that may not be read, a full disk
        said, status = f"{error.filename or words[0]}: {error.strerror or error}", 2
    except KeyboardInterrupt:
        more = "; a training run goes on with --resume" if words[0] == "train" else ""
        said, status = f"interrupted{more}", 130
    print(f"cxr: {line(said)}", file=sys.stderr)
    return status


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 when it did what was asked, 2 for bad input, with one line on standard
    error.
    """
    words = sys.argv[1:] if argv is None else argv
    if words and words[0] in MOVED:
        print(f"cxr: {words[0]}: type {MOVED[words[0]]} in a clone now", file=sys.stderr)
        return 2
    return in_one_line("cxr", "companion.commands", COMMANDS, words)
