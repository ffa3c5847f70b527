"""``make book`` where something is out of order: it goes on, or says in one line what is wrong. In
a clone of one short page.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from jupytext.cli import jupytext

from companion.build import book, execute, make, notebooks
from cxrlib import InputError

ROOT = Path(__file__).resolve().parents[2]
PAGE = (
    "# ---\n# jupyter:\n#   jupytext:\n#     notebook_metadata_filter: cxr\n#   cxr: {records:"
    " []}\n# ---\n\n# %% [markdown]\n# # A page\n\n# %%\n"
)
CODE = 'print("first", "text")\n'


@pytest.fixture
def clone(tmp_path, monkeypatch) -> Path:
    """The least of which ``make book`` makes a book, in a folder whose name has everything in it
    that a shell gives a meaning to.
    """
    folder = tmp_path / "sp ace (ü) & 'quoted' $HOME;"
    shutil.copytree(ROOT / "book", folder / "book", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "_config.yml"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "book" / "index.md").write_text("# A book\n\nIt has one page.\n", encoding="utf-8")
    (folder / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nparts: [{chapters: [{file: notebooks/01_page}]}]\n"
    )
    (folder / "notebooks").mkdir()
    write(folder, CODE)
    monkeypatch.chdir(folder)
    return folder


def write(clone: Path, code: str) -> None:
    (clone / "notebooks" / "01_page.py").write_text(PAGE + code, encoding="utf-8")


def start(**changes: str) -> subprocess.Popen:
    """``make book`` without make: it is started with the virtual environment's Python, by its full
    name.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **changes}
    command = [sys.executable, "-m", "companion.build", "make", "book", "--cores", "2"]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )


def made(**changes: str) -> tuple[int, str, str]:
    process = start(**changes)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def page(clone: Path) -> str:
    return (clone / "_build" / "html" / "notebooks" / "01_page.html").read_text(encoding="utf-8")


# What the book is made from


def damaged(name: str, content: bytes | None):
    def spoil(clone):
        if content is None:
            (clone / name).unlink()
        else:
            (clone / name).write_bytes(content)

    return spoil


MERGE = b"# %%\nx = 1\n<<<<<<< HEAD\ny = 2\n=======\ny = 3\n>>>>>>> other\n"


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (damaged("_toc.yml", None), r"_toc\.yml: cannot be read as YAML"),
        (damaged("_toc.yml", b"root: [\n"), r"_toc\.yml: cannot be read as YAML"),
        (damaged("_toc.yml", b"[]"), r"_toc\.yml: cannot be read as a table of contents"),
        (
            damaged("_toc.yml", b"root: book/gone\nparts: []\n"),
            r"_toc\.yml: book/gone does not exist",
        ),
        (damaged("_config.yml", b"title: 'open\n"), r"_config\.yml: cannot be read as YAML"),
        (
            damaged("notebooks/01_page.py", MERGE),
            r"notebooks/01_page\.py: line 3 is the mark of a merge conflict",
        ),
        (
            damaged("notebooks/01_page.ipynb", MERGE),
            r"notebooks/01_page\.ipynb: line 3 is the mark of a merge conflict",
        ),
        (
            damaged("book/index.md", MERGE),
            r"book/index\.md: line 3 is the mark of a merge conflict",
        ),
        (damaged("book/index.md", b"Gr\xfc\xdfe"), r"book/index\.md: is not UTF-8"),
    ],
)
def test_what_is_damaged_is_named(clone, spoil, line):
    spoil(clone)
    with pytest.raises(InputError, match=line) as caught:
        make.check_sources()
    assert "\n" not in str(caught.value)


def test_this_clone_is_in_order(monkeypatch):
    monkeypatch.chdir(ROOT)
    make.check_sources()
    assert book.chapters()[0] == "book/index"
    assert {Path(name).name for name in book.chapters() if name.startswith("notebooks/")} == {
        file.stem for file in Path("notebooks").glob("[0-9]*.py")
    }


# Pairs of notebooks


def edit(file: Path, change) -> None:
    """As Jupyter saves it: other outputs and other fields of its own, whatever was changed."""
    notebook = nbformat.read(file, 4)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    for cell in notebook.cells:
        cell.metadata["collapsed"] = False
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [nbformat.v4.new_output("stream", text="ran")], 7
    change(notebook)
    nbformat.write(notebook, file)


