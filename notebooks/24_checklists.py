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
# **Question.** How much of what reporting guidelines ask for can be read in Study A ({cite:t}`cheazemin2020`), in Study B ({cite:t}`zhu2020`) and in this companion? And what could bias the results?
#
# **Answer.** Of the items of CLAIM, a list for studies of artificial intelligence in imaging {cite}`mongan2020`, Study A reports {glue:text}`claim-A` %, Study B {glue:text}`claim-B` % and this companion {glue:text}`claim-here` %, where published reviews found
# {glue:text}`yardstick` % on average. The risk of bias by PROBAST {cite}`wolff2019` is {glue:text}`overall`.
#
# **How sure.** All {glue:text}`answers` answers are judgements, each with its reason. One party gave them, on its own work too. The numbers in {glue:text}`counted` of the reasons were counted by code when this page was made.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
from typing import Literal

# an item of which our text of a study cannot tell ("?"): left out of the shares, or taken as a no
unknown: Literal["left out", "no"] = "left out"

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Load the lists", "code_prompt_hide": "Load the lists"}
from html import escape

import matplotlib.pyplot as plt
import pandas as pd
import yaml
from IPython.display import HTML

from companion import ledger, pages, parameters, sources, studies
from companion.clone import clone_folder
from cxrlib import plots, records
from cxrlib.data import splits

parameters.check(globals())
WHO = {"A": "Study A", "B": "Study B", "here": "This companion"}
REPORTING = {"claim": "CLAIM", "tripod_ai": "TRIPOD+AI"}  # these ask what is reported
folder = clone_folder() / "book" / "checklists"
LISTS = {  # BaseLoader: yes and no stay words
    name: yaml.load((folder / f"{name}.yml").read_text(encoding="utf-8"), yaml.BaseLoader)
    for name in [*REPORTING, "probast"]
}

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The answers", "code_prompt_hide": "The answers"}
rows = [
    (name, item["item"], item["title"], who, *item[who])
    for name, content in LISTS.items()
    for item in content["items"]
    for who in WHO
]
answers = pd.DataFrame(rows, columns=["list", "item", "title", "who", "answer", "reason"])

# %% [markdown]
# ## How much is reported

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Count the answers", "code_prompt_hide": "Count the answers"}
counts = answers[answers["list"] != "probast"].value_counts(["list", "who", "answer"])
counts = counts.unstack(fill_value=0)[["yes", "partly", "no", "?", "n/a"]]
if unknown == "no":
    counts["no"] += counts["?"]
    counts["?"] = 0
applies = counts[["yes", "partly", "no"]].sum(axis=1)
least, most = counts["yes"] / applies, (counts["yes"] + counts["partly"]) / applies

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Answers by list", "code_prompt_hide": "Answers by list", "figure": {"name": "items-reported", "caption": "Items of CLAIM and of TRIPOD+AI by answer. Numbers: items. Dashed, with a band: mean of published reviews, ± one standard deviation {cite}`kocak2025`."}, "image": {"alt": "Horizontal bars, one for each study and this companion on CLAIM and on TRIPOD+AI: share of the applicable items answered yes, partly and no; on CLAIM a band marks the published mean compliance. The numbers are in the table below."}}
MEAN, SD = 0.63, 0.11  # weighted, of compliance with CLAIM, Kocak et al. 2025
GREYS = {"yes": ("0.35", "white"), "partly": ("0.65", "black"), "no": ("0.9", "black")}
with plots.style():
    figure, axes = plt.subplots(2, 1, figsize=(7, 4.6), sharex=True)
    for ax, (name, title) in zip(axes, REPORTING.items(), strict=True):
        items = counts.loc[name].loc[list(WHO), list(GREYS)].rename(WHO)
        shares = items.div(items.sum(axis=1), axis=0)
        colors = [fill for fill, _ in GREYS.values()]
        shares.plot.barh(stacked=True, ax=ax, title=title, color=colors, width=0.6, legend=False)
        for bars, (answer, (_, ink)) in zip(ax.containers, GREYS.items(), strict=True):
            ax.bar_label(bars, items[answer], label_type="center", color=ink)
        ax.invert_yaxis()
        ax.set(xlim=(0, 1), ylabel="", xlabel="Share of the items that apply and can be told")
    axes[0].axvspan(MEAN - SD, MEAN + SD, color=pages.COLORS["rebuilt"], alpha=0.2)
    axes[0].axvline(MEAN, color=pages.COLORS["rebuilt"], linestyle="--", label="published mean")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "The same as a table", "code_prompt_hide": "The same as a table"}
