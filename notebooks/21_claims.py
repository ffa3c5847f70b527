# ---
# jupyter:
#   cxr:
#     records:
#     - zhu-binary
#     - zhu-fourclass
#     - azemin-standin-resnet50
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
# # Every printed number, checked
#
# **Question.** {cite:t}`zhu2020` (Study B) and {cite:t}`cheazemin2020` (Study A) print numbers about their images, settings and results. Which of them come out again?
#
# **Answer.** Of {glue:text}`rows` numbers {glue:text}`exact` are {term}`exact`, of which {glue:text}`could-fail` could have failed, and {glue:text}`agrees` agree; {glue:text}`differs` differ, {glue:text}`impossible` {term}`cannot be true` by the study's own definitions, and {glue:text}`untestable` cannot be tested here.
#
# **How sure.** Each verdict follows from a rule, and none is typed. The rules have limits: *{term}`agrees`* is no proof of equality, and *{term}`differs`* does not say whose fault it is ({ref}`what the rules are not <rules-are-not>`).

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
from typing import Literal

study: Literal["both", "A", "B"] = "both"
only: str | None = None  # a verdict, such as "differs": rows with another are left out; None: all

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Check every number", "code_prompt_hide": "Check every number"}
import base64
import re
from pathlib import Path

import jinja2
import pandas as pd
from IPython.display import HTML

from companion import ledger, pages, parameters, studies
from companion.rules import VERDICTS

parameters.check(globals())
claims = ledger.claims()  # a row for each printed number, with its verdict and the reason
asked = claims["study"].eq(study) if study != "both" else claims["study"].notna()
if only is not None:
    asked &= claims["verdict"] == only
claims = claims[asked]

# %% [markdown]
# ## The verdicts

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Numbers by verdict", "code_prompt_hide": "Numbers by verdict"}
counts = pd.crosstab(claims["verdict"], claims["study"]).reindex(
    index=list(VERDICTS), columns=["A", "B"], fill_value=0
)
rules = pd.DataFrame(
    {"Verdict": [name.capitalize() for name in VERDICTS], "When": VERDICTS.values()}
)
table = rules.join(counts.reset_index(drop=True).add_prefix("Study "))
pages.table(table, caption="The rules, from bad to good, and how many numbers each verdict has")

# %% [markdown]
# A row may have several checks: a count, a setting, a recorded run, or arithmetic on the study's other numbers. It gets the first verdict of this list that one of them gives, and says what the others found.
#
# ## The ledger
#
# A and B are the studies. *Words*: the number where it stands, in bold; a cell of a table has none. *Rebuilt*: of results, the value of the recorded run with its 95 % interval over patients; there is no interval where the result is perfect and resamples cannot differ. The last column gives the reason for the verdict and, in smaller print, what other checks say.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Rows of the ledger, for the page", "code_prompt_hide": "Rows of the ledger, for the page"}
shown = claims.assign(
    part=claims["place"].str.partition(",")[0],
    rebuilt_as=[ledger.rebuilt_in_words(row) for row in claims.to_dict("records")],
)
shown[["before", "number", "after"]] = [
    (text.split("*") if text else [""] * 3) for text in claims["quote"]
]
titles = {}
for source in Path(".").glob("[0-9]*.py"):  # the first heading of each page
    title = re.search(r"(?m)^# # (.+)$", source.read_text(encoding="utf-8"))[1]
    titles[f"notebooks/{source.stem}"] = title.partition(":")[0]
shown["page_title"] = claims["treated"].map(titles).fillna("")
shown["page"] = [Path(page).name if page in titles else "" for page in claims["treated"]]

# %% tags=["hide-input"] mystnb={"code_prompt_show": "The ledger", "code_prompt_hide": "The ledger"}
saved = shown[ledger.PUBLISHED].assign(
    records=shown["records"].map(" ".join), rebuilt_as=shown["rebuilt_as"]
)
csv = base64.b64encode(saved.to_csv(index=False, lineterminator="\n").encode()).decode()
folder = jinja2.FileSystemLoader(studies.folder().parent)
template = jinja2.Environment(loader=folder, autoescape=True).get_template("_claims.html.jinja")
HTML(template.render(rows=shown.to_dict("records"), counts=counts, csv=csv))

