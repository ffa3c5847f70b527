"""``python -m companion.build execute``: a notebook's page, run from top to bottom."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import nbformat
import papermill
import zmq
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from companion import parameters, studies
from companion.options import plain_value
from companion.studies.printed import texts
from cxrlib.files import InputError, write_text

LARGE = 100_000  # characters of an SVG
LONGEST = 90  # bytes of a socket's path, which some systems allow 104 with its number


def execute(source: Path, target: Path, p: list[tuple[str, str]] | None = None) -> None:
    """Execute a notebook with papermill, output whole or not at all.

    p: sets a parameter; may be given several times
    """
    execute_notebook(source, target, {x: plain_value(text, f"-p {x}") for x, text in p or []})


def execute_notebook(source: Path, target: Path, given: Mapping | None = None) -> None:
    """Execute a notebook with the parameters ``given`` into ``target``, whole or not at all.

    At the top of the page stands what differs from the notebook's own parameters. What libraries
    write to standard error is no part of a page: it goes to this process's standard error. A
    notebook whose record is missing becomes a page that says so, with the command that makes the
    record.

    Raises:
        InputError: no such notebook or parameter, or a cell failed; the line names the notebook and
            the error.
    """
    given = given or {}
    try:
        notebook = nbformat.reads(source.read_text(encoding="utf-8"), 4)
    except (OSError, ValueError) as error:
        raise InputError(f"{source}: cannot be read as a notebook ({error})") from None
    kinds, defaults = parameters.declared(notebook)
    parameters.check_given(given, kinds, source)
    shown = notebook.metadata.get("cxr", {}).get("records", [])
    absent = [name for name in shown if not studies.recorded(name)]
    if absent and given.get("origin", "recorded") == "recorded":
        title = notebook.cells[0]
        title.source = title.source.splitlines()[0]
        listed = "\n".join(f"- {name}" for name in absent)
        notice = texts("notices")["not yet recorded"].replace("{names}", listed)
        notebook.cells = [title, nbformat.v4.new_markdown_cell(notice, id="not-yet")]
    else:
        notebook = run_cells(source, dict(given))
        one_picture_each(notebook)
        # a page without a kernel shows the widgets' HTML: their state would only double it
        notebook.metadata.pop("widgets", None)
    if changed := {key: value for key, value in given.items() if value != defaults[key]}:
        notebook.cells.insert(1, changed_parameters(changed, defaults))
    write_text(target, nbformat.writes(notebook))


def changed_parameters(changed: Mapping, defaults: Mapping) -> nbformat.NotebookNode:
    """The notice at the top of a page that was run with other parameters than its own."""
    lines = "\n".join(
        f"- `{name}` is `{value!r}` in place of `{defaults[name]!r}`"
        for name, value in changed.items()
    )
    text = f":::{{admonition}} Changed parameters\n:class: note\n{lines}\n:::\n"
    return nbformat.v4.new_markdown_cell(text, id="changed-parameters")


def run_cells(source: Path, parameters: dict) -> nbformat.NotebookNode:
    """Run a notebook by this Python and with default settings (:func:`own_kernel`), whatever
    kernels, profiles and styles the user has.
    """
    with tempfile.TemporaryDirectory(prefix="cxr-ipython-") as profile:
        try:
            return papermill.execute_notebook(
                str(source),
                None,
                parameters,
                kernel_name="python3",
                kernel_manager_class=own_kernel(profile),
                cwd=str(source.parent),
                progress_bar=False,
                stderr_file=sys.stderr,
                extra_arguments=["--log-level=ERROR"],
            )
        except papermill.PapermillExecutionError as error:
            raise InputError(
                f"{source}: cell {error.exec_count} failed: {error.ename}: {error.evalue}"
            ) from None


def own_kernel(profile: str) -> type:
    """A kernel manager that starts this interpreter with an empty IPython profile and matplotlib's
    own defaults, but that its pictures come as PNG and as SVG, the same at every run.

    A kernel named ``python3`` on ``JUPYTER_PATH`` may be another Python's; a matplotlibrc or a
    start-up file would change pages.
    """
    defaults = Path(profile, "matplotlibrc")
    write_text(defaults, "svg.hashsalt: cxr\nsvg.fonttype: none\n")
    settings = {
        "IPYTHONDIR": profile,
        "MATPLOTLIBRC": str(defaults),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONWARNINGS": "",
    }
    start = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    start += [f"--InlineBackend.figure_formats={form}" for form in ("png", "svg")]

    class Own(AsyncKernelManager):
        def __init__(self, **options):
            # a port is picked before it is bound, and another kernel may pick the same
            socket = str(Path(profile, "socket"))
            if zmq.has("ipc") and len(os.fsencode(socket)) < LONGEST:
                options |= {"transport": "ipc", "ip": socket}
            super().__init__(**options)

        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(argv=start, env=settings, language="python", display_name="Python 3")

        async def _async_interrupt_kernel(self) -> None:
            """Nothing: Jupyter interrupts before it shuts down, which an idle kernel reports as an
            error.
            """

    return Own


def one_picture_each(notebook: nbformat.NotebookNode) -> None:
    """Of each figure of an executed notebook keep the SVG, without its date; or the PNG, where the
    SVG is large, as with radiographs in it. Nothing is kept of standard error.
    """
    for cell in notebook.cells:
        for output in [*cell.get("outputs", [])]:
            if output.get("name") == "stderr":
                cell.outputs.remove(output)
            data = output.get("data", {})
            if not {"image/png", "image/svg+xml"} <= data.keys():
                continue
            svg = re.sub(r"<metadata>.*?</metadata>\s*", "", data["image/svg+xml"], flags=re.S)
            if len(svg) > LARGE:
                del data["image/svg+xml"]
            else:
                del data["image/png"]
                data["image/svg+xml"] = svg
