#!/bin/sh
# Runs the image: image.sh STORAGE ARCHIVE NAME VERSION. To be started by `unshare --mount --cgroup --net`.
set -eu
storage=$1 archive=$2 name=$3 version=$4
# shellcheck source=xtask/src/dist/expect.sh
. "$(dirname "$0")/expect.sh"

mount --make-rprivate /
mkdir -p "$storage"
mount -t tmpfs tmpfs "$storage"
umount --recursive --lazy /sys/fs/cgroup 2> /dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up

engine() {
    podman --root "$storage/root" --runroot "$storage/run" --storage-driver vfs "$@"
}
run() {
    engine run --rm --no-healthcheck --network host --cgroups=disabled --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --read-only \
        --cap-drop all --security-opt no-new-privileges "$@"
}

engine load --quiet --input "$archive" > /dev/null
expect user 65532:65532 "$(engine inspect --format '{{.Config.User}}' "$name")"
expect health '[/usr/bin/ddnsd status]' "$(engine inspect --format '{{.HealthCheck.Test}}' "$name" | sed 's/CMD //')"
expect version "ddnsd $version" "$(run "$name" --version)"
echo 0123456789abcdefghijklmnopqrstuvwxyzABCD > "$storage/token"
chmod 444 "$storage/token"
said=$(run --volume "$storage/token:/token:ro" --env DDNS_RECORDS=vpn.example.com --env DDNS_PROVIDER_API_TOKEN_FILE=/token \
    "$name" check) || fail "check: $said"
expect check 'The configuration is good: 2 records.' "$said"
said=$(run "$name" check 2>&1) && fail "a configuration without records is good"
expect "without records" 'DDNS_RECORDS' "$(echo "$said" | grep -o DDNS_RECORDS | head -1)"
said=$(run "$name" status 2>&1) && fail "status without a daemon is healthy"
echo "    status without a daemon: $said"
