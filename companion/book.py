"""The book: notebooks executed with papermill, pages built with jupyter-book, and a look at what
came out.

``make book`` runs the ``Snakefile``, which calls :func:`execute` once for each notebook and
:func:`build` last.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml

from companion import ledger, status, studies
from cxrlib import formatting, metrics
from cxrlib.data import radiographs
from cxrlib.files import InputError, atomic, write_text
from cxrlib.metrics import intervals

MARKS = ("<!-- headline: written by cxr readme -->", "<!-- end of headline -->")
HEADLINE = {  # row of the short table: metric of cxrlib.metrics.rates.per_class
    "Images classified correctly (weighted accuracy)": "weighted avg.recall",
    "Recall, macro average": "macro avg.recall",
    "Precision, macro average": "macro avg.precision",
    "Specificity, macro average": "macro avg.specificity",
    "F1-score, macro average": "macro avg.f1",
    "AUC, macro average": "macro avg.auc",
    "COVID-19 recall": "covid.recall",
    "Viral pneumonia precision": "viral.precision",
    "Normal recall": "normal.recall",
    "COVID-19 AUC": "covid.auc",
    "Viral pneumonia AUC": "viral.auc",
    "Bacterial pneumonia AUC": "bacterial.auc",
    "Normal AUC": "normal.auc",
}
OTHERS = {  # row of the table below it: row of the ledger
    "Study B, two classes: COVID-19 recall": "zhu-t4.1-covid-recall",
    "Study B, two classes: recall of the others": "zhu-t4.1-non-covid-recall",
    "Study A: AUC": "azemin-3-auc",
    "Study A: sensitivity": "azemin-3-sensitivity",
    "Study A: specificity": "azemin-3-specificity",
}


def records(notebook: dict) -> list[str]:
    """Runs that a notebook shows: ``cxr.records`` in its metadata."""
    return list(notebook.get("metadata", {}).get("cxr", {}).get("records", []))


def text_of(file: Path) -> str:
    """A text file that the book is made from.

    Raises:
        InputError: it is not UTF-8, or holds marks of an unfinished merge.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{file}: is not UTF-8 text ({error.reason} at byte {error.start})"
        ) from None
    if marks := re.search(r"^(<{7}|>{7}) ", text, re.M):
        line = text.count("\n", 0, marks.start()) + 1
        raise InputError(f"{file}: line {line} is the mark of a merge conflict; settle it first")
    return text


def notebook(source: Path) -> str:
    """The .ipynb text of a percent-format ``.py`` notebook: no outputs, cell ids by place, so that
    it changes only with its source.

    Its metadata holds what :func:`told_apart` needs to see later that somebody edited it.
    """
    import jupytext
    import nbformat

    made = jupytext.reads(text_of(source), fmt="py:percent")
    if not made.cells:
        raise InputError(f"{source}: holds no cell of a notebook")
    made.metadata["jupytext"] = {"formats": "ipynb,py:percent", "notebook_metadata_filter": "cxr"}
    made.metadata["paired"] = content(made)
    made.nbformat, made.nbformat_minor = 4, 5
    for place, cell in enumerate(made.cells, start=1):
        cell["id"] = f"cell-{place:02d}"
    return nbformat.writes(made) + "\n"


def content(made: dict) -> str:
    """A hash of a notebook's cells: their types, texts and tags, and nothing that opening and
    saving it changes.
    """
    cells = [
        [
            cell["cell_type"],
            "".join(cell["source"]).strip(),
            sorted(cell["metadata"].get("tags", [])),
        ]
        for cell in made["cells"]
    ]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:16]


def told_apart(source: Path, target: Path, there: str, made: str) -> None:
    """See that ``there``, the text of the notebook ``target`` to be replaced by ``made`` from
    ``source``, holds no edits that would be lost.

    Told by content, since a clone scrambles the files' times.

    Raises:
        InputError: it does, or cannot be read; the line names both files and what to do.
    """
    try:
        held = json.loads(there)
        now, paired = content(held), held["metadata"].get("paired")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{target}: cannot be read as a notebook ({error}); if you delete it, it is made from"
            f" {source}"
        ) from None
    if now not in (paired, content(json.loads(made))):
        raise InputError(
            f"{target}: was edited, and {source} beside it says something else; jupytext --to"
            f" py:percent {target} takes the edits over, deleting {target} drops them"
        )


