"""``cxr sources``."""

from __future__ import annotations

import contextlib
from argparse import ArgumentParser, Namespace

from companion import options as shared
from companion import sources
from cxrlib.data import lungs
from cxrlib.data.manifest import data_folder
from cxrlib.files import InputError, line, printable

NAMED = 20  # missing files of a collection that are all named


def options(parser: ArgumentParser) -> None:
    shared.add_shared(parser, "--data")


def run(arguments: Namespace) -> None:
    data_folder(arguments.data)  # said once, not of each source
    for row in sources.report(arguments.data).itertuples():
        print(f"{row.source}, for {row.use}")
        print(f"  looked for  {row.looked_for}")
        print(f"  found       {row.found} of {row.found + row.missing} images")
        for path in row.absent if len(row.absent) <= NAMED else row.absent[:1]:
            print(f"  missing     {printable(path)}")
        if len(row.absent) > NAMED:
            print(f"  missing     and {len(row.absent) - 1:,} more")
        print(f"  to do       {line(row.advice)}")
    with contextlib.suppress(InputError):  # said above already
        masks, boxes = lungs.masks(arguments.data), lungs.boxes(arguments.data)
        print(f"lung regions, for maps: {len(masks)} images with masks, {len(boxes)} with boxes")
