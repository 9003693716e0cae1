#!/bin/sh
# Installs ddnsd from an unpacked release: install.sh systemd|docker|kubernetes
# Nothing that is there already and may be somebody's own is overwritten: configuration, token, state.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
release=$(dirname -- "$here")

usage() {
    echo "usage: $0 systemd|docker|kubernetes" >&2
    exit 1
}

needs() {
    command -v "$1" > /dev/null || {
        echo "$0: there is no $1" >&2
        exit 1
    }
}

systemd() {
    needs systemctl
    needs systemd-sysusers
    [ -x "$release/ddnsd" ] || {
        echo "$0: no $release/ddnsd: unpack a release, or put the binary there" >&2
        exit 1
    }
    # One that runs goes on running until it is restarted below.
    install -m 0755 "$release/ddnsd" /usr/local/bin/.ddnsd.new
    mv /usr/local/bin/.ddnsd.new /usr/local/bin/ddnsd
    install -D -m 0644 "$here/systemd/ddnsd.sysusers" /etc/sysusers.d/ddnsd.conf
    systemd-sysusers /etc/sysusers.d/ddnsd.conf
    [ -d /etc/ddnsd ] || install -d -m 0750 -g ddnsd /etc/ddnsd
    [ -e /etc/default/ddnsd ] || install -D -m 0640 -g ddnsd "$here/systemd/ddnsd.default" /etc/default/ddnsd
    install -D -m 0644 "$here/systemd/ddnsd.service" /etc/systemd/system/ddnsd.service
    install -d /usr/local/share/man/man1
    install -m 0644 "$release"/man/*.1 /usr/local/share/man/man1/
    install -D -m 0644 "$release/completions/ddnsd.bash" /usr/local/share/bash-completion/completions/ddnsd
    install -D -m 0644 "$release/completions/_ddnsd" /usr/local/share/zsh/site-functions/_ddnsd
    install -D -m 0644 "$release/completions/ddnsd.fish" /usr/local/share/fish/vendor_completions.d/ddnsd.fish
    systemctl daemon-reload
    systemctl enable ddnsd.service
    if grep -q '^DDNS_RECORDS=vpn\.example\.com$' /etc/default/ddnsd; then
        echo "Set DDNS_RECORDS in /etc/default/ddnsd, put the token into /etc/ddnsd/token, then: systemctl start ddnsd"
    elif [ ! -e /etc/ddnsd/token ]; then
        echo "Put the token into /etc/ddnsd/token, then: systemctl start ddnsd"
    else
        systemctl restart ddnsd.service
    fi
}

docker_() {
    needs docker
    image=$(find "$release" -maxdepth 1 -name 'ddnsd-*-image.tar')
    [ -n "$image" ] || {
        echo "$0: put the image's archive of the release into $release" >&2
        exit 1
    }
    docker load --input "$image"
    [ -e "$here/container/token" ] || {
        echo "$0: put the token into $here/container/token" >&2
        exit 1
    }
    docker compose --file "$here/container/compose.yaml" up --detach
}

kubernetes() {
    needs kubectl
    kubectl apply --kustomize "$here/kubernetes"
    kubectl --namespace ddns get secret ddnsd > /dev/null || {
        echo "Now the token: kubectl --namespace ddns create secret generic ddnsd --from-file=token=FILE"
        echo "and the node:  kubectl label node NODE ddns/keeper=true"
    }
}

case "${1-}" in
systemd) systemd ;;
docker) docker_ ;;
kubernetes) kubernetes ;;
*) usage ;;
esac
