#!/usr/bin/env bash
# Tries what is installed, as a user would, and not what is in the build folder: the elements, the bundled model, features of a pipeline, the
# library from C (pkg-config) and from Python (introspection), the trainer. Ends with "N passed, M failed".
#   tests/install/try_installed.sh [PREFIX]      PREFIX of 'meson install'; without it, what is in the system's folders
set -uo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset RVM_DEFAULT_MODEL GST_PLUGIN_PATH
export GST_REGISTRY=$work/registry.bin
if [ -n "${1:-}" ]; then
  lib=$(dirname "$(find "$1" -name libgstrvm-1.0.so)")
  # What the installation notes of every library in a prefix of its own say.
  export PATH="$1/bin:$PATH" GST_PLUGIN_PATH="$lib/gstreamer-1.0" PKG_CONFIG_PATH="$lib/pkgconfig" GI_TYPELIB_PATH="$lib/girepository-1.0"
fi

passed=0 failed=0
check() {
  local name=$1
  shift
  if "$@" > "$work/log.txt" 2>&1; then
    passed=$((passed + 1))
    echo "passed  $name"
  else
    failed=$((failed + 1))
    echo "FAILED  $name"
    tail -n 20 "$work/log.txt"
  fi
}
library() { if [ -n "${lib:-}" ]; then LD_LIBRARY_PATH="$lib" "$@"; else "$@"; fi; }
features() {
  gst-launch-1.0 -q videotestsrc num-buffers=5 ! video/x-raw,width=160,height=120 ! rvmencode size=64 \
    ! rvmtrack points=80,60 ! rvmexport location="$work/lines.jsonl" features-location="$work/features.npy" ! rvmoverlay ! fakesink &&
    [ "$(wc -l < "$work/lines.jsonl")" = 5 ] && [ "$(stat -c %s "$work/features.npy")" -gt 10000 ]
}
c_program() {
  # shellcheck disable=SC2046
  gcc -Wall -Werror -o "$work/reader" reader.c $(pkg-config --cflags --libs gst-rvm-1.0) && library "$work/reader" > "$work/c.txt"
}
python_program() { library /usr/bin/python3 reader.py > "$work/python.txt"; }
same() { cmp "$work/c.txt" "$work/python.txt"; }
trainer() {
  rvm-cl-train info | grep -q "width 128" && rvm-cl-train init --config tiny "$work/tiny.safetensors" && rvm-cl-train info "$work/tiny.safetensors" &&
    gst-launch-1.0 -q videotestsrc num-buffers=2 ! rvmencode size=64 model-file="$work/tiny.safetensors" ! fakesink
}
archive() {
  mkdir -p "$work/videos" && gst-launch-1.0 -q videotestsrc num-buffers=5 ! video/x-raw,width=64,height=64 ! jpegenc ! matroskamux ! filesink location="$work/videos/a.mkv" &&
    rvm-archive index "$work/videos" --archive "$work/archive" --size 64 && rvm-archive check --archive "$work/archive" | grep -q "all is whole"
}
# Minimal systems drop manual pages as packages are installed; then there is none to look at.
manual() {
  local program=$1 page=${2:-/usr}/share/man/man1/$1.1 command
  if [ -f "$page.gz" ]; then gunzip -c "$page.gz" > "$work/page"; elif [ -f "$page" ]; then cp "$page" "$work/page"; else
    grep -qs 'path-exclude.*man' /etc/dpkg/dpkg.cfg.d/*
    return
  fi
  for command in $("$program" --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
    grep -q "^.B $command\$" "$work/page" || { echo "the manual page lacks $command"; return 1; }
  done
}
# Every document that README.md leads to lies where its links say. Minimal systems drop documents as packages are installed.
documents() {
  local folder=${1:-/usr}/share/doc/gst-rvm name document
  if [ ! -d "$folder/docs" ]; then grep -qs 'path-exclude.*/usr/share/doc' /etc/dpkg/dpkg.cfg.d/*; return; fi
  for document in README.md CHANGELOG.md docs/guide.md docs/architecture.md; do
    # dpkg compresses what is large.
    for name in $({ cat "$folder/$document" 2>/dev/null || gunzip -c "$folder/$document.gz"; } | grep -oE '\]\([^):#]+[)#]' | sed 's/^](//; s/[)#]$//' | sort -u); do
      name=$(dirname "$folder/$document")/$name
      [ -e "$name" ] || [ -e "$name.gz" ] || { echo "$document leads to $name, which is not there"; return 1; }
    done
  done
}
for element in rvmencode rvmtrack rvmoverlay rvmexport; do
  check "gst-inspect-1.0 $element" gst-inspect-1.0 "$element"
done
check "a pipeline with the bundled model" features
check "a C program" c_program
check "a Python program" python_program
check "C and Python read the same" same
check "rvm-cl-train" trainer
check "rvm-archive" archive
for program in rvm-cl-train rvm-archive; do
  check "the manual page of $program has every command" manual "$program" "$@"
done
check "the documents" documents "$@"
check "the attribution beside the weights" test -s "${1:-/usr}/share/gst-rvm/ATTRIBUTION.md"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
