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
# Each number that {cite:t}`zhu2020` (Study B) and {cite:t}`cheazemin2020` (Study A) print about their images, settings and results is one row of a ledger: {glue:text}`rows` rows. Each row
# names what checks it: a count, a setting, a recorded run, or arithmetic on the study's other numbers. The verdict follows by rule; none is typed.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Check every number", "code_prompt_hide": "Check every number"}
import base64
import re
from html import escape
from pathlib import Path

import pandas as pd
from IPython.display import HTML

from companion import ledger, pages, studies
from companion.pages import say
from companion.rules import VERDICTS

claims = ledger.claims()
counts = pd.crosstab(claims["verdict"], claims["study"]).reindex(
    index=list(VERDICTS), columns=["A", "B"], fill_value=0
)

# %% tags=["remove-cell"]
agrees = claims[claims["verdict"] == "agrees"]
exact = claims[claims["verdict"] == "exact"]
say("rows", len(claims))
say("fields", ", ".join(ledger.PUBLISHED))
say("rows-a", int((claims["study"] == "A").sum()))
say("settings", int(exact["why"].str.contains("no test of it").sum()))
chosen = exact["why"].str.contains(
    "because it gives|was told to|because it is printed|That the draw left|What the test images"
    " leave"
)
say("chosen", int(chosen.sum()))
say("own-text", int(exact["why"].str.startswith(("The text names", "Computed")).sum()))
say("exact", len(exact))
say("agrees", len(agrees))
for name, words in {
    "same": "prints the same",
    "reaches": "interval reaches",
    "own": "printed share",
}.items():
    say(name, int(agrees["why"].str.contains(words).sum()))
average = claims[claims["verdict"] == "cannot be true"]
say("impossible", len(average))
say("impossible-accuracy", int(average["why"].str.contains("formula").sum()))


# %% tags=["remove-cell"]
def title(page):
    """A link to the page of the book that treats a number; nothing where there is no such page."""
    source = Path("..") / f"{page}.py"
    if not source.is_file():
        return ""
    head = re.search(r"(?m)^# # (.+)$", source.read_text(encoding="utf-8"))[1]
    return f'<a href="{escape(source.stem)}.html">{escape(head.partition(":")[0])}</a>'


def quoted(row):
    """The words of the text, the number in bold; of a cell of a table, nothing."""
    before, number, after = row["quote"].split("*") if row["quote"] else ("", "", "")
    return (
        f"“…{escape(before)}<strong>{escape(number)}</strong>{escape(after)}…”" if number else "–"
    )


def tile(verdict):
    a, b = counts.loc[verdict]
    return (
        f'<button type="button" disabled aria-pressed="false" data-verdict="{verdict}"><span'
        f' class="count">{a + b}</span><span class="name">{verdict}</span><span class="parts">A'
        f" {a}, B {b}</span></button>"
    )


def line(row):
    place = re.split(r",", row["place"])[0]
    rest = " ".join(
        f'<a href="#lacked-{escape(name)}">What {escape(name)} lacked</a>.'
        for name in row["records"]
    )
    more = f'<span class="also">{escape(row["also"])}</span>' if row["also"] else ""
    return (
        f'<tr id="{escape(row["id"])}" data-study="{row["study"]}" data-place="{escape(place)}"'
        f' data-verdict="{row["verdict"]}"><th scope="row">{row["study"]},'
        f' {escape(row["place"])}<span class="also">{title(row["treated"])}</span></th><td'
        f' data-label="Words">{quoted(row)}</td><td'
        f' data-label="Printed">{escape(row["said"])}</td><td'
        f' data-label="Rebuilt">{escape(ledger.rebuilt_in_words(row)) or "–"}</td><td'
        f' data-label="Verdict"><span class="verdict">{row["verdict"]}</span></td><td'
        f' data-label="Why">{escape(row["why"])}{more}<span class="also">{rest}</span></td></tr>'
    )


def options(values, every):
    return "".join(
        f'<option value="{escape(value)}">{escape(value) or every}</option>'
        for value in ["", *dict.fromkeys(values)]
    )


def page(claims):
    """Counts, filters and the table; book/_static/claims.js makes the filters work. Without it the
    whole table is shown.
    """
    rows = claims.to_dict("records")
    saved = claims[ledger.PUBLISHED].assign(
        records=claims["records"].map(" ".join),
        rebuilt_as=[ledger.rebuilt_in_words(row) for row in rows],
    )
    csv = base64.b64encode(saved.to_csv(index=False, lineterminator="\n").encode()).decode()
    heads = "".join(
        f'<th scope="col">{head}</th>'
        for head in ("Place", "Words", "Printed", "Rebuilt (95 % interval)", "Verdict", "Why")
    )
    places = [row["place"].partition(",")[0] for row in rows]
    return f"""<div class="claims">
<div class="tiles" role="group" aria-label="Numbers by verdict; press to show these only">
{"".join(map(tile, VERDICTS))}</div>
<form class="filters" hidden role="search" aria-label="Filter the ledger">
<label>Study <select name="study">{options(["A", "B"], "both")}</select></label>
<label>Place <select name="place">{options(places, "every place")}</select></label>
<label>Verdict <select name="verdict">{options(VERDICTS, "every verdict")}</select></label>
<label>Search <input type="search" name="text" autocomplete="off"></label>
<button type="reset">Show all</button></form>
<p><span role="status">{len(rows)} of {len(rows)} numbers.</span>
<a class="csv" download="claims.csv"
href="data:text/csv;charset=utf-8;base64,{csv}">Download all as
CSV</a><button type="button" class="shown" hidden>Download those shown</button></p>
<div class="rows" tabindex="0" role="region" aria-label="Table of the ledger">
<table class="ledger"><thead><tr>{heads}</tr></thead>
<tbody>{"".join(map(line, rows))}</tbody></table></div></div>"""


