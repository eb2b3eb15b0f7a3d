#!/usr/bin/env bash
# 'meson install' into a prefix of its own, and what is there tried. Ends with "N passed, M failed".
#   tests/install/prefix.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
./pipelines/install-packages
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
meson setup "$work/build" --prefix "$work/prefix" -Dtests=disabled -Dintrospection=enabled > "$work/log.txt"
meson install -C "$work/build" >> "$work/log.txt" || { tail -n 30 "$work/log.txt"; exit 1; }
# What was built must not be needed any more.
rm -rf "$work/build"
tests/install/try_installed.sh "$work/prefix"
