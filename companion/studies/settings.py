"""What the studies printed, as settings a run can be made from, each with its place in the text.

What a study left open is an assumption of ours and stands in :attr:`Experiment.assumptions`, so
that a record and the page that shows it can name it.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cxrlib.files import InputError

ZHU_CLASSES = ("covid", "viral", "bacterial", "normal")


@dataclass(frozen=True)
class Experiment:
    """One training run. The defaults are Study B's; rates are per step, angles in degrees, shifts
    as shares of the side.
    """

    name: str
    study: str
    title: str
    classes: tuple[str, ...]
    weight_decay: float
    milestones: tuple[int, ...]
    patience: int
    oversample: dict[str, int]
    model: str = "resnet18"
    size: int = 224
    batch: int = 256
    lr: float = 0.003
    momentum: float = 0.9
    gamma: float = 0.1
    epochs: int = 50
    rotate: float = 15.0
    scale: tuple[float, float] = (0.9, 1.1)
    translate: float = 0.1
    hflip: float = 0.5
    val_folds: int = 10
    seed: int = 0
    pretrained: bool = True
    unit: str = "patient"  # what the COVID-19 test set is drawn by: patient or image
    fold: int = (
        0  # 0: the study's test set; 1 to 5: that fold of a cross-validation over all its images
    )
    shown: str = "whole"  # what the network sees of each image: the whole, its frame or its centre
    epoch_by: str = "validation"  # the images whose loss chooses the epoch: validation or test
    keep: str = "best"  # the epoch whose weights are kept: best (lowest such loss) or last
    frozen: bool = False  # train the last layer alone
    # of a frozen network: ImageNet's means and variances kept, or those of the training images
    # (re-estimated)
    batch_norm: str = "kept"
    tested_as: tuple[
        str, ...
    ] = ()  # names of the classes in the test set, where they differ from the trained ones
    lacks: tuple[
        str, ...
    ] = ()  # sentences for the record: in what the experiment itself falls short of the study's
    variant_of: str = ""
    printed: dict[str, str] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()

    def variant(self, name: str, /, **changes) -> Experiment:
        """A run of another name with some settings changed.

        :class:`InputError` for a setting or a value that cannot be, and for a changed setting that
        would do nothing (:func:`idle`) and is not the value that says so, such as ``rotate=0``.
        """
        known = {item.name for item in dataclasses.fields(self)} - FIXED
        for key, value in changes.items():
            if key not in known:
                raise InputError(
                    f"experiment {self.name}: no setting {key} (there are"
                    f" {', '.join(sorted(known))})"
                )
            default = getattr(BASES.get(self.variant_of, self), key)
            changes[key] = value = (
                tuple(value) if isinstance(default, tuple) and isinstance(value, list) else value
            )
            if not _like(value, default):
                raise InputError(
                    f"experiment {self.name}: {key} must be like {default!r}, not {value!r}"
                )
        taken = name in BASES or any(record.startswith(f"{name}/") for record in RECORDS)
        if taken or not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,99}", name):
            raise InputError(
                f"run name {name!r}: a changed run needs a name of its own, of at most 100 small"
                " letters, digits and hyphens"
            )
        made = dataclasses.replace(
            self, name=name, variant_of=self.variant_of or self.name, **changes
        )
        made.check()
        for key, why in idle(made.as_dict()).items():
            if why and key in changes and changes[key] not in (getattr(self, key), OFF.get(key)):
                raise InputError(
                    f"experiment {name}: {key}={spell(changes[key])} would do nothing: {why}"
                )
        return made

    def check(self) -> None:
        """:class:`InputError` for a value out of its range, one line that names the setting."""

        def refuse(key: str, must: str) -> None:
            raise InputError(
                f"experiment {self.name}: {key} must {must}, not {spell(getattr(self, key))!r}"
            )

        for key, (low, high) in RANGES.items():
            if not low <= getattr(self, key) <= high:
                refuse(key, f"be from {low} to {high}")
        for key, choices in CHOICES.items():
            if getattr(self, key) not in choices:
                refuse(key, f"be {' or '.join(choices)}")
        if len(self.scale) != 2 or not 0.01 <= self.scale[0] <= self.scale[1] <= 100:
            refuse("scale", "be two factors from 0.01 to 100, the lower first")
        if not all(1 <= milestone <= 100_000 for milestone in self.milestones):
            refuse("milestones", "be epochs from 1 to 100000")
        for label, copies in self.oversample.items():
            if label not in self.classes or not 1 <= copies <= 1000:
                refuse(
                    "oversample",
                    f"give classes ({', '.join(self.classes)}) a number from 1 to 1000",
                )
        if self.classes != (own := BASES[self.variant_of or self.name].classes):
            refuse(
                "classes",
                f"be {', '.join(own)}, as in {self.variant_of} (other classes are another"
                " experiment)",
            )
        if not self.title.isprintable() or not 0 < len(self.title.strip()) <= 200:
            refuse("title", "be one line of at most 200 characters")

    def shortened(self) -> Experiment:
        """The same run on a schedule of the same shape in few epochs, milestones in proportion and
        rounded up.

        For machines without a GPU and for a variant only: :class:`InputError` for a headline run.
        """
        if not self.variant_of:
            raise InputError(
                f"experiment {self.name}: a headline run has the whole schedule; give a changed run"
                " a name of its own"
            )
        if self.epochs <= SHORT.get(self.variant_of, self.epochs):
            return self  # short as it is
        epochs = SHORT[self.variant_of]
        milestones = tuple(
            math.ceil(milestone * epochs / self.epochs) for milestone in self.milestones
        )
        return dataclasses.replace(self, epochs=epochs, milestones=milestones)

    def changed(self) -> dict[str, tuple]:
        """Settings in which a variant differs from the experiment it varies, as ``{setting: (there,
        here)}``.
        """
        if not self.variant_of:
            return {}
        base = BASES[self.variant_of]
        pairs = {
            item.name: (getattr(base, item.name), getattr(self, item.name))
            for item in dataclasses.fields(self)
        }
        return {
            key: pair
            for key, pair in pairs.items()
            if pair[0] != pair[1] and key not in {"name", "variant_of", "title"}
        }

    def as_dict(self) -> dict:
        """Plain types, as a checkpoint notes them."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in dataclasses.asdict(self).items()
        }


