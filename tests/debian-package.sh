#!/usr/bin/env bash
# Builds the Debian packages and tries them: for each release, built in a root of that release, then installed by apt in a freshly bootstrapped
# minimal one where nothing else is, and used there. Ends with "N passed, M failed" over all; exits 77 where no root can be made.
#   tests/debian-package.sh [--keep FOLDER] [RELEASE...]      default: bookworm trixie
set -euo pipefail
cd "$(dirname "$0")/.."
keep=""
if [ "${1:-}" = --keep ]; then keep=$(realpath -m "$2"); shift 2; fi
[ $# -gt 0 ] || set -- bookworm trixie
work=$(mktemp -d)
trap 'rm -rf "$work" "$PWD/.debs"' EXIT
passed=0 failed=0
for release in "$@"; do
  echo "== $release: building"
  status=0
  RVM_COPY_OUT=$work/$release tests/debian.sh "$release" pipelines/debian-package ../out/debs > "$work/build.log" 2>&1 || status=$?
  if [ "$status" != 0 ]; then
    tail -n 30 "$work/build.log"
    [ "$status" != 77 ] || exit 77
    echo "FAILED  $release: the packages do not build"
    failed=$((failed + 1))
    continue
  fi
  ls "$work/$release/debs"
  echo "== $release: in a minimal system"
  # Untracked files of a checkout go with it into the root.
  rm -rf .debs
  cp -r "$work/$release/debs" .debs
  # gcc, pkgconf and gi are the C and the Python programmer's; everything else must come as a dependency of the packages.
  tests/debian.sh "$release" --clean bash -c '
    set -e
    { apt-get update && apt-get install -y ./.debs/*.deb && apt-get install -y --no-install-recommends gcc libc6-dev pkg-config python3-gi gstreamer1.0-tools; } > ../apt.log 2>&1 ||
      { tail -n 30 ../apt.log; exit 1; }
    ls ../build 2>/dev/null && exit 1
    tests/install/try_installed.sh
  ' > "$work/try.log" 2>&1 || true
  cat "$work/try.log"
  counts=$(tail -n 1 "$work/try.log")
  if [[ $counts =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
  else
    echo "FAILED  $release: the packages could not be tried"
    failed=$((failed + 1))
  fi
  if [ -n "$keep" ]; then mkdir -p "$keep/$release" && cp "$work/$release/debs"/*.deb "$keep/$release/"; fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
