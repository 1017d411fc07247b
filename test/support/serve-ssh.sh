#!/bin/sh
# An ssh server of a test, on loopback: whoever has the private half of KEY.pub comes in as root. Started in a mount
# namespace of its own, so that root's home, where it looks for keys, is one of ours.
#
#   unshare --mount serve-ssh.sh HOST_KEY KEY.pub PORT
set -eu
host_key=$1 public_key=$(cat "$2") port=$3
mount -t tmpfs -o mode=0700 none /root
mkdir -m 0700 /root/.ssh
printf '%s\n' "$public_key" >/root/.ssh/authorized_keys
exec dropbear -F -E -s -j -k -r "$host_key" -p "127.0.0.1:$port"
