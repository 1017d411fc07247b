#!/bin/sh
# Boots a Debian tree as a machine of its own: systemd as PID 1, cgroup v2 only, a private network.
# The tree itself is never written: changes go to an overlay, and /var to a directory on a real file system,
# because neither containers-storage nor SQLite may live on an overlay.
# Called by machine.ts, which owns the directories named here.
#
# usage: machine-boot.sh NAME TREE STATE CHECKOUT CGROUP
set -eu

if [ "${MACHINE_STAGE:-outer}" = outer ]; then
	mkdir -p "$5"
	echo $$ >"$5/cgroup.procs"
	# The mounts below belong to this namespace and go when its last process does, however that ends.
	MACHINE_STAGE=inner exec unshare --mount --propagation private "$0" "$@"
fi

name=$1 tree=$2 state=$3 checkout=$4
mount -t overlay overlay -o "lowerdir=$tree,upperdir=$state/upper,workdir=$state/work" "$state/root"
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
# The console ends with the test that started it; the next machine sweeps what is left then.
exec setpriv --pdeathsig KILL env SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes \
	systemd-nspawn --quiet --directory "$state/root" --machine "$name" --boot --register=no --keep-unit \
	--capability=all --private-network --resolv-conf=off --timezone=off --system-call-filter=@known \
	--bind=/dev/fuse --bind=/dev/net/tun --bind="$state/var:/var" --bind-ro="$checkout:/src"
