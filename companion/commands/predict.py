"""``cxr predict``."""

from __future__ import annotations

import contextlib
import csv
import sys
import warnings
from pathlib import Path
from typing import TextIO

from companion import studies
from companion.options import heavy
from cxrlib import evaluate
from cxrlib.files import InputError, atomic, line


def predict(
    image: list[str],
    model: str = "zhu-fourclass",
    cam: str | None = None,
    target: str | None = None,
    output: str | None = None,
    results: str | None = None,
    device: str | None = None,
) -> int:
    """Class probabilities of your own radiographs by a recorded model, a row each as it comes. Not
    a medical device. A file that cannot be read is named on standard error and left out; the exit
    status is then 1, and 2 when nothing was done.

    image: a picture file, DICOM too, or a folder of them
    model: the record whose model to take (zhu-fourclass)
    cam: folder; write Grad-CAM overlays there, as PNG
    target: class of the overlays (default: the model's first)
    output: FILE.csv; write there, the whole table or nothing
    """
    if output and Path(output).suffix != ".csv":  # *.png would lose a radiograph
        raise InputError(f"--output {output}: expected a file name that ends in .csv")
    inference = heavy("cxrlib.inference", "predicting")
    record = studies.run(model, results=results)
    job = inference.Job(record, image, overlays=cam, target=target, device=device)
    if not output:
        return write_rows(job, model, sys.stdout)
    with atomic(output) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        return write_rows(job, model, file)


def write_rows(job, name: str, file: TextIO) -> int:
    """Each file's row of CSV as it comes, what cannot be read on standard error; the exit status.

    That is 1 if there was such a file. InputError if there was no other; nothing is written then.
    """
    from tqdm import tqdm

    rows, number, bad = csv.writer(file, lineterminator="\n"), len(job.files), 0
    bar = tqdm(total=number, unit="img", file=sys.stderr, disable=not sys.stderr.isatty())
    heads = ["image", *(f"p_{name}" for name in job.record.classes), "predicted"]
    with warnings.catch_warnings(action="ignore"), bar, contextlib.closing(iter(job)) as answers:
        for done, (image, p) in enumerate(answers):
            with bar.external_write_mode(file=sys.stderr):
                if isinstance(p, InputError):
                    if number == 1:
                        raise p
                    bad += 1
                    print(f"cxr: {line(p)}", file=sys.stderr)
                else:
                    if done == bad:  # the first that can be read
                        disclaim(job, name)
                        rows.writerow(map(evaluate.spreadsheet_text, heads))
                    row = [image, *(f"{value:.9g}" for value in p), job.record.classes[p.argmax()]]
                    rows.writerow(map(evaluate.spreadsheet_text, row))
                    file.flush()
            bar.update()
    if bad == number:
        raise InputError(f"none of the {number:,} image files can be read")
    if bad:
        print(f"cxr: {bad:,} of {number:,} image files cannot be read", file=sys.stderr)
    return int(bad > 0)


def disclaim(job, name: str) -> None:
    """What stands before the first number."""
    info = job.record.info
    synthetic = info["origin"] == "phantom"
    warning = "not a medical device: these numbers must not guide the care of a patient"
    if info["study"] == "zhu2020" and not synthetic:
        how = "that differ by age, hospital and file processing"
        warning += f"; the model was trained on two image collections {how}"
    origin = "synthetic phantoms, not radiographs" if synthetic else "radiographs"
    model = f"model {name}: {info['title']}, {info['config']['model']} trained on {origin}"
    for text in (warning, model):
        print(f"cxr: {line(text)}", file=sys.stderr)
