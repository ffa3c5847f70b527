"""``cxr evaluate``."""

from __future__ import annotations

import contextlib
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from cxrlib import evaluate, explorer
from cxrlib.evaluate import report
from cxrlib.files import InputError, atomic, line, printable


def options(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("file", metavar="PREDICTIONS.csv")
    first = "1, yes or positive, else the first p_ column"
    add("--positive", metavar="CLASS", help=f"class of interest (default: {first})")
    add("--threshold", type=float, default=0.5, help="positive where p is this or more (0.5)")
    add("--prevalence", type=float, help="of the patients it is about (default: the file's)")
    add("--html", metavar="REPORT.html", help="write a page with everything there")
    add("--explorer", metavar="PAGE.html", help="write the explorer there")
    add("--output", metavar="TABLE.csv", help="write the numbers there (default: standard output)")


def outputs_of(arguments: Namespace) -> dict[str, str]:
    """Files to be written by option; :class:`InputError` where one is a folder or meant twice."""
    taken = {Path(arguments.file).resolve(): "the file of predictions"}
    outputs = {}
    for option in ("html", "explorer", "output"):
        file = getattr(arguments, option)
        if file:
            what = "a folder" if Path(file).is_dir() else taken.get(Path(file).resolve())
            if what:
                raise InputError(f"--{option} {file}: is {what}")
            taken[Path(file).resolve()] = f"the file of --{option} too"
            outputs[option] = file
    return outputs


def run(arguments: Namespace) -> None:
    threshold, prevalence = arguments.threshold, arguments.prevalence
    if not 0 <= threshold <= 1:
        raise InputError(f"--threshold {threshold:g}: expected a probability from 0 to 1")
    if prevalence is not None and not 0 < prevalence < 1:
        raise InputError(
            f"--prevalence {prevalence:g}: expected a share between 0 and 1, e.g. 0.01 for 1 %"
        )
    outputs = outputs_of(arguments)
    found = evaluate.read_file(arguments.file, arguments.positive)
    if arguments.positive is None:
        cls = evaluate.spreadsheet_text(found.positive)
        print(f"cxr: class of interest: {cls}; --positive names another", file=sys.stderr)
    for note in found.notes:
        print(f"cxr: {line(note)}", file=sys.stderr)
    name = printable(Path(arguments.file).name)
    measured = evaluate.Measures(found, threshold, prevalence)
    table = measured.tidy().map(evaluate.spreadsheet_text)
    texts = {"output": table.to_csv(index=False, float_format="%.9g", lineterminator="\n")}
    if arguments.html:
        texts["html"] = report.page(measured, name)
    if arguments.explorer:
        texts["explorer"] = explorer.page(found.frame, found.positive, name, threshold, prevalence)
    with contextlib.ExitStack() as all_or_none:
        for option, file in outputs.items():
            temporary = all_or_none.enter_context(atomic(file))
            temporary.write_text(texts[option], encoding="utf-8", newline="\n")
    for file in outputs.values():
        print(printable(file))
    if not outputs:
        print(texts["output"], end="")
