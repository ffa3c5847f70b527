"""What several notebooks show alike: a run, its settings, its numbers beside the printed ones.
Returns HTML and Markdown to display.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import jinja2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown, display
from PIL import Image

from companion import ledger, studies
from companion.clone import clone_folder
from companion.studies.printed import texts
from cxrlib import formatting, metrics, plots
from cxrlib.data import lungs
from cxrlib.data.manifest import data_folder
from cxrlib.files import InputError
from cxrlib.records import Record

HEADS, NOTICES = texts("heads"), texts("notices")
# one colour for one meaning, on every page (Okabe and Ito); classes have theirs in cxrlib.plots
COLORS = {
    "printed": "#000000",
    "rebuilt": "#0072B2",
    "redraw": "#56B4E9",
    "fold": "#009E73",
    "stand-in": "#CC79A7",
    "the paper's network": "#D55E00",  # beside the stand-in's
    "possible": "#E69F00",  # what printed numbers leave possible
}


def glue_all(values: Mapping[str, object]) -> None:
    """Make values available to the text of the book as ``{glue:text}`name```, a notebook's numbers
    for its sentences in one call; anywhere else nothing happens.
    """
    try:
        from myst_nb import glue
    except ModuleNotFoundError:
        return
    for name, value in values.items():
        glue(name, f"{value:,}" if isinstance(value, int) else str(value), display=False)


def table(
    frame: pd.DataFrame, index: bool = False, *, caption: str = "", name: str = "", **options
) -> HTML:
    """A table of numbers in the book's style; ``options`` go to :meth:`pandas.DataFrame.to_html`.

    With a ``caption``, a plain text, the table is a figure of its own. ``name`` is its anchor on
    the page, so that ``{ref}`text <name>``` leads to it.
    """
    html = _wide(frame.to_html(index=index, classes="numbers", border=0, **options), caption)
    if not caption:
        return html
    anchor = f' id="{escape(name)}"' if name else ""
    text = f"<figcaption>{escape(caption)}</figcaption>"
    return HTML(f'<figure{anchor} class="table">{text}{html.data}</figure>')


def _wide(html: str, caption: str = "") -> HTML:
    """A table that scrolls inside itself, with the keyboard too."""
    label = escape(caption or "Table")
    return HTML(f'<div class="wide" tabindex="0" role="region" aria-label="{label}">{html}</div>')


NOTHING = "<!-- nothing -->"  # an empty text would show as the name of its type


def items(sentences: Sequence[str], head: str = "") -> Markdown:
    """A list of sentences, under a bold line; nothing where there are none."""
    listed = "\n".join(f"- {sentence}" for sentence in sentences)
    return Markdown(f"**{head}**\n\n{listed}" if head and listed else listed or NOTHING)


def changed(run: Record) -> None:
    """Show, at the top of a page, that it is about another run than one of the book's own, and what
    that run lacked; nothing for a run of the book.
    """
    name = run.info["run"]
    if name not in studies.RECORDS and name not in studies.STUDY_A:
        listed = "\n".join(f"> - {sentence}" for sentence in run.info["lacked"])
        head = f"> **This page shows the run `{name}`, not the book's own.**"
        display(Markdown(f"{head}\n>\n{listed}\n"))


def settings(run: Record) -> HTML:
    """The settings of a run beside those the study prints, with the section that prints them."""
    experiment, config = studies.experiment(run.info["experiment"]), run.info["config"]
    rows = [("Optimiser, loss", "SGD, cross-entropy", "SGD, cross-entropy", "3.3.2")]
    for key, text in HEADS["settings"].items():
        values = (getattr(experiment, key), config[key])
        pair = [studies.spell(value, plots.label) for value in values]
        rows.append((text, *pair, experiment.printed.get(key, "")))
    rows.append(("Number format", "not stated", config["precision"], ""))
    rows.append(("Seed", "not stated", str(run.info["seed"]), ""))
    return table(pd.DataFrame(rows, columns=["Setting", "Printed", "This run", "Section"]))


def images(run: Record) -> HTML:
    """Images on disk by class and part of the split, copies not counted."""
    names = {"train": "Training", "val": "Validation", "test": "Test"}
    shown = pd.DataFrame(run.info["data"]["counts"]).rename(index=plots.label, columns=names)
    shown.loc["All"] = shown.sum()
    return table(shown, index=True)


def say_training(run: Record) -> None:
    """Glue ``epochs-run``, ``epochs-planned``, ``epochs-kept``, ``reason``, ``device``,
    ``minutes`` and ``recorded``.
    """
    info, used = run.info, run.info["device"]
    threads = f" with {used['threads']} threads" if used["name"] == "cpu" else ""
    epochs = {f"epochs-{name}": info["epochs"][name] for name in ("run", "planned", "kept")}
    others = {
        "reason": info["epochs"]["reason"],
        "device": f"{device(run)}{threads}, in {info['config']['precision']}",
        "minutes": f"{info['seconds']['training'] / 60:.0f}",
        "recorded": info.get("recorded", ""),
    }
    glue_all(epochs | others)


def test_epochs(run: Record) -> HTML:
    """Loss and accuracy of validation and test at the epochs whose test results are known."""
    heads = {"val_loss": "Validation loss", "val_accuracy": "Validation accuracy"}
    heads |= {"test_loss": "Test loss", "test_accuracy": "Test accuracy"}
    known = run.history.dropna(subset=["test_loss"]).set_index("epoch")[[*heads]].astype(float)
    shown = known.rename(columns=heads).rename_axis("Epoch").reset_index()

    def three_decimals(value: float) -> str:
        return f"{value:.3f}" if value >= 0.001 or value == 0 else f"{value:.1e}"

    return table(shown, float_format=three_decimals)


def side_by_side(
    printed: pd.DataFrame,
    rates: pd.DataFrame,
    bounds: pd.DataFrame,
    redraws: Sequence[pd.DataFrame] = (),
) -> HTML:
    """Table 4.1 or 4.2: under each printed number the rebuilt one, its 95 % interval, and lowest
    and highest over the re-draws.

    ``printed`` is the table of :func:`companion.studies.printed`, ``rates`` and ``bounds`` are
    :func:`cxrlib.per_class` of the run's predictions and its intervals, ``redraws`` the rates of
    the re-draws.
    """
    found = ledger.compare(printed, rates, bounds).set_index("metric")
    lines = {
        "printed": found["printed"],
        "rebuilt": found["rebuilt"].map(formatting.number),
        "95 % interval": _intervals(found["low"], found["high"]),
    }
    if redraws:
        again = [ledger.compare(printed, other, bounds)["rebuilt"] for other in redraws]
        lines[f"{len(redraws)} re-draws"] = _intervals(np.min(again, axis=0), np.max(again, axis=0))
    shown = pd.DataFrame(lines, found.index)
    sizes = shown.index.str.endswith(".size")
    shown.loc[sizes, "rebuilt"] = found.loc[sizes, "rebuilt"].map("{:.0f}".format)
    shown.loc[sizes, shown.columns[2:]] = ""
    parts = {}
    for name in dict.fromkeys(metric.rpartition(".")[0] for metric in shown.index):
        label = plots.label(name)
        if name in metrics.AVERAGES:
            label = name.capitalize().replace(" avg", " average")
        cells = [f"{name}.{key}" for key in ("size", *HEADS["results"])]
        parts[label] = shown.reindex(cells, fill_value="")
    folder = jinja2.FileSystemLoader(clone_folder() / "book")
    template = jinja2.Environment(loader=folder, autoescape=True).get_template(
        "_results.html.jinja"
    )
    return _wide(template.render(heads=list(HEADS["results"].values()), parts=parts))


def comparison_chart(rows: pd.DataFrame, redraws: pd.DataFrame, xlabel: str) -> plt.Axes:
    """Printed and rebuilt numbers in one chart: a rung for each, from top to bottom.

    ``rows`` has a row for each number, its index the names, and the columns ``printed``,
    ``rebuilt``, ``low`` and ``high`` (the 95 % interval); what is NaN is not drawn. ``redraws`` has
    the same index and a column for each re-draw.
    """
    parts = {
        "printed": rows[["printed"]].set_axis(["value"], axis=1),
        "rebuilt, 95 % interval": rows.rename(columns={"rebuilt": "value"}),
        "re-draws": redraws.melt(ignore_index=False),
    }
    rungs = pd.concat(parts, names=["kind", "label"]).reset_index()
    colors = [COLORS[kind] for kind in ("printed", "rebuilt", "redraw")]
    ax = plots.ladder(rungs, xlabel, colors=dict(zip(parts, colors, strict=True)))
    for strip in [*ax.lines[2:], *ax.figure.legends[0].legend_handles[2:]]:
        strip.set(marker="|", markersize=9, markeredgewidth=2)  # re-draws lie close together
    return ax


def _intervals(low: Iterable[float], high: Iterable[float]) -> list[str]:
    return [formatting.interval(*ends) for ends in zip(low, high, strict=True)]


def schedule(family: Sequence[Record]) -> str:
    """How long the runs of a family trained, e.g. ``5 runs of at most 50 epochs``."""
    if not family:
        return "none recorded yet"
    runs = "runs" if len(family) > 1 else "run"
    return f"{len(family)} {runs} of at most {family[0].info['config']['epochs']} epochs"


def same_seed_again(run: Record, redraws: Sequence[Record]) -> tuple[Record | None, str]:
    """The re-draw of ``run``'s own seed, which draws nothing else, and what it is, in words; None
    while it is not recorded.
    """
    again = next((other for other in redraws if other.info["seed"] == run.info["seed"]), None)
    if again is None:
        return None, "not yet recorded"
    kind, before = (device(other).partition(" (")[0] for other in (again, run))
    instead = "" if kind == before else f" in place of {before}"
    return again, f"the same training repeated on {kind}{instead}"


def device(run: Record) -> str:
    """``a CPU``, or ``a GPU`` with its name."""
    device = run.info["device"]
    return "a CPU" if device["type"] == "cpu" else f"a GPU ({device['name']})"


def not_recorded(names: Sequence[str]) -> Markdown:
    """The notice for runs of a family that are not recorded; empty where there are none."""
    notice = f"*Not yet recorded: {', '.join(names)}. `make records` makes them.*"
    return Markdown(notice if names else NOTHING)


def maps_by_stage(where: pd.DataFrame, kind: str) -> tuple[pd.DataFrame, pd.Series]:
    """Where the maps of the test images lie, by the network's stage: image by image, and draw by
    draw of the random weights.

    ``where`` is a record's localisation.csv. The first has a row per image and patient and the
    columns (``region``, ``inside`` or ``peak``; stage), means over the draws; the second is the
    mean of ``inside`` by stage and draw.
    """
    found = where[(where["kind"] == kind) & (where["split"] == "test")]
    measures, image = ["region", "inside", "peak"], ["image_id", "patient_id"]
    each = found.pivot_table(measures, index=image, columns="stage", aggfunc="mean")
    return each, found.groupby(["stage", "draw"])["inside"].mean()


def no_radiographs(map_alone: bool = False) -> HTML:
    """What stands in the place of a radiograph that is not on disk: none may be published with the
    book.
    """
    text = NOTICES["map alone" if map_alone else "no radiographs"]
    return HTML(f'<p class="no-radiographs">{text}</p>')


def radiograph(
    manifest: Callable[..., pd.DataFrame], image_id: str, data: str | Path | None = None
) -> np.ndarray | None:
    """A picture, uint8 ``(H, W)``, of the manifest that ``manifest(data)`` gives; None where it is
    not on disk.
    """
    try:
        path = manifest(data).set_index("image_id").loc[image_id, "path"]
        return np.asarray(Image.open(data_folder(data) / path).convert("L"))
    except (InputError, OSError, KeyError):
        return None


def lung_outlines(image_id: str) -> dict[str, list[np.ndarray]]:
    """The recorded outlines of an image's lungs, by what they are drawn from, as
    :func:`cxrlib.plots.overlay` takes them; nothing where none is known.
    """
    file = studies.results_folder() / "audits/lung-outlines.csv"
    known = pd.read_csv(file) if file.is_file() else pd.DataFrame(columns=["image_id", "kind"])
    found = known[known["image_id"] == image_id]
    return {
        f"Lungs' outline, from a {kind.removeprefix('lung ')}": each["points"].map(lungs.polygon)
        for kind, each in found.groupby("kind")
    }


def show_map(
    image_id: str, picture: np.ndarray | None, cam: np.ndarray, shape: Sequence[int]
) -> None:
    """A radiograph and its class-activation map side by side; without the picture the map alone, of
    ``shape`` (H, W), and why. The map has the lungs' outline where one is known.
    """
    outlines = lung_outlines(image_id)
    with plots.style():
        if picture is None:
            ax = plt.subplots(figsize=(4.6, 4.4), dpi=96)[1]  # smooth colours need few dots
            plots.overlay(None, cam, ax=ax, shape=tuple(shape), outlines=outlines)
        else:
            left, right = plt.subplots(1, 2, figsize=(7, 4.1))[1]
            plots.radiographs([picture], ["Radiograph"], axes=[left])[0].set_anchor("C")
            plots.overlay(picture, cam, ax=right, outlines=outlines)
        plt.show()
    if picture is None:
        display(no_radiographs(map_alone=True))
    if not outlines:
        display(HTML(f"<p>{NOTICES['no outline']}</p>"))
