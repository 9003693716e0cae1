#!/bin/sh
# Runs a script in a copy of this host's root that goes away with it: throwaway.sh PLACE SCRIPT [ARGUMENT...]
# To be started by `unshare --mount --pid --net --fork`.
set -eu
place=$1
shift
mkdir -p "$place"
mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs "$place"
mkdir "$place/upper" "$place/work" "$place/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" "$place/root"
mount -t proc proc "$place/root/proc"
mount --rbind /dev "$place/root/dev"
mount -t tmpfs -o mode=0755 tmpfs "$place/root/run"
ip link set lo up
# The calls of systemctl are written down. What is about files is done, what is about a running systemd is not.
mkdir -p "$place/root/run/systemd/system"
cat > "$place/root/usr/local/bin/systemctl" <<'EOF'
#!/bin/sh
echo "$*" >> /run/calls
case "$*" in
--root=*) exec /usr/bin/systemctl "$@" ;;
disable*) exec /usr/bin/systemctl --root=/ disable ddnsd.service ;;
enable*) exec /usr/bin/systemctl --root=/ enable ddnsd.service ;;
*is-enabled*) exec /usr/bin/systemctl --root=/ is-enabled ddnsd.service ;;
esac
EOF
chmod 755 "$place/root/usr/local/bin/systemctl"
: > "$place/root/run/calls"
# Containers forbid services to start; this one is to say what it would start.
rm -f "$place/root/usr/sbin/policy-rc.d"
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    chroot "$place/root" /bin/sh "$@"
