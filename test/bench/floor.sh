#!/bin/sh
# The bare floor: only the steps a pod cannot do without, called by hand, with the parallelism tspod uses.
# Namespaces pinned by one unshare, netavark next to rootfs and create, starts in order once the network is up.
# No manifest is read, no state is kept, nothing is undone when a step fails: less than this cannot run a pod.
#
# usage: floor.sh up|down PODS CONTAINERS INITS    after floor-setup.ts has filled $FLOOR
set -eu

floor=${FLOOR:?the directory that floor-setup.ts made}
image=localhost/tspod-demo:latest
runtime=crun
action=$1 pods=$2 containers=$3 inits=$4

# netavark has no lock of its own: several at once on one bridge lose veths and DNS records.
# --close: aardvark-dns must not inherit the lock, it stays.
netavark() { flock --close "$floor/net.lock" /usr/lib/podman/netavark --config "$floor/net" --aardvark-binary /usr/lib/podman/aardvark-dns "$@"; }

# Fills the holes of a template: no process, only the shell's own expansions.
filled() {
	text=$1
	shift
	while [ $# -gt 0 ]; do
		rest=$text text=
		while [ "$rest" != "${rest#*"$1"}" ]; do
			text=$text${rest%%"$1"*}$2
			rest=${rest#*"$1"}
		done
		text=$text$rest
		shift 2
	done
	printf '%s' "$text"
}

# A root file system and a container that is created but not started.
create() {
	id=$1 pod=$2 template=$3
	bundle=$floor/run/$id
	mkdir "$bundle"
	containers-storage create-container --id "$id" "$image" >/dev/null
	rootfs=$(containers-storage mount "$id")
	filled "$template" @ROOTFS@ "${rootfs%% *}" @POD@ "$floor/pods/$pod" @ID@ "$id" >"$bundle/config.json"
	_OCI_SYNCPIPE=3 conmon --api-version 1 -c "$id" -u "$id" -n "$id" -r /usr/bin/$runtime -b "$bundle" \
		-p "$bundle/pid" --conmon-pidfile "$bundle/conmon-pid" --exit-dir "$floor/exits" --full-attach \
		-l "k8s-file:$bundle/log" --exit-command "$floor/exit-hook" \
		--exit-command-arg "$floor/pods/$pod/ended" --exit-command-arg "$id" 3>&1 >/dev/null | {
		read -r answer
		case $answer in *'"data": -'* | '') echo "conmon: $answer" >&2 ;; esac
	}
}

pod_up() {
	pod=$1 number=$2
	home=$floor/pods/$pod
	mkdir "$home"
	mkfifo "$home/ended"
	exec 5<>"$home/ended"
	for kind in net ipc uts; do : >"$home/$kind"; done
	unshare "--net=$home/net" "--ipc=$home/ipc" "--uts=$home/uts" sh -c "hostname $pod; ip link set lo up"
	{
		address=10.99.$((number / 250)).$((number % 250 + 2))
		filled "$network_template" @POD@ "$pod" @ADDRESS@ "$address" >"$home/network.json"
		netavark setup "$home/net" <"$home/network.json" >"$home/network.out" || cat "$home/network.out" >&2
	} &
	network=$!
	created=
	for n in $(seq 1 "$inits"); do
		create "$pod-init$n" "$pod" "$init_template" &
		created="$created $!"
	done
	for n in $(seq 1 "$containers"); do
		create "$pod-c$n" "$pod" "$main_template" &
		created="$created $!"
	done
	# shellcheck disable=SC2086
	wait $network $created
	for n in $(seq 1 "$inits"); do
		$runtime start "$pod-init$n"
		read -r _ <&5
	done
	for n in $(seq 1 "$containers"); do $runtime start "$pod-c$n"; done
}

container_down() {
	$runtime delete "$1"
	containers-storage delete-container "$1" >/dev/null
	rm -r "$floor/run/$1" "$floor/exits/$1"
}

pod_down() {
	pod=$1
	home=$floor/pods/$pod
	exec 5<>"$home/ended"
	for n in $(seq 1 "$containers"); do $runtime kill "$pod-c$n" TERM & done
	for n in $(seq 1 "$containers"); do read -r _ <&5; done
	wait
	netavark teardown "$home/net" <"$home/network.json" &
	for n in $(seq 1 "$inits"); do container_down "$pod-init$n" & done
	for n in $(seq 1 "$containers"); do container_down "$pod-c$n" & done
	wait
	umount "$home/net" "$home/ipc" "$home/uts"
	rm -r "$home"
}

main_template=$(cat "$floor/main.json")
init_template=$(cat "$floor/init.json")
network_template=$(cat "$floor/network.json")
for p in $(seq 1 "$pods"); do
	case $action in
	up) pod_up "floor$p" "$p" & ;;
	down) pod_down "floor$p" & ;;
	esac
done
wait
