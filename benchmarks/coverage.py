"""How often an interval of a share holds the true share, in simulated test sets whose patients have
several images.

The two numbers of the policy are from here: `cxrlib.metrics.intervals.CARRIERS`, up to which
percentiles are too narrow, and ``ALIKE``, the least whole number with which one more error never
raised the lower end in the designs of this book's test sets while so few patients carried errors.

``python -m benchmarks.coverage``, in a clone, writes ``results/coverage/shares.csv``.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from companion import studies
from cxrlib.files import write_text
from cxrlib.metrics import bootstrap

DESIGNS = {  # images of each patient: of this book's test sets, and one with a few large patients
    "35 of 35": [1] * 35,
    "200 of 200": [1] * 200,
    "59 of 35": [5, 4, 4, 3, 3] + [2] * 10 + [1] * 20,
    "242 of 77": [9, 8, 7] + [6] * 4 + [5] * 4 + [4] * 12 + [3] * 24 + [2] * 24 + [1] * 6,
    "100 of 44": [20, 10, 5, 5] + [2] * 20 + [1] * 20,
}
ERRORS = (0.02, 0.05, 0.1, 0.2)  # true share of errors
ALIKE = (0.0, 0.3, 1.0)  # correlation of a patient's images


def simulated(sizes: np.ndarray, errors: float, alike: float, sets: int, rng) -> np.ndarray:
    """How many errors each patient has in each of some test sets, (P, sets): beta-binomial."""
    shape = (len(sizes), sets)
    if alike == 1:
        return sizes[:, None] * (rng.random(shape) < errors)
    share = np.full(shape, errors)
    if alike:
        scale = 1 / alike - 1
        share = rng.beta(errors * scale, (1 - errors) * scale, shape)
    return rng.binomial(sizes[:, None], share)


def coverage(sets: int = 1000, replicates: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Shares of test sets whose interval holds the truth, by ``percentiles`` alone and by the
    ``policy``, and whose lower end is above it (``... above``; 0.025 is meant); a row for each
    ``design``, true share of ``errors`` and correlation ``alike``, with the mean number of patients
    who carry errors. Where nothing is wrong percentiles have no width, and miss.
    """
    rng, rows = np.random.default_rng(seed), []
    for (name, sizes), errors, alike in itertools.product(DESIGNS.items(), ERRORS, ALIKE):
        sizes = np.array(sizes)
        counts = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), replicates)
        wrong = simulated(sizes, errors, alike, sets, rng)
        drawn = 1 - counts @ wrong / (counts @ sizes)[:, None]
        ends = np.quantile(drawn, [0.025, 0.975], axis=0)
        patients, every = np.repeat(np.arange(len(sizes)), sizes), np.ones(sizes.sum(), bool)
        found = []
        for column, (low, high) in zip(wrong.T, ends.T, strict=True):
            share = 1 - column.sum() / sizes.sum()
            row = (share, low, high) if low < high else (share, np.nan, np.nan)
            right = np.concatenate([np.arange(n) >= k for n, k in zip(sizes, column, strict=True)])
            found.append(bootstrap.share_interval(row, right, every, patients, 0.95)[1:])
        row = {"design": name, "errors": errors, "alike": alike}
        row["carriers"] = np.count_nonzero(wrong, axis=0).mean()
        for kind, (low, high) in {"percentiles": ends, "policy": np.array(found).T}.items():
            row[kind] = ((low <= 1 - errors) & (1 - errors <= high)).mean()
            row[f"{kind} above"] = (low > 1 - errors).mean()
        rows.append(row)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    file = studies.results_folder() / "coverage" / "shares.csv"
    write_text(file, coverage().round(3).to_csv(index=False))
    print(f"Wrote {file}")
