#!/usr/bin/env bash
# A short run of all elements under valgrind on PoCL: no invalid or uninitialised access, nothing definitely lost, apart from what belongs to
# the OpenCL driver (tests/valgrind.supp) and to GLib (its own list). The kernels are compiled in a first run without checks: LLVM under
# memcheck would take the better part of an hour. Needs some ten minutes; kernels stay in FOLDER, so the next run is shorter.
#   tests/valgrind.sh BUILD_DIR [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "$1") folder=${2:-${XDG_CACHE_HOME:-$HOME/.cache}/gst-rvm/valgrind}
command -v valgrind >/dev/null || {
  sudo=""
  [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends valgrind >/dev/null
}
mkdir -p "$folder/vendors"
cp /etc/OpenCL/vendors/pocl.icd "$folder/vendors/"
# One thread of PoCL's: valgrind runs one at a time anyway.
export GST_PLUGIN_PATH=$build/gst-plugin GST_REGISTRY=$folder/registry.bin GST_REGISTRY_FORK=no OCL_ICD_VENDORS=$folder/vendors
export POCL_CACHE_DIR=$folder/pocl XDG_CACHE_HOME=$folder/cache G_SLICE=always-malloc POCL_MAX_PTHREAD_COUNT=1
run() {
  gst-inspect-1.0 rvmencode >/dev/null
  "$@" gst-launch-1.0 -q videotestsrc num-buffers=4 ! video/x-raw,width=32,height=32 \
    ! rvmencode model-file=tests/data/tiny.npz interval=1 ! rvmtrack points=8,8 boxes=8,8,16,16 ! rvmoverlay \
    ! rvmexport location="$folder/lines.jsonl" features-location="$folder/features.npy" class-location="$folder/class.npy" ! fakesink
}
run valgrind --tool=none --log-file="$folder/first.log"
glib=/usr/share/glib-2.0/valgrind/glib.supp
status=0
run valgrind --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --num-callers=30 --error-exitcode=99 \
  --suppressions=tests/valgrind.supp $([ -f $glib ] && echo --suppressions=$glib) --log-file="$folder/memcheck.log" || status=$?
grep -E 'definitely lost:|ERROR SUMMARY' "$folder/memcheck.log" | sed 's/^==[0-9]*== *//'
[ "$status" = 0 ] || { echo "see $folder/memcheck.log"; exit 1; }
