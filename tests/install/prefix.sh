#!/usr/bin/env bash
# 'meson install' into a prefix of its own, and what is there tried; then uninstalled, which must leave nothing. Ends with "N passed, M failed".
#   tests/install/prefix.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
./pipelines/install-packages
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
meson setup "$work/build" --prefix "$work/prefix" -Dtests=disabled -Dintrospection=enabled > "$work/log.txt"
meson install -C "$work/build" >> "$work/log.txt" || { tail -n 30 "$work/log.txt"; exit 1; }
# What was built must not be needed any more.
mv "$work/build" "$work/away"
status=0
tests/install/try_installed.sh "$work/prefix" | tee "$work/tried.txt" || status=1
mv "$work/away" "$work/build"
ninja -C "$work/build" uninstall > "$work/log.txt"
left=$([ ! -d "$work/prefix" ] || find "$work/prefix" ! -type d)
counts=$(tail -n 1 "$work/tried.txt")
passed=${counts%% *} failed=${counts#*, } failed=${failed%% *}
if [ -z "$left" ]; then
  passed=$((passed + 1))
  echo "passed  uninstalled"
else
  failed=$((failed + 1)) status=1
  echo "FAILED  uninstalled: these files stay: $left"
fi
echo "$passed passed, $failed failed"
exit $status
