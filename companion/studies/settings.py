"""What the studies printed, as settings a run can be made from: book/studies/<study>/settings.yml.

What a study left open is an assumption of ours and stands in :attr:`Experiment.assumptions`, so
that a record and the page that shows it can name it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from companion.options import read_yaml
from companion.studies.printed import LETTERS, folder
from cxrlib.files import InputError
from cxrlib.transfer import config
from cxrlib.transfer.config import Config, number

# settings of a study's division of its images
OWN = {"val_folds": 10, "unit": "patient", "fold": 0}
FIELDS = ("title", "assumptions", "lacks", "optional")  # of an experiment, beside its settings
# what a variant cannot change
FIXED = {*"name study classes tested_as printed assumptions variant_of lacks optional".split()}


@dataclass(frozen=True, kw_only=True)
class Experiment(Config):
    """A training of one of the studies: its settings, where they are printed, and what is ours."""

    study: str
    title: str
    val_folds: int = number(OWN["val_folds"], 2, 1000)
    # what the COVID-19 test set is drawn by
    unit: Literal["patient", "image"] = OWN["unit"]
    fold: int = number(OWN["fold"], 0, 5)  # 0: the study's test set; else of a cross-validation
    lacks: tuple[str, ...] = ()  # in what the experiment itself falls short of the study's
    variant_of: str = ""
    printed: dict[str, str] = field(default_factory=dict)  # settings, and where they are
    assumptions: tuple[str, ...] = ()
    optional: bool = False  # the book does not wait for its record

    def __post_init__(self):
        super().__post_init__()
        if not self.title.isprintable() or not 0 < len(self.title.strip()) <= 200:
            self.refuse("title", "be one line of at most 200 characters")

    def variant(self, name: str, /, **changes) -> Experiment:
        """A run of another name with some settings changed.

        :class:`InputError` for a setting or a value that cannot be. What does nothing
        (:func:`idle`) is taken, and the record says so.
        """
        known = {item.name for item in dataclasses.fields(self)} - FIXED
        for key in changes:
            if key not in known:
                there = ", ".join(sorted(known))
                raise InputError(f"experiment {self.name}: no setting {key} (there are {there})")
        taken = name in BASES or any(record.startswith(f"{name}/") for record in RECORDS)
        if taken or not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,99}", name):
            raise InputError(
                f"run name {name!r}: a changed run needs a name of its own, of at most 100 small"
                " letters, digits and hyphens"
            )
        return _changed(self, changes, name=name, variant_of=self.variant_of or self.name)

    def own(self) -> dict:
        """What of the settings is the study's, not the training's; None for what does nothing."""
        stated = effective(self.as_dict())
        return {key: stated[key] for key in ("study", *OWN)}


def idle(settings: Mapping) -> dict[str, str]:
    """Settings that do nothing in a run, and why (:func:`cxrlib.transfer.config.idle`), the
    study's own too.
    """
    found = config.idle(settings)
    if settings["study"] != "zhu2020":
        found |= dict.fromkeys(OWN, "Study A divides its images by its own rule")
    elif settings["fold"]:
        found["unit"] = "the folds are cut by patient"
    return found


def effective(settings: Mapping) -> dict:
    """Settings as a record states them (:func:`cxrlib.transfer.config.effective`), those of an
    experiment or of a record, whose settings that came later had their defaults.
    """
    if None in settings.values():
        return dict(settings)
    whole = OWN | config.DEFAULTS | settings
    return config.effective(whole, idle(whole))


def recorded_settings(info: Mapping) -> dict:
    """The settings that a record's run.json states, in either form of it."""
    own = {key: info[key] for key in ("study", *OWN) if key in info}
    return effective(own | info["config"]) | {"experiment": info["experiment"]}


def spell(value, label=str) -> str:
    """A setting for readers: ``3, 5`` for a tuple, ``COVID-19: 8`` for a dictionary, its keys as
    ``label`` has them.

    ``none`` for nothing in it, ``off`` for None, a setting that did nothing.
    """
    if value is None:
        return "off"
    if isinstance(value, dict):
        value = [f"{label(key)}: {number}" for key, number in value.items()]
    return (", ".join(map(str, value)) or "none") if isinstance(value, list | tuple) else str(value)