def pair(folder: Path, check: bool = False) -> list[Path]:
    """Write the ``.ipynb`` beside every notebook source in ``folder`` whose pair is missing or
    differs; returns those written.

    Raises:
        InputError: a pair was edited by itself (:func:`told_apart`), or one of the two is not there
        to be paired, or with ``check`` any differs; nothing is written then.
    """
    for alone in sorted(folder.glob("[0-9]*.ipynb")):
        if not alone.with_suffix(".py").is_file():
            raise InputError(
                f"{alone}: has no {alone.stem}.py beside it; jupytext --to py:percent {alone}"
                " makes it"
            )
    texts = {source: notebook(source) for source in sorted(folder.glob("[0-9]*.py"))}
    if not texts:
        raise InputError(f"{folder}: holds no notebook")
    differing = []
    for source, text in texts.items():
        target = source.with_suffix(".ipynb")
        there = text_of(target) if target.is_file() else None
        if there == text:
            continue
        if there is not None:
            told_apart(source, target, there, text)
        differing.append((target, text))
    if check and differing:
        names = ", ".join(target.name for target, _ in differing)
        raise InputError(f"{folder}: {names} differ from their .py: make notebooks")
    return [write_text(target, text) for target, text in differing]


def execute(source: Path, target: Path, parameters: dict | None = None) -> None:
    """Execute a notebook into ``target``, whole or not at all.

    It is run by this Python and with default settings (:func:`own_kernel`), whatever kernels,
    profiles and styles the user has. What libraries write to standard error is no part of a page:
    it goes to this process's standard error. A notebook whose record is missing becomes a page that
    says so, with the command that makes the record.

    Raises:
        InputError: no such notebook, or a cell failed; the line names the notebook and the error.
    """
    import papermill

    try:
        notebook = json.loads(source.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{source}: cannot be read as a notebook ({error})") from None
    absent = [name for name in records(notebook) if not studies.recorded(name)]
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic(target) as temporary, tempfile.TemporaryDirectory(prefix="cxr-ipython-") as profile:
        if absent and (parameters or {}).get("origin", "recorded") == "recorded":
            title = {
                **notebook["cells"][0],
                "source": "".join(notebook["cells"][0]["source"]).splitlines()[0],
            }
            note = {
                "cell_type": "markdown",
                "id": "not-yet",
                "metadata": {},
                "source": not_yet_recorded(absent),
            }
            notebook["cells"] = [title, note]
            temporary.write_text(json.dumps(notebook), encoding="utf-8")
            return
        try:
            papermill.execute_notebook(
                str(source),
                str(temporary),
                parameters or {},
                kernel_name="python3",
                kernel_manager_class=own_kernel(profile),
                cwd=str(source.parent),
                progress_bar=False,
                extra_arguments=["--log-level=ERROR"],
            )
        except papermill.PapermillExecutionError as error:
            raise InputError(
                f"{source}: cell {error.exec_count} failed: {error.ename}: {error.evalue}"
            ) from None
        made = json.loads(temporary.read_text(encoding="utf-8"))
        for line in stderr_taken(made):
            print(f"cxr: note: {source}: {line}", file=sys.stderr)
        made["metadata"].pop(
            "widgets", None
        )  # a page without a kernel shows the widgets' HTML: their state would only double it
        temporary.write_text(json.dumps(made, ensure_ascii=False), encoding="utf-8")


def own_kernel(profile: str) -> type:
    """A kernel manager that starts this interpreter with an empty IPython profile and matplotlib's
    own defaults.

    A kernel named ``python3`` on ``JUPYTER_PATH`` may be another Python's; a matplotlibrc or a
    start-up file would change pages.
    """
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    settings = {
        "IPYTHONDIR": profile,
        "MATPLOTLIBRC": os.devnull,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONWARNINGS": "",
    }
    start = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]

    class Own(AsyncKernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(argv=start, env=settings, language="python", display_name="Python 3")

        async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:
            """As Jupyter's, without the interrupt before it, which an idle kernel reports as an
            error.
            """
            self.shutting_down = True
            self.stop_restarter()
            await self.request_shutdown(restart)
            await self.finish_shutdown(restart=restart)
            await self.cleanup_resources(restart)

    return Own


def stderr_taken(made: dict) -> list[str]:
    """Take what was written to standard error out of an executed notebook's outputs; returns its
    lines.
    """
    lines = []
    for cell in made["cells"]:
        outputs = cell.get("outputs", [])
        taken = [
            item for item in outputs if item["output_type"] == "stream" and item["name"] == "stderr"
        ]
        lines += [
            line for item in taken for line in "".join(item["text"]).splitlines() if line.strip()
        ]
        if taken:
            cell["outputs"] = [item for item in outputs if item not in taken]
    return lines


def not_yet_recorded(names: list[str]) -> str:
    """The notice that stands in for a missing record."""
    lines = "\n".join(f"- {name}" for name in names)
    price = "about half a minute of training on a data-centre GPU, an hour or more on two CPU cores"
    return (
        ":::{admonition} Not yet recorded\n:class: warning\nThis page waits"
        f" for\n{lines}\n\n`make records` makes it. Price: {price}.\n:::\n"
    )


def headline(name: str = "zhu-fourclass") -> str:
    """The short Markdown tables of README and first page: printed, rebuilt, interval; or that there
    is no record yet.
    """
    again = [metrics.per_class(run.predictions) for run in studies.family(f"{name}-redraws")[0]]
    head = [
        f"| Study B, four classes | printed | rebuilt | 95 % interval | {len(again)} re-draws |",
        "|---|---|---|---|---|",
    ]
    if not studies.recorded(name):
        return "\n".join([*head, f"| *not yet recorded* (`cxr train {name}`) | | | | |"])
    run = studies.run(name)

    def range_of(row: str, column: str) -> str:
        values = [table.loc[row, column] for table in again] or [np.nan]
        return formatting.interval(min(values), max(values), decimals=2)

    printed = studies.printed(studies.experiment(name).study, "Table 4.2")
    rates, bounds = metrics.per_class(run.predictions), intervals.table(run.predictions)
    rows = ledger.compare(printed, rates, bounds).set_index("metric")
    body = [
        f"| {title} | {rows.loc[metric, 'printed']} |"
        f" {formatting.number(rows.loc[metric, 'rebuilt'])} |"
        f" {formatting.interval(rows.loc[metric, 'low'], rows.loc[metric, 'high'])} |"
        f" {range_of(*metric.rsplit('.', 1))} |"
        for title, metric in HEADLINE.items()
    ]
    images, lost = run.info["metrics"]["images"], run.split[run.split["missing"]]
    note = f"\nRebuilt on {images} test images of {run.info['metrics']['patients']} patients"
    note += (
        f"; {len(lost)} of the study's images were unavailable, {(lost['split'] == 'test').sum()}"
        " of them for testing. "
        if len(lost)
        else ". "
    )
    note += (
        f"Intervals: {intervals.REPLICATES:,} bootstrap resamples of patients within classes, or"
        " Wilson over patients where a share is exactly 0 or 1; a dash where neither applies. The"
        " averages' intervals are too narrow where such a share is in them: resampling takes it"
        " for certain. Re-draws: lowest and highest over other draws of the COVID-19 test patients"
        " and other seeds of the same training."
    )
    note += (
        "\n\nIn this study COVID-19 differs from the other classes by age, hospital, view and file"
        " processing as well (the last in part by the reduced copies used here), so that a high"
        " score on its rows need not come from the disease."
    )
    return "\n".join([*head, *body, note + framed(f"{name}-shown/frame"), "", *others()])


def framed(name: str) -> str:
    """A sentence on what the frame of the pictures alone gave; empty while that run is not
    recorded.
    """
    if not studies.recorded(name):
        return ""
    found, size, taken, others = metrics.detected(studies.run(name).predictions, "covid")
    return (
        " A network trained in the same way on the outer frame of each picture alone,"
        f" {100 * radiographs.FRAME:g} % of each side wide, most of the lungs blacked out, finds"
        f" {found} of {size} COVID-19 images and takes {taken} of {others} others for COVID-19"
        " (page *How sure?*)."
    )


def others() -> list[str]:
    """Lines of a Markdown table of the other models' results, from the ledger, and what they
    are.
    """
    rows = ledger.claims(ids=OTHERS.values()).set_index("id")
    lines = ["| The other models | printed | rebuilt (95 % interval) |", "|---|---|---|"]
    for title, name in OTHERS.items():
        row = rows.loc[name]
        lines.append(
            f"| {title} | {row['said']} | {ledger.rebuilt_in_words(row) or '*not yet recorded*'} |"
        )
    return [
        *lines,
        "",
        (
            "Study A's network and training images could not be obtained: a stand-in's values at a"
            " threshold of one half are no test of the printed ones."
        ),
    ]


def refresh_readme(file: Path) -> None:
    """Write the headline table between its marks."""
    try:
        before, rest = file.read_text(encoding="utf-8").split(MARKS[0])
        after = rest.split(MARKS[1])[1]
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f"{file}: no pair of headline marks ({error})") from None
    write_text(file, f"{before}{MARKS[0]}\n{headline()}\n{MARKS[1]}{after}")


