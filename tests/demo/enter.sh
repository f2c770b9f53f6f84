#!/bin/sh
# enter.sh ROOT PIP_CACHE COMMAND...: run a command inside ROOT as the ordinary user 1000, on what every machine has
# mounted. To be started in mount and process namespaces of its own: with them, mounts and processes vanish.
set -eu
root=$1
cache=$2
shift 2
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom; do
    : > "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mkdir -p "$root/var/cache/pip"
mount --bind "$cache" "$root/var/cache/pip"
# Not exec: changing the user would undo that this process, the first of its namespace, is killed with its parent.
chroot --userspec=1000:1000 "$root" "$@" || exit $?
