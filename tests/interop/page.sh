#!/bin/sh
# The page of a lineage graph in a real browser (Debian's chromium and chromium-driver, by Selenium).  TAP; skips visibly where there is none, which in CI is a failure.
# usage: GRAPH_PAGE=PROGRAM page.sh [FOLDER]      FOLDER: pictures of what was seen
set -eu
here=$(cd "$(dirname "$0")" && pwd)
without() {
    if [ "${CI:-}" = true ]; then echo "not ok 1 - page: $1"; else echo "ok 1 - page # SKIP $1"; fi
    echo 1..1
    exit 0
}
{ command -v chromium && command -v chromedriver; } >/dev/null || without "chromium and chromium-driver are not here"
python=$(sh "$here/venv.sh" browser) || without "the venv of the browser's driver can't be made"
PYTHONDONTWRITEBYTECODE=1 "$python" "$here/page.py" "$@"
