"""``cxr evaluate``: anybody's predictions, which need no clone."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxrlib import explorer
from cxrlib.evaluate import Measures, read_file, report, spreadsheet_text
from cxrlib.files import InputError, atomic, line, printable


@dataclass
class evaluate:
    """Tables, 95 % intervals and figures for your own predictions, a CSV with y_true and p_<class>.

    positive: class of interest (default: 1, yes or positive, else the first p_ column)
    threshold: positive where p is this or more (0.5)
    prevalence: of the patients it is about (default: the file's)
    html: write a page with everything there
    explorer: write the explorer there
    output: write the numbers there (default: standard output)
    """

    predictions: str
    positive: str | None = None
    threshold: float = 0.5
    prevalence: float | None = None
    html: str | None = None
    explorer: str | None = None
    output: str | None = None

    def run(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise InputError(f"--threshold {self.threshold:g}: expected a probability from 0 to 1")
        if self.prevalence is not None and not 0 < self.prevalence < 1:
            raise InputError(
                f"--prevalence {self.prevalence:g}: expected a share between 0 and 1, such as 0.01"
            )
        outputs = {"html": self.html, "explorer": self.explorer, "output": self.output}
        outputs = {option: file for option, file in outputs.items() if file}
        used = [Path(file).resolve() for file in (self.predictions, *outputs.values())]
        for option, file in outputs.items():
            if used.count(Path(file).resolve()) > 1:
                what = "is the file of predictions, or of another option too"
                raise InputError(f"--{option} {file}: {what}")
        found = read_file(self.predictions, self.positive)
        if self.positive is None:
            cls = spreadsheet_text(found.positive)
            print(f"cxr: class of interest: {cls}; --positive names another", file=sys.stderr)
        for note in found.notes:
            print(f"cxr: {line(note)}", file=sys.stderr)
        name = printable(Path(self.predictions).name)
        measured = Measures(found, self.threshold, self.prevalence)
        table = measured.tidy().map(spreadsheet_text)
        texts = {"output": table.to_csv(index=False, float_format="%.9g", lineterminator="\n")}
        if self.html:
            texts["html"] = report.page(measured, name)
        if self.explorer:
            state = {"positive_class": found.positive, "threshold": self.threshold}
            state["prevalence"] = np.clip(measured.share, explorer.LOWEST, explorer.HIGHEST)
            texts["explorer"] = explorer.page(found.frame, name, **state)
        with contextlib.ExitStack() as all_or_none:
            for option, file in outputs.items():
                temporary = all_or_none.enter_context(atomic(file))
                temporary.write_text(texts[option], encoding="utf-8", newline="\n")
        for file in outputs.values():
            print(printable(file))
        if not outputs:
            print(texts["output"], end="")
