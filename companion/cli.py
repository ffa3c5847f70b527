"""The ``cxr`` command. Bad input ends in one line and exit code 2; code 1 says that `cxr predict`
left out what it could not read.

A command is a function, imported when it is asked for: a parameter without a default is a word of
the command line, the others are options, and a line ``name: text`` of the docstring is the help of
one. One with many options is a dataclass, whose ``run`` does what was asked.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
import sys
import types
from collections.abc import Callable
from typing import Literal, get_args, get_origin

from companion.options import heavy
from cxrlib import __version__
from cxrlib.files import InputError, line

# commands of 0.1.0 that makers of the book use, now elsewhere
MOVED = "cams flow subgroups frame readme notebooks make execute book bench efficiency".split()
COMMANDS = {  # the module of each, and what it does
    "train": ("commands.studies", "Train an experiment and write its record."),
    "records": ("commands.studies", "List the book's records, and how to make those missing."),
    "claims": ("commands.studies", "List every printed number, what was rebuilt, and the verdict."),
    "run": ("commands.run", "Run a notebook of the book with other parameters: its page."),
    "fetch": ("commands.fetch", "Fetch public radiographs and weights, as the runs read them."),
    "predict": ("commands.predict", "Classify your own radiographs. Not a medical device."),
    "evaluate": ("commands.evaluate", "Tables, 95 %% intervals, figures for your own predictions."),
    "audit": ("commands.audit", "Does a network read the lungs? Audits of a run or your ResNet."),
    "sources": ("sources", "Say where each collection was looked for, and what is missing."),
    "phantom": ("sources", "Write synthetic radiographs in the layout of the real ones."),
}
SHARED = {  # options that mean the same in every command
    "data": "data folder (default: CXR_DATA, else data/)",
    "results": "folder of the records (default: results/ of this clone)",
    "device": "cpu, cuda or mps (default: the best there is)",
}


class Parser(argparse.ArgumentParser):
    """Says what it cannot use as `run` does: cleaned, and no longer than a few lines."""

    def error(self, message: str):
        super().error(line(message))


def add_options(parser: Parser, command: Callable) -> None:
    """Words and options for the parameters of ``command``, of the annotated types."""
    text = inspect.getdoc(command).partition("Raises:")[0]
    helps = SHARED | dict(re.findall(r"^(\w+): (.+)$", text, re.M))
    parser.description = re.sub(r"^\w+: .+$", "", text, flags=re.M).strip()
    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        kind, word = parameter.annotation, parameter.default is parameter.empty
        if isinstance(kind, types.UnionType):  # with None
            kind = get_args(kind)[0]
        given: dict = {"help": helps.get(name)}
        if kind is bool:
            given["action"] = "store_true"
        elif get_origin(kind) is Literal:
            given["choices"] = get_args(kind)
        elif kind == list[tuple[str, str]]:
            given |= {"nargs": 2, "action": "append", "metavar": ("NAME", "VALUE")}
        elif get_origin(kind) is list:
            given |= {"nargs": "+"} if word else {"action": "append"}
        else:
            given["type"] = kind
        if word:
            parser.add_argument(name, metavar=name.upper(), **given)
        else:
            dashes = "-" if len(name) == 1 else "--"
            option = dashes + name.replace("_", "-")
            parser.add_argument(option, dest=name, default=parameter.default, **given)


def serve(prog: str, commands: dict[str, tuple[str, str]], words: list[str]) -> int:
    """Run the command that ``words`` begin with; the exit status."""
    about = "Rebuild two studies of COVID-19 in chest radiographs. Not a medical device."
    top = Parser(prog=prog, description=about)
    top.add_argument("--version", action="version", version=__version__)
    added = top.add_subparsers(metavar="COMMAND")
    for name, (_, what) in commands.items():
        added.add_parser(name, help=what)
    if not words or words[0] not in commands:
        top.parse_args(words)
        top.print_help(sys.stderr)
        return 2
    name = words[0]
    command = getattr(heavy(f"companion.{commands[name][0]}", name), name)
    parser = added.choices[name]
    add_options(parser, command)
    done = command(**vars(parser.parse_intermixed_args(words[1:])))
    return (done.run() if dataclasses.is_dataclass(done) else done) or 0


def run(prog: str, commands: dict[str, tuple[str, str]], words: list[str]) -> int:
    """`serve`, with one line on standard error for what the user can mend; the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that the terminal's code lacks
            stream.reconfigure(errors="backslashreplace")
    try:
        return serve(prog, commands, words)
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
        made = "python -m companion.build and python -m benchmarks have it now, in a clone"
        print(f"cxr: {words[0]}: {made}", file=sys.stderr)
        return 2
    return run("cxr", COMMANDS, words)
