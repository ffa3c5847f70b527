"""``python -m cxrlib`` says what to type: the library has no commands."""

import sys

words = " ".join(["python -m companion", *sys.argv[1:]])
print(f"cxrlib: is a library; in a clone type {words}", file=sys.stderr)
raise SystemExit(2)
