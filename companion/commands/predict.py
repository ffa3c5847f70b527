"""``cxr predict``."""

from __future__ import annotations

import contextlib
import csv
import os
import sys
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from companion import options as shared
from companion import studies
from cxrlib import evaluate
from cxrlib.data import radiographs
from cxrlib.files import InputError, line


def options(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("images", nargs="+", metavar="IMAGE", help="a picture file, DICOM too, or a folder of them")
    default = "zhu-fourclass"
    add("--model", metavar="RECORD", default=default, help=f"whose model to take ({default})")
    add("--cam", metavar="FOLDER", help="write Grad-CAM overlays there, as PNG")
    add("--target", metavar="CLASS", help="class of the overlays (default: the model's first)")
    add("--output", metavar="FILE.csv", help="write there; FILE.csv.partial until it is whole")
    shared.add_shared(parser, "--results", "--device")


def check(arguments: Namespace) -> None:
    """What can be refused before torch is loaded, which takes a while."""
    for path in arguments.images:
        if not Path(path).exists():
            if studies.recorded(path, arguments.results):
                raise InputError(f"{path}: is a record, no image: cxr predict --model {path} IMAGE")
            raise InputError(f"{path}: image file does not exist")
    output = arguments.output
    if output and (Path(output).suffix != ".csv" or Path(output).is_dir()):
        # --output *.png would lose a radiograph
        raise InputError(f"--output {output}: expected a file name that ends in .csv")


def run(arguments: Namespace) -> int:
    check(arguments)
    inference = shared.heavy("cxrlib.inference", "predicting")
    output, record = arguments.output, studies.run(arguments.model, results=arguments.results)
    part = record.info["config"].get("shown", "whole")
    job = inference.Job(
        record,
        arguments.images,
        overlays=arguments.cam,
        target=arguments.target,
        device=arguments.device,
        prepare=lambda pixels: radiographs.show_part(pixels, part),
    )
    if not output:
        return write_rows(job, arguments.model, sys.stdout)
    partial = Path(f"{output}.partial")
    taken = {file.resolve() for file in (Path(output), partial) if file.exists()}
    if taken & {Path(file).resolve() for file in job.files}:
        raise InputError(f"--output {output}: is one of the images")
    if partial.exists():
        raise InputError(
            f"{partial}: holds the rows of a run that was interrupted; move or delete it first"
        )
    try:
        with whole(output, partial) as file:
            return write_rows(job, arguments.model, file)
    finally:
        if partial.exists():
            print(f"cxr: the rows so far are in {line(partial)}", file=sys.stderr)


@contextlib.contextmanager
def whole(output: str, partial: Path) -> Iterator[TextIO]:
    """A text file that is called ``partial`` until it is whole.

    What is in it when something stops the writing stays there; one into which nothing was written
    is deleted. InputError where it cannot be written.
    """
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        file = partial.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror or error})") from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, output)
    finally:
        if partial.exists() and not partial.stat().st_size:
            partial.unlink()


def write_rows(job, name: str, file: TextIO) -> int:
    """Each file's row of CSV as it comes, what cannot be read on standard error; the exit status.

    That is 1 if there was such a file. InputError if there was no other; nothing is written then.
    """
    from tqdm import tqdm

    rows, number = csv.writer(file, lineterminator="\n"), len(job.files)
    bar = tqdm(total=number, unit="img", file=sys.stderr, disable=not sys.stderr.isatty())
    classes, bad = job.record.classes, []
    heads = ["image", *(f"p_{name}" for name in classes), "predicted"]
    with warnings.catch_warnings(action="ignore"), bar, contextlib.closing(iter(job)) as answers:
        for done, (image, p) in enumerate(answers, start=1):
            with bar.external_write_mode(file=sys.stderr):
                if isinstance(p, InputError):
                    bad.append(p)
                    if number > 1:
                        print(f"cxr: {line(p)}", file=sys.stderr)
                else:
                    if done - len(bad) == 1:
                        disclaim(job, name)
                        rows.writerow(map(evaluate.spreadsheet_text, heads))
                    row = [image, *(f"{value:.9g}" for value in p), classes[p.argmax()]]
                    rows.writerow(map(evaluate.spreadsheet_text, row))
                    file.flush()
            bar.update()
    if len(bad) == number == 1:
        raise bad[0]
    if len(bad) == number:
        raise InputError(f"none of the {number:,} image files can be read")
    if bad:
        print(f"cxr: {len(bad):,} of {number:,} image files cannot be read", file=sys.stderr)
    return int(bool(bad))


def disclaim(job, name: str) -> None:
    """What stands before the first number."""
    info = job.record.info
    synthetic = info["origin"] == "phantom"
    lines = [*job.notes, "not a medical device: these numbers must not guide the care of a patient"]
    if info["study"] == "zhu2020" and not synthetic:
        lines[-1] += (
            "; the model was trained on two image collections that differ by age, hospital and file"
            " processing"
        )
    origin = "synthetic phantoms, not radiographs" if synthetic else "radiographs"
    model = info["config"]["model"]
    lines.append(f"model {name}: {info['title']}, {model} trained on {origin}")
    for text in lines:
        print(f"cxr: {line(text)}", file=sys.stderr)
