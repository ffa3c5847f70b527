"""Predictions that move: thresholds, prevalence and maps in the page itself, computed in the
browser from recorded numbers.

One ES module, ``explorer.js``, has three hosts. Where anywidget is installed a widget is live: its
traits follow the page and the page follows them. Its HTML needs no kernel, no server and no
network. Without JavaScript that HTML is a table. Nothing here is a medical device.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from urllib.parse import urlencode

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup
from traitlets import Bool, Dict, Float, Unicode, observe, validate

from cxrlib import metrics
from cxrlib.explorer import payload
from cxrlib.files import InputError
from cxrlib.formatting import with_interval
from cxrlib.metrics import intervals
from cxrlib.metrics.rates import COST

try:
    from anywidget import AnyWidget as Host
except ModuleNotFoundError:  # a page needs none
    from traitlets import HasTraits as Host

FOLDER = Path(__file__).parent
MODULE, STYLE = FOLDER / "explorer.js", FOLDER / "explorer.css"
LOWEST, HIGHEST = 1e-4, 0.9  # prevalence
MOST = 200_000  # rows of a page of its own
RULES = {
    "half": "One half",
    "printed": "The study’s sensitivity",
    "youden": "Youden, on these images",
    "sensitivity": "95 % sensitivity",
    "cost": "A miss costs 10 false alarms",
}


def shared(trait):
    """A trait that the page and the live view hold too."""
    return trait.tag(sync=True, page=True)


def _marks(values: Mapping[str, float] | None) -> list[dict]:
    return [{"label": label, "value": value} for label, value in (values or {}).items()]


class Widget(Host):
    """What all widgets share: ``kind`` chooses the function of the module, ``data`` is what it
    needs, ``html()`` the page's version.
    """

    _esm, _css = MODULE, STYLE
    kind, data = shared(Unicode()), shared(Dict())
    share = Bool(False).tag(page=True)  # keep the state in the page's address

    def plain(self) -> pd.DataFrame:
        """The table for readers without JavaScript."""
        return pd.DataFrame()

    def html(self) -> str:
        """The widget as HTML that needs nothing else. Whatever comes from data is escaped."""
        state = self.trait_values(page=True)
        packed = json.dumps(state, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        packed = packed.replace("<", "\\u003c")
        name = hashlib.sha256(packed.encode()).hexdigest()[:12]
        css, module = (file.read_text(encoding="utf-8") for file in (STYLE, MODULE))
        table = self.plain().to_html(index=False, border=0, classes="numbers")
        return (
            f'<div class="cxr-host" data-widget="{escape(self.kind)}-{name}"><style>{css}</style>'
            f'<div class="cxr-plain wide">{table}</div>'
            f'<script type="application/json">{packed}</script>'
            f'<script type="module">{module}\nhostAll();</script></div>'
        )

    def _repr_mimebundle_(self, **options) -> tuple[dict, dict]:
        """The live view where there is one, which every Jupyter prefers, and the HTML, which a
        published page takes.
        """
        live = getattr(super(), "_repr_mimebundle_", lambda **_: None)(**options)
        bundle, metadata = live or ({"text/plain": f"{type(self).__name__}()"}, {})
        return {**bundle, "text/html": self.html()}, metadata


class RunWidget(Widget):
    """A widget of predictions, of one run or of several by name."""

    threshold = shared(Float(0.5, min=0, max=1))
    run, positive_class = shared(Unicode()), shared(Unicode())

    def __init__(
        self,
        predictions: pd.DataFrame | Mapping[str, pd.DataFrame],
        *,
        marks: Mapping[str, float] | None = None,
        titles: Mapping[str, str] | None = None,
        printed: Mapping[str, Mapping] | None = None,
        subgroups: pd.DataFrame | None = None,
        **state,
    ):
        if isinstance(predictions, pd.DataFrame):
            predictions = {"predictions": predictions}
        if not predictions:
            raise InputError("predictions: no run is given")
        self._frames, self._groups, runs, columns = dict(predictions), {}, [], {}
        for name, frame in predictions.items():
            metrics.check_predictions(frame, name)
            self._groups[name] = payload.subgroups_of(frame, subgroups)
            known = {"name": name, "title": (titles or {}).get(name, name)}
            known["printed"] = (printed or {}).get(name, {})
            runs.append(known | payload.pack(frame, self._groups[name], columns))
        self._classes = {run["name"]: run["classes"] for run in runs}
        state.setdefault("run", runs[0]["name"])
        state.setdefault("positive_class", self._classes.get(state["run"], [""])[0])
        data = {"runs": runs, "columns": [list(values) for values in columns]}
        super().__init__(data={**data, "marks": _marks(marks)}, **state)

    @validate("run", "positive_class")
    def _is_known(self, proposal):
        name, value = proposal["trait"].name, proposal["value"]
        known = self._classes if name == "run" else self._classes[self.run]
        if value not in known:
            raise InputError(f"{name}: {value!r} is none of {', '.join(known)}")
        return value

    @observe("run")
    def _keep_class(self, change):
        if self.positive_class and self.positive_class not in self._classes[change["new"]]:
            self.positive_class = self._classes[change["new"]][0]

    def rates(self, run: str, cls: str, threshold: float, prevalence: float, *names) -> list[str]:
        """Rates of a run with their intervals, as text."""
        found = intervals.at_threshold(self._frames[run], cls, threshold, prevalence)
        return [with_interval(*row) for row in found.loc[list(names)].to_numpy()]


class Explorer(RunWidget):
    """Thresholds and prevalence, alive: distributions, ROC, precision and recall, a thousand people
    and every rate with its interval.

    Parameters
    ----------
    predictions : DataFrame or mapping of str to DataFrame
        Predictions of one run (columns ``image_id, patient_id, source, split, y_true,
        p_<class>…``), or of several by name.
    marks : mapping of str to float, optional
        Prevalences (0 to 1) to mark, by label.
    titles : mapping of str to str, optional
        What to call each run; default its name.
    printed : mapping, optional
        By run and class, a point as a study prints it: ``{"run": {"covid": {"text": ["77.3 %",
        "71.8 %"], "sensitivity": [0.773, 0.7725, 0.7735], "specificity": …}}}``, each share with
        the lowest and the highest that print so.
    subgroups : DataFrame, optional
        Groupings by ``image_id``: a column for each, values as text. The source is one anyway.
    share : bool
        Keep the view in the page's address.
    **state
        Traits to begin with.

    Raises
    ------
    InputError
        Predictions, a run or a class that will not do.

    Notes
    -----
    Traits, live both ways: ``run``, ``positive_class``, ``threshold`` (0 to 1; called where p is at
    least that), ``prevalence`` (0.0001 to 0.9), ``subgroup`` (grouping: value), ``keep_others``
    (narrow the positive class alone), ``cost`` (false alarms that a miss is worth), ``scale``
    (``auto``, ``linear`` or ``logit``).

    Examples
    --------
    >>> frame = pd.DataFrame({
    ...     "image_id": list("abcd"), "patient_id": list("abcd"), "source": "s", "split": "test",
    ...     "y_true": ["sick", "sick", "well", "well"],
    ...     "p_sick": [.9, .3, .4, .2], "p_well": [.1, .7, .6, .8],
    ... })
    >>> explorer = Explorer(frame, threshold=0.4)
    >>> float(explorer.table().loc["sensitivity", "estimate"])
    0.5
    """

    kind = shared(Unicode("explorer"))
    prevalence = shared(Float(0.01, min=LOWEST, max=HIGHEST))
    subgroup, keep_others = shared(Dict()), shared(Bool(False))
    cost, scale = shared(Float(COST, min=0.001, max=1e6)), shared(Unicode("auto"))

    @property
    def frame(self) -> pd.DataFrame:
        """The predictions that are shown: those of the run that are in the subgroup."""
        frame, groups = self._frames[self.run], self._groups[self.run]
        inside = np.ones(len(frame), bool)
        for name, value in self.subgroup.items():
            if name in groups and (groups[name] == value).any():
                inside &= (groups[name] == value).to_numpy()
        return frame[inside | ((frame["y_true"] != self.positive_class) & self.keep_others)]

    def table(self) -> pd.DataFrame:
        """What the page shows, for code of one's own:
        :func:`cxrlib.metrics.intervals.at_threshold` of `frame` at this threshold and prevalence.
        """
        cls = self.positive_class
        return intervals.at_threshold(self.frame, cls, self.threshold, self.prevalence)

    def link(self, **state) -> str:
        """Where on the published page to find a view: the page's address ends in this. Names are
        those of the traits.
        """
        groups = {f"in-{name}": value for name, value in state.pop("subgroup", {}).items()}
        return "#explorer:" + urlencode({"run": self.run, **state, **groups})

    def plain(self) -> pd.DataFrame:
        """Main rates at the presets, of every run that is no variant of another, for its first
        class.
        """
        rows, names = [], ["sensitivity", "specificity", "ppv", "ppv_at"]
        for run in [each for each in self.data["runs"] if "/" not in each["name"]]:
            frame, cls = self._frames[run["name"]], run["classes"][0]
            printed = run["printed"].get(cls, {}).get("sensitivity", [None])[0]
            suggested = metrics.suggested_thresholds(frame, cls, self.prevalence, printed)
            for rule, t in suggested.items():
                shown = self.rates(run["name"], cls, t, self.prevalence, *names)
                rows.append([run["title"], run["labels"][0], RULES[rule], f"{t:.4g}", *shown])
        heads = ["Run", "Positive", "Rule", "Threshold", "Sensitivity", "Specificity"]
        at = f"PPV at a prevalence of {100 * self.prevalence:g} %"
        return pd.DataFrame(rows, columns=[*heads, "PPV in the images", at])


class Ppv(Widget):
    """What a sensitivity and a specificity, each (value, low, high), are worth at a
    ``prevalence``.
    """

    kind, prevalence = shared(Unicode("ppv")), shared(Float(0.01, min=LOWEST, max=HIGHEST))

    def __init__(self, sensitivity, specificity, *, have="have COVID-19", marks=None, **state):
        rates = {"sensitivity": sensitivity, "specificity": specificity}
        rates = {name: [float(share) for share in shares] for name, shares in rates.items()}
        for name, (share, low, high) in rates.items():
            if not 0 <= low <= share <= high <= 1:
                raise InputError(f"{name}: {share} is no share with limits, {low} and {high}")
        super().__init__(data={**rates, "have": have, "marks": _marks(marks)}, **state)

    def plain(self) -> pd.DataFrame:
        rates = [intervals.Interval(*self.data[name]) for name in ("sensitivity", "specificity")]
        rows, marked = [], [mark["value"] for mark in self.data["marks"]]
        for share in sorted({0.001, 0.01, 0.1, 0.5, *marked}):
            row = [f"{100 * share:.3g} %"]
            ppv, npv = (100 * np.array(x) for x in intervals.predictive_values(*rates, share))
            row += [with_interval(*ppv, decimals=1), with_interval(*npv, decimals=2)]
            rows.append(row)
        return pd.DataFrame(rows, columns=["Prevalence", "PPV, %", "NPV, %"])


def page(frame: pd.DataFrame, name: str, **state) -> str:
    """The explorer of a frame of predictions as a whole page, called ``name``; ``state`` as
    `Explorer` takes it.

    The page needs no network and keeps its state in its address. :class:`InputError` for more than
    200,000 rows, which no browser moves smoothly.
    """
    if len(frame) > MOST:
        raise InputError(f"{name}: {len(frame):,} rows; the explorer's page holds at most {MOST:,}")
    explorer = Explorer({name: frame}, share=True, **state)
    template = jinja2.Template((FOLDER / "page.html").read_text("utf-8"), autoescape=True)
    return template.render(name=name, widget=Markup(explorer.html()))
