"""``cxr audit``: does a network read the lungs? For anybody's ResNet and anybody's images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from companion.options import heavy
from cxrlib.files import InputError

LEAST = 64  # pixels a side, for marks


@dataclass
class audit:
    """Does a network read the lungs? Audits of a recorded run, or of your own ResNet, on your own
    images: black-out, lungs out, marks, duplicates, subgroups. Nothing is trained. A record and a
    page, audit.html, are written whole or not at all. Not a medical device.

    model: a recorded run, or a .safetensors file with torchvision's names of weights
    data: folder that the manifest's paths start from (default: CXR_DATA, else data/)
    classes: the file's classes in the order of its last layer, e.g. covid,normal
    positive: class of interest (default: the first)
    manifest: CSV of the images (default: manifest.csv in the data folder)
    regions: folder of lung masks, named as the images (default: those that come with the data)
    size: pixels a side that the file's network sees (224)
    threshold: positive where p is this or more (0.5)
    output: folder of the record and the page (audit/)
    """

    model: str
    data: str | None = None
    classes: str | None = None
    positive: str | None = None
    manifest: str | None = None
    regions: str | None = None
    size: int = 224
    threshold: float = 0.5
    output: str = "audit"
    results: str | None = None
    device: str | None = None

    def run(self) -> None:
        page = Path(self.output) / "audit.html"
        if not 0 <= self.threshold <= 1:
            raise InputError(f"--threshold {self.threshold:g}: expected a probability from 0 to 1")
        if self.size < LEAST:
            raise InputError(f"--size {self.size}: expected {LEAST} pixels or more")
        if page.parent.exists() and not page.is_file():
            raise InputError(f"--output {self.output}: is there, and no audit's; name another")
        heavy("companion.audits.anybody", "auditing").audit(self, page)
        print(page)
