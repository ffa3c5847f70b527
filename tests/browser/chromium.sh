#!/usr/bin/env bash
# Print the path of a Chromium for the browser tests; install one when there is none. PYTHON: an interpreter that has playwright.
set -euo pipefail
python="${PYTHON:-$(dirname "$0")/../../.venv/bin/python}"
find_one() {
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
    if [ -n "$name" ] && command -v "$name"; then return 0; fi
  done
  "$python" - 2>/dev/null <<'PY'
from pathlib import Path
from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    path = playwright.chromium.executable_path
assert Path(path).is_file()
print(path)
PY
}
if find_one; then exit 0; fi
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; } >&2 || true
else
  "$python" -m playwright install chromium >&2 || true
fi
find_one || { echo "chromium.sh: no Chromium found and none could be installed; name one in CHROMIUM" >&2; exit 2; }