FIXED = {
    "name",
    "study",
    "printed",
    "assumptions",
    "variant_of",
    "lacks",
    "tested_as",
}  # what a variant cannot change
RANGES = {
    "size": (32, 4096),
    "batch": (1, 65536),
    "lr": (1e-9, 100.0),
    "momentum": (0.0, 1.0),
    "weight_decay": (0.0, 100.0),
    "gamma": (0.0, 1.0),
    "epochs": (1, 100_000),
    "patience": (1, 100_000),
    "rotate": (0.0, 180.0),
    "translate": (0.0, 1.0),
    "hflip": (0.0, 1.0),
    "val_folds": (2, 1000),
    "seed": (0, 2**31),
    "fold": (0, 5),
}
CHOICES = {
    "model": ("resnet18", "resnet50", "resnet101"),
    "unit": ("patient", "image"),
    "shown": ("whole", "frame", "centre"),
    "epoch_by": ("validation", "test"),
    "keep": ("best", "last"),
    "batch_norm": ("kept", "re-estimated"),
}
UNTRAINED = {
    "title",
    "printed",
    "assumptions",
    "variant_of",
    "lacks",
    "tested_as",
}  # what says nothing about the training
DEFAULTS = {
    item.name: list(item.default) if isinstance(item.default, tuple) else item.default
    for item in dataclasses.fields(Experiment)
    if item.default is not dataclasses.MISSING and item.name not in UNTRAINED
}
# Values that say: do nothing, or (val_folds) what is done anyway: a quarter of the stand-in's
# patients validates.
OFF = {
    "rotate": 0,
    "scale": (1, 1),
    "translate": 0,
    "hflip": 0,
    "fold": 0,
    "milestones": (),
    "val_folds": 4,
}


def idle(config: Mapping) -> dict[str, str]:
    """Settings that do nothing in a run with the settings ``config``, and why, for whoever asks for
    them.

    The reason is empty where nobody need be told, because the schedule ends before.
    """
    found = {}
    if config["study"] != "zhu2020":
        found |= dict.fromkeys(
            ("val_folds", "fold", "unit"), "Study A divides its images by its own rule"
        )
    elif config["fold"]:
        found["unit"] = "the folds are cut by patient"
    if config["frozen"]:
        why = "with frozen=true an image's features are computed once, without augmentation"
        found |= dict.fromkeys(("rotate", "scale", "translate", "hflip"), why)
    else:
        found["batch_norm"] = "batch normalisation is trained unless frozen=true"
    if config["keep"] == "last":
        found |= dict.fromkeys(
            ("patience", "epoch_by"),
            "with keep=last training runs to its end and keeps the last epoch",
        )
    elif config["patience"] >= config["epochs"] - 1:
        found["patience"] = ""
    if not reached(config):
        found["gamma"] = "" if config["gamma"] == 1 else "no milestone is reached"
    return found


def reached(config: Mapping) -> list[int]:
    """The milestones after which the rate is lowered."""
    return (
        []
        if config["gamma"] == 1
        else [milestone for milestone in config["milestones"] if milestone < config["epochs"]]
    )


