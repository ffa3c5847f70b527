"""What a mistake of evaluation gives, made on purpose; and frozen features against fine-tuned."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score, roc_curve

from companion import studies
from companion.audits import probes
from companion.audits.probes import BINARY, FOURCLASS, STANDIN
from companion.studies import settings
from cxrlib.data import splits

RECORDED = {  # mistake: runs with it and without
    "split by image": ("zhu-fourclass-variants/split-by-image", FOURCLASS),
    "epoch by test set": ("zhu-fourclass-variants/epoch-by-test", FOURCLASS),
}
TUNED = "threshold by test set"
PERMUTED = ", labels permuted"
POSITIVE = {"covid", "opacity"}


def frozen_against_finetuned(data=None, device=None) -> tuple[dict, dict]:
    """Study B's four classes by a probe: the thesis says that this cannot be done (3.2)."""
    seen = probes.see(FOURCLASS, data, device)
    conditions = iter([("unchanged", 1.0, seen.whole())])
    predictions, made = probes.curve(seen, FOURCLASS, conditions)
    said = probes.said("linear probes of four classes on unchanged images", {FOURCLASS: seen})
    said["beside"] = [FOURCLASS, *(f"{FOURCLASS}-redraws/seed-{draw}" for draw in probes.DRAWS)]
    return said, {"predictions": predictions.drop(columns="size"), "probes": made}


def measured(table: pd.DataFrame, threshold: float = 0.5) -> dict[str, float]:
    """Number of COVID-19 images, their AUC, recall and specificity at a threshold, and the share of
    all images in their most probable class; of two classes, at the threshold.
    """
    truth, p = table["y_true"].isin(POSITIVE).to_numpy(), table["p_covid"].to_numpy()
    called, named = p >= threshold, [name for name in table if name.startswith("p_")]
    right = called == truth
    if len(named) > 2:
        right = table[named].idxmax(axis=1).str.removeprefix("p_") == table["y_true"]
    found = {"covid": truth.sum(), "threshold": threshold, "auc": roc_auc_score(truth, p)}
    found |= {"recall": called[truth].mean(), "specificity": (~called[~truth]).mean()}
    return found | {"accuracy": np.mean(right)}


def youden(table: pd.DataFrame) -> float:
    """The threshold with the largest sum of recall and specificity in these very predictions."""
    fpr, tpr, at = roc_curve(table["y_true"].isin(POSITIVE), table["p_covid"])
    return float(min(1.0, at[np.argmax(tpr - fpr)]))


def made_by_probes(seen: probes.Seen, features: np.ndarray, name: str, draw: int) -> dict:
    """Predictions by mistake, ``none`` among them; ``all by …`` divides Kermany's images, too. Of a
    ``name`` with :data:`PERMUTED`, labels are permuted among all images: nothing is to be found.
    """
    task, rng = name.removesuffix(PERMUTED), np.random.default_rng(draw)
    rows, copies = seen.ready.rows, dict(settings.experiment(task).oversample)
    labels, parts = seen.part(task, draw)
    labels = rng.permutation(labels) if name != task else labels
    folds = {}
    for unit in ("patient", "image"):
        people = rows.assign(patient_id=rows[f"{unit}_id"])
        fold = splits.fold_by_patient(people, labels, studies.CV_FOLDS, draw).to_numpy()
        folds[f"all by {unit}"] = np.select([fold == 0, fold == 1], ["test", "val"], "train")
    once = np.arange(len(rows))
    divided = {"none": parts, "C by test set": parts, **folds}
    divided["split by image"] = seen.part(task, draw, unit="image")[1]
    runs = {mistake: (once, part, copies) for mistake, part in divided.items()}
    covid = np.flatnonzero(labels == "covid")
    at = np.append(np.delete(once, covid), np.tile(covid, copies["covid"]))
    part = parts[at]
    part[labels[at] == "covid"] = rng.permutation(part[labels[at] == "covid"])
    runs["copies before the split"] = at, part, {}
    found = {}
    for mistake, (at, part, weights) in runs.items():
        judge = "test" if mistake == "C by test set" else "val"
        result = probes.probe(features[at], labels[at], part, weights, judge)
        table = rows.iloc[at].reset_index(drop=True)
        table = probes.tested(table, labels[at], part == "test", result, mistake=mistake, draw=draw)
        found[mistake] = table.drop_duplicates("image_id")  # of copies
    return found


def table_of(task: str) -> str:
    """Name of the table that has a task's predictions."""
    return task.replace(",", "").replace(" ", "-")


def leakage(data=None, device=None) -> tuple[dict, dict]:
    """How much does each mistake give? By probes in five draws, and by recorded runs."""
    seen = probes.see(BINARY, data, device)
    features, tables, rows = seen.whole(), {}, []

    def add(mistake: str, by: str, task: str, draw: int, *sides: tuple[pd.DataFrame, float]):
        for made, (table, threshold) in zip((True, False), sides, strict=True):
            row = {"mistake": mistake, "by": by, "task": task, "draw": draw, "made": made}
            rows.append(row | measured(table, threshold))

    for name in (BINARY, FOURCLASS, BINARY + PERMUTED):
        found = [made_by_probes(seen, features, name, draw) for draw in probes.DRAWS]
        tables[table_of(name)] = probes.by_image(table for each in found for table in each.values())
        for draw, each in enumerate(found):
            right = {"all by image": "all by patient"}
            for mistake in each.keys() - {"none", "all by patient"}:
                sides = each[mistake], each[right.get(mistake, "none")]
                add(mistake, "probe", name, draw, *((table, 0.5) for table in sides))
    for mistake, runs in RECORDED.items():
        sides = [(studies.run(run).predictions, 0.5) for run in runs]
        add(mistake, "recorded run", FOURCLASS, 0, *sides)
    redraws = {f"{BINARY}-redraws/seed-{draw}": draw for draw in probes.DRAWS}
    for name, draw in (redraws | {STANDIN: 0}).items():
        run = studies.run(name)
        own = run.validation.rename(columns={"p_opacity": "p_covid"})
        sides = [(run.predictions, youden(table)) for table in (run.predictions, own)]
        add(TUNED, "recorded run", name.partition("-redraws")[0], draw, *sides)
    said = probes.said("mistakes of evaluation made on purpose", {BINARY: seen, FOURCLASS: seen})
    said["recorded runs"] = {
        **{k: list(v) for k, v in RECORDED.items()},
        TUNED: [*redraws, STANDIN],
    }
    summary = pd.DataFrame(rows).sort_values(["mistake", "by", "task", "draw"], kind="stable")
    return said, tables | {"summary": summary}
