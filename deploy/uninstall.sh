#!/bin/sh
# Takes away what install.sh put there: uninstall.sh systemd|docker|kubernetes [--purge]
# Configuration, token and state stay unless --purge is given. The user stays, so that its number becomes nobody else's.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
purge=${2-}

usage() {
    echo "usage: $0 systemd|docker|kubernetes [--purge]" >&2
    exit 1
}
[ -z "$purge" ] || [ "$purge" = --purge ] || usage

case "${1-}" in
systemd)
    if [ -e /etc/systemd/system/ddnsd.service ]; then
        systemctl disable --now ddnsd.service
    fi
    rm -f /usr/local/bin/ddnsd /etc/systemd/system/ddnsd.service /etc/sysusers.d/ddnsd.conf /usr/local/share/man/man1/ddnsd.1 \
        /usr/local/share/man/man1/ddnsd-*.1 /usr/local/share/bash-completion/completions/ddnsd \
        /usr/local/share/zsh/site-functions/_ddnsd /usr/local/share/fish/vendor_completions.d/ddnsd.fish
    systemctl daemon-reload
    if [ -n "$purge" ]; then
        rm -rf /etc/ddnsd /var/lib/ddnsd /etc/default/ddnsd
    fi
    ;;
docker)
    if [ -n "$purge" ]; then
        docker compose --file "$here/container/compose.yaml" down --volumes
    else
        docker compose --file "$here/container/compose.yaml" down
    fi
    ;;
kubernetes)
    # The namespace holds the secret; the state lies on the node, in /var/lib/ddnsd.
    if [ -n "$purge" ]; then
        kubectl delete --kustomize "$here/kubernetes"
    else
        kubectl --namespace ddns delete daemonset ddnsd
    fi
    ;;
*) usage ;;
esac
