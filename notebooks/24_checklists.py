# ---
# jupyter:
#   cxr:
#     records:
#     - zhu-binary
#     - zhu-fourclass
#     - azemin-standin-resnet50
#     families:
#     - zhu-fourclass-redraws
#     - zhu-binary-redraws
#     - zhu-fourclass-cv
#     - zhu-binary-cv
#     - zhu-fourclass-variants
#     - azemin-standin-resnet50-variants
#   jupytext:
#     formats: ipynb,py:percent
#     notebook_metadata_filter: cxr
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Checklists: what is reported, and what could mislead
#
# Three lists that others made are put to Study A ({cite:t}`cheazemin2020`), to Study B ({cite:t}`zhu2020`) and, as strictly, to this companion: CLAIM {cite}`mongan2020` and TRIPOD+AI {cite}`collins2024`, which ask
# what is reported, and PROBAST {cite}`wolff2019`, which asks what may bias the result. All {glue:text}`answers` answers are judgements, each with its reason; the numbers in {glue:text}`counted` of the reasons were counted by code when this page was made.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the lists", "code_prompt_hide": "Load the lists"}
from html import escape
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import yaml
from IPython.display import HTML

from companion import ledger, pages, sources, studies
from companion.pages import say
from cxrlib import plots
from cxrlib.data import splits

WHO = {"A": "Study A", "B": "Study B", "here": "This companion"}
LISTS = {
    name: yaml.load(
        (Path("..") / "book" / "checklists" / f"{name}.yml").read_text(encoding="utf-8"),
        yaml.BaseLoader,
    )
    for name in ("claim", "tripod_ai", "probast")
}  # BaseLoader: yes and no stay words
RUNS = [studies.run(name) for name in ("zhu-fourclass", "zhu-binary", "azemin-standin-resnet50")]

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What is counted for the reasons", "code_prompt_hide": "What is counted for the reasons"}
claims = ledger.claims().set_index("id")
of_a, of_b = (claims["study"] == letter for letter in ("A", "B"))
trace = pd.read_csv(studies.folder() / "trace.csv", keep_default_na=False)
in_text = trace[trace["number"] != ""]["study"].value_counts()
flow = pd.read_csv(studies.results_folder() / "flow" / "cheazemin2020.csv", index_col="step")
covid_a = flow[flow.index.str.startswith("test COVID-19")]["patients"]
covid = [run.predictions[run.predictions["y_true"] == "covid"]["patient_id"] for run in RUNS]
shared = [splits.leakage(run.split, run.split["split"])["shared_patients"] for run in RUNS[:2]]
maps = studies.read_maps(RUNS[0])[1]
tested = [(run.name, run.info["metrics"]) for run in RUNS]
COUNTED = {
    "claims_a": of_a.sum(),
    "claims_b": of_b.sum(),
    "numbers_a": in_text["cheazemin2020"],
    "numbers_b": in_text["zhu2020"],
    "intervals": claims["low"].notna().sum(),
    "settings": ((claims["kind"] == "setting") & claims["section"].str.startswith("3.3")).sum(),
    "covid_a": covid_a.astype(int).min(),
    "covid_b": claims.loc["zhu-t4.2-covid-size", "printed"],
    "covid_here": min(patients.nunique() for patients in covid),
    "children": flow["under_18"].notna().sum(),
    "collections": len(sources.COLLECTIONS),
    "flows": len(list((studies.results_folder() / "flow").glob("*.csv"))),
    "missing": ", ".join(f"{len(run.info['data']['missing'])} in {run.name}" for run in RUNS),
    "shared": sum(shared),
    "variants": sum(len(studies.family(name)[0]) for name in studies.FAMILIES),
    "masks": (maps["kind"] == "lung mask").sum(),
    "models": len(RUNS),
    "published": sum((run.folder / "model.safetensors").is_file() for run in RUNS),
    "tested": "; ".join(
        f"{name}: {found['images']:,} test images of {found['patients']:,} patients"
        for name, found in tested
    ),
}
rows = []
for name, content in LISTS.items():
    for item in content["items"]:
        for who in WHO:
            answer, reason = item[who]
            rows.append((name, item["item"], item["title"], who, answer, reason))
