#!/usr/bin/env bash
# Runs a command in a copy of this checkout inside a Debian root of its own (a chroot), so that one machine shows what another release does.
#   tests/debian.sh RELEASE [--clean] COMMAND...             RELEASE is bookworm (12), trixie (13) or sid (unstable)
#   tests/debian.sh RELEASE --test [MESON TEST ARGUMENTS]    builds there, warnings being errors, and runs the tests: all, or for example
#                                                            rvmencode golden-tiny-native; ends with "N passed, M failed"
# Without --clean the root is kept in ${XDG_CACHE_HOME:-~/.cache}/gst-rvm/debian12, debian13 or debiansid and has the packages that building needs; the
# command runs in /checkouts/NAME/source there, NAME standing for this checkout, and finds /checkouts/NAME/build as it was left. With --clean it is a
# freshly bootstrapped minimal system with nothing installed, thrown away at the end. Mounts live in a namespace of their own and go with
# the last process. RVM_DEBIAN_MIRROR names another mirror, RVM_COPY_OUT a folder for what the command leaves in /checkouts/NAME/out (--test: the
# log of the run, testlog.json).
# Exits 77, saying why, when the root cannot be made here; otherwise with the command's status.
set -euo pipefail
cd "$(dirname "$0")/.."
checkout=$PWD
cannot() { echo "tests/debian.sh: cannot make a Debian root: $*" >&2; exit 77; }
usage() { sed -n '2,12s/^# \{0,1\}//p' "$checkout/tests/debian.sh" >&2; exit 2; }

release=${1:-}
case $release in
  bookworm) number=12 ;;
  trixie) number=13 ;;
  sid) number=sid ;;
  *) usage ;;
esac
shift
clean=false
if [ "${1:-}" = --clean ]; then clean=true; shift; fi
if [ "${1:-}" = --test ] && ! $clean; then
  shift
  # shellcheck disable=SC2016
  set -- bash -c '
    set -euo pipefail
    [ -f ../build/build.ninja ] || meson setup ../build -Dwerror=true
    ninja -C ../build
    rm -f ../build/meson-logs/testlog.json
    meson test -C ../build --no-rebuild --timeout-multiplier 2 --print-errorlogs "$@" || true
    cp ../build/meson-logs/testlog.json ../out/ || true
    tests/count_results.py ../out/testlog.json
  ' _ "$@"
fi
[ $# -gt 0 ] || usage

cache=${RVM_DEBIAN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gst-rvm}
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || cannot "that needs root rights, and there is no sudo"
  sudo -v || cannot "that needs root rights, and sudo refuses them"
  exec sudo "RVM_DEBIAN_CACHE=$cache" "RVM_DEBIAN_MIRROR=${RVM_DEBIAN_MIRROR:-}" "RVM_COPY_OUT=${RVM_COPY_OUT:-}" \
    "$checkout/tests/debian.sh" "$release" $($clean && echo --clean) "$@"
fi
mirror=${RVM_DEBIAN_MIRROR:-} # none: the one that debootstrap knows
unshare --mount --pid --fork true 2>/dev/null || cannot "this machine does not let root mount file systems (a container without CAP_SYS_ADMIN?)"
if ! command -v debootstrap >/dev/null; then
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends debootstrap debian-archive-keyring; } >/dev/null 2>&1 \
    || cannot "debootstrap is not installed and apt cannot install it"
fi

# A command inside the root $1, with proc, dev and sys, and without the environment of this session.
inside() {
  local root=$1
  shift
  # shellcheck disable=SC2016
  unshare --mount --propagation private --pid --fork --kill-child bash -c '
    set -e
    root=$1 term=$2
    shift 2
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount --rbind /sys "$root/sys"
    cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
    exec chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM="$term" "$@"
  ' _ "$root" "${TERM:-dumb}" "$@"
}

# One at a time makes the root; it appears under its name only when it is whole.
mkdir -p "$cache"
exec 9>"$cache/debian$number.lock"
flock 9
minimal=$cache/debian$number-minimal
if [ ! -d "$minimal" ]; then
  echo "tests/debian.sh: making a Debian $number root in $minimal"
  rm -rf "$minimal.part"
  if ! unshare --mount --propagation private --pid --fork --kill-child debootstrap --variant=minbase "$release" "$minimal.part" ${mirror:+"$mirror"} > "$cache/debian$number.log" 2>&1; then
    tail -n 5 "$cache/debian$number.log" >&2
    rm -rf --one-file-system "$minimal.part"
    cannot "debootstrap failed, see above and $cache/debian$number.log (is ${mirror:-the mirror} reachable from here?)"
  fi
  # A root that can be made again needs no flush to the disk after each file, which takes most of the time of installing packages.
  echo force-unsafe-io > "$minimal.part/etc/dpkg/dpkg.cfg.d/unsafe-io"
  # Unstable's list of packages is valid for a week, and some mirrors lag behind by more.
  [ "$release" != sid ] || echo 'Acquire::Check-Valid-Until "false";' > "$minimal.part/etc/apt/apt.conf.d/lagging-mirror"
  # Packages that were unpacked are not needed again.
  rm -f "$minimal.part"/var/cache/apt/archives/*.deb
  mv "$minimal.part" "$minimal"
fi

name=$(basename "$checkout")-$(printf %s "$checkout" | sha1sum | cut -c 1-8)
if $clean; then
  root=$(mktemp -d "$cache/debian$number-clean.XXXXXX")
  trap 'rm -rf --one-file-system "$root"' EXIT
  cp -a "$minimal/." "$root/"
else
  root=$cache/debian$number
  if [ ! -d "$root" ]; then
    rm -rf --one-file-system "$root.part"
    cp -a "$minimal" "$root.part"
    mv "$root.part" "$root"
  fi
fi

# The checkout as it is, uncommitted changes included, with its times: ninja builds only what changed since the last run.
work=$root/checkouts/$name
rm -rf "$work/source" "$work/out"
mkdir -p "$work/source" "$work/out"
if git -c safe.directory='*' rev-parse --git-dir >/dev/null 2>&1; then
  git -c safe.directory='*' ls-files -z --cached --others --exclude-standard | tar -c --null --ignore-failed-read --files-from=- 2>/dev/null | tar -x -C "$work/source"
else
  tar -c --exclude='./build*' . | tar -x -C "$work/source"
fi
if ! $clean; then
  inside "$root" "/checkouts/$name/source/pipelines/install-packages" viewer fetch > "$cache/debian$number-packages.log" 2>&1 || {
    tail -n 5 "$cache/debian$number-packages.log" >&2
    cannot "the packages cannot be installed, see above and $cache/debian$number-packages.log (is ${mirror:-the mirror} reachable from here?)"
  }
fi
flock -u 9

status=0
# shellcheck disable=SC2016
inside "$root" bash -c 'cd "$1/source" && shift && exec "$@"' _ "/checkouts/$name" "$@" 9>&- || status=$?
if [ -n "${RVM_COPY_OUT:-}" ]; then
  mkdir -p "$RVM_COPY_OUT"
  cp -r "$work/out/." "$RVM_COPY_OUT/"
fi
exit "$status"
