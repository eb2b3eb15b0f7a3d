# Sourced by the scripts of this folder: options, packages and build, the environment in which GStreamer finds the elements, and files.
# A script's own opening comment is its --help. Every script takes, besides its own:
#   --model FILE   other weights than the bundled ones      --size PIXELS   shorter side of the picture that the model sees
#   --output PATH  where the result goes                    --frames N      stop after N frames and what a decoder then still holds
# Ctrl-C ends a pipeline as if the video had ended: what was written until then is whole.
# shellcheck shell=bash disable=SC2034
set -euo pipefail
script=$(realpath "$0")
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
build=${RVM_BUILD:-$here/../build}

rvm_usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$script"; }
rvm_fail() { echo "$(basename "$script"): $*" >&2; exit 1; }
rvm_wrong() { echo "$(basename "$script"): $*" >&2; rvm_usage >&2; exit 2; }

# rvm_parse "OPTIONS" "FLAGS" ARGUMENT...: an option sets the variable of its name (- becomes _) to its value, a flag sets it to yes; what is
# left goes into the array `words`. Without $output_given, $output is the script's default.
words=()
model="" frames="" output_given=""
rvm_parse() {
  local known=" $1 model size frames output " flags=" $2 " name
  shift 2
  while [ $# -gt 0 ]; do
    name=${1#--} name=${name%%=*}
    case $1 in
      -h | --help) rvm_usage; exit 0 ;;
      --*)
        if [[ $known == *" $name "* ]]; then
          if [[ $1 != *=* ]]; then
            [ $# -ge 2 ] || rvm_wrong "$1 needs a value"
            set -- "$1=$2" "${@:3}"
          fi
          printf -v "${name//-/_}" %s "${1#*=}"
          [ "$name" != output ] || output_given=yes
        elif [[ $flags == *" $1 "* || $flags == *" $name "* ]] && [[ $1 != *=* ]]; then
          printf -v "${name//-/_}" yes
        else
          rvm_wrong "unknown option $1"
        fi ;;
      -?*) rvm_wrong "unknown option $1" ;;
      *) words+=("$1") ;;
    esac
    shift
  done
  for name in size frames; do
    [[ ${!name} =~ ^[0-9]*$ ]] || rvm_wrong "--$name takes a whole number, not '${!name}'"
  done
  [ -z "$model" ] || model=$(rvm_weights "$model")
}

# The file that --model names, or that fetch-weights has downloaded under the name of a published model.
rvm_weights() {
  if [[ ! -f $1 && $1 =~ ^(small|base|large|huge)16$ ]]; then "$here/fetch-weights" --where "$1"; else rvm_file "$1"; fi
}

# The absolute name of a file that must exist; pipelines may run elsewhere.
rvm_file() {
  [ -f "$1" ] || rvm_fail "no such file: $1"
  [ -r "$1" ] || rvm_fail "$1 cannot be read"
  realpath "$1"
}

# The video named on the command line, or the sample.
rvm_video() {
  [ ${#words[@]} -le 1 ] || rvm_wrong "one video at a time, not: ${words[*]}"
  if [ ${#words[@]} = 1 ]; then rvm_file "${words[0]}"; else rvm_sample; fi
}

# vtest.avi (people walking, 79 s, 768 x 576) from Debian's package opencv-doc, fetched once.
rvm_sample() {
  local cache=${XDG_CACHE_HOME:-$HOME/.cache}/gst-rvm download found
  if [ ! -f "$cache/vtest.avi" ]; then
    mkdir -p "$cache"
    # Slim images drop /usr/share/doc when a package is installed, so the file is taken out of the package.
    download=$(mktemp -d)
    chmod 755 "$download"
    (cd "$download" && apt-get download -q opencv-doc >&2 && dpkg-deb -x opencv-doc_*.deb content) \
      || { rm -rf "$download"; rvm_fail "vtest.avi cannot be fetched from Debian's opencv-doc, see above: name a video"; }
    found=$(find "$download/content" -name 'vtest.avi*' | head -n 1)
    case $found in
      *.gz) gunzip -c "$found" > "$cache/vtest.avi.part.$$" ;;
      *) cp "$found" "$cache/vtest.avi.part.$$" ;;
    esac
    mv "$cache/vtest.avi.part.$$" "$cache/vtest.avi"
    rm -rf "$download"
  fi
  echo "$cache/vtest.avi"
}

# Installs what is missing (Debian 12 or 13, as root or with sudo), builds, and lets GStreamer and introspection find the result.
rvm_prepare() {
  "$here/install-packages" "$@" >&2
  if [ ! -f "$build/build.ninja" ]; then
    meson setup "$build" "$here/.." -Dtests=disabled >/dev/null || rvm_fail "meson cannot set up $build"
  fi
  ninja -C "$build" >/dev/null || { ninja -C "$build" >&2; rvm_fail "the build failed, see above"; }
  build=$(realpath "$build")
  export GST_PLUGIN_PATH="$build/gst-plugin${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}"
  export GI_TYPELIB_PATH="$build/gst-plugin/meta${GI_TYPELIB_PATH:+:$GI_TYPELIB_PATH}"
  export LD_LIBRARY_PATH="$build/gst-plugin/meta${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  export PATH="$build/trainer:$PATH"
  export RVM_PREPARED=yes
  export RVM_DEFAULT_MODEL=${model:-$(realpath "$here/../model/default/rvm-cpu.safetensors")}
}

# Parts of pipelines, as arrays: $limit ends after --frames, $analyse is rvmencode.
rvm_parts() {
  limit=() analyse=(rvmencode "size=$size")
  [ -z "$frames" ] || limit=(identity "eos-after=$((10#$frames + 1))" !)
}

# Sets $encode to the elements that make a file of pictures, by its ending.
rvm_encode_to() {
  case $1 in
    *.webm) encode=(videoconvert ! vp8enc deadline=1 cpu-used=8 target-bitrate=2000000 threads=2 ! webmmux) ;;
    *.mkv) encode=(videoconvert ! vp8enc deadline=1 cpu-used=8 target-bitrate=2000000 threads=2 ! matroskamux) ;;
    *.avi) encode=(videoconvert ! jpegenc ! avimux) ;;
    *) rvm_wrong "the result is a .webm, .mkv or .avi, not $1" ;;
  esac
  mkdir -p "$(dirname "$1")" && touch "$1.part" || rvm_fail "$1 cannot be written"
  encode+=(! filesink "location=$1.part")
  trap 'rm -f "$output.part"' EXIT
}

# Runs a pipeline, and then gives the file of rvm_encode_to its name. An error is the element's own message.
rvm_launch() {
  gst-launch-1.0 -q -e "$@" || rvm_fail "the pipeline failed, see above"
  [ ! -f "$output.part" ] || mv "$output.part" "$output"
}
