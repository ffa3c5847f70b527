"""Python as it is where some packages are not installed."""

import subprocess
import sys

BLOCKER = """
import sys
class Blind:  # a finder that does not see what is blocked, as where it is not installed
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, *rest):
        return None if name.partition(".")[0] in BLOCKED else self.finder.find_spec(name, *rest)
sys.meta_path[:] = map(Blind, sys.meta_path)
"""


def run_without(blocked: list[str], code: str, *arguments: str) -> subprocess.CompletedProcess:
    source = f"BLOCKED = {set(blocked)!r}\n{BLOCKER}\n{code}"
    return subprocess.run(
        [sys.executable, "-c", source, *arguments], capture_output=True, text=True, timeout=300
    )
