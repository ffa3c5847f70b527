"""Files are written whole or not at all, paths stay in their folder, and an error is one line."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from cxrlib import files
from cxrlib.files import InputError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@given(st.text())
def test_error_is_one_line(text):
    error = InputError(f"a.csv:\n{text}\r\nrow 2")
    assert len(str(error).splitlines()) == 1
    assert str(error).split() == f"a.csv: {text} row 2".split()


def test_error_is_a_value_error():
    assert str(InputError("a.csv: row 2: age is empty")) == "a.csv: row 2: age is empty"
    assert issubclass(InputError, ValueError)


def test_error_is_one_line_in_ipython(capsys):
    """As a notebook shows it: no traceback, but one of any other error."""
    shell = InteractiveShell()
    for kind, lines in (("cxrlib.InputError('a.csv: row 2: age')", 1), ("ValueError('a.csv')", 4)):
        shell.run_cell(f"import cxrlib\nraise {kind}")
        shown = capsys.readouterr().out.strip().splitlines()
        assert len(shown) == 1 if lines == 1 else len(shown) >= lines
        assert shown[-1].endswith(kind.partition("('")[2].removesuffix("')"))


@pytest.mark.parametrize("old", [None, "old"])
def test_error_while_writing_changes_nothing(tmp_path, old):
    target = tmp_path / "table.csv"
    if old:
        target.write_text(old)
    before = names(tmp_path)
    with pytest.raises(KeyboardInterrupt), files.atomic(target) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert names(tmp_path) == before
    assert not old or target.read_text(encoding="utf-8") == old


def test_nothing_written_is_an_error_that_keeps_the_old(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(FileNotFoundError), files.atomic(target):
        pass
    assert target.read_text(encoding="utf-8") == "old" and names(tmp_path) == ["table.csv"]


def test_a_folder_that_cannot_be_written_names_the_file_asked_for():
    with pytest.raises(InputError, match=r"^/proc/table\.csv: cannot be written"):
        files.write_text("/proc/table.csv", "text")


def test_success_replaces_and_leaves_one_file(tmp_path):
    target = tmp_path / "new" / "array.npy"
    for content in ("first", "second"):
        with files.atomic(target) as temporary:
            assert temporary.parent == target.parent, (
                "a rename is whole only within one file system"
            )
            assert temporary.suffix == ".npy" and temporary != target
            temporary.write_text(content)
            assert content == "first" or target.read_text(encoding="utf-8") == "first"
        assert target.read_text(encoding="utf-8") == content
    assert names(target.parent) == ["array.npy"]


def test_killed_while_writing_leaves_the_target(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    code = (
        "import os, sys; from cxrlib import files\nwith files.atomic(sys.argv[1]) as t:\n"
        " t.write_text('half'); os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(target)], capture_output=True, text=True)
    assert done.returncode == 9, done.stderr
    assert target.read_text(encoding="utf-8") == "old"
    files.write_text(target, "new")
    assert target.read_text(encoding="utf-8") == "new"


def test_text_is_utf8_with_line_feeds(tmp_path):
    assert files.write_text(tmp_path / "a.txt", "ä\r\nb\n").read_bytes() == b"\xc3\xa4\r\nb\n"


@pytest.mark.parametrize(
    "path", ["../x", "/etc/x", "a/../../x", "a/../x", "..", "a\\x", "..\\x", "a\0b", "//x"]
)
def test_paths_that_leave_are_refused(tmp_path, path):
    with pytest.raises(InputError) as caught:
        files.inside(tmp_path, path, where="a.csv: row 7: filename")
    assert (
        str(caught.value).startswith("a.csv: row 7: filename: ") and str(caught.value).isprintable()
    )


@pytest.mark.parametrize("path", ["x.png", "a/b/x.png", "a..b/x", "...", "a b/ü.png"])
def test_paths_that_stay_are_joined(tmp_path, path):
    assert files.inside(tmp_path, path, where="") == tmp_path / path


@given(
    st.lists(
        st.sampled_from(["..", ".", "a", "", "..a", " "]) | st.text(max_size=4), max_size=6
    ).map("/".join)
)
def test_no_spelling_leaves(path):
    try:
        joined = files.inside("/data", path, where="")
    except InputError:
        return
    assert os.path.commonpath(["/data", os.path.abspath(joined)]) == "/data"


def test_sha256_is_the_published_one(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-4, first example
    assert (
        files.sha256(tmp_path / "abc")
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_one_at_a_time(tmp_path):
    """A second process waits for the first and says so; one that is killed leaves no lock
    behind.
    """
    code = (
        f"import sys, time\nfrom cxrlib.files import alone\nwith alone({str(tmp_path / 'lock')!r},"
        " 'make book'):\n    print('in', flush=True)\n    time.sleep(float(sys.argv[1]))"
    )

    def holder(seconds: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-c", code, seconds],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    first = holder("600")
    assert first.stdout.readline() == "in\n"
    second = holder("0")
    assert "another make book is at work" in second.stderr.readline()
    assert second.poll() is None
    first.kill()
    assert second.communicate(timeout=60)[0] == "in\n" and second.returncode == 0
    first.communicate()
