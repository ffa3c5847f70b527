"""What to fetch of each public collection, from where, and on what terms (``origins.yml``).

Each function looks at what is on disk and returns a :class:`Plan` of what is missing, in the
layout that the collection's loader reads. ``covid_chestxray_files.csv`` has git's hashes of the
files of the COVID-19 collection.
"""

from __future__ import annotations

import datetime
import functools
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import yaml

from cxrlib.data import chestxray14, covid_chestxray, kermany, rsna
from cxrlib.data.archives import unzip
from cxrlib.data.fetch import Fetcher, File
from cxrlib.data.manifest import present, read_csv
from cxrlib.files import InputError, inside, write_text

HERE = Path(__file__).parent
HASHES = HERE / "covid_chestxray_files.csv"
NOTE = "fetched.yml"  # beside the data: licence, citation, revision


@dataclass(frozen=True)
class Plan:
    """What is missing of a collection: ``urls`` to ask, ``size`` in bytes where it is published,
    and ``fetch`` to do it (with the size, for the progress bar).
    """

    key: str
    folder: Path
    summary: str
    urls: list[str]
    fetch: Callable[[Fetcher, int | None], None]
    size: int | None = None
    revision: str = ""

    @property
    def origin(self) -> dict:
        """Title, home, licence, citation and check."""
        return read_origins()[self.key]

    def write_note(self) -> Path:
        """Record licence, citation and revision beside the data."""
        keys = ("title", "home", "licence", "citation", "check")
        note = {key: self.origin[key] for key in keys} | {"revision": self.revision}
        note["fetched"] = datetime.datetime.now(datetime.UTC).date()
        text = yaml.safe_dump(note, sort_keys=False, allow_unicode=True, width=100)
        return write_text(self.folder / NOTE, text)


@functools.cache
def read_origins() -> dict[str, dict]:
    """``origins.yml``, by the name of the collection."""
    return yaml.safe_load((HERE / "origins.yml").read_text(encoding="utf-8"))


