#!/bin/sh
# The scripts of the tarball in a throwaway root: install.sh DIRECTORY TARBALL VERSION
set -eu
tarball=$2 version=$3
# shellcheck source=xtask/src/dist/expect.sh
. "$1/expect.sh"

unit=/etc/systemd/system/ddnsd.service
link=/etc/systemd/system/multi-user.target.wants/ddnsd.service
mkdir /run/release
tar --extract --file "$tarball" --directory /run/release --strip-components 1
cd /run/release

echo "installed"
deploy/install.sh systemd > /run/said 2>&1 || fail "$(cat /run/said)"
grep -q 'Set DDNS_RECORDS' /run/said || fail "it does not say what is to be done: $(cat /run/said)"
expect version "ddnsd $version" "$(/usr/local/bin/ddnsd --version)"
owned /usr/local/bin/ddnsd 755 root:root
owned /etc/default/ddnsd 640 root:ddnsd
owned /etc/ddnsd 750 root:ddnsd
owned $unit 644 root:root
owned /usr/local/share/man/man1/ddnsd-status.1 644 root:root
[ -L $link ] || fail "the service is not enabled"
called daemon-reload
called 'enable ddnsd.service'
not_called 'start ddnsd'
systemd-analyze verify $unit 2> /run/said || fail "$(cat /run/said)"
! grep ddnsd /run/said || fail "systemd complains"

echo "installed again, with a configuration"
echo 'DDNS_RECORDS=host.example.net' > /etc/default/ddnsd
install -m 600 /dev/null /etc/ddnsd/token
install -d -o ddnsd -g ddnsd /var/lib/ddnsd
deploy/install.sh systemd > /run/said 2>&1 || fail "$(cat /run/said)"
expect "the configuration" DDNS_RECORDS=host.example.net "$(cat /etc/default/ddnsd)"
owned /etc/default/ddnsd 640 root:ddnsd
called 'restart ddnsd.service'

echo "uninstalled"
deploy/uninstall.sh systemd > /run/said 2>&1 || fail "$(cat /run/said)"
gone /usr/local/bin/ddnsd $unit $link /etc/sysusers.d/ddnsd.conf /usr/local/share/man/man1/ddnsd-status.1
owned /etc/ddnsd/token 600 root:root
called 'disable --now ddnsd.service'

echo "uninstalled with all that was kept"
deploy/uninstall.sh systemd --purge > /run/said 2>&1 || fail "$(cat /run/said)"
gone /etc/default/ddnsd /etc/ddnsd /var/lib/ddnsd
! deploy/install.sh nowhere 2> /run/said || fail "it installs nowhere"
