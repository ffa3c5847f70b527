"""``cxr fetch``."""

from __future__ import annotations

import os
from pathlib import Path

from companion.studies import cheazemin2020, zhu2020
from cxrlib.data import chestxray14, origins
from cxrlib.data.fetch import Fetcher, Unreachable, mirrored
from cxrlib.files import InputError, alone

ASKED = 24  # of more files only as many are asked for their size, to spare the server
NETWORKS = ("resnet18", "resnet50", "resnet101")  # Study B's, the stand-in's, Study A's
COMMITS = (zhu2020.SNAPSHOT, *cheazemin2020.SNAPSHOTS)


def needed_of_nih(data: Path) -> set[str]:
    """The images of ChestX-ray14 that Study A's own rule takes, without their suffix."""
    split = cheazemin2020.split(data, snapshot=None)
    return set(split["image_id"].str.removeprefix(f"{chestxray14.COLLECTION.name}/"))


PLANS = {
    "covid": lambda data: origins.plan_covid_chestxray(data, COMMITS),
    "kermany": origins.plan_kermany,
    "nih": lambda data: origins.plan_chestxray14(data, needed_of_nih(data)),
    "rsna": origins.plan_rsna,
    "weights": lambda data: origins.plan_imagenet(NETWORKS),
}


def fetch(what: list[str], data: str | None = None, dry_run: bool = False) -> None:
    """Fetch public radiographs and weights into the layout that the runs read. Killed at any
    moment, it goes on when called again. Of NIH's archives what Study A needs is kept; RSNA's need
    an account, so for them it says what to do.

    what: covid, kermany, nih, rsna, weights
    dry_run: say what would be fetched, how much, from where and under which licence
    """
    for name in what:
        if name not in PLANS:
            raise InputError(f"fetch: {name!r} cannot be fetched; there are {', '.join(PLANS)}")
    folder = Path(data or os.environ.get("CXR_DATA") or "data")
    fetcher, lost = Fetcher(), []
    for name in dict.fromkeys(what):
        try:
            if dry_run:
                announce(name, PLANS[name](folder), fetcher)
            else:
                folder.mkdir(parents=True, exist_ok=True)
                with alone(folder / f".fetch-{name}.lock", "cxr fetch"):
                    carry_out(name, PLANS[name](folder), fetcher)
        except Unreachable:
            raise
        except InputError as error:
            lost.append(f"{name}: {error}")
    if lost:
        raise InputError("; ".join(lost))


def carry_out(what: str, plan: origins.Plan, fetcher: Fetcher) -> None:
    """Say what comes, fetch it, and record its licence beside it, even if some of it is lost."""
    size = announce(what, plan, fetcher)
    try:
        plan.fetch(fetcher, size)
    finally:
        if plan.urls and plan.folder.is_dir() and any(plan.folder.iterdir()):
            plan.write_note()
    print(f"{what}: all is there, in {plan.folder}")


def announce(what: str, plan: origins.Plan, fetcher: Fetcher) -> int | None:
    """Print what would come, from where and on what terms; its bytes, where they can be known."""
    origin = plan.origin
    asked = [] if plan.size else plan.urls[:: max(1, len(plan.urls) // ASKED)]
    size = plan.size
    if sizes := fetcher.sizes(asked):
        size = round(sum(sizes) * len(plan.urls) / len(asked))
    how_much = "not said by the server" if size is None else f"{size / 1e6:,.1f} MB"
    if sizes and len(asked) < len(plan.urls):
        how_much += f", by {len(asked)} of {len(plan.urls)}"
    about = f"; published as {origin['gigabytes']} GB" if "gigabytes" in origin else ""
    print(f"{what}: {origin['title']}, {origin['home']}")
    print(f"  licence   {origin['licence']}\n  cite      {origin['citation']}")
    print(f"  to fetch  {plan.summary}")
    if plan.urls:
        print(f"  size      {how_much}{about}")
        print(f"  from      {mirrored(plan.urls[0])}{' and so on' * (len(plan.urls) > 1)}")
    print(f"  into      {plan.folder}\n  check     {origin['check']}", flush=True)
    return size
