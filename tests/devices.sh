#!/usr/bin/env bash
# Every kernel and the golden comparisons, of the library and through the whole plugin (raw frames in, .npy out), on each OpenCL implementation
# that can be had without a GPU: PoCL, Mesa's rusticl on llvmpipe, Intel's CPU runtime (from PyPI, into FOLDER), and oclgrind. Installs what
# is missing.
#   tests/devices.sh BUILD_DIR [FOLDER]      RVM_DEVICES="pocl intel" leaves the others out, RVM_CHECKS=plugin runs only what is called so
set -uo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "$1") folder=${2:-${XDG_CACHE_HOME:-$HOME/.cache}/gst-rvm/devices}
sudo=""
[ "$(id -u)" = 0 ] || sudo=sudo
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends oclgrind mesa-opencl-icd pocl-opencl-icd python3-venv >/dev/null
mkdir -p "$folder/icd-intel" "$folder/icd-rusticl" "$folder/icd-pocl"
[ -x "$folder/intel/bin/pip" ] || /usr/bin/python3 -m venv "$folder/intel"
"$folder/intel/bin/pip" install -q intel-opencl-rt intel-cmplr-lib-rt tbb
echo "$folder/intel/lib/libintelocl.so" > "$folder/icd-intel/intel.icd"
echo libRusticlOpenCL.so.1 > "$folder/icd-rusticl/rusticl.icd"
cp /etc/OpenCL/vendors/pocl.icd "$folder/icd-pocl/"

passed=0 failed=0
check() {
  local name=$1
  shift
  [[ $name = *${RVM_CHECKS:-}* ]] || return 0
  if "$@" > "$folder/log.txt" 2>&1; then
    passed=$((passed + 1))
    echo "passed  $name$(sed -n 's/.*, \(largest relative error .*\)/\1/p' "$folder/log.txt" | sort -k4g | tail -n 1 | sed 's/^/: /')"
  else
    failed=$((failed + 1))
    echo "FAILED  $name"
    tail -n 20 "$folder/log.txt"
  fi
}
for device in ${RVM_DEVICES:-pocl rusticl intel}; do
  settings=(env "OCL_ICD_VENDORS=$folder/icd-$device" RUSTICL_ENABLE=llvmpipe)
  [ "$device" != intel ] || settings+=("LD_LIBRARY_PATH=$folder/intel/lib")
  check "$device: kernels" "${settings[@]}" "$build/tests/kernels/checkcl"
  [ "$device" = rusticl ] || check "$device: matrix units, emulated" "${settings[@]}" "$build/tests/kernels/checkcl_matrix_units" --only matrix-units
  for gemm in native clblast; do
    check "$device: features of tiny, $gemm" "${settings[@]}" "$build/tests/model/check_golden" --gemm $gemm tests/data/tiny.npz tests/data/tiny_forward.npz
  done
  check "$device: features of small16" "${settings[@]}" "$build/tests/model/check_golden" "$build/tests/model/small16.npz" tests/data/small16_forward.npz
  for gemm in native clblast; do
    for model in tests/data/tiny "$build/tests/model/small16"; do
      check "$device: $(basename $model) through the plugin, $gemm" "${settings[@]}" GST_PLUGIN_PATH="$build/gst-plugin" \
        GST_REGISTRY="$folder/registry.bin" /usr/bin/python3 tests/gst/golden_plugin.py --gemm $gemm "$model.npz" "tests/data/$(basename $model)_forward.npz"
    done
  done
  check "$device: training" "${settings[@]}" "$build/tests/trainer/check_golden" --gemm native tests/data/tiny.npz tests/data/tiny_pretrain.npz
  check "$device: label propagation" "${settings[@]}" "$build/tests/model/check_propagation" tests/data/propagation.npz
  check "$device: readouts" "${settings[@]}" /usr/bin/python3 tests/model/test_readout.py "$build/tests/model/check_readout"
done
check "oclgrind: kernels" oclgrind --data-races "$build/tests/kernels/checkcl" --quick
# Four states of a grid of 2 x 3.
head -c $((4 * 7 * 48 * 4)) /dev/zero > "$folder/states"
for readout in first mean five depth; do
  check "oclgrind: readout $readout" oclgrind --data-races --stop-errors 1 "$build/tests/model/check_readout" stream "$build/tests/model/readout_$readout.safetensors" "$folder/states" 2 3 "$folder/out"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
