#!/bin/sh
# Boots a Debian tree as a machine of its own: systemd as PID 1, a private network, and cgroup v2 only, or
# v1 only where $MACHINE_CGROUPS says so.
# The tree itself is never written: changes go to an overlay, and /var to a directory on a real file system,
# because neither containers-storage nor SQLite may live on an overlay.
# Called by machine.ts, which owns the directories named here.
#
# usage: machine-boot.sh NAME TREE STATE CHECKOUT CGROUP...    one CGROUP in v2, or one in each v1 tree
set -eu

name=$1 tree=$2 state=$3 checkout=$4
if [ "${MACHINE_STAGE:-outer}" = outer ]; then
	shift 4
	for cgroup; do
		mkdir -p "$cgroup"
		# A v1 tree of processors takes no process before it has some.
		for file in cpuset.cpus cpuset.mems; do
			[ ! -e "$cgroup/$file" ] || cat "${cgroup%/*}/$file" >"$cgroup/$file"
		done
		echo $$ >"$cgroup/cgroup.procs"
	done
	# The mounts below belong to this namespace and go when its last process does, however that ends.
	[ "${MACHINE_CGROUPS:-v2}" = v1 ] && own=--cgroup || own=
	MACHINE_STAGE=inner exec unshare --mount $own --propagation private "$0" "$name" "$tree" "$state" "$checkout"
fi

mount -t overlay overlay -o "lowerdir=$tree,upperdir=$state/upper,workdir=$state/work" "$state/root"
# Where each tree was mounted, before nothing of it can be seen any more.
v1=$(while read -r _ _ _ _ at _ rest; do
	case $rest in *'- cgroup '*) echo "${at##*/} ${rest##* }" ;; esac
done </proc/self/mountinfo)
umount -R /sys/fs/cgroup
if [ "${MACHINE_CGROUPS:-v2}" = v1 ]; then
	mount -t tmpfs none /sys/fs/cgroup
	echo "$v1" | while read -r folder options; do
		mkdir "/sys/fs/cgroup/$folder"
		case $options in *name=*) options=none,${options#rw,} ;; esac
		mount -t cgroup -o "${options#rw,}" none "/sys/fs/cgroup/$folder"
	done
	unified=0
	set -- systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1
else
	mount -t cgroup2 none /sys/fs/cgroup
	unified=1
	set --
fi
# The console ends with the test that started it; the next machine sweeps what is left then.
exec setpriv --pdeathsig KILL env SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=$unified SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes \
	systemd-nspawn --quiet --directory "$state/root" --machine "$name" --boot --register=no --keep-unit \
	--capability=all --private-network --resolv-conf=off --timezone=off --system-call-filter=@known \
	--bind=/dev/fuse --bind=/dev/net/tun --bind="$state/var:/var" --bind-ro="$checkout:/src" "$@"