def effective(config: Mapping) -> dict:
    """Settings as a record states them: None for one that did nothing (:func:`idle`), no milestone
    that is not reached.

    ``config`` is :meth:`Experiment.as_dict` or that of a record; settings that came after the
    record have their defaults.
    """
    config = dict(config) | {key: value for key, value in DEFAULTS.items() if key not in config}
    if None in config.values():  # a record's, as it should be
        return config
    return config | {"milestones": reached(config)} | dict.fromkeys(idle(config))


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


def _like(value, default) -> bool:
    """Whether ``value`` is of the type of ``default``, inside tuples and dictionaries too; an int
    will do for a float.
    """
    if isinstance(default, float) and type(value) is int:
        return True
    if type(value) is not type(default):
        return False
    if isinstance(default, dict):
        return _like(tuple(value), tuple(default)) and _like(
            tuple(value.values()), tuple(default.values())
        )
    return (
        not isinstance(default, tuple)
        or not default
        or all(_like(item, default[0]) for item in value)
    )


_ZHU_PRINTED = {
    "model": "3.2",
    "size": "3.3.2",
    "batch": "3.3.2",
    "lr": "3.3.2",
    "momentum": "3.3.2",
    "weight_decay": "3.3.2",
    "milestones": "3.3.2",
    "gamma": "3.3.2",
    "epochs": "3.3.2",
    "patience": "3.3.2",
    "rotate": "3.3.1",
    "scale": "3.3.1",
    "translate": "3.3.1",
    "hflip": "3.3.1",
    "oversample": "2.2",
    "classes": "3.1",
}
_ZHU_ASSUMPTIONS = (
    (
        "The thesis names neither the version of the image collection nor supine views. Here:"
        " commit 6e57ed3, the one state found that gives its counts of files, images and patients,"
        " and for that supine AP views must be among the AP ones."
    ),
    (
        "The thesis tuned and evaluated by five-fold cross-validation (3.3.2). It does not report"
        " the folds, nor whether they were cut before or after the copying, nor on which images the"
        " final model stopped early. Here: no cross-validation; one patient-grouped fold in ten of"
        " the training set, cut before copying, is held out for early stopping, so that this run"
        " trains on fewer images than the thesis's table says."
    ),
    (
        "The thesis says neither which quantity early stopping watched nor which epoch was kept."
        " Here: the validation cross-entropy, and the epoch in which it was lowest."
    ),
    (
        "The thesis says neither which COVID-19 images were tested nor the seed. Here: patients are"
        " assigned whole, at random, with the recorded seed."
    ),
    (
        "The thesis fine-tunes parameters of the pretrained network without saying of which layers."
        " Here: of all."
    ),
    (
        "The thesis says that images are normalized, not how. Here: grey value to three equal"
        " channels, ImageNet mean and standard deviation."
    ),
    (
        "The thesis does not say how images were brought to a square. Here: squashed, without"
        " keeping the aspect ratio."
    ),
)

ZHU_FOURCLASS = Experiment(
    name="zhu-fourclass",
    study="zhu2020",
    title="Study B, four classes",
    classes=ZHU_CLASSES,
    weight_decay=0.1,
    milestones=(20, 40),
    patience=15,
    oversample={"covid": 8},
    printed=_ZHU_PRINTED,
    assumptions=_ZHU_ASSUMPTIONS,
)
ZHU_BINARY = Experiment(
    name="zhu-binary",
    study="zhu2020",
    title="Study B, COVID-19 against the rest",
    classes=("covid", "non_covid"),
    weight_decay=0.01,
    milestones=(10, 20),
    patience=10,
    oversample={"covid": 24},
    printed=_ZHU_PRINTED,
    assumptions=_ZHU_ASSUMPTIONS,
)
EXPERIMENTS = {experiment.name: experiment for experiment in (ZHU_FOURCLASS, ZHU_BINARY)}