def experiment(name: str) -> Experiment:
    """Look an experiment up by name; :class:`InputError` names those that are no variants, and the
    command that lists all.
    """
    if name not in RECORDS | BASES:
        raise InputError(
            f"experiment {name!r} does not exist; there are {', '.join(BASES)}, and the variants"
            " that cxr records lists"
        )
    return (RECORDS | BASES)[name]


def _tuple(value):
    return tuple(value) if isinstance(value, list) else value


def load(file: Path) -> tuple[dict[str, Experiment], dict[str, dict[str, Experiment]], dict]:
    """Experiments, families of variants and the settings for phantoms of a study's settings.yml.

    :class:`InputError` names the file, the experiment and the setting.
    """
    text, name = read_yaml(file), file.parent.name
    try:
        experiments, variants = text["experiments"], text["families"]
        phantom = {key: _tuple(value) for key, value in text.get("phantom", {}).items()}
        made: dict[str, Experiment] = {}
        for name, given in experiments.items():
            base = made[given["inherits"]] if "inherits" in given else None
            made[name] = _made(name, given, base, file.parent.name)
        families: dict[str, dict[str, Experiment]] = {}
        for family, members in variants.items():
            name, families[family] = family, {}
            base = made[family.rpartition("-")[0]]
            for key, changes in members.items():
                name = f"{family}/{key}"
                families[family][name] = _changed(base, changes, name=name, variant_of=base.name)
    except (InputError, AttributeError, KeyError, TypeError) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{file}: {name}: {said.removeprefix(f'{name}: ')}") from None
    return made, families, phantom


def _made(name: str, given: Mapping, base: Experiment | None, study: str) -> Experiment:
    """One entry of ``experiments``."""
    settings, printed = {"optional": False}, dict(base.printed) if base else {}
    if odd := given.keys() - {"inherits", "settings", *FIELDS}:
        raise InputError(f"unknown field {', '.join(sorted(odd))}")
    for key, entry in given["settings"].items():
        if not isinstance(entry, dict) or not {"printed", "assumed", "departs"} & set(entry):
            raise InputError(f"{key} needs a value, and printed, assumed or departs")
        settings[key] = entry["value"]
        if "printed" in entry:
            printed[key] = entry["printed"]
        else:
            printed.pop(key, None)
    others = {key: given[key] for key in FIELDS if key in given}
    return _changed(base, settings | others, study=study, name=name, printed=printed)


def _changed(base: Experiment | None, settings: Mapping, **own) -> Experiment:
    """An experiment with these settings, the others as in ``base``."""
    settings = {key: _tuple(value) for key, value in settings.items()} | own
    return dataclasses.replace(base, **settings) if base else Experiment(**settings)


BASES: dict[str, Experiment] = {}  # what a variant can be a variant of
FAMILIES: dict[str, dict[str, Experiment]] = {}  # groups of runs beside them
PHANTOM: dict = {}  # settings for phantoms
for _study in LETTERS:
    _loaded = load(folder() / _study / "settings.yml")
    BASES |= _loaded[0]
    FAMILIES |= _loaded[1]
    PHANTOM |= _loaded[2]
EXPERIMENTS = {name: made for name, made in BASES.items() if made.study == "zhu2020"}
STUDY_A = {name: made for name, made in BASES.items() if made.study == "cheazemin2020"}
# Every record that the book knows, most important first.
RECORDS = {name: made for name, made in BASES.items() if not made.optional}
for _members in FAMILIES.values():
    RECORDS |= _members
ZHU_FOURCLASS, ZHU_BINARY = EXPERIMENTS.values()
AZEMIN_STANDIN, AZEMIN_ADJUDICATED = STUDY_A.values()
ZHU_CLASSES = ZHU_FOURCLASS.classes
CV_FOLDS = len(FAMILIES["zhu-fourclass-cv"])
