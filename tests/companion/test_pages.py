"""What several chapters show alike says what the record and the study say."""

import re
import tempfile

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.metrics import precision_score, recall_score

from companion import pages, studies
from companion.studies import zhu2020
from cxrlib import metrics, records


@pytest.fixture(scope="module")
def run() -> records.Record:
    return studies.run("zhu-fourclass")


def cells(html: str) -> list[list[str]]:
    """Rows of the body as text, the spanning label repeated."""
    rows, label = [], ""
    for row in re.findall(r"<tr class=.*?</tr>", html):
        found = re.findall(r"<(t[hd])([^>]*)>(.*?)</t[hd]>", row)
        if "rowgroup" in found[0][1]:
            label, found = found[0][2], found[1:]
        rows.append([label, *(text for _, _, text in found)])
    return rows


def plain(html: str) -> list[list[str]]:
    """Rows of the body of a table as text."""
    body = html.split("<tbody>")[1]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("</tr>")]


def beside(run, redraws=(), printed=None):
    rates = metrics.per_class(run.predictions)
    bounds = metrics.bootstrap_by_patient(run.predictions)
    printed = studies.printed("zhu2020", "Table 4.2") if printed is None else printed
    others = [metrics.per_class(other.predictions) for other in redraws]
    return pages.side_by_side(printed, rates, bounds, others).data


def test_side_by_side_shows_printed_rebuilt_interval_and_redraws(run):
    again = [
        run,
        records.Record(
            run.folder, run.info, run.split, run.history, run.predictions.iloc[::2], run.validation
        ),
    ]
    rows = cells(beside(run, again))
    assert [row[1] for row in rows[:4]] == [
        "printed",
        "rebuilt",
        "95 % interval",
        "2 re-draws",
    ] and len(rows) == 4 * 6
    frame = run.predictions
    guess = frame[[f"p_{name}" for name in run.classes]].idxmax(axis=1).str[2:]
    viral = {row[1]: row[2:] for row in rows if row[0] == "Viral"}
    assert viral["printed"] == ["148", "0.82", "0.90", "0.82", "0.97", "0.86", "0.96"], (
        "Table 4.2 of the thesis"
    )
    assert viral["rebuilt"][1:4] == [
        f"{value:.3f}"
        for value in (
            recall_score(frame["y_true"], guess, labels=["viral"], average=None)[0],
            precision_score(frame["y_true"], guess, labels=["viral"], average=None)[0],
            recall_score(frame["y_true"], guess, labels=["viral"], average=None)[0],
        )
    ]
    values = [metrics.per_class(other.predictions).loc["viral", "precision"] for other in again]
    assert viral["2 re-draws"][2] == f"{min(values):.3f}–{max(values):.3f}"
    for row in rows:
        if row[1] == "95 % interval" and "–" in row[4][1:]:
            low, high = map(float, row[4].split("–"))
            value = next(float(other[4]) for other in rows if other[:2] == [row[0], "rebuilt"])
            assert low - 0.01 <= value <= high + 0.01


def test_settings_give_the_section_of_each_printed_one(run):
    rows = {row[0]: row[1:] for row in plain(pages.settings(run).data) if row}
    assert rows["Learning rate"] == ["0.003", "0.003", "3.3.2"] and rows["Seed"][0] == "not stated"
    assert set(pages.HEADS["settings"]) <= set(studies.ZHU_FOURCLASS.as_dict())


def test_images_adds_up(run):
    *classes, total = [
        [int(text) for text in row[1:]] for row in plain(pages.images(run).data) if row
    ]
    assert (
        sum(total) == run.info["data"]["images"]
        and [sum(column) for column in zip(*classes, strict=True)] == total
    )


def test_a_schedule_in_words(run):
    assert pages.schedule([]) == "none recorded yet"
    assert pages.schedule([run]) == "1 run of at most 50 epochs"
    assert pages.schedule([run] * 2) == "2 runs of at most 50 epochs"


def test_repeat_says_whether_nothing_but_the_machine_differs(run):
    def like(seed=run.info["seed"], device=run.info["device"]):
        info = run.info | {"seed": seed, "device": device}
        return records.Record(
            run.folder, info, run.split, run.history, run.predictions, run.validation
        )

    gpu = {"type": "cuda", "name": "NVIDIA T4", "threads": 1}
    assert (
        pages.same_seed_again(run, [])
        == pages.same_seed_again(run, [like(seed=7)])
        == (None, "not yet recorded")
    )
    again, moved = like(), like(device=gpu)
    assert pages.same_seed_again(run, [like(seed=7), again]) == (
        again,
        "the same training repeated on a CPU",
    )
    assert pages.same_seed_again(run, [moved, like(seed=7)]) == (
        moved,
        "the same training repeated on a GPU in place of a CPU",
    )


def test_absent_names_what_is_missing():
    assert (
        pages.not_recorded([]).data == pages.items([], "head").data == "<!-- nothing -->"
    )  # a page shows none of it
    assert "a/seed-1, a/seed-2" in pages.not_recorded(["a/seed-1", "a/seed-2"]).data


def test_labels_from_a_file_are_escaped(run):
    """A class name is a column of a file that anybody may bring."""
    evil = "<img src=x onerror=alert(1)>"
    predictions = run.predictions.rename(columns={"p_viral": f"p_{evil}"}).replace(
        {"y_true": {"viral": evil}}
    )
    printed = studies.printed("zhu2020", "Table 4.2")
    printed = printed.assign(
        metric=printed["metric"].str.replace("viral.", f"{evil}.", regex=False)
    )
    other = records.Record(
        run.folder,
        run.info | {"classes": [evil if name == "viral" else name for name in run.classes]},
        run.split,
        run.history,
        predictions,
        run.validation,
    )
    html = beside(other, printed=printed)
    assert "&lt;img" in html and "<img" not in html


def test_load_refuses_an_unknown_origin():
    with pytest.raises(
        ValueError, match="origin must be recorded, phantom or images, not 'memory'"
    ):
        studies.run("zhu-fourclass", "memory")


@pytest.mark.slow
def test_a_phantom_run_leaves_nothing_behind(tmp_path, monkeypatch):
    """In a notebook, whose Python is killed at its end, nothing can be tidied up later."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run = studies.run("zhu-fourclass", "phantom")
    maps, where = records.read_maps(run)
    assert len(maps["cam"]) and len(where) and not list(tmp_path.glob("phantom-*"))


def test_a_map_has_the_outline_of_its_own_image_or_says_that_none_is_known(monkeypatch):
    shown = []
    monkeypatch.setattr(pages, "display", lambda output: shown.append(output.data))
    for name, known in ((zhu2020.FIGURE_4_6, True), ("covid-chestxray/nobody", False)):
        shown.clear()
        pages.show_map(name, None, np.ones((7, 7)), (120, 90))
        ax = plt.gca()
        assert (len(ax.lines) == 2) is known
        assert any("No outline" in each for each in shown) is not known
        plt.close("all")
