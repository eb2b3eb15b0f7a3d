# Sourced by the scripts of this folder: options, packages and build, the environment in which GStreamer finds the elements, and files.
# A script's own opening comment is its --help. Most scripts take, besides their own:
#   --model FILE    other weights than the bundled ones      --size PIXELS  shorter side of the picture that the model sees
#   --frames N      stop after N frames                      --rate R       frames a second of a VIDEO that is pictures (25)
#   --output PATH   where the result goes, seen from the folder where the script is called
#   --overwrite     over an earlier result, which is an error otherwise
#   --timeout S     give a VIDEO up after S seconds without a picture (30; 0: never)
# VIDEO is a file, an address (http://, https://, rtsp://, file://), - for standard input, pictures in order (frame_%05d.png, 'frames/*.png' or
# their folder), or a folder of videos, each of which is then a run of its own with outputs named after it.
# Ctrl-C ends a pipeline as if the video had ended: what was written until then is whole.
# shellcheck shell=bash disable=SC2034
set -euo pipefail
script=$(realpath "$0")
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
name_of_script=$(basename "$script")
python=/usr/bin/python3 # Debian's, which has Debian's gi and numpy

rvm_usage() {
  # Scripts that take these OPTIONS say so.
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$script"
  ! grep -q "^#.*OPTIONS" "$script" || sed -n '/^#   --model/,/named after it/s/^# //p' "$here/common.sh"
}
rvm_fail() { echo "$name_of_script: $*" >&2; exit 1; }
# What is wrong comes last, where it is still in sight below the help.
rvm_wrong() { rvm_usage >&2; echo "$name_of_script: $*" >&2; exit 2; }
rvm_cache() { echo "${XDG_CACHE_HOME:-${HOME:-$(getent passwd "$(id -u)" | cut -d : -f 6)}/.cache}/gst-rvm"; }

# rvm_parse "OPTIONS" "FLAGS" ARGUMENT...: an option sets the variable of its name (- becomes _) to its value, a flag sets it to yes; what is
# left goes into the array `words`, options and flags into `options`. Without $output_given, $output is the script's default.
words=() options=()
model="" frames="" output_given="" rate="" timeout="" overwrite=""
rvm_parse() {
  local known=" $1 model size frames output rate timeout " flags=" $2 overwrite " name
  shift 2
  while [ $# -gt 0 ]; do
    name=${1#--} name=${name%%=*}
    case $1 in
      -h | --help) rvm_usage; exit 0 ;;
      --) words+=("${@:2}"); break ;;
      --*)
        if [[ $known == *" $name "* ]]; then
          if [[ $1 != *=* ]]; then
            [ $# -ge 2 ] || rvm_wrong "$1 needs a value"
            set -- "$1=$2" "${@:3}"
          fi
          printf -v "${name//-/_}" %s "${1#*=}"
          [ "$name" != output ] || output_given=yes
          [ "$name" = output ] || options+=("$1")
        elif [[ $flags == *" $name "* && $1 != *=* ]]; then
          printf -v "${name//-/_}" yes
          options+=("$1")
        else
          rvm_wrong "unknown option $1"
        fi ;;
      -?*) rvm_wrong "unknown option $1" ;;
      *) words+=("$1") ;;
    esac
    shift
  done
  for name in size frames timeout; do
    [[ ${!name} =~ ^[0-9]{0,9}$ ]] || rvm_wrong "--$name takes a whole number, not '${!name}'"
  done
  [[ $rate =~ ^([0-9]{1,6}([./][0-9]{1,6})?)?$ ]] || rvm_wrong "--rate is frames a second, such as 25 or 30000/1001, not '$rate'"
  [ -z "$output_given" ] || [ -n "$output" ] || rvm_wrong "--output is empty"
  [ -z "$model" ] || model=$(rvm_weights "$model")
}

# The file that --model names, or that fetch-weights has downloaded under the name of a published model.
rvm_weights() {
  if [[ ! -f $1 && $1 =~ ^(small|base|large|huge)16$ ]]; then "$here/fetch-weights" --where "$1"; else rvm_file "$1"; fi
}

# The absolute name of a file that must exist; pipelines may run elsewhere.
rvm_file() {
  [ -e "$1" ] || rvm_fail "no such file: $1"
  [ ! -d "$1" ] || rvm_fail "$1 is a folder, expected a file"
  [ -r "$1" ] || rvm_fail "$1 cannot be read"
  realpath "$1"
}

