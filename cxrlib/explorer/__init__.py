"""Predictions that move: thresholds, prevalence and maps in the page itself, computed in the
browser from the recorded numbers.

One ES module, ``explorer.js``, has three hosts. Where anywidget is installed a widget is live: its
traits follow the page and the page follows them. Its HTML, which the published book shows, needs no
kernel, no server and no network. Without JavaScript that HTML is a table. Nothing here is a medical
device.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pandas as pd
from matplotlib import colormaps
from traitlets import Bool, Dict, Float, Unicode, observe, validate

from companion import subgroups
from cxrlib import formatting, metrics, plots, records
from cxrlib.explorer.payload import pack, png, printed_points, reported, title
from cxrlib.files import InputError, isolated
from cxrlib.metrics import readings

try:
    from anywidget import AnyWidget as Host
except ModuleNotFoundError:  # a page needs none
    from traitlets import HasTraits as Host

HERE = Path(__file__).parent
LOWEST, HIGHEST = 1e-4, 0.9  # prevalence
MOST = 200_000  # rows of a page of its own
RULES = {
    "half": "One half",
    "printed": "The study’s sensitivity",
    "youden": "Youden",
    "sensitivity": "95 % sensitivity",
    "cost": "A miss costs 10 false alarms",
}


def _synced(trait):
    return trait.tag(sync=True)


class Widget(Host):
    """What all widgets share: ``kind`` chooses the function of the module, ``data`` is what it
    needs, ``html()`` the page's version.
    """

    _esm, _css = HERE / "explorer.js", HERE / "explorer.css"
    kind, data = _synced(Unicode()), _synced(Dict())
    share = False  # keep the state in the page's address

    def plain(self) -> pd.DataFrame:
        """The table for readers without JavaScript."""
        return pd.DataFrame()

    def html(self) -> str:
        """The widget as HTML that needs nothing else. Whatever comes from data is escaped."""
        own = {
            name
            for owner in type(self).__mro__
            if issubclass(owner, Widget)
            for name in vars(owner)
            if not name.startswith("_")
        }
        state = {
            name: getattr(self, name)
            for name, trait in self.traits().items()
            if trait.metadata.get("sync") and name in own
        }
        packed = json.dumps(
            {**state, "share": self.share}, ensure_ascii=False, allow_nan=False
        ).replace("<", "\\u003c")
        table = self.plain().to_html(index=False, border=0, classes="numbers")
        name = hashlib.sha256(packed.encode()).hexdigest()[:12]
        css, module = (
            (HERE / file).read_text(encoding="utf-8") for file in ("explorer.css", "explorer.js")
        )
        return (
            '<div class="cxr-host"'
            f' data-widget="{escape(self.kind)}-{name}"><style>{css}</style><div class="cxr-plain'
            f' wide">{table}</div><script type="application/json">{packed}</script><script'
            f' type="module">{module}\nhostAll();</script></div>'
        )

    def _repr_mimebundle_(self, **options) -> tuple[dict, dict]:
        """The live view where there is one, which every Jupyter prefers, and the HTML, which the
        book takes.
        """
        live = getattr(super(), "_repr_mimebundle_", lambda **_: None)(**options)
        bundle, metadata = live or ({"text/plain": f"{type(self).__name__}()"}, {})
        return {**bundle, "text/html": self.html()}, metadata


class _Runs(Widget):
    """A widget of recorded or brought predictions."""

    threshold = _synced(Float(0.5, min=0, max=1))
    run, positive_class = _synced(Unicode()), _synced(Unicode())

    def __init__(
        self,
        predictions,
        *,
        known: pd.DataFrame | None = None,
        marks: Mapping[str, float] | None = None,
        **state,
    ):
        if isinstance(predictions, records.Record | pd.DataFrame):
            predictions = [predictions]
        if not isinstance(predictions, Mapping):
            predictions = {
                (
                    getattr(each, "name", "predictions")
                    if isinstance(each, records.Record)
                    else "predictions"
                ): each
                for each in predictions
            }
        if not predictions:
            raise InputError("predictions: no run is given")
        columns: dict[tuple[str, str], int] = {}
        self._frames, self._groups, self._printed, packed = {}, {}, {}, []
        for name, each in predictions.items():
            frame, words, printed = (
                (each.predictions, title(each), printed_points(each))
                if isinstance(each, records.Record)
                else (each, name, {})
            )
            metrics.check_predictions(frame, name)
            self._frames[name], self._groups[name], self._printed[name] = (
                frame,
                subgroups.of(frame, known),
                printed,
            )
            packed.append(pack(frame, name, words, printed, self._groups[name], columns))
        self._classes = {each["name"]: each["classes"] for each in packed}
        if marks is None:
            marks = {
                "Study A": (
                    float(
                        reported("cheazemin2020")
                        .set_index("id")
                        .loc["azemin-2-prevalence", "printed"]
                    )
                    / 100
                )
            }
        listed = [{"label": label, "value": value} for label, value in marks.items()]
        state.setdefault("run", packed[0]["name"])
        state.setdefault("positive_class", self._classes.get(state["run"], [""])[0])
        super().__init__(
            data={"runs": packed, "columns": [list(key) for key in columns], "marks": listed},
            **state,
        )

    @validate("run")
    def _known_run(self, proposal):
        if proposal["value"] not in self._classes:
            raise InputError(f"run: {proposal['value']!r} is none of {', '.join(self._classes)}")
        return proposal["value"]

    @validate("positive_class")
    def _known_class(self, proposal):
        if proposal["value"] not in self._classes[self.run]:
            raise InputError(
                f"positive_class: {proposal['value']!r} is none of"
                f" {', '.join(self._classes[self.run])} of {self.run}"
            )
        return proposal["value"]

    @observe("run")
    def _keep_class(self, change):
        if self.positive_class and self.positive_class not in self._classes[change["new"]]:
            self.positive_class = self._classes[change["new"]][0]


class Explorer(_Runs):
    """Thresholds and prevalence, alive: distributions, ROC, precision and recall, a thousand people
    and every rate with its interval.

    Args:
        predictions: a run record, a frame in the form of :mod:`cxrlib.metrics.rates`, a list of
        records, or either by name. known: subgroups by ``image_id``
        (:func:`companion.subgroups.of`); default: those recorded. marks: prevalences to mark, by
        label; default: Study A's.

    Traits, live both ways: ``run``, ``positive_class``, ``threshold`` (0 to 1; called where p is at
    least that), ``prevalence`` (0.0001 to 0.9), ``subgroup`` (grouping: value), ``keep_others``
    (narrow the positive class alone), ``cost`` (false alarms that a miss is worth), ``scale``
    (``auto``, ``linear`` or ``logit``). :class:`InputError` for predictions, a run or a class that
    will not do.
    """

    kind = _synced(Unicode("explorer"))
    prevalence = _synced(Float(0.01, min=LOWEST, max=HIGHEST))
    subgroup, keep_others = _synced(Dict()), _synced(Bool(False))
    cost, scale = _synced(Float(readings.COST, min=0.001, max=1e6)), _synced(Unicode("auto"))

    def __init__(self, predictions, *, share: bool = False, **more):
        self.share = share
        super().__init__(predictions, **more)

    @property
    def frame(self) -> pd.DataFrame:
        """The predictions that are shown: those of the run that are in the subgroup."""
        frame, groups = self._frames[self.run], self._groups[self.run]
        inside = np.ones(len(frame), bool)
        for name in [
            name
            for name in self.subgroup
            if name in groups and (groups[name] == self.subgroup[name]).any()
        ]:
            inside &= (groups[name] == self.subgroup[name]).to_numpy()
        return frame[inside | ((frame["y_true"] != self.positive_class) & self.keep_others)]

    def table(self) -> pd.DataFrame:
        """What the page shows, for code of one's own: :func:`cxrlib.metrics.readings.reading` of
        `frame` at this threshold and prevalence.
        """
        return readings.reading(self.frame, self.positive_class, self.threshold, self.prevalence)

    def link(self, **state) -> str:
        """Where on the published page to find a view: the page's address ends in this. Names are
        those of the traits.
        """
        said = {
            key: value for key, value in {"run": self.run, **state}.items() if key != "subgroup"
        }
        return "#explorer:" + urlencode(
            {**said, **{f"in-{name}": value for name, value in state.get("subgroup", {}).items()}}
        )

    def plain(self) -> pd.DataFrame:
        """Main rates at the presets, of every run that is no variant of another, for its first
        class.
        """
        rows = []
        for run in [each for each in self.data["runs"] if "/" not in each["name"]]:
            frame, cls = self._frames[run["name"]], run["classes"][0]
            printed = run["printed"].get(cls, {}).get("sensitivity", [None])[0]
            for rule, threshold in readings.presets(frame, cls, self.prevalence, printed).items():
                found = readings.reading(frame, cls, threshold, self.prevalence)
                shown = [
                    formatting.with_interval(value, (low, high))
                    for value, low, high in found.loc[
                        ["sensitivity", "specificity", "ppv", "ppv_at"]
                    ].to_numpy()
                ]
                rows.append(
                    (run["title"], run["labels"][0], RULES[rule], f"{threshold:.4g}", *shown)
                )
        heads = [
            "Run",
            "Positive",
            "Rule",
            "Threshold",
            "Sensitivity",
            "Specificity",
            "PPV in the images",
            f"PPV at a prevalence of {100 * self.prevalence:g} %",
        ]
        return pd.DataFrame(rows, columns=heads)


class RocPair(_Runs):
    """ROC curves of two runs, ``run`` and ``other``, with one ``threshold`` on both."""

    kind, other = _synced(Unicode("rocs")), _synced(Unicode())

    def __init__(self, predictions, **more):
        super().__init__(predictions, **{"marks": {}, **more})
        self.other = self.other or list(self._classes)[min(1, len(self._classes) - 1)]

    def plain(self) -> pd.DataFrame:
        rows = []
        for run in self.data["runs"]:
            cls = (
                self.positive_class if self.positive_class in run["classes"] else run["classes"][0]
            )
            found = (
                readings.reading(self._frames[run["name"]], cls, self.threshold, 0.5)
                .loc[["auc", "sensitivity", "specificity"]]
                .to_numpy()
            )
            rows.append(
                (
                    run["title"],
                    *(formatting.with_interval(value, (low, high)) for value, low, high in found),
                )
            )
        return pd.DataFrame(
            rows,
            columns=[
                "Run",
                "AUC",
                f"Sensitivity at {self.threshold:g}",
                f"Specificity at {self.threshold:g}",
            ],
        )


class Ppv(Widget):
    """What a sensitivity and a specificity, each (value, low, high), are worth at a
    ``prevalence``.
    """

    kind, prevalence = _synced(Unicode("ppv")), _synced(Float(0.01, min=LOWEST, max=HIGHEST))

    def __init__(
        self,
        sensitivity,
        specificity,
        *,
        have: str = "have COVID-19",
        marks: Mapping[str, float] | None = None,
        **state,
    ):
        for name, triple in (("sensitivity", sensitivity), ("specificity", specificity)):
            if len(triple) != 3 or not 0 <= triple[1] <= triple[0] <= triple[2] <= 1:
                raise InputError(
                    f"{name}: {triple!r} is not a share with a lower and an upper limit"
                )
        listed = [{"label": label, "value": value} for label, value in (marks or {}).items()]
        rates = {
            "sensitivity": [float(x) for x in sensitivity],
            "specificity": [float(x) for x in specificity],
        }
        super().__init__(data={**rates, "have": have, "marks": listed}, **state)

    def plain(self) -> pd.DataFrame:
        rows = []
        for prevalence in sorted(
            {0.001, 0.01, 0.1, 0.5, *(mark["value"] for mark in self.data["marks"])}
        ):
            ppv, npv = metrics.at_prevalence(
                self.data["sensitivity"][0], self.data["specificity"][0], prevalence
            )
            rows.append((f"{100 * prevalence:g} %", f"{100 * ppv:.1f} %", f"{100 * npv:.2f} %"))
        return pd.DataFrame(rows, columns=["Prevalence", "PPV", "NPV"])


class CamSlider(Widget):
    """A class-activation map (h, w) over its radiograph, uint8 (H, W), or over an outline of
    ``shape`` (H, W), with an ``opacity`` to move.
    """

    kind, opacity = _synced(Unicode("cam")), _synced(Float(0.5, min=0, max=1))

    def __init__(
        self,
        cam: np.ndarray,
        picture: np.ndarray | None = None,
        *,
        shape=(224, 224),
        label: str = "Class-activation map",
        **state,
    ):
        height, width = picture.shape if picture is not None else (int(side) for side in shape)
        heat = colormaps["jet"](
            plots.enlarged(np.asarray(cam, np.float64), (224, 224)), bytes=True
        )[..., :3]
        images = {"heat": png(heat), "picture": None if picture is None else png(picture)}
        super().__init__(
            data={**images, "height": int(height), "width": int(width), "label": label}, **state
        )

    def plain(self) -> pd.DataFrame:
        return pd.DataFrame({"Shown with JavaScript": [self.data["label"]]})


def page(
    frame: pd.DataFrame,
    positive: str,
    name: str,
    threshold: float = 0.5,
    prevalence: float | None = None,
) -> str:
    """The explorer of a frame of predictions as a whole page, called ``name``; ``prevalence``
    defaults to the share of ``positive`` images.

    The page needs no network and keeps its state in its address. :class:`InputError` for more than
    200,000 rows, which no browser moves smoothly.
    """
    if len(frame) > MOST:
        raise InputError(f"{name}: {len(frame):,} rows; the explorer's page holds at most {MOST:,}")
    share = float((frame["y_true"] == positive).mean()) if prevalence is None else prevalence
    state = {
        "marks": {},
        "threshold": threshold,
        "prevalence": min(max(share, LOWEST), HIGHEST),
        "positive_class": positive,
    }
    explorer = Explorer({name: frame}, known=subgroups.NONE, share=True, **state)
    words = "Not a medical device: nothing here may guide the care of a patient."
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport"'
        ' content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)}</title><style>body {{ max-width: 70rem; margin: 1rem auto; padding:"
        " 0 1rem; font-family: system-ui, sans-serif; overflow-wrap: anywhere; }"
        " .wide { overflow-x: auto; }"
        " @media (prefers-color-scheme: dark) { body { background: #14181e; color: #ced6dd; }"
        " }</style></head>"
        f"<body><h1>{escape(isolated(name))}</h1><p>{words}</p>{explorer.html()}</body></html>\n"
    )