answers = pd.DataFrame(rows, columns=["list", "item", "title", "who", "answer", "reason"])
answers["counted"] = answers["reason"].str.contains("{", regex=False)
answers["reason"] = [reason.format(**COUNTED) for reason in answers["reason"]]


# %% tags=["remove-cell"]
def table(name):
    """A list with the three answers to each item; on a phone every item is a card."""
    body = []
    for (item, title), part in answers[answers["list"] == name].groupby(
        ["item", "title"], sort=False
    ):
        cells = "".join(
            f'<td data-label="{WHO[row.who]}"><strong>{escape(row.answer)}</strong><span'
            f' class="also">{escape(row.reason)}</span></td>'
            for row in part.itertuples()
        )
        body.append(f'<tr><th scope="row">{escape(item)} {escape(title)}</th>{cells}</tr>')
    heads = "".join(f'<th scope="col">{head}</th>' for head in ["Item", *WHO.values()])
    return HTML(
        '<div class="rows" tabindex="0" role="region" aria-label="Checklist"><table class="ledger'
        f' thirds"><thead><tr>{heads}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'
    )


counts = (
    answers[answers["list"] != "probast"]
    .groupby(["list", "who"])["answer"]
    .value_counts()
    .unstack(fill_value=0)
    .reindex(columns=["yes", "partly", "no", "?", "n/a"], fill_value=0)
)
applies = counts[["yes", "partly", "no"]].sum(axis=1)
counts["low"], counts["high"] = (
    counts["yes"] / applies,
    (counts["yes"] + counts["partly"]) / applies,
)
YARDSTICK = (
    0.63,
    0.11,
)  # weighted mean and standard deviation of CLAIM compliance, Kocak et al. 2025
say("answers", len(answers))
say("counted", int(answers["counted"].sum()))
say("yardstick", f"{100 * YARDSTICK[0]:.0f}")
say("yardstick-sd", f"{100 * YARDSTICK[1]:.0f}")
for who in WHO:
    row = counts.loc[("claim", who)]
    say(f"claim-{who}", f"{100 * row['low']:.0f} to {100 * row['high']:.0f}")

# %% [markdown]
# ## How much is reported

# %% tags=["remove-input"] mystnb={"image": {"alt": "Horizontal bars, one for each study and this companion on CLAIM and on TRIPOD+AI: share of the applicable items answered yes, partly and no; on CLAIM a band marks the published mean compliance. The numbers are in the table below."}}
COLORS = {"yes": ("#009E73", ""), "partly": ("#E69F00", "//"), "no": ("#BBBBBB", "..")}
with plots.style():
    figure, axes = plt.subplots(2, 1, figsize=(7, 4.6), sharex=True)
    for ax, (name, title) in zip(
        axes, {"claim": "CLAIM", "tripod_ai": "TRIPOD+AI"}.items(), strict=True
    ):
        part, left = counts.loc[name].loc[list(WHO)], 0
        for answer, (color, hatch) in COLORS.items():
            share = part[answer] / part[["yes", "partly", "no"]].sum(axis=1)
            drawn = ax.barh(
                list(WHO.values()),
                share,
                left=left,
                height=0.6,
                color=color,
                hatch=hatch,
                edgecolor="white",
                label=answer,
            )
            ax.bar_label(drawn, labels=part[answer], label_type="center")
            left = left + share
        if name == "claim":
            mean, sd = YARDSTICK
            ax.axvspan(mean - sd, mean + sd, color="black", alpha=0.12, linewidth=0)
            ax.axvline(
                mean, color="black", linestyle="--", linewidth=1.2, label="published mean, ± 1 SD"
            )
        ax.invert_yaxis()
        ax.set(xlim=(0, 1), title=title)
        ax.spines[["top", "right"]].set_visible(False)
    axes[1].set_xlabel("Share of the items that apply and can be told (numbers: items)")
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False
    )
plt.show()

# %% [markdown]
# *Items by answer.*

