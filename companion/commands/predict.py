"""``cxr predict``."""

from __future__ import annotations

import contextlib
import csv
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from companion import studies
from companion.options import heavy
from cxrlib import evaluate
from cxrlib.files import InputError, atomic, line


@dataclass
class predict:
    """Class probabilities of your own radiographs by a recorded model, a row each as it comes. Not
    a medical device. A file that cannot be read is named on standard error and left out; the exit
    status is then 1, and 2 when nothing was done.

    image: a picture file, DICOM too, or a folder of them
    model: the record whose model to take (zhu-fourclass)
    cam: folder; write Grad-CAM overlays there, as PNG
    target: class of the overlays (default: the model's first)
    output: FILE.csv; write there, the whole table or nothing
    """

    image: list[str]
    model: str = "zhu-fourclass"
    cam: str | None = None
    target: str | None = None
    output: str | None = None
    results: str | None = None
    device: str | None = None

    def check(self) -> None:
        """What can be refused before torch is loaded, which takes a while."""
        for path in self.image:
            if not Path(path).exists():
                if studies.recorded(path, self.results):
                    how = f"cxr predict --model {path} IMAGE"
                    raise InputError(f"{path}: is a record, no image: {how}")
                raise InputError(f"{path}: image file does not exist")
        if self.output and (Path(self.output).suffix != ".csv" or Path(self.output).is_dir()):
            # --output *.png would lose a radiograph
            raise InputError(f"--output {self.output}: expected a file name that ends in .csv")
        if self.output and Path(self.output).resolve() in map(Path.resolve, map(Path, self.image)):
            raise InputError(f"--output {self.output}: is one of the images")

    def run(self) -> int:
        self.check()
        inference = heavy("cxrlib.inference", "predicting")
        record = studies.run(self.model, results=self.results)
        job = inference.Job(
            record, self.image, overlays=self.cam, target=self.target, device=self.device
        )
        if not self.output:
            return write_rows(job, self.model, sys.stdout)
        with (
            atomic(self.output) as temporary,
            open(temporary, "w", encoding="utf-8", newline="") as file,
        ):
            return write_rows(job, self.model, file)


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
    warning = "not a medical device: these numbers must not guide the care of a patient"
    if info["study"] == "zhu2020" and not synthetic:
        warning += (
            "; the model was trained on two image collections that differ by age, hospital and file"
            " processing"
        )
    origin = "synthetic phantoms, not radiographs" if synthetic else "radiographs"
    model = f"model {name}: {info['title']}, {info['config']['model']} trained on {origin}"
    for text in (warning, model):
        print(f"cxr: {line(text)}", file=sys.stderr)
