#!/bin/sh
# The package's life in a throwaway root: package.sh DIRECTORY PACKAGE VERSION
set -eu
package=$2 version=$3
# shellcheck source=xtask/src/dist/expect.sh
. "$1/expect.sh"

link=/etc/systemd/system/multi-user.target.wants/ddnsd.service
getent passwd ddnsd > /dev/null && fail "there is a user ddnsd already"

echo "installed"
dpkg --install "$package" > /run/said 2>&1 || fail "$(cat /run/said)"
grep -q 'not started: set DDNS_RECORDS' /run/said || fail "it does not say why nothing runs: $(cat /run/said)"
expect version "ddnsd $version" "$(ddnsd --version)"
expect binary /usr/bin/ddnsd "$(command -v ddnsd)"
owned /usr/bin/ddnsd 755 root:root
owned /etc/default/ddnsd 640 root:ddnsd
owned /etc/ddnsd 750 root:ddnsd
owned /usr/share/man/man1/ddnsd.1.gz 644 root:root
owned /usr/share/man/man1/ddnsd-status.1.gz 644 root:root
owned /usr/share/bash-completion/completions/ddnsd 644 root:root
owned /usr/share/zsh/vendor-completions/_ddnsd 644 root:root
owned /usr/share/fish/vendor_completions.d/ddnsd.fish 644 root:root
owned /usr/share/doc/ddnsd/copyright 644 root:root
expect shell /usr/sbin/nologin "$(getent passwd ddnsd | cut -d: -f7)"
[ -L $link ] || fail "the service is not enabled: $(cat /run/said)"
called daemon-reload
not_called ' start '
systemd-analyze verify /usr/lib/systemd/system/ddnsd.service 2> /run/said || fail "$(cat /run/said)"
! grep ddnsd /run/said || fail "systemd complains"
dpkg --verify ddnsd > /run/said
expect "files that differ" "" "$(cat /run/said)"

echo "upgraded"
echo 'DDNS_RECORDS=host.example.net' > /etc/default/ddnsd
install -m 600 /dev/null /etc/ddnsd/token
install -d -o ddnsd -g ddnsd /var/lib/ddnsd
echo state > /var/lib/ddnsd/state.0
dpkg-deb --raw-extract "$package" /run/newer
sed -i "s/^Version: .*/Version: $version+1/" /run/newer/DEBIAN/control
echo '# a new line' >> /run/newer/etc/default/ddnsd
dpkg-deb --build --root-owner-group /run/newer /run/newer.deb > /dev/null
: > /run/calls
dpkg --install --force-confold /run/newer.deb > /run/said 2>&1 || fail "$(cat /run/said)"
expect "the configuration" DDNS_RECORDS=host.example.net "$(cat /etc/default/ddnsd)"
owned /etc/default/ddnsd 640 root:ddnsd
owned /etc/default/ddnsd.dpkg-dist 640 root:ddnsd
owned /etc/ddnsd/token 600 root:root
expect "the state" state "$(cat /var/lib/ddnsd/state.0)"
called 'try-restart ddnsd.service'
not_called 'stop ddnsd'

echo "removed"
: > /run/calls
dpkg --remove ddnsd > /run/said 2>&1 || fail "$(cat /run/said)"
gone /usr/bin/ddnsd /usr/lib/systemd/system/ddnsd.service /usr/share/man/man1/ddnsd.1.gz
expect "the configuration" DDNS_RECORDS=host.example.net "$(cat /etc/default/ddnsd)"
expect "the state" state "$(cat /var/lib/ddnsd/state.0)"
owned /etc/ddnsd/token 600 root:root
called 'stop ddnsd.service'

echo "installed again"
: > /run/calls
dpkg --install --force-confold "$package" > /run/said 2>&1 || fail "$(cat /run/said)"
called 'start ddnsd.service'

echo "purged"
dpkg --purge ddnsd > /run/said 2>&1 || fail "$(cat /run/said)"
gone /etc/default/ddnsd /etc/default/ddnsd.dpkg-dist /etc/ddnsd /var/lib/ddnsd /usr/bin/ddnsd $link
getent passwd ddnsd > /dev/null || fail "the user's number is free for somebody else"