def test_an_edited_source_is_what_counts(clone):
    target = clone / "notebooks" / "01_page.ipynb"
    assert (
        notebooks.pair_folder(clone / "notebooks") == [target]
        and notebooks.pair_folder(clone / "notebooks") == []
    )
    assert notebooks.pair_folder(clone / "notebooks", check=True) == []
    write(clone, "print(2)\n")
    with pytest.raises(InputError, match=r"01_page\.ipynb differ from their \.py"):
        notebooks.pair_folder(clone / "notebooks", check=True)
    edit(target, lambda notebook: None)  # run and saved, and nothing else
    os.utime(target, (time.time() + 60,) * 2)  # a clone scrambles times
    assert notebooks.pair_folder(clone / "notebooks") == [target]
    assert target.read_text(encoding="utf-8") == notebooks.paired_text(target.with_suffix(".py"))


@pytest.mark.parametrize(
    "change",
    [
        lambda notebook: notebook.cells[1].update(source="print(3)"),
        lambda notebook: notebook.cells[0].update(source="# Another title"),
        lambda notebook: notebook.cells[1].metadata.update(tags=["remove-input"]),
        lambda notebook: notebook.cells.pop(),
        lambda notebook: notebook.cells.append(nbformat.v4.new_code_cell("x")),
    ],
)
@pytest.mark.parametrize("both", [False, True])
def test_edits_of_a_pair_are_not_lost(clone, change, both):
    source, target = (clone / "notebooks" / f"01_page{ending}" for ending in (".py", ".ipynb"))
    notebooks.pair_folder(clone / "notebooks")
    edit(target, change)
    edited = target.read_bytes()
    if both:
        write(clone, "print(2)\n")
    with pytest.raises(
        InputError, match=r"01_page\.ipynb: was edited, and .*01_page\.py beside it"
    ):
        notebooks.pair_folder(clone / "notebooks")
    assert target.read_bytes() == edited
    jupytext(["--quiet", "--to", "py:percent", str(target)])  # the advice
    notebooks.pair_folder(clone / "notebooks")
    assert notebooks.content_hash(json.loads(edited)) == notebooks.content_hash(
        json.loads(target.read_text(encoding="utf-8"))
    )
    assert "cxr" in json.loads(notebooks.paired_text(source))["metadata"]


def test_a_pair_that_is_no_notebook_is_named(clone):
    (clone / "notebooks" / "01_page.ipynb").write_text("{}")
    with pytest.raises(InputError, match=r"01_page\.ipynb: cannot be read as a notebook"):
        notebooks.pair_folder(clone / "notebooks")


def test_what_cannot_be_paired_is_named(clone):
    """By make notebooks alone, too; nothing is written."""
    for name, content, line in (
        ("01_page.py", MERGE, r"01_page\.py: line 3 is the mark of a merge conflict"),
        ("01_page.ipynb", MERGE, r"01_page\.ipynb: line 3 is the mark of a merge conflict"),
        ("01_page.py", b"", r"01_page\.py: holds no cell"),
        ("99_mine.ipynb", b"{}", r"99_mine\.ipynb: has no 99_mine\.py beside it"),
    ):
        folder = clone / name.replace(".", "-")
        shutil.copytree(clone / "notebooks", folder)
        (folder / name).write_bytes(content)
        before = {file.name: file.read_bytes() for file in folder.iterdir()}
        with pytest.raises(InputError, match=line):
            notebooks.pair_folder(folder)
        assert before == {file.name: file.read_bytes() for file in folder.iterdir()}
        shutil.rmtree(folder)
    with pytest.raises(InputError, match="holds no notebook"):
        notebooks.pair_folder(clone / "book")


# How a notebook is run


def executed(clone: Path) -> dict:
    notebooks.pair_folder(clone / "notebooks")
    execute.execute_notebook(clone / "notebooks" / "01_page.ipynb", clone / "out.ipynb")
    return json.loads((clone / "out.ipynb").read_text(encoding="utf-8"))


def printed(notebook: dict) -> str:
    return "".join(
        "".join(output.get("text", []))
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
    )


