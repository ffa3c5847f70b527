"""How large the house is, and whether it keeps the caps of ``[tool.count]`` in pyproject.toml.

Counted are lines of code: without blank lines, comments and docstrings. ``make lint`` runs this;
``python tools/count.py --files`` lists every file.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
BESIDE = {".js", ".css", ".html", ".jinja"}


def docstring_lines(tree: ast.AST) -> set[int]:
    """The lines that docstrings take."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS)) and ast.get_docstring(node):
            lines.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return lines


def code_lines(text: str) -> int:
    """Lines of code of a Python file."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in LAYOUT:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docstring_lines(ast.parse(text)))


def functions(text: str) -> list[tuple[int, int, str]]:
    """Of each function its lines, docstring included, its parameters, and its name with its line.

    Keyword-only options of a public function do not count as parameters, ``self`` neither.
    """
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, FUNCTIONS):
            positional = [a.arg for a in node.args.posonlyargs + node.args.args]
            number = len([name for name in positional if name not in {"self", "cls"}])
            if node.name.startswith("_"):
                number += len(node.args.kwonlyargs)
            lines = node.end_lineno - node.lineno + 1
            found.append((lines, number, f"{node.name} (line {node.lineno})"))
    return found


def too_wide(file: Path, width: int) -> list[str]:
    """Lines of a notebook's code that are wider than ``width``; its prose stands in comments."""
    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
    return [
        f"{file.relative_to(ROOT)}:{number}: {len(line)} columns, at most {width}"
        for number, line in lines
        if len(line) > width and not line.startswith("#")
    ]


def package(name: str, caps: dict, every_file: bool) -> list[str]:
    """Print a package's size; return what is above the caps."""
    broken, total, longest = [], 0, (0, "")
    for file in sorted((ROOT / name).rglob("*.py")):
        text, place = file.read_text(encoding="utf-8"), file.relative_to(ROOT)
        number = code_lines(text)
        total += number
        if every_file:
            print(f"  {number:5} {place}")
        for lines, parameters, function in functions(text):
            longest = max(longest, (lines, f"{place}: {function}"))
            if lines > caps["function"]:
                broken.append(f"{place}: {function}: {lines} lines, at most {caps['function']}")
            if parameters > caps["parameters"]:
                most = caps["parameters"]
                broken.append(f"{place}: {function}: {parameters} parameters, at most {most}")
    print(
        f"{name}: {total:,} lines of code, cap {caps[name]:,}; longest {longest[0]}, {longest[1]}"
    )
    if total > caps[name]:
        broken.append(f"{name}: {total:,} lines of code, at most {caps[name]:,}")
    return broken


def main() -> int:
    """Print the sizes; 1 where a cap is broken."""
    caps = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["count"]
    broken = []
    for name in ("cxrlib", "companion"):
        broken += package(name, caps, "--files" in sys.argv)
    beside = [*ROOT.glob("cxrlib/**/*"), *ROOT.glob("companion/**/*"), *ROOT.glob("book/**/*")]
    for file in sorted(beside):
        if file.suffix in BESIDE:
            number = len(file.read_text(encoding="utf-8").splitlines())
            print(f"beside: {number:,} lines, {file.relative_to(ROOT)}")
    for file in sorted((ROOT / "notebooks").glob("*.py")):
        broken += too_wide(file, caps["width"])
    print(*broken, sep="\n", end="\n" if broken else "")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
