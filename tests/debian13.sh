#!/usr/bin/env bash
# Builds this checkout on Debian 13 (GStreamer 1.26, PoCL 6, a newer gcc and meson), warnings being errors, and runs the tests there: in a
# root that tests/debian.sh makes and keeps, on any Debian where we are root. Ends with "N passed, M failed"; exits 77, saying why, where
# such a root cannot be made.
#   tests/debian13.sh [MESON TEST ARGUMENTS]      all tests, or for example: tests/debian13.sh rvmencode golden-tiny-native
# RVM_COPY_OUT names a folder for the log of the run, testlog.json.
set -euo pipefail
exec "$(dirname "$0")/debian.sh" trixie --test "$@"