# Checks a VIDEO as far as that is possible before Python is there; rvm_source.py does the rest.
rvm_check_video() {
  case $1 in
    -) [ ! -t 0 ] || rvm_fail "- is standard input, which is a terminal: give it a video, as in: cat video.webm | $name_of_script -" ;;
    *://*) ;;
    *)
      if [ ! -e "$1" ] && [[ $1 != *[%*?[]* ]]; then rvm_fail "no such file: $1"; fi
      [ ! -e "$1" ] || [ -r "$1" ] || rvm_fail "$1 cannot be read"
      [ ! -f "$1" ] || [ -s "$1" ] || rvm_fail "$1 is empty" ;;
  esac
}

# The video named on the command line. Nothing, where that is the sample, which rvm_prepare fetches once it can.
rvm_video() {
  [ ${#words[@]} -le 1 ] || rvm_wrong "one video at a time, not: ${words[*]} (pictures that are frames are named by a pattern in quotes: 'frames/*.png')"
  [ ${#words[@]} = 0 ] || rvm_check_video "${words[0]}"
  [ ${#words[@]} = 0 ] || echo "${words[0]}"
}

# Sets the array `videos` to those of the folder $1; empty where it is a single video. Fails, after saying why, where it is nothing usable.
rvm_videos_of() {
  local list
  videos=()
  list=$(mktemp)
  if ! RVM_SCRIPT=$name_of_script "$python" "$here/rvm_source.py" "$1" > "$list"; then rm -f "$list"; return 1; fi
  mapfile -t -d '' videos < "$list"
  rm -f "$list"
}

# Where $1 is a folder of videos: this script once for each of them and what follows it on the command line, with the output named after it;
# and then the end. One that fails leaves the others.
rvm_each() {
  local each name failed=() status
  rvm_videos_of "$1" || exit 1
  [ ${#videos[@]} -gt 0 ] || return 0
  local -A seen
  for each in "${videos[@]}"; do
    name=$(basename "$each") name=${name%.*}
    [ -z "${seen[$name]:-}" ] || rvm_fail "$each and ${seen[$name]} would have the same output: rename one"
    seen[$name]=$each
  done
  for each in "${videos[@]}"; do
    name=$(basename "$each") name=${name%.*} status=0
    if [ -n "${output_is_folder:-}" ]; then name=$output/$name; else name=${output%.*}-$name.${output##*.}; fi
    "$script" "${options[@]}" --output "$name" -- "$each" "${words[@]:1}" </dev/null || status=$?
    [ $status -lt 128 ] || exit $status
    [ $status = 0 ] || failed+=("$each")
  done
  [ ${#failed[@]} = 0 ] || { echo "$name_of_script: ${#failed[@]} of ${#videos[@]} videos failed: ${failed[*]}" >&2; exit $((${#failed[@]} < 100 ? ${#failed[@]} : 100)); }
  exit 0
}

# vtest.avi (people walking, 79 s, 768 x 576) from Debian's package opencv-doc, fetched once.
rvm_sample() {
  local cache download found
  cache=$(rvm_cache)
  if [ ! -f "$cache/vtest.avi" ]; then
    mkdir -p "$cache" || rvm_fail "the sample video has no place, because $cache cannot be made: name a video, or set XDG_CACHE_HOME to a folder that can be written"
    command -v apt-get >/dev/null || rvm_fail "the sample video comes from Debian's package opencv-doc, and there is no apt-get: name a video"
    echo "fetching the sample video (8 MB, from Debian's package opencv-doc)" >&2
    # Slim images drop /usr/share/doc when a package is installed, so the file is taken out of the package.
    download=$(mktemp -d)
    chmod 755 "$download"
    (cd "$download" && apt-get download -q opencv-doc && dpkg-deb -x opencv-doc_*.deb content) > "$download/log" 2>&1 </dev/null \
      || { tail -n 3 "$download/log" >&2; rm -rf "$download"; rvm_fail "vtest.avi cannot be fetched from Debian's opencv-doc, see above: name a video (or run apt-get update)"; }
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

# Runs meson or ninja with their output in a log; of ninja's lines, the count is shown: on a terminal one line that is written over, elsewhere a
# line every ten seconds. A failure shows the end of the log.
rvm_build_step() {
  local log=$build/build.log
  "$@" </dev/null 2>&1 | tee "$log" | {
    local line shown=$SECONDS
    while IFS= read -r line; do
      if [[ ! $line =~ ^\[([0-9]+)/([0-9]+)\] ]]; then
        continue
      elif [ -t 2 ]; then
        printf '\rbuilt: %s of %s' "${BASH_REMATCH[@]:1}" >&2
      elif [ $((SECONDS - shown)) -ge 10 ]; then
        shown=$SECONDS
        printf 'built: %s of %s\n' "${BASH_REMATCH[@]:1}" >&2
      fi
    done
    [ ! -t 2 ] || printf '\r\033[K' >&2
  } || { tail -n 30 "$log" >&2; return 1; }
}

# Builds what is out of date, one process at a time: the others wait for it. The lock is on the folder itself and goes with the last process that
# has it open, which may be a compiler that outlives a killed script.
rvm_build() {
  mkdir -p "$build"
  exec 9<"$build"
  if ! flock -n 9; then
    echo "$name_of_script: another process builds in $build; waiting for it" >&2
    flock 9
  fi
  if [ ! -f "$build/build.ninja" ]; then
    echo "configuring the build in $build, about 10 s" >&2
    # What a killed meson left would be taken for a configured build.
    rm -rf "$build/meson-private" "$build/meson-info"
    rvm_build_step meson setup "$build" "$here/.." -Dtests=disabled || rvm_fail "meson cannot set up $build, see above"
  fi
  local todo
  todo=$(ninja -C "$build" -n 2>/dev/null </dev/null | grep -c '^\[' || true)
  [ "$todo" -lt 5 ] || echo "building, about a minute on two idle processor cores" >&2
  rvm_build_step ninja -C "$build" || rvm_fail "the build in $build failed, see above"
  exec 9<&-
}

# Where the build goes: RVM_BUILD, or build/ of this checkout, or a folder in the cache where the checkout cannot be written.
rvm_choose_build() {
  build=${RVM_BUILD:-$here/../build}
  if [ -z "${RVM_BUILD:-}" ] && { [ -e "$build" ] && [ ! -w "$build" ] || [ ! -e "$build" ] && [ ! -w "$here/.." ]; }; then
    build=$(rvm_cache)/build-$(realpath "$here/.." | sha256sum | cut -c 1-12)
  fi
  if ! mkdir -p "$build" 2>/dev/null || [ ! -w "$build" ]; then rvm_fail "there is no place to build: $build cannot be written; RVM_BUILD names another folder"; fi
  build=$(realpath "$build")
}

# Installs what is missing (Debian 12 or 13, as root or with sudo; with RVM_PACKAGES, what install-packages has by that name too), builds, and
# lets GStreamer, introspection and pkg-config find the result.
rvm_prepare() {
  if [ -z "${RVM_PREPARED:-}" ]; then
    # shellcheck disable=SC2086
    "$here/install-packages" ${RVM_PACKAGES:-} >&2 </dev/null || exit 1
    rvm_choose_build
    rvm_build
    export GST_PLUGIN_PATH="$build/gst-plugin${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}"
    export GI_TYPELIB_PATH="$build/gst-plugin/meta${GI_TYPELIB_PATH:+:$GI_TYPELIB_PATH}"
    export LD_LIBRARY_PATH="$build/gst-plugin/meta${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    export PKG_CONFIG_PATH="$build/meson-uninstalled${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
    export PATH="$build/trainer:$build/archive:$PATH"
    export RVM_PREPARED=yes
  fi
  if [ -v video ] && [ -z "$video" ]; then video=$(rvm_sample); fi
  export RVM_DEFAULT_MODEL=${model:-$(realpath "$here/../model/default/rvm-cpu.safetensors")}
}

# Device and inode of every file that the arguments on the command line and --model name, between spaces.
rvm_inputs() {
  local word
  for word in "${words[@]}" ${model:+"$model"}; do
    case $word in
      -) word=$(realpath /dev/stdin) ;;
      file://*) word=${word#file://} word=/${word#*/} word=${word//\\/\\\\}; printf -v word %b "${word//%/\\x}" ;;
    esac
    if [ -d "$word" ]; then
      find -L "$word" -maxdepth 1 -type f -print0
    elif [ -f "$word" ]; then
      printf '%s\0' "$word"
    elif [[ $word != *://* ]]; then
      # Pictures that are frames.
      { compgen -G "$(sed -E 's/%(0[0-9]+)?d/*/' <<< "$word")" || true; } | tr '\n' '\0'
    fi
  done | { xargs -0r stat -L -c ' %d:%i ' -- 2>/dev/null || true; } | tr -d '\n'
}

# rvm_new FILE...: none of the results is there yet, unless --overwrite says that it may be replaced. None is a file that this run reads, whatever its
# name, nor would its unfinished form be.
results=() input_ids=""
rvm_new() {
  local file each id
  results+=("$@")
  [ -n "$input_ids" ] || input_ids=" $(rvm_inputs)"
  for file; do
    for each in "$file" "$file.part"; do
      if [ -f "$each" ] && id=$(stat -L -c %d:%i -- "$each") && [[ $input_ids == *" $id "* ]]; then
        rvm_fail "$each is what this run reads: --output names another place for the result"
      fi
    done
    [ -n "$overwrite" ] || [ ! -e "$file" ] || rvm_fail "$file exists: --overwrite replaces it, --output names another place"
  done
}

# rvm_beside FILE: where rvmexport writes a result, which is valid after every frame. An earlier one is only replaced by one that is complete: then the
# name ends with .part, which rvm_run.py takes away at the end.
rvm_beside() { if [ -f "$1" ]; then echo "$1.part"; else echo "$1"; fi; }

# Makes the folder of results.
rvm_folder() { if ! mkdir -p "$1" 2>/dev/null || [ ! -w "$1" ]; then rvm_fail "$1 cannot be written"; fi; }

# Parts of pipelines, as arrays: $analyse is rvmencode, which sees every picture upright; $upright goes before it where pictures are shown or
# written, too, which a player turns only as long as the tag that says so is beside them.
rvm_parts() { analyse=(rvmencode "size=$size") upright=(videoconvert ! videoflip video-direction=auto !); }

# Checks the name of a file of pictures, before anything takes long.
rvm_check_encoded() {
  case $1 in *.webm | *.mkv | *.avi | *.mp4) ;; *) rvm_wrong "the result is a .webm, .mp4, .mkv or .avi, not $1" ;; esac
  rvm_new "$1"
  rvm_folder "$(dirname "$1")"
}

# Sets $encode to the elements that make a file of pictures, by its ending. It has its name only when it is whole.
encoded=""
rvm_encode_to() {
  local h264="" name
  encoded=$1
  case $1 in
    *.webm) encode=(videoconvert ! vp8enc deadline=1 cpu-used=8 target-bitrate=2000000 threads=2 ! webmmux) ;;
    *.mkv) encode=(videoconvert ! vp8enc deadline=1 cpu-used=8 target-bitrate=2000000 threads=2 ! matroskamux) ;;
    # JPEG has the full range of levels, to which videoconvert brings YUV only by way of RGB.
    *.avi) encode=(videoconvert ! "video/x-raw,format=BGRx" ! videoconvert ! "video/x-raw,format=I420,colorimetry=1:4:0:0" ! jpegenc ! avimux) ;;
    *.mp4)
      # Not avenc_mpeg4, of which GStreamer gives frames without times: the file would last no time at all.
      for name in x264enc openh264enc; do
        [ -n "$h264" ] || ! gst-inspect-1.0 --exists $name || h264=$name
      done
      case $h264 in
        x264enc) encode=(x264enc speed-preset=veryfast bitrate=3000 ! h264parse) ;;
        openh264enc) encode=(openh264enc bitrate=3000000 ! h264parse) ;;
        *) rvm_fail "there is no encoder for .mp4 here (Debian's gstreamer1.0-plugins-ugly and gstreamer1.0-plugins-bad have one): .webm, .mkv or .avi work" ;;
      esac
      encode=(videoconvert ! "${encode[@]}" ! mp4mux faststart=true) ;;
  esac
  encode+=(! filesink "location=$1.part")
  trap 'rm -f "$output.part"' EXIT
}

# Removes results of a run that had no frame: those beside an empty .jsonl.
rvm_discard_empty() {
  local file
  for file; do
    if [[ $file = *.jsonl && -f $file && ! -s $file ]]; then rm -f "${file%.jsonl}.npy" "$file"; fi
  done
}

# rvm_launch [--input VIDEO] ELEMENTS...: runs a pipeline over a video, and then gives the file of rvm_encode_to its name. rvm_run.py says what is wrong.
rvm_launch() {
  local status=0
  RVM_SCRIPT=$name_of_script "$python" "$here/rvm_run.py" ${frames:+--frames "$((10#$frames))"} ${rate:+--rate "$rate"} ${timeout:+--timeout "$((10#$timeout))"} "$@" || status=$?
  if [ $status = 0 ] && [ -n "$encoded" ] && [ -f "$encoded.part" ]; then mv -- "$encoded.part" "$encoded"; fi
  [ $status = 0 ] || rvm_discard_empty "${results[@]}"
  return $status
}