def build(stage: Path, output: Path, source: Path = Path(".")) -> Path:
    """Build the pages from ``stage`` (executed notebooks) and the prose in ``source``; returns the
    first page's path.

    Warnings are errors. The old pages are replaced only by a book that was built and checked whole.

    Raises:
        InputError: jupyter-book complains, a code cell did not run, or a page holds a traceback.
    """
    for name in ("_config.yml", "_toc.yml"):
        shutil.copyfile(source / name, stage / name)
    shutil.rmtree(stage / "book", ignore_errors=True)
    shutil.copytree(source / "book", stage / "book", ignore=shutil.ignore_patterns("__pycache__"))
    write_text(stage / "book" / "_headline.md", headline() + "\n")
    write_text(stage / "book" / "_status.md", status.page(stage, source))
    for left in (stage / "notebooks").glob(".*.ipynb"):  # by a run that was killed
        left.unlink()
    for file in sorted((stage / "notebooks").glob("*.ipynb")):
        check_executed(file)
    work = output.parent / f".{output.name}-new"
    shutil.rmtree(work, ignore_errors=True)
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(stage),
    ]
    command += ["--path-output", str(work), "-W", "-n", "--keep-going", "--quiet"]
    ran = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"}
    )
    pages = work / "_build" / "html"
    if ran.returncode or not (pages / "index.html").is_file():
        lines = [
            line
            for line in (ran.stderr + ran.stdout).splitlines()
            if "WARNING" in line or "ERROR" in line or "Error" in line
        ]
        sys.stderr.write(ran.stdout[-4000:] + ran.stderr[-4000:])
        raise InputError(
            f"{stage}: jupyter-book failed: {lines[0] if lines else 'see the lines above'}"
        )
    for page in sorted(pages.rglob("*.html")):
        if "Traceback (most recent call last)" in page.read_text(encoding="utf-8"):
            raise InputError(f"{page.relative_to(pages)}: the page holds a traceback")
    shutil.rmtree(output, ignore_errors=True)
    pages.rename(output)
    shutil.rmtree(work)
    return output.resolve() / first_page(source)


def first_page(source: Path = Path(".")) -> str:
    """Path of the first page within the built book."""
    return f"{chapters(source)[0]}.html"


def chapters(source: Path = Path(".")) -> list[str]:
    """The book's files by ``_toc.yml``, in its order and without their endings. :class:`InputError`
    for a file of another form.
    """
    file = source / "_toc.yml"
    try:
        toc = yaml.safe_load(file.read_text(encoding="utf-8"))
        return [
            toc["root"],
            *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"]),
        ]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise InputError(f"{file}: cannot be read as a table of contents ({error})") from None


def check_executed(file: Path) -> None:
    """:class:`InputError` when a code cell of the notebook has not run or ended in an error."""
    for place, cell in enumerate(json.loads(file.read_text(encoding="utf-8"))["cells"], start=1):
        if cell["cell_type"] != "code" or not "".join(cell["source"]).strip():
            continue
        if cell.get("execution_count") is None:
            raise InputError(f"{file}: cell {place} did not run")
        if any(output["output_type"] == "error" for output in cell["outputs"]):
            raise InputError(f"{file}: cell {place} ended in an error")
