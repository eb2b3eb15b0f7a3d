#!/usr/bin/env bash
# two_machines.sh RVM-CL-TRAIN: trains in two network namespaces with names of their own, which to Open MPI are two machines, over TCP on a
# virtual cable, and compares the losses with one process. Needs root, iproute2 and Open MPI.
set -euo pipefail
program=$(readlink -f "$1")
work=$(mktemp -d)
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
trap 'ip netns del rvm-a 2>/dev/null; ip netns del rvm-b 2>/dev/null; rm -rf "$work"' EXIT
ip netns add rvm-a
ip netns add rvm-b
ip link add rvm-a netns rvm-a type veth peer name rvm-b netns rvm-b
ip -n rvm-a addr add 10.9.0.1/24 dev rvm-a
ip -n rvm-b addr add 10.9.0.2/24 dev rvm-b
for end in a b; do
  ip -n rvm-$end link set rvm-$end up
  ip -n rvm-$end link set lo up
done

# In place of ssh: AGENT HOST COMMAND...
cat > "$work/agent" <<'END'
#!/usr/bin/env bash
while [[ $1 == -* ]]; do shift; done
case $1 in 10.9.0.1) end=a ;; *) end=b ;; esac
shift
exec ip netns exec rvm-$end unshare -u bash -c "hostname rvm-$end; $*"
END
chmod +x "$work/agent"

mkdir "$work/photos"
gst-launch-1.0 -q videotestsrc num-buffers=1 pattern=circular ! video/x-raw,width=200,height=150 ! pngenc ! filesink location="$work/photos/zone.png"
run=("$program" pretrain --recipe tiny --photos "$work/photos" --set synthetic=1 --set batch=4 --set accumulate=2 --set steps=6 --set picture-every=0)
"${run[@]}" --out "$work/one" > /dev/null
ip netns exec rvm-a unshare -u bash -c 'hostname rvm-a; exec "$@"' _ mpirun --host 10.9.0.1:1,10.9.0.2:1 --mca plm_rsh_agent "$work/agent" \
  --mca pml ob1 --mca btl tcp,self --mca btl_tcp_if_include 10.9.0.0/24 --mca oob_tcp_if_include 10.9.0.0/24 \
  bash -c 'echo "a process on $(hostname)" >&2; exec "$@"' _ "${run[@]}" --out "$work/two"
ip -n rvm-b -s link show rvm-b | awk '/RX:/ { getline; print $1 " bytes received by the second machine" }'
python3 - "$work" <<'END'
import json, sys
one, two = ([json.loads(line) for line in open(f"{sys.argv[1]}/{name}/metrics.jsonl")] for name in ("one", "two"))
worst = max(abs(a["loss"] / b["loss"] - 1) for a, b in zip(one, two, strict=True))
print(f"losses of {len(one)} steps differ from those of one process by at most {worst:.1e}")
sys.exit(worst > 1e-5)
END