# %% [markdown]
# ## The ledger

# %% tags=["remove-input"]
HTML(page(claims))

# %% [markdown]
# *A and B are the studies. Words: the number where it stands, in bold; a cell of a table has none. Rebuilt: of results, the value of the recorded run with its 95 % interval from patients drawn anew; no interval where
# the result is perfect and resamples cannot differ. The last column gives the reason for the verdict and, in smaller print, what other checks say.*
#
# `cxr claims` prints the same ledger in a terminal. `cxr claims --json` gives it to programs: `rules` (verdict: rule), `lacked` (run: sentences) and `claims`, whose fields
# are also the columns of the CSV: {glue:text}`fields`. There `rebuilt`, `low` and `high` are numbers, null where there is none, and `also` is what the other checks say.

# %% [markdown]
# ## The rules
#
# A row may have several checks. It gets the first verdict of this list that one of them gives, and says what the others found.

# %% tags=["remove-input"]
pages.items([f"**{verdict.capitalize()}.** {rule}" for verdict, rule in VERDICTS.items()])

# %% [markdown]
# What the rules are not:
#
# - *Agrees* is no proof of equality. The rebuilt intervals cover the choice of test patients only and are wide for the small classes; few images agree with nearly any number. Of the {glue:text}`agrees`
#   rows that agree, {glue:text}`same` print the same, in {glue:text}`reaches` the rebuilt interval reaches the printed number, and {glue:text}`own` lie in the interval of the printed share only.
#   Two intervals that overlap are no test of a difference either; and with so many rows a few differ by chance alone.
# - *Differs* says that the number did not come out here, not whose fault that is. The rebuilt runs lacked things, named below, and had to decide what the thesis leaves open.
# - *Exact* is worth little for a setting: the book's runs were set to what is printed, so that {glue:text}`settings` of the {glue:text}`exact` exact rows hold by construction. So do {glue:text}`chosen` counts that a
#   version of the collection or a draw was chosen to give, and {glue:text}`own-text` rows are words or formulas that the text itself fixes. Each such row says so.
# - *Cannot be true* is meant by the study's own definitions. Of the {glue:text}`impossible` such rows, {glue:text}`impossible-accuracy` are "accuracies" that are recalls; as recalls they are possible, and the row says
#   how they fare, with the rebuilt accuracy by the study's formula beside the rebuilt recall.
# - Study A's own network and training images were not to be had. A stand-in's value is shown beside its {glue:text}`rows-a` numbers where there is one, and counts for nothing.
# - Rows are not independent: the same result is printed in the abstract, in a section, in a table and in the conclusion, and counts each time.

# %% [markdown]
# ## What the runs lacked

# %% tags=["remove-input"]
HTML(
    '<div class="lacked">'
    + "".join(
        f'<p id="lacked-{escape(name)}"><strong>What {escape(name)}'
        f" lacked</strong></p><ul>{''.join(f'<li>{escape(text)}</li>' for text in sentences)}</ul>"
        for name, sentences in ledger.shortfalls(claims).items()
    )
    + "</div>"
)

# %% tags=["remove-cell"]
trace = pd.read_csv(studies.folder() / "trace.csv", keep_default_na=False)
trace["study"] = trace["study"].map(studies.LETTERS)
trace["reason"] = trace["reason"].where(trace["claim"] == "", "in the ledger").str.partition(":")[0]
kinds = trace.pivot_table(
    index="reason", columns="study", values="times", aggfunc="sum", fill_value=0
)
kinds = kinds.loc[kinds.sum(axis=1).sort_values(ascending=False, kind="stable").index]
say("tokens", int(trace["times"].sum()))
say("claimed", int((trace["claim"] != "").sum()))

# %% [markdown]
# ## Is anything left out?
#
# The two texts hold {glue:text}`tokens` numbers, in digits and in words, references and page numbers included. {glue:text}`claimed` of them are in the ledger (a row such as "224×224" has two). Every other one
# is passed over for a reason, which `book/studies/not_claims.yml` gives by place. `book/studies/trace.csv` has all of them in the order of the texts, with two words on either side, and a test compares it with the texts
# wherever these are at hand.

# %% tags=["remove-input"]
pages.table(
    kinds.rename_axis(None, axis=1)
    .reset_index()
    .rename(columns={"reason": "What became of it", "A": "Study A", "B": "Study B"})
)

# %% [markdown]
# *The numbers of both texts by what became of them.* Not in the ledger: numbers that stand only in the studies' pictures, which the texts at hand lack, and claims without a number, such as where a network looks.