# %% tags=["remove-input"]
shown = counts.loc[["claim", "tripod_ai"]].reset_index().rename_axis(columns=None)
shown["list"], shown["who"] = (
    shown["list"].map({"claim": "CLAIM", "tripod_ai": "TRIPOD+AI"}),
    shown["who"].map(WHO),
)
shown["share"] = [
    f"{100 * low:.0f}–{100 * high:.0f} %"
    for low, high in zip(shown.pop("low"), shown.pop("high"), strict=True)
]
pages.table(
    shown.rename(
        columns={
            "list": "List",
            "who": "Of",
            "?": "cannot be told",
            "n/a": "does not apply",
            "share": "Reported",
        }
    )
)

# %% [markdown]
# *"Reported": the items answered yes, and those answered yes or partly, in per cent of those that apply and can be told. TRIPOD+AI is counted by lettered part.*
#
# {cite:t}`kocak2025` put together reviews that had scored studies by CLAIM: the weighted mean was {glue:text}`yardstick` % of the items, with a standard deviation of {glue:text}`yardstick-sd` %. Here Study A has
# {glue:text}`claim-A` %, Study B {glue:text}`claim-B` % and this companion {glue:text}`claim-here` %, the lower figure without what is only partly reported. These stand beside each other with care:
#
# - One party answered, its own work included, and knew the answer that it would like. Reviews use two readers and rules of their own for what counts as reported; which of the two figures is nearer to theirs is not known.
# - The text at hand of Study A lacks the content of its figures, its formulas and everything after the conclusion. What may stand there is marked "?" and left out.
# - CLAIM appeared in the year of both studies and TRIPOD+AI four years later: neither could be followed.
# - A list counts what is said, not whether it is right. This companion says more because it has more room, and its subject is what the studies do not say.
# - Titles of items are ours and shorter than the items. Their numbers and subjects were compared with public copies of the lists; the wording to go by is the originals'.
#
# ## What could bias the results: PROBAST

# %% tags=["remove-cell"]
risk = answers[answers["list"] == "probast"].assign(domain=lambda table: table["item"].str[0])


def judged(given):
    """PROBAST's own way from answers to a domain: high with any no, else unclear with any lack of
    information, else low.
    """
    return "high" if {"N", "PN"} & set(given) else "unclear" if "NI" in set(given) else "low"


domains = risk.groupby(["domain", "who"])["answer"].agg(judged).unstack()[list(WHO)]
domains.loc["all"] = [
    (
        "high"
        if "high" in set(domains[who])
        else "unclear"
        if "unclear" in set(domains[who])
        else "low"
    )
    for who in domains
]
domains.index = [*(f"{key} {name}" for key, name in LISTS["probast"]["domains"].items()), "Overall"]
say("overall", "; ".join(f"{WHO[who]}: {domains.loc['Overall', who]}" for who in WHO))
say("high", int((domains.drop(index="Overall") == "high").sum().sum()))
say("cells", int(domains.drop(index="Overall").size))

# %% tags=["remove-input"]
pages.table(
    domains.rename(columns=WHO).rename_axis("Risk of bias").rename_axis(columns=None).reset_index()
)

# %% [markdown]
# *Risk of bias by domain, from the answers below: high where any is N or PN, else unclear where any is NI.* Overall: {glue:text}`overall`. {glue:text}`high` of {glue:text}`cells` cells are high. Rebuilding a study
# does not mend its design: the companion's models are tested on the same two kinds of images, so that its risk is as high.

# %% tags=["remove-input"]
table("probast")

# %% [markdown]
# *PROBAST: Y yes, PY probably yes, PN probably no, N no, NI no information.*
#
# ## CLAIM, item by item

# %% tags=["remove-input"]
table("claim")

# %% [markdown]
# *"n/a" does not apply; "?" cannot be told from the text at hand.*
#
# ## TRIPOD+AI, item by item

# %% tags=["remove-input"]
table("tripod_ai")

# %% [markdown]
# *As above. For this companion, three parts ask for a statement, which is made here: no protocol was written before the work, it is not registered, and neither patients nor the public took part.*