ends = zip(100 * least, 100 * most, strict=True)
shown = counts.assign(Reported=[f"{low:.0f}–{high:.0f} %" for low, high in ends]).reset_index()
shown["list"], shown["who"] = shown["list"].map(REPORTING), shown["who"].map(WHO)
heads = {"list": "List", "who": "Of", "?": "cannot be told", "n/a": "does not apply"}
pages.table(shown.rename(columns=heads).rename_axis(columns=None))

# %% [markdown]
# The lower figure of each share counts the items answered yes, the higher one also those answered partly, both in per cent of the items that apply and can be told. TRIPOD+AI {cite}`collins2024` is counted by lettered part.
#
# {cite:t}`kocak2025` put together reviews that had scored studies by CLAIM. The weighted mean was {glue:text}`yardstick` % of the items, with a standard deviation of {glue:text}`yardstick-sd` %. Compare with care:
#
# - One party answered and knew the answer that it would like. Reviews use two readers and their own rules for what counts as reported. Which of our two figures is nearer to theirs is not known.
# - Our text of Study A lacks the content of its figures, its formulas and everything after the conclusion. What may be there is marked "?" and left out.
# - CLAIM appeared in the year of both studies, TRIPOD+AI four years later. Neither could be followed.
# - A list counts what is said, not whether it is right. This companion says more because it has more room, and because its subject is what the studies do not say.
# - The titles of items are ours, and shorter. Numbers and subjects were compared with public copies of the lists; the originals' wording is the one to go by.
#
# ## What could bias the results: PROBAST
#
# {glue:text}`high` of {glue:text}`cells` cells are high. Rebuilding a study does not mend its design: the companion's models are tested on the same two kinds of images, so their risk is as high.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Risk of bias by domain", "code_prompt_hide": "Risk of bias by domain", "figure": {"name": "risk-of-bias", "caption": "Risk of bias by domain, from the answers below: high where any is no or probably no, else unclear where information is lacking, else low."}}
RISK = {"N": "high", "PN": "high", "NI": "unclear", "Y": "low", "PY": "low"}
LEVELS = pd.CategoricalDtype(["low", "unclear", "high"], ordered=True)
risk = answers[answers["list"] == "probast"]
risk = risk.assign(risk=risk["answer"].map(RISK).astype(LEVELS))
risk["domain"] = risk["item"].str[0] + " " + risk["item"].str[0].map(LISTS["probast"]["domains"])
domains = risk.groupby(["domain", "who"])["risk"].max().unstack()[list(WHO)].astype(str)
domains.loc["Overall"] = risk.groupby("who")["risk"].max().astype(str)
pages.table(domains.rename(columns=WHO).rename_axis(None).rename_axis(columns=None), index=True)

