"""Predictions made up for tests, and the table of metrics once more, from scikit-learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from sklearn import metrics as skl

from cxrlib.metrics import bootstrap
from cxrlib.metrics.predictions import arrays

# names of classes that a table, a legend, JavaScript or the direction of writing gives a meaning to
ANY = [
    "macro avg",
    "weighted avg",
    "overall",
    "constructor",
    "__proto__",
    "toString",
    "_hidden",
    "covid",
    "COVID-19",
    "nan",
    "שלום",
    "مرحبا 12",
    "\u202eabc",
    "肺炎",
    "x" * 300,
    "$\\frac{a$",
]
FOUR = ["covid", "viral", "bacterial", "normal"]


THESIS = np.array([[60, 0, 0, 0], [0, 121, 22, 5], [0, 7, 235, 0], [2, 7, 9, 216]])


def predictions(y, p, patients=None, classes=FOUR) -> pd.DataFrame:
    """A predictions frame from y (N,) positions, p (N, K), patients (N,)."""
    p = np.asarray(p, float)
    patients = range(len(y)) if patients is None else patients
    return pd.DataFrame(
        {
            "image_id": [f"s/i{i}" for i in range(len(y))],
            "patient_id": [f"s/{patient}" for patient in patients],
            "source": "s",
            "split": "test",
            "y_true": [classes[i] for i in y],
            **{f"p_{name}": p[:, i] for i, name in enumerate(classes[: p.shape[1]])},
        }
    )


def from_matrix(counts: np.ndarray) -> pd.DataFrame:
    """Predictions, 0.7 for the class called and the rest shared, that have these counts."""
    k = len(counts)
    cells = np.repeat(np.arange(k * k), counts.ravel())
    return predictions(cells // k, 0.3 / (k - 1) + (0.7 - 0.3 / (k - 1)) * np.eye(k)[cells % k])


def made_up(sizes=(60, 148, 242, 234), seed=0, images_per_patient=2) -> pd.DataFrame:
    """Plausible predictions, some patients with several images, a few of those in two classes."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(sizes)), sizes)
    logits = rng.normal(size=(len(y), len(sizes)))
    logits[np.arange(len(y)), y] += 1.5
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return predictions(y, p, np.arange(len(y)) // images_per_patient)


@st.composite
def drawn(draw) -> pd.DataFrame:
    """Small predictions full of ties: absent classes, classes never called, one class, one patient,
    one image.
    """
    k, n = draw(st.integers(2, 4)), draw(st.integers(1, 14))
    shares = st.lists(st.integers(0, 4), min_size=k, max_size=k).filter(any)
    votes = np.array(draw(st.lists(shares, min_size=n, max_size=n)), float)
    y = draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))
    patients = draw(st.lists(st.integers(0, draw(st.integers(0, n))), min_size=n, max_size=n))
    return predictions(y, votes / votes.sum(axis=1, keepdims=True), patients, FOUR[:k])


def auc_or_nan(y, p, weights=None) -> float:
    weights = np.ones(len(y)) if weights is None else weights
    y, p, weights = y[weights > 0], p[weights > 0], weights[weights > 0]
    return skl.roc_auc_score(y, p, sample_weight=weights) if 0 < y.sum() < len(y) else np.nan


def slow_table(frame: pd.DataFrame, weights=None) -> pd.DataFrame:
    """`per_class` once more, from scikit-learn class by class."""
    classes = [column[2:] for column in frame if column.startswith("p_")]
    weights = np.ones(len(frame)) if weights is None else weights
    called = frame[[f"p_{name}" for name in classes]].to_numpy().argmax(axis=1)
    rows = []
    for i, name in enumerate(classes):
        truth, guess = (frame["y_true"] == name).to_numpy(), called == i
        keys = {"sample_weight": weights, "zero_division": np.nan}
        rows.append(
            {
                "size": weights[truth].sum(),
                "accuracy": skl.accuracy_score(truth, guess, sample_weight=weights),
                "precision": skl.precision_score(truth, guess, **keys),
                "recall": skl.recall_score(truth, guess, **keys),
                "specificity": skl.recall_score(~truth, ~guess, **keys),
                "f1": skl.f1_score(truth, guess, **keys),
                "auc": auc_or_nan(truth, frame[f"p_{name}"].to_numpy(), weights),
            }
        )
    table = pd.DataFrame(rows, classes)
    sizes = table["size"].to_numpy()
    table.loc["macro avg"] = table.iloc[: len(sizes)].mean(skipna=False)
    table.loc["weighted avg"] = (table.iloc[: len(sizes)].mul(sizes, axis=0))[sizes > 0].sum(
        skipna=False
    ) / sizes.sum()
    table.loc[["macro avg", "weighted avg"], "size"] = sizes.sum()
    return table


def resamples(frame: pd.DataFrame, *options) -> bootstrap.Resamples:
    """Patients of a frame drawn anew within their classes: replicates, seed."""
    return bootstrap.Resamples(frame["patient_id"], arrays(frame)[1], *options)


def drawn_images(frame: pd.DataFrame, *options) -> np.ndarray:
    """How often each image is drawn in each replicate: integers (B, N)."""
    found = resamples(frame, *options)
    return found.counts[found.patient].T.astype(int)


def scored(positive, negative) -> pd.DataFrame:
    """Images of one patient each with these scores of being covid."""
    score = np.concatenate([positive, negative])
    frame = pd.DataFrame(
        {"image_id": [f"s/{i}" for i in range(len(score))], "source": "s", "split": "test"}
    )
    frame["patient_id"] = frame["image_id"]
    return frame.assign(
        y_true=["covid"] * len(positive) + ["none"] * len(negative), p_covid=score, p_none=1 - score
    )
