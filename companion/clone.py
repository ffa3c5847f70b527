"""The clone of the repository that the companion runs from."""

from __future__ import annotations

from pathlib import Path

from cxrlib.files import InputError


def clone_folder() -> Path:
    """The clone: records, printed numbers and prose are there and in no installed copy.

    Raises:
        InputError: this is such a copy.
    """
    folder = Path(__file__).resolve().parents[1]
    if not (folder / "pyproject.toml").is_file():
        raise InputError(
            "this copy of the companion is not in a clone of its repository, which holds the"
            " records and the printed numbers: clone it and pip install -e . there"
        )
    return folder
