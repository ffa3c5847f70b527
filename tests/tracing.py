"""Every number of a study's text, and what became of it: a row of the ledger, or the reason why it
is no claim.

The texts are not in the repository. Where they are at hand, in ``../shared/papers`` beside the
checkout,

    python tests/tracing.py

writes ``book/studies/trace.csv``: one line for each number that is in the text itself, in its
order, with two words on either side, and one for each name or part of the text that was passed
over, with how many numbers were.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import yaml

from companion import studies

ROOT = Path(__file__).resolve().parents[1]
TRACE = studies.folder() / "trace.csv"
FIELDS = ["study", "place", "before", "number", "after", "times", "claim", "reason"]
TEXTS = {"cheazemin2020": "000_*.txt", "zhu2020": "002_*.txt"}
WORDS = dict(
    zip(
        "zero one two three four five six seven eight nine ten eleven twelve".split(),
        range(13),
        strict=True,
    )
)
WORDS |= {
    "first": 1,
    "once": 1,
    "single": 1,
    "second": 2,
    "twice": 2,
    "double": 2,
    "doubled": 2,
    "third": 3,
    "half": 0.5,
}
SCALES = {
    "dozen": 12,
    "hundred": 100,
    "thousand": 1000,
    "million": 1,
    "all": 100,
}  # millions and per cent are units
SPELLED = rf"\b(?:{'|'.join(WORDS)}|(?:dozen|hundred|thousand|million)s?)\b"
FORM = rf"\d+(?:,\d{{3}})+(?!\d)|\d+(?:\.\d+)?|{SPELLED}"
NUMBER = re.compile(FORM, re.IGNORECASE)
CLAIMED = re.compile(
    rf"{FORM}|\ball\b", re.IGNORECASE
)  # "all test cases" is a number where the ledger says so


def text(study: str) -> str | None:
    """The text of a study, None where it is not at hand."""
    found = sorted((ROOT.parent / "shared" / "papers").glob(TEXTS[study]))
    return found[0].read_text(encoding="utf-8") if found else None


def value(word: str) -> float:
    """The number that a token stands for."""
    word = word.lower().replace(",", "")
    return (
        float(word)
        if word[0].isdigit()
        else float({**WORDS, **SCALES}[word.rstrip("s") if word not in WORDS else word])
    )


def _plain(line: str) -> str:
    """Formulas as words: the text has them in LaTeX."""
    line = re.sub(r"\\text\{([^}]*)\}", r"\1", line).replace(r"\times", "×").replace(r"\frac", "")
    return re.sub(r"[${}]", "", line)


def parts(study: str, whole: str) -> dict[str, str]:
    """The text by section, white space made one blank; numbered headings and, as ``Table 2.1``, the
    thesis's tables by themselves.
    """
    found: dict[str, list[str]] = {"headings": []}
    at = "title pages" if study == "zhu2020" else "abstract"
    table = None
    for line in whole.splitlines():
        line = line.strip()
        marks = {
            "ABSTRACT OF THE THESIS": "abstract",
            "TABLE OF CONTENTS": "contents",
            "REFERENCES": "references",
            "ACKNOWLEDGMENTS": "0",
        }
        numbered = re.fullmatch(r"(\d(?:\.\d)*)\.? [A-Z][A-Za-z -]+", line) or re.fullmatch(
            r"CHAPTER (\d)", line
        )
        caption = re.match(r"(Table \d\.\d): ", line)
        if line in marks:
            at = marks[line]
        elif numbered:
            at = numbered[1]
            found["headings"].append(line)
        elif line.startswith("|") and at not in ("contents", "references"):
            found.setdefault(table if table else at, []).append(line)
        else:
            table = caption[1] if caption else table if not line else None
            found.setdefault(at, []).append(_plain(line))
    return {
        name: "\n".join(lines) if name.startswith("Table") else " ".join(" ".join(lines).split())
        for name, lines in found.items()
    }


def cells(lines: str) -> list[tuple[str, str, str]]:
    """``(row, column, text)`` of the cells of a table in Markdown that hold a number; the row is
    named by its first words that are none.
    """
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines.splitlines()
        if not line.startswith("|--")
    ]
    named = 1 if rows[0][0].startswith("Original") else 0
    return [
        (row[named], head, cell)
        for row in rows[1:]
        for head, cell in zip(rows[0], row, strict=True)
        if re.fullmatch(r"[\d.,]+", cell)
    ]


def spans(quote: str, section: str) -> list[tuple[int, int]]:
    """Where the words between asterisks stand in a section, wherever the quote occurs."""
    before, inside, after = quote.split("*")
    return [
        (m.start() + len(before), m.start() + len(before + inside))
        for m in re.finditer(re.escape(before + inside + after), section)
    ]


def trace(study: str, whole: str) -> list[dict]:
    """The lines of ``trace.csv`` of one study. ValueError for a number that nothing accounts for,
    or a row or a reason that finds no number.
    """
    rows = studies.printed(study).to_dict("records")
    rules = yaml.safe_load((studies.folder() / "not_claims.yml").read_text(encoding="utf-8"))
    sections = parts(study, whole)
    lines, passed, used = [], Counter(), set()
    for name, section in sections.items():
        if name in rules["parts"][study]:
            passed[name, rules["parts"][study][name]] += len(NUMBER.findall(section))
            continue
        if name.startswith("Table"):
            for row, column, cell in cells(section):
                [claim] = [
                    r
                    for r in rows
                    if f"Table {r['table']}" == name and (r["row"], r["column"]) == (row, column)
                ]
                if claim["printed"] != cell.replace(",", ""):
                    raise ValueError(
                        f"{study}, {name}, {row}, {column}: {cell} is {claim['printed']} in the"
                        " ledger"
                    )
                used.add(claim["id"])
                lines.append(
                    {
                        "place": f"{name}, {row}, {column}",
                        "number": cell,
                        "times": 1,
                        "claim": claim["id"],
                    }
                )
            continue
        taken: dict[int, tuple[str, str]] = {}  # place of a character: id, "" or "name"; reason
        for rule in rules["places"][study]:
            if rule["section"] == name:
                found = [m.span() for m in re.finditer(re.escape(rule["text"]), section)]
                if not found:
                    raise ValueError(
                        f"{study}, section {name}: not_claims.yml has {rule['text']!r}, the text"
                        " has not"
                    )
                for span in found:
                    taken |= dict.fromkeys(range(*span), ("", rule["reason"]))
        for rule in rules["names"]:
            for m in re.finditer(rule["pattern"], section):
                taken |= dict.fromkeys(range(*m.span()), ("name", rule["reason"]))
        everywhere = [m.span() for m in NUMBER.finditer(section)]
        for row in (row for row in rows if row["section"] == name):
            found = spans(row["quote"], section)
            if not found:
                raise ValueError(f"{study}, {row['id']}: its quote is not in section {name}")
            for begin, end in found:
                words = [
                    m for m in CLAIMED.finditer(section) if begin <= m.start() and m.end() <= end
                ]
                if {value(m[0]) for m in words if m[0] != "million" or len(words) == 1} != {
                    float(row["printed"])
                }:
                    raise ValueError(
                        f"{study}, {row['id']}: {section[begin:end]!r} is not {row['printed']}"
                    )
                everywhere += [m.span() for m in words if m.span() not in everywhere]
                for place in range(begin, end):
                    if taken.get(place, ("name",))[0] not in ("name", row["id"]):
                        raise ValueError(
                            f"{study}, section {name}: {section[begin:end]!r} is of {row['id']} and"
                            f" {taken[place]}"
                        )
                    taken[place] = (row["id"], "")
            used.add(row["id"])
        for begin, end in sorted(everywhere):
            word = section[begin:end]
            if begin not in taken:
                raise ValueError(
                    f"{study}, section {name}: {word!r} is not accounted for:"
                    f" …{section[max(0, begin - 60) : end + 40]}…"
                )
            claim, reason = taken[begin]
            if claim == "name":
                passed["", reason] += 1
                continue
            before, after = section[:begin].split(" ")[-3:], section[end:].split(" ")[:3]
            lines.append(
                {
                    "place": name,
                    "before": " ".join(before).strip(),
                    "number": word,
                    "after": " ".join(after).strip(),
                    "times": 1,
                    "claim": claim,
                    "reason": reason,
                }
            )
    unused = {row["id"] for row in rows} - used
    if unused:
        raise ValueError(f"{study}: in the ledger, not in the text: {', '.join(sorted(unused))}")
    lines += [
        {"place": place, "times": times, "reason": reason}
        for (place, reason), times in passed.items()
        if times
    ]
    return [{**dict.fromkeys(FIELDS, ""), "study": study, **line} for line in lines]


def read() -> list[dict]:
    with TRACE.open(encoding="utf-8", newline="") as file:
        return [{**line, "times": int(line["times"])} for line in csv.DictReader(file)]


if __name__ == "__main__":
    whole = {study: text(study) for study in TEXTS}
    if None in whole.values():
        raise SystemExit("the two texts are not in ../shared/papers")
    with TRACE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        for study, content in whole.items():
            writer.writerows(trace(study, content))
    print(TRACE)