def test_the_users_jupyter_and_matplotlib_change_nothing(clone, monkeypatch, tmp_path):
    """Another Python's kernel of the same name, start-up files, a style and a back end of their
    own.
    """
    kernel = tmp_path / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(
        json.dumps(
            {
                "argv": ["/nowhere/python", "{connection_file}"],
                "display_name": "?",
                "language": "python",
            }
        )
    )
    (tmp_path / "ipython" / "profile_default" / "startup").mkdir(parents=True)
    (tmp_path / "ipython" / "profile_default" / "startup" / "00.py").write_text(
        "print('started up')"
    )
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib" / "matplotlibrc").write_text("text.usetex: True\nlines.linewidth: 9\n")
    write(
        clone,
        "import sys\nimport matplotlib as mpl\nprint(sys.executable,"
        " mpl.rcParams['lines.linewidth'], mpl.get_backend(), sep='|')\n",
    )
    for name, value in {
        "JUPYTER_PATH": "jupyter",
        "IPYTHONDIR": "ipython",
        "MPLCONFIGDIR": "matplotlib",
    }.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    *found, backend = printed(executed(clone)).strip().split("|")
    assert found == [sys.executable, "1.5"] and "inline" in backend


def test_standard_error_is_for_who_builds(clone, capfd):
    """Pages, and notebooks to download, leave it out."""
    write(clone, "import sys, warnings\nwarnings.warn('old')\nprint('a/path', file=sys.stderr)\n")
    assert printed(executed(clone)) == ""
    lines = capfd.readouterr().err.splitlines()
    for end in ("UserWarning: old", "a/path"):
        assert any(line.endswith(end) for line in lines), lines


# Figures and tables

CHART = """import matplotlib.pyplot as plt
import numpy as np
plt.plot([1, 2]).__len__()
plt.show()
plt.imshow(np.random.default_rng(0).random((400, 400)))
plt.show()
"""


def test_a_chart_is_one_svg_the_same_at_every_run_and_pixels_are_a_png(clone):
    write(clone, CHART)
    first, second = [
        [output["data"] for output in executed(clone)["cells"][-1]["outputs"]] for _ in range(2)
    ]
    forms = [[name for name in data if name.startswith("image/")] for data in first]
    assert forms == [["image/svg+xml"], ["image/png"]] and first == second


CAPTION = {"figure": {"caption": "Figure 4.3, *rebuilt*."}, "image": {"alt": "A line."}}
FIGURES = """from companion import pages
import pandas as pd
from IPython.display import Markdown, display
frame = pd.DataFrame({"a": [1]})

# %% tags=["hide-input"] cxr={"items": ["Figure 4.3"]} mystnb=MYSTNB
import matplotlib.pyplot as plt
display(Markdown("Said before."))
plt.plot([1, 2]).__len__()
plt.show()
display(Markdown("Said after."))

# %% cxr={"items": ["Table 4.1"]}
pages.table(frame, caption="Table 4.1: all <rows>", name="table-4-1")

# %% cxr={"items": ["Figure 2.2 A"]}
frame

# %% cxr={"items": ["Figure 5"]}
frame

# %%
import sys
print("for the " + "maker", file=sys.stderr)
pages.table(frame, caption="Sizes", name="sizes")

# %% [markdown]
# See {ref}`figure-4-3`, {ref}`table-4-1`, {ref}`figure-2-2`, {ref}`a-figure-5` and
# {ref}`these <sizes>`.
#
# (table-4-2)=
# ## Results of four classes
#
# And {ref}`table-4-2`.

# %% cxr={"items": ["Table 4.2"]}
frame
""".replace("MYSTNB", json.dumps(CAPTION))