# %% [markdown]
# `cxr claims` prints the same {term}`ledger` in a terminal. `cxr claims --json` gives it to programs: `rules` (verdict: rule), `lacked` (run: sentences) and `claims`, whose fields are also the columns of the CSV: {glue:text}`fields`. There `rebuilt`, `low` and `high` are numbers, null where there is none, and `also` is what the other checks say.
#
# (rules-are-not)=
# ## What the rules are not
#
# - *Agrees* is no proof of equality. The rebuilt intervals cover the choice of test patients only and are wide for the small classes; a few images agree with nearly any number. Of the {glue:text}`agrees` rows that agree, {glue:text}`same` print the same, in {glue:text}`reaches` the rebuilt interval reaches the printed number, and {glue:text}`own` lie in the interval of the printed share only. Two intervals that overlap are no test of a difference either, and with so many rows a few differ by chance alone.
# - *Differs* says that the number did not come out here, not whose fault that is. The rebuilt runs lacked things, which are listed below, and some choices that the thesis leaves open had to be made.
# - *Exact* is worth little for a setting: the book's runs were set to what is printed, so {glue:text}`settings` of the {glue:text}`exact` exact rows hold by construction. So do {glue:text}`chosen` counts that a version of the collection or a draw was chosen to give, and {glue:text}`own-text` rows are words or formulas that the text itself fixes. Each such row says so.
# - *Cannot be true* is meant by the study's own definitions. Of the {glue:text}`impossible` such rows, {glue:text}`impossible-accuracy` are "accuracies" that are {term}`recalls <recall>`; as recalls they are possible. The row says how they fare, and gives the rebuilt {term}`accuracy` by the study's formula next to the rebuilt recall.
# - {glue:text}`study-a` Study A has {glue:text}`rows-a` rows.
# - Rows are not independent: the same result is printed in the abstract, in a section, in a table and in the conclusion, and counts each time.
#
# ## Is anything left out?
#
# The two texts hold {glue:text}`tokens` numbers, in digits and in words, references and page numbers included. {glue:text}`claimed` of them are in the ledger (a row such as "224×224" has two). Every other one is passed over for a reason, which `book/studies/not_claims.yml` gives by place. `book/studies/trace.csv` has all of them in the order of the texts, with two words on either side, and a test compares it with the texts where these are available.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What became of every number of the texts", "code_prompt_hide": "What became of every number of the texts"}
trace = pd.read_csv(studies.folder() / "trace.csv", keep_default_na=False)
trace["study"] = trace["study"].map(studies.LETTERS).radd("Study ")
reason = trace["reason"].where(trace["claim"] == "", "in the ledger")
trace["What became of it"] = reason.str.partition(":")[0]
kinds = trace.pivot_table(
    index="What became of it", columns="study", values="times", aggfunc="sum", fill_value=0
)
order = kinds.sum(axis=1).sort_values(ascending=False, kind="stable").index
kinds = kinds.loc[order].rename_axis(None, axis=1).reset_index()
pages.table(kinds, caption="The numbers of both texts by what became of them")

# %% [markdown]
# Not in the ledger: numbers that stand only in the studies' pictures, which the texts we have lack, and claims without a number, such as where a network looks.
#
# ## What the runs lacked

# %% tags=["hide-input"] mystnb={"code_prompt_show": "What each run lacked", "code_prompt_hide": "What each run lacked"}
lists = jinja2.Environment(autoescape=True).from_string(
    """<div class="lacked">{% for name, sentences in runs.items() %}
<p id="lacked-{{ name }}"><strong>What {{ name }} lacked</strong></p><ul>
{% for text in sentences %}<li>{{ text }}</li>{% endfor %}</ul>{% endfor %}</div>"""
)
HTML(lists.render(runs=ledger.shortfalls(claims)))

# %% tags=["hide-input"] mystnb={"code_prompt_show": "All numbers of the text", "code_prompt_hide": "All numbers of the text"}
agrees, exact, impossible = (
    claims.loc[claims["verdict"] == verdict, "why"]
    for verdict in ("agrees", "exact", "cannot be true")
)
CHOSEN = (
    "because it gives|was told to|because it is printed|That the draw left"
    "|What the test images leave"
)
study_a = (
    "“Not testable here” holds for most results of Study A: its own network and training images"
    " were not available. Where a stand-in has a value it is shown, and counts for nothing."
)
if studies.recorded(studies.AZEMIN_ADJUDICATED.name):
    study_a = "Study A was rebuilt by its own rule, and its results are judged by that record."
settings = int(exact.str.contains("no test of it").sum())
chosen = int(exact.str.contains(CHOSEN).sum())
own_text = int(exact.str.startswith(("The text names", "Computed")).sum())
pages.glue_all(
    {
        "could-fail": len(exact) - settings - chosen - own_text,
        "study-a": study_a,
        "rows": len(claims),
        "rows-a": int((claims["study"] == "A").sum()),
        "fields": ", ".join(ledger.PUBLISHED),
        "exact": len(exact),
        "agrees": len(agrees),
        "differs": int((claims["verdict"] == "differs").sum()),
        "untestable": int((claims["verdict"] == "not testable here").sum()),
        "impossible": len(impossible),
        "impossible-accuracy": int(impossible.str.contains("formula").sum()),
        "same": int(agrees.str.contains("prints the same").sum()),
        "reaches": int(agrees.str.contains("interval reaches").sum()),
        "own": int(agrees.str.contains("printed share").sum()),
        "settings": settings,
        "chosen": chosen,
        "own-text": own_text,
        "tokens": int(trace["times"].sum()),
        "claimed": int((trace["claim"] != "").sum()),
    }
)