# %% [markdown]
# ## The lists, item by item
#
# Some reasons hold numbers. They are counted here: in the [ledger of printed numbers](21_claims.ipynb), in the flow of the images, and in the recorded runs.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What is counted", "code_prompt_hide": "What is counted"}
claims = ledger.claims().set_index("id")
trace = pd.read_csv(studies.folder() / "trace.csv", keep_default_na=False)
in_text = trace[trace["number"] != ""]["study"].value_counts()
flows = studies.results_folder() / "flow"
flow = pd.read_csv(flows / "cheazemin2020.csv", index_col="step")
tested_a = flow[flow.index.str.startswith("test COVID-19")]["patients"].astype(int)
runs = [studies.run(name) for name in ("zhu-fourclass", "zhu-binary", "azemin-standin-resnet50")]
covid = [run.predictions.query("y_true == 'covid'")["patient_id"].nunique() for run in runs]
shared = [splits.leakage(run.split, run.split["split"])["shared_patients"] for run in runs[:2]]
sizes = [
    "{}: {images:,} test images of {patients:,} patients".format(run.name, **run.info["metrics"])
    for run in runs
]

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Numbers in the reasons", "code_prompt_hide": "Numbers in the reasons"}
COUNTED = {
    "claims_a": (claims["study"] == "A").sum(),
    "claims_b": (claims["study"] == "B").sum(),
    "numbers_a": in_text["cheazemin2020"],
    "numbers_b": in_text["zhu2020"],
    "intervals": claims["low"].notna().sum(),
    "settings": ((claims["kind"] == "setting") & claims["section"].str.startswith("3.3")).sum(),
    "covid_a": tested_a.min(),
    "covid_b": claims.loc["zhu-t4.2-covid-size", "printed"],
    "covid_here": min(covid),
    "children": flow["under_18"].notna().sum(),
    "collections": len(sources.COLLECTIONS),
    "flows": len(list(flows.glob("*.csv"))),
    "missing": ", ".join(f"{len(run.info['data']['missing'])} in {run.name}" for run in runs),
    "shared": sum(shared),
    "variants": sum(len(studies.family(name)[0]) for name in studies.FAMILIES),
    "masks": (records.read_maps(runs[0])[1]["kind"] == "lung mask").sum(),
    "models": len(runs),
    "published": sum((run.folder / "model.safetensors").is_file() for run in runs),
    "tested": "; ".join(sizes),
}
answers["counted"] = answers["reason"].str.contains("{", regex=False)
answers["reason"] = [reason.format(**COUNTED) for reason in answers["reason"]]


# %% tags=["hide-input"] mystnb={"code_prompt_show": "How a list is displayed", "code_prompt_hide": "How a list is displayed"}
def table(name):
    """A list with the three answers to each item; on a phone every item is a card."""
    items = answers[answers["list"] == name].groupby(["item", "title"], sort=False)
    body = ""
    for (item, title), part in items:
        body += f'<tr><th scope="row">{escape(item)} {escape(title)}</th>'
        for who, answer, reason in part[["who", "answer", "reason"]].itertuples(index=False):
            body += f'<td data-label="{WHO[who]}"><strong>{escape(answer)}</strong>'
            body += f'<span class="also">{escape(reason)}</span></td>'
        body += "</tr>"
    heads = "".join(f'<th scope="col">{head}</th>' for head in ["Item", *WHO.values()])
    return HTML(
        f'<div class="rows" tabindex="0" role="region" aria-label="Checklist {name}">'
        f'<table class="ledger thirds"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
        "</div>"
    )


# %% [markdown]
# ### PROBAST
#
# Y yes, PY probably yes, PN probably no, N no, NI no information.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "PROBAST", "code_prompt_hide": "PROBAST"}
table("probast")

# %% [markdown]
# ### CLAIM
#
# "n/a" does not apply; "?" cannot be told from our text of the study.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "CLAIM", "code_prompt_hide": "CLAIM"}
table("claim")

# %% [markdown]
# ### TRIPOD+AI
#
# Answers as for CLAIM. For this companion three parts ask for a statement, which is made here: no protocol was written before the work, it is not registered, and neither patients nor the public took part.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "TRIPOD+AI", "code_prompt_hide": "TRIPOD+AI"}
table("tripod_ai")

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Numbers in the sentences", "code_prompt_hide": "Numbers in the sentences"}
by_domain = domains.drop(index="Overall")
in_sentences = {
    "answers": len(answers),
    "counted": int(answers["counted"].sum()),
    "yardstick": f"{100 * MEAN:.0f}",
    "yardstick-sd": f"{100 * SD:.0f}",
    "overall": ", ".join(
        f"{domains.loc['Overall', who]} in {name.replace('This', 'this')}"
        for who, name in WHO.items()
    ),
    "high": int((by_domain == "high").sum().sum()),
    "cells": by_domain.size,
}
for who in WHO:
    ends = least["claim", who], most["claim", who]
    in_sentences[f"claim-{who}"] = "{:.0f} to {:.0f}".format(*(100 * end for end in ends))
pages.glue_all(in_sentences)