def test_items_have_anchors_captions_and_a_place_in_the_index(clone):
    write(clone, FIGURES)
    notebooks.pair_folder(clone / "notebooks")
    stage = clone / "_build" / "stage"
    execute.execute_notebook(
        clone / "notebooks" / "01_page.ipynb", stage / "notebooks" / "01_page.ipynb"
    )
    book.book(stage)  # with warnings as errors
    soup = BeautifulSoup(page(clone), "html.parser")
    figure = soup.find(id="figure-4-3")
    assert figure.name == "figure" and figure.img["alt"] == "A line."
    download = (clone / "_build/html/_sources/notebooks/01_page.ipynb").read_text(encoding="utf-8")
    assert "for the maker" not in soup.get_text() and "for the maker" not in download
    assert figure.figcaption.get_text().strip().startswith("Figure 4.3, rebuilt. Code")
    to_code = figure.find("a", class_="to-code")["href"].removeprefix("#")
    assert "plt.plot" in soup.find(id=to_code).get_text() and soup.find(id=to_code).find_parent(
        "details"
    )
    outside = [node.get_text() for node in soup.find_all("p") if not node.find_parent("figure")]
    assert "Said before." in outside and "Said after." in outside
    table = soup.find(id="table-4-1")
    assert table.name == "figure" and table.figcaption.string == "Table 4.1: all <rows>"
    links = {a.get_text(): a["href"] for a in soup.select("article p a.internal")}
    assert {name: links[name] for name in list(links) if name != "Code"} == {
        "Figure 4.3": "#figure-4-3",
        "Table 4.1": "#table-4-1",
        "Figure 2.2": "#figure-2-2",
        "Figure 5": "#a-figure-5",
        "these": "#sizes",
        "Table 4.2": "#table-4-2",
    }
    assert [target for target in links.values() if not soup.find(id=target[1:])] == []
    assert soup.find(id="table-4-2").find_next("h2").get_text().startswith("Results of four")
    assert "Fig. 1" not in soup.get_text(), "a number of its own would be a second one"
    index = (clone / "_build" / "html" / "genindex.html").read_text(encoding="utf-8")
    assert all(f"01_page.html#{name}" in index for name in ("figure-4-3", "table-4-2"))


# The whole way


@pytest.mark.slow
def test_a_book_in_a_folder_of_any_name(clone):
    code, out, err = made()
    assert (code, err) == (0, ""), "a good run is quiet"
    assert (
        "page 01_page" in out and f"Open {clone / '_build' / 'html' / 'book' / 'index.html'}" in out
    )
    assert "first text" in page(clone) and str(clone) not in page(clone)
    write(clone, 'print("second", "text")\n')  # the source alone
    assert made()[0] == 0
    assert "second text" in page(clone) and "first text" not in page(clone)
    before = page(clone)
    write(clone, "raise KeyError('gone')\n")
    code, out, err = made()
    assert (
        code == 2
        and "notebooks/01_page.ipynb: cell 1 failed: KeyError: 'gone'" in err
        and len(err.splitlines()) <= 2
    ), err
    assert page(clone) == before, "the old book stays"
    write(
        clone,
        "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n"
        "    print(traceback.format_exc())\n",
    )
    code, _, err = made()
    assert code == 2 and "01_page.html" in err and "traceback" in err, err
    assert page(clone) == before, "the old book stays"


@pytest.mark.slow
def test_who_says_more_where_no_command_said_what_was_wrong(clone):
    with open("Snakefile", "a") as file:
        file.write("\nundefined_name\n")
    code, _, err = made()
    assert code == 2 and "-m snakemake book --cores 1 says more" in err, err


@pytest.mark.slow
@pytest.mark.parametrize("all_of_it", [False, True], ids=["snakemake alone", "all processes"])
def test_killed_and_made_again(clone, all_of_it):
    write(
        clone,
        "import time\nfrom pathlib import Path\nPath('../started').touch()\ntime.sleep(30 if not"
        " Path('../again').exists() else 0)\nprint('first text')\n",
    )
    process = start()
    deadline = time.monotonic() + 120
    while not (clone / "started").exists():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.05)
    if all_of_it:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        found = subprocess.run(
            ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
        ).stdout.split()
        for child in found:
            os.kill(int(child), signal.SIGKILL)
    process.communicate()
    (clone / "again").touch()
    code, _, err = made()
    assert code == 0 and "first text" in page(clone), err


@pytest.mark.slow
def test_two_at_once(clone):
    both = [start(), start()]
    said = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum(
        "another make book is at work" in err for _, err in said
    ) == 1 and "first text" in page(clone)


@pytest.mark.slow
def test_a_home_that_cannot_be_written(clone):
    """Nor be made: a file stands in its way. That holds for the administrator, too."""
    (clone / "file").touch()
    home = str(clone / "file" / "home")
    unset = {
        name: "" for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "IPYTHONDIR")
    }
    code, _, err = made(HOME=home, **unset)
    assert code == 0 and "first text" in page(clone), err
    assert "matplotlib" not in page(clone) and home not in page(clone)


def test_kernels_started_at_once_take_no_ports_from_each_other(tmp_path):
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        manager = execute.own_kernel(short)()
        assert manager.get_connection_info()["transport"] == "ipc"
    long = tmp_path / ("l" + "o" * 90 + "ng")  # a socket's path may not be as long
    long.mkdir()
    assert execute.own_kernel(str(long))().get_connection_info()["transport"] == "tcp"
