"""What a training is asked for: settings, their ranges, and which of them do nothing.

No torch in here: a record can be read, and a setting refused, where nothing trains.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Literal, Union, get_args, get_origin, get_type_hints

from cxrlib.files import InputError

NETWORKS = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]
MOST = 100_000  # epochs
HISTORY = [  # columns of a record's history.csv
    *("epoch", "lr", "train_loss", "train_accuracy", "val_loss", "val_accuracy"),
    *("test_loss", "test_accuracy", "seconds"),
]
KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
KINDS[NoneType] = "null"


def number(default, low, high):
    """A setting from ``low`` to ``high``."""
    return field(default=default, metadata={"range": (low, high)})


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of one training, checked when it is made.

    Rates are per step, angles in degrees, shifts as shares of the side. The rate is multiplied by
    ``gamma`` after each of the ``milestones`` (epochs); training ends after ``epochs``, or when
    ``patience`` epochs brought no lower loss on the images that choose the epoch (``epoch_by``).

    Raises
    ------
    InputError
        A value of another type or out of its range: one line that names the setting.

    Examples
    --------
    >>> Config(classes=("covid", "normal"), lr=0.01).lr
    0.01
    >>> Config(classes=("covid", "normal"), lr=-1)
    Traceback (most recent call last):
        ...
    cxrlib.files.InputError: training: lr must be from 1e-09 to 100, not -1
    """

    name: str = "training"
    classes: tuple[str, ...]
    weight_decay: float = number(0.0, 0, 100)
    milestones: tuple[int, ...] = ()
    patience: int = number(10, 1, MOST)
    oversample: dict[str, int] = field(default_factory=dict)  # copies of a class's images
    model: Literal[*NETWORKS] = "resnet18"
    size: int = number(224, 33, 4096)  # pixels a side; of 32 the last layers see one place
    batch: int = number(64, 1, 65536)
    lr: float = number(0.001, 1e-9, 100)
    momentum: float = number(0.9, 0, 1)
    gamma: float = number(0.1, 0, 1)
    epochs: int = number(20, 1, MOST)
    rotate: float = number(0.0, 0, 180)  # at most, either way
    scale: tuple[float, float] = (1.0, 1.0)  # lowest and highest factor
    translate: float = number(0.0, 0, 1)
    hflip: float = number(0.0, 0, 1)  # probability of a mirror image
    seed: int = number(0, 0, 2**31)
    pretrained: bool = True  # start from ImageNet's weights, not from random ones
    shown: Literal["whole", "frame", "centre"] = "whole"  # what is seen of each image
    # the images whose loss chooses the epoch
    epoch_by: Literal["validation", "test"] = "validation"
    keep: Literal["best", "last"] = "best"  # the epoch whose weights are kept
    frozen: bool = False  # train the last layer alone
    # of a frozen network: ImageNet's means and variances, or those of the training images
    batch_norm: Literal["kept", "re-estimated"] = "kept"
    tested_as: tuple[str, ...] = ()  # names of the classes in the test set, where they differ

    def __post_init__(self):
        kinds = get_type_hints(type(self))
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if not fits(value, kinds[item.name]):
                self.refuse(item.name, f"be {spelt(kinds[item.name])}")
            if "range" in item.metadata:
                low, high = item.metadata["range"]
                if not low <= value <= high:
                    self.refuse(item.name, f"be from {low} to {high}")
        if len(self.scale) != 2 or not 0.01 <= self.scale[0] <= self.scale[1] <= 100:
            self.refuse("scale", "be two factors from 0.01 to 100, the lower first")
        if not all(1 <= milestone <= MOST for milestone in self.milestones):
            self.refuse("milestones", f"be epochs from 1 to {MOST}")
        for label, copies in self.oversample.items():
            if label not in self.classes or not 1 <= copies <= 1000:
                known = ", ".join(self.classes)
                self.refuse("oversample", f"give classes ({known}) a number from 1 to 1000")

    def refuse(self, setting: str, must: str) -> None:
        """:class:`InputError` that names the setting."""
        raise InputError(f"{self.name}: {setting} must {must}, not {getattr(self, setting)!r}")

    def as_dict(self) -> dict:
        """All settings in plain types, those of a subclass too."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in dataclasses.asdict(self).items()
        }

    def training(self) -> dict:
        """Of :meth:`as_dict` what a training needs, without what a subclass adds."""
        return {key: own for key, own in self.as_dict().items() if key in Config.__annotations__}


def fits(value, kind) -> bool:
    """Whether a value is of an annotated type; a whole number will do for a number."""
    whole, inner = get_origin(kind), get_args(kind)
    if whole is Literal:
        return value in inner
    if whole in (Union, UnionType):
        return any(fits(value, each) for each in inner)
    if whole in (tuple, list):
        return isinstance(value, whole) and all(fits(item, inner[0]) for item in value)
    if whole is dict and isinstance(value, dict):
        return fits([*value], list[inner[0]]) and fits([*value.values()], list[inner[1]])
    return type(value) is kind or (kind is float and type(value) is int)


def spelt(kind) -> str:
    """What a value of an annotated type is called: ``best or last``; ``a list, each a number``."""
    whole, inner = get_origin(kind), get_args(kind)
    if whole in (tuple, list):
        return f"a list, each {spelt(inner[0])}"
    if whole is dict:
        return f"a table by name, each {spelt(inner[1])}"
    return " or ".join(map(spelt, inner)) if inner else KINDS.get(kind, str(kind))


# What a setting that came later had in a record or checkpoint from before.
DEFAULTS = Config(classes=()).training()


def idle(settings: Mapping) -> dict[str, str]:
    """Settings that do nothing in a training with ``settings``, and why, for whoever asks for them.

    The reason is empty where nobody need be told, because the schedule ends before.
    """
    found = {}
    if settings["frozen"]:
        why = "with frozen=true an image's features are computed once, without augmentation"
        found |= dict.fromkeys(("rotate", "scale", "translate", "hflip"), why)
    else:
        found["batch_norm"] = "batch normalisation is trained unless frozen=true"
    if settings["keep"] == "last":
        why = "with keep=last training runs to its end and keeps the last epoch"
        found |= dict.fromkeys(("patience", "epoch_by"), why)
    elif settings["patience"] >= settings["epochs"] - 1:
        found["patience"] = ""
    if not reached(settings):
        found["gamma"] = "" if settings["gamma"] == 1 else "no milestone is reached"
    return found


def reached(settings: Mapping) -> list[int]:
    """The milestones after which the rate is lowered."""
    end = settings["epochs"] if settings["gamma"] != 1 else 0
    return [milestone for milestone in settings["milestones"] if milestone < end]


def effective(settings: Mapping, more: Mapping[str, str] | None = None) -> dict:
    """Settings as a record states them: None for one that does nothing (:func:`idle`, and what
    ``more`` names), no milestone that is not reached. A record's own stay as they are.
    """
    if None in settings.values():
        return dict(settings)
    whole = dict(settings) | {key: DEFAULTS[key] for key in DEFAULTS if key not in settings}
    return whole | {"milestones": reached(whole)} | dict.fromkeys([*idle(whole), *(more or ())])