_AZEMIN_PRINTED = dict.fromkeys(("batch", "epochs"), "Table 1") | dict.fromkeys(
    ("frozen", "momentum"), "2"
)
_AZEMIN_ASSUMPTIONS = (
    (
        "The initial learning rate is lost in the text at hand. Here: 0.0003, with 0.0001 and 0.001"
        " beside it."
    ),
    (
        "Stochastic gradient descent with momentum is printed without the momentum. Here: 0.9."
        " Weight decay is not mentioned. Here: none."
    ),
    "Which epoch was kept is not stated. Here: the last of the eight.",
    (
        "Whether batch normalisation kept ImageNet's means and variances is not stated. Here: kept;"
        " re-estimated on the training images beside it."
    ),
    "No augmentation is mentioned. Here: none.",
    (
        "The threshold behind sensitivity and specificity is not stated. Here: one half, with"
        " others beside it."
    ),
    (
        "Input size and normalisation are not in the text at hand. Here: 224 × 224 pixels,"
        " squashed; grey value to three channels, ImageNet mean and deviation."
    ),
)
AZEMIN_STANDIN = Experiment(
    name="azemin-standin-resnet50",
    study="cheazemin2020",
    title="Study A, stand-in: text-mined opacity, ResNet-50",
    classes=("opacity", "none"),
    tested_as=("covid", "none"),
    model="resnet50",
    weight_decay=0.0,
    milestones=(),
    patience=8,
    oversample={},
    batch=10,
    lr=0.0003,
    epochs=8,
    rotate=0.0,
    scale=(1.0, 1.0),
    translate=0.0,
    hflip=0.0,
    frozen=True,
    keep="last",
    printed=_AZEMIN_PRINTED,
    assumptions=_AZEMIN_ASSUMPTIONS,
    lacks=(
        (
            "A stand-in, not the study's own rule: trained on opacity mined from the text of"
            " reports, not settled by radiologists."
        ),
        "ResNet-50, not ResNet-101.",
        (
            "Test negatives are images that RSNA's radiologists read as normal, not ones with No"
            " Finding by text."
        ),
    ),
)
AZEMIN_ADJUDICATED = dataclasses.replace(
    AZEMIN_STANDIN,
    name="azemin-adjudicated",
    title="Study A, its own rule: adjudicated opacity, ResNet-101",
    model="resnet101",
    lacks=(),
)
STUDY_A = {AZEMIN_STANDIN.name: AZEMIN_STANDIN, AZEMIN_ADJUDICATED.name: AZEMIN_ADJUDICATED}
BASES = EXPERIMENTS | STUDY_A  # what a variant can be a variant of

SHORT = {"zhu-fourclass": 6, "zhu-binary": 3}  # epochs of a shortened schedule
REDRAWS, CV_FOLDS = 20, 5
# what would it take? One thing changed at a time, among them what the thesis leaves open
VARIANTS = {
    "batch-64": {"batch": 64},
    "lr-0.0003": {"lr": 0.0003},
    "weight-decay-0.01": {"weight_decay": 0.01},
    "weight-decay-0.0001": {"weight_decay": 0.0001},
    "no-oversampling": {"oversample": {}},
    "no-augmentation": {"rotate": 0.0, "scale": (1.0, 1.0), "translate": 0.0, "hflip": 0.0},
    "split-by-image": {"unit": "image"},
    "epoch-by-test": {"epoch_by": "test"},
    "last-epoch": {"keep": "last"},
}


def families() -> dict[str, dict[str, Experiment]]:
    """Groups of runs beside the headline runs, by the folder of their records, most important
    first.

    ``…-redraws``: other seeds, so other draws of the COVID-19 test patients; ``seed-0`` is the
    headline run's own draw, its training once more (or, shortened, what the others are compared
    with). ``…-cv``: cross-validation over all images, by patient. ``…-variants``: one setting
    changed at a time. ``…-shown``: nothing of each image but its frame, or its centre.
    """
    found = {
        f"{base}-redraws": {f"seed-{seed}": {"seed": seed} for seed in range(REDRAWS + 1)}
        for base in EXPERIMENTS
    }
    found |= {
        f"{base}-cv": {f"fold-{fold}": {"fold": fold} for fold in range(1, CV_FOLDS + 1)}
        for base in EXPERIMENTS
    }
    found["zhu-fourclass-variants"] = VARIANTS
    found |= {
        f"{base}-shown": {part: {"shown": part} for part in ("frame", "centre")}
        for base in EXPERIMENTS
    }
    found["azemin-standin-resnet50-variants"] = {
        "lr-0.0001": {"lr": 0.0001},
        "lr-0.001": {"lr": 0.001},
        "batch-norm-re-estimated": {"batch_norm": "re-estimated"},
    }
    made = {}
    for family, members in found.items():
        base = BASES[family.rpartition("-")[0]]
        names = {f"{family}/{member}": changes for member, changes in members.items()}
        made[family] = {
            name: dataclasses.replace(base, name=name, variant_of=base.name, **changes)
            for name, changes in names.items()
        }
    return made


# Every record that the book knows, most important first.
RECORDS = (
    EXPERIMENTS
    | {AZEMIN_STANDIN.name: AZEMIN_STANDIN}
    | {name: run for members in families().values() for name, run in members.items()}
)


# Seconds long on a laptop: small phantoms, no weights to download. It shows that the pipeline works
# and nothing else.
PHANTOM = {
    "size": 64,
    "batch": 16,
    "epochs": 4,
    "lr": 0.01,
    "weight_decay": 0.0001,
    "milestones": (3,),
    "val_folds": 4,
    "pretrained": False,
}


def experiment(name: str) -> Experiment:
    """Look an experiment up by name; :class:`InputError` names those that are no variants, and the
    command that lists all.
    """
    known = RECORDS | STUDY_A
    if name not in known:
        raise InputError(
            f"experiment {name!r} does not exist; there are {', '.join(BASES)}, and the variants"
            " that cxr records lists"
        )
    return known[name]