def read_note(folder: Path) -> dict:
    """What :meth:`Plan.write_note` recorded in a folder; empty where nothing was fetched."""
    try:
        found = yaml.safe_load((folder / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _absent(files: Iterable[File]) -> list[File]:
    return [file for file in files if not file.path.is_file()]


def plan_covid_chestxray(data: Path, commits: Iterable[str]) -> Plan:
    """The COVID-19 collection's tables at some commits and the radiographs that they list.

    A file that is there already is left alone; :class:`InputError`, after the rest was fetched,
    where it is not the commit's.
    """
    origin = read_origins()["covid-chestxray"]
    known = {commit[:7]: (commit, date) for commit, date in origin["commits"].items()}
    folder = data / covid_chestxray.COLLECTION.folders[0]
    table = read_csv(HASHES, HASHES.name, ["path", "git_blob_sha1", "commits"])
    found: dict[Path, File] = {}  # of a path at several commits the first, for they are the same
    for commit in commits:
        whole, date = known[commit]
        for row in table[table["commits"].str.contains(commit)].itertuples():
            # the loader finds a commit's table by this name
            name = f"metadata-{date}-{commit}.csv" if row.path == "metadata.csv" else row.path
            target = inside(folder, name, where=HASHES.name)
            url = origin["address"].format(commit=whole, path=quote(row.path))
            found.setdefault(target, File(url, target, digest=f"git-sha1:{row.git_blob_sha1}"))
    files = list(found.values())
    missing = _absent(files)

    def fetch(fetcher: Fetcher, size: int | None) -> None:
        fetcher.download(missing, size)
        odd = [file.path.name for file in files if file.fault(file.path)]
        if odd:
            what = f"{len(odd)} files, the first {odd[0]}, are not those of the commits"
            raise InputError(f"{folder}: {what}; delete them to have them fetched again")

    summary = f"{len(missing)} of {len(files)} files (radiographs and tables)"
    urls = [file.url for file in missing]
    revision = f"commits {', '.join(commits)}"
    return Plan("covid-chestxray", folder, summary, urls, fetch, revision=revision)


def plan_kermany(data: Path) -> Plan:
    """Kermany's archive, unpacked into ``kermany/chest_xray``, its images counted by class."""
    origin, folder = read_origins()["kermany"], data / "kermany"
    archive = File(origin["address"], folder / ".ChestXRay2017.zip", origin["size"])
    part = folder / ".unpacked"

    def check(root: Path) -> None:
        manifest = kermany.read_manifest(root)
        found = manifest.groupby(["predefined_split", "finding"]).size().to_dict()
        wanted = {(s, c): n for s, row in origin["counts"].items() for c, n in row.items()}
        if found != wanted:
            where = root / kermany.COLLECTION.locate(root)
            raise InputError(f"{where}: holds {found}, not {wanted} as published")

    def clear() -> None:
        shutil.rmtree(part, ignore_errors=True)
        archive.path.unlink(missing_ok=True)

    def fetch(fetcher: Fetcher, size: int | None) -> None:
        fetcher.download(_absent([archive]), size)
        shutil.rmtree(part, ignore_errors=True)
        try:
            unzip(archive.path, part)
            check(part)
        except InputError as error:
            clear()
            raise InputError(f"{error}; deleted: call again to have it fetched anew") from None
        os.replace(part / "chest_xray", folder / "chest_xray")
        clear()

    if any((data / place).is_dir() for place in kermany.COLLECTION.folders):
        try:
            check(data)
        except InputError as error:
            raise InputError(f"{error}; move it away, then call again") from None
        return Plan("kermany", folder, "nothing, all is there", [], lambda *_: clear())
    summary = f"{kermany.COLLECTION.images:,} images in one archive, twice its size while unpacked"
    revision = "version 2 (doi 10.17632/rscbjbr9sj.2)"
    return Plan("kermany", folder, summary, [archive.url], fetch, archive.size, revision)


def plan_chestxray14(data: Path, names: Iterable[str]) -> Plan:
    """Those images of ChestX-ray14 that are named (``00000001_000``), out of its twelve archives.

    An archive is streamed, not kept. One that was read before is read again only if it holds an
    image that is asked for now and was not then.
    """
    origin, folder = read_origins()["nih-chest-xray14"], data / chestxray14.COLLECTION.folders[0]
    names = set(names)

    def absent() -> set[str]:
        places = [folder / "images", *folder.glob("images_*/images")]
        there = {file.stem for place in places for file in place.glob("[!.]*")}
        return {f"{name}.png" for name in names - there}

    def holds(archive: str, wanted: set[str]) -> bool:
        listed = folder / archive / "names.txt"
        return not listed.exists() or bool(wanted & set(listed.read_text().split()))

    wanted = absent()
    left = [archive for archive in origin["archives"] if wanted and holds(archive, wanted)]
    urls = [origin["address"].format(id=origin["archives"][archive]) for archive in left]

    def fetch(fetcher: Fetcher, size: int | None) -> None:
        for part in folder.glob(".*.part"):  # of a call that was killed
            shutil.rmtree(part)
        fetcher.run(
            [
                functools.partial(fetcher.members, url, folder / archive, wanted)
                for url, archive in zip(urls, left, strict=True)
            ],
            size,
        )
        if lost := sorted(absent()):
            raise InputError(f"{folder}: {len(lost):,} images are in no archive, first {lost[0]}")

    summary = f"{len(wanted):,} of {len(names):,} images, out of {len(left)} archives"
    return Plan("nih-chest-xray14", folder, summary, urls, fetch, revision="the twelve archives")


def plan_imagenet(networks: Iterable[str]) -> Plan:
    """torchvision's weights of some networks, into ``CXR_WEIGHTS`` or else where torch looks."""
    origin, home = read_origins()["imagenet"], os.environ.get("XDG_CACHE_HOME", "~/.cache")
    hub = Path(os.environ.get("TORCH_HOME", f"{home}/torch"), "hub", "checkpoints")
    folder = Path(os.environ.get("CXR_WEIGHTS") or hub).expanduser()
    files = []
    for network in networks:
        name = origin["files"][network]
        if not any(folder.glob(f"{network}[-._]*")):
            digits = name.rpartition("-")[2].removesuffix(".pth")
            url = origin["address"].format(file=name)
            files.append(File(url, folder / name, digest=f"sha256:{digits}"))

    def fetch(fetcher: Fetcher, size: int | None) -> None:
        fetcher.download(files, size)

    summary = ", ".join(file.path.name for file in files) or "nothing, all is there"
    urls = [file.url for file in files]
    return Plan("imagenet", folder, summary, urls, fetch, revision="IMAGENET1K_V1")


def plan_rsna(data: Path) -> Plan:
    """RSNA's radiographs need an account, so none is fetched: ``fetch`` names what is missing."""

    def fetch(fetcher: Fetcher, size: int | None) -> None:
        manifest = rsna.read_manifest(data)
        lost = manifest.loc[~present(manifest, data), "path"]
        if len(lost):
            what = f"{len(lost):,} radiographs are missing, the first {lost.iloc[0]}"
            raise InputError(f"{data}: {what}")

    summary = "nothing that can be fetched: it needs an account"
    return Plan("rsna-normal", data / rsna.CHALLENGE, summary, [], fetch)
