#!/bin/sh
# Starts a cell: a corner of this host with its own network, mounts, processes, cgroup trees and image store, in
# which tests play real pods without seeing one another. PID 1 reaps late, as on some machines tspod must bear.
# VIEW `host` keeps the host's kinds of cgroup trees; `v1` hides the unified tree of a hybrid host.
# Called by cell.ts, which owns the directories named here.
#
# usage: cell-boot.sh NAME STATE VIEW
set -eu
name=$1 state=$2 view=$3

cgroup_mounts() { awk '$3 == "cgroup" || $3 == "cgroup2" { print $2, $3, $4 }' /proc/mounts; }

if [ "${CELL_STAGE:-outer}" = outer ]; then
	for tree in $(cgroup_mounts | cut -d ' ' -f 1); do
		mkdir -p "$tree/$name"
		for file in cpuset.cpus cpuset.mems; do
			if [ -e "$tree/$file" ] && [ ! -e "$tree/cgroup.controllers" ]; then cat "$tree/$file" >"$tree/$name/$file"; fi
		done
		# Without a controller in it a unified tree would not make the cell a hybrid host, as this one is.
		if [ -e "$tree/cgroup.controllers" ]; then
			for controller in $(cat "$tree/cgroup.controllers"); do
				echo "+$controller" >"$tree/cgroup.subtree_control" 2>/dev/null || true
			done
		fi
		echo $$ >"$tree/$name/cgroup.procs"
	done
	CELL_STAGE=inner exec setpriv --pdeathsig KILL unshare --mount --propagation private --net --uts --ipc --pid \
		--cgroup --mount-proc --fork --kill-child "$0" "$@"
fi

# Mounted anew, each tree begins at the cell's own cgroup.
cgroup_mounts | while read -r target type options; do
	umount "$target"
	if [ "$type" = cgroup2 ]; then
		if [ "$view" = host ] || [ "$target" = /sys/fs/cgroup ]; then
			mount -t cgroup2 none "$target"
			# Controllers can only be handed down by a cgroup without processes of its own.
			mkdir -p "$target/init"
			echo 1 >"$target/init/cgroup.procs"
		fi
		# Hidden, its directory stays: removing a directory unmounts what others, the host too, have mounted on it.
		continue
	fi
	case $options in
	*name=*) controllers=none,name=${options##*name=} ;;
	*) controllers=${options##*relatime,} ;;
	esac
	mount -t cgroup -o "$controllers" cgroup "$target"
done

mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock
# A checkout below /tmp, as CI may make it, has to stay in sight.
checkout=$(cd "$(dirname "$0")/../.." && pwd -P)
mkdir /run/checkout
mount --bind "$checkout" /run/checkout
mount -t tmpfs -o mode=1777 tmpfs /tmp
case $checkout in
/tmp/*)
	mkdir -p "$checkout"
	mount --bind /run/checkout "$checkout"
	;;
esac
umount /run/checkout
rmdir /run/checkout
for directory in /var/lib/containers /var/lib/tspod /var/log/tspod /etc/tspod; do
	mkdir -p "$directory" "$state$directory"
	mount --bind "$state$directory" "$directory"
done

hostname tspod-cell
ip link set lo up
ip link add eth0 type veth peer name uplink
ip link set uplink up
ip address add 192.0.2.10/24 dev eth0
ip link set eth0 up
ip route add default via 192.0.2.1

echo ready >"$state/ready"
exec perl -MPOSIX=WNOHANG -e 'while (1) { sleep 2; 1 while waitpid(-1, WNOHANG) > 0 }'
