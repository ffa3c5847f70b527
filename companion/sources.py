"""What of the public collections is in the data folder, and what each run would lack, for ``cxr
sources``; and synthetic ones in their place, for ``cxr phantom``.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import ModuleType

from companion.studies import cheazemin2020, zhu2020
from cxrlib.data import chestxray14, covid_chestxray, kermany, lungs, origins, rsna
from cxrlib.data import phantom as phantoms
from cxrlib.data.manifest import Absent, data_folder, present
from cxrlib.files import InputError, line, printable

COLLECTIONS = {  # what it is for, and its name for ``cxr fetch``
    kermany: ("Study B", "kermany"),
    covid_chestxray: ("both studies", "covid"),
    chestxray14: ("Study A and its stand-in", "nih"),
    rsna: ("Study A's stand-in", "rsna"),
}
NAMED = 20  # missing files of a collection that are all named
RUNS = {  # run: its images and its network
    "zhu-fourclass, zhu-binary": (zhu2020.manifest, "resnet18"),
    "azemin-standin-resnet50": (cheazemin2020.standin_manifest, "resnet50"),
    "azemin-adjudicated": (cheazemin2020.manifest, "resnet101"),
}


def revision(folder: Path) -> str:
    """The state of a collection, where ``cxr fetch`` has brought it."""
    for place in (folder, folder.parent):  # kermany/chest_xray has its note in kermany
        if note := origins.read_note(place):
            return f"{note.get('revision')}, fetched on {note.get('fetched')}"
    return "not known, put there by hand"


def lacks(data: str | Path | None = None) -> dict[str, str]:
    """What each run would find of its images and its weights, in a line; by run."""
    said = {}
    for name, (read, network) in RUNS.items():
        try:
            manifest = read(data)
            here = int(present(manifest, data).sum())
            said[name] = f"{here:,} of {len(manifest):,} images"
        except InputError as error:
            said[name] = f"none of its images ({str(error).partition(';')[0]})"
        there = not origins.plan_imagenet([network]).urls
        said[name] += f"; weights of {network} {'are there' if there else 'are missing'}"
    return said


def sources(data: str | None = None) -> None:
    """Say where each image collection was looked for, what is there and what is missing."""
    try:
        root = data_folder(data)
    except Absent as error:
        raise InputError(f"{error}; cxr fetch covid kermany weights brings Study B's") from None
    for collection in COLLECTIONS:
        say_collection(collection, root)
    for name, said in lacks(root).items():
        print(f"{name} would find {line(said, 200)}")
    with contextlib.suppress(InputError):  # said above already
        masks, boxes = lungs.masks(root), lungs.boxes(root)
        print(f"lung regions, for maps: {len(masks)} images with masks, {len(boxes)} with boxes")


def say_collection(collection: ModuleType, root: Path) -> None:
    """Print what is known of a collection: where it was looked for, images found and missing, its
    revision where it was fetched, its licence, and what to do.
    """
    source, (use, command) = collection.COLLECTION, COLLECTIONS[collection]
    place, state, advice = " or ".join(source.folders), "not known", ""
    found, missing, lost = 0, source.images, []
    try:
        folder = root / source.locate(root)
        place, state = str(folder), revision(folder)
        manifest = collection.read_manifest(root)
        here = present(manifest, root)
        found, lost = int(here.sum()), manifest.loc[~here, "path"].tolist()
        missing = max(source.images - found, len(lost))
        advice = source.advice if missing else ""
        if len(manifest) > source.images:
            held = f"{len(manifest):,} images, so another state than the {source.images:,}"
            advice = f"it lists {held} of {use}; {source.advice}"
    except InputError as error:
        advice = str(error)
    print(f"{source.name}, for {use}")
    print(f"  looked for  {place}")
    print(f"  found       {found} of {found + missing} images")
    for path in lost if len(lost) <= NAMED else lost[:1]:
        print(f"  missing     {printable(path)}")
    if len(lost) > NAMED:
        print(f"  missing     and {len(lost) - 1:,} more")
    print(f"  revision    {line(state)}")
    print(f"  licence     {origins.read_origins()[source.name]['licence']}")
    to_do = f"cxr fetch {command}, or by hand: {advice}" if advice else "nothing"
    print(f"  to do       {line(to_do)}")


def phantom(folder: str, n: int = 200, seed: int = 0) -> None:
    """Write synthetic radiographs in the layout of the real collections.

    n: images, 40 or more (default 200)
    """
    truth = phantoms.write(folder, n, seed)
    print(f"{len(truth)} synthetic radiographs in {folder}")
