#!/usr/bin/env bash
# Installs what the tests talk to, on Debian and Ubuntu, as root or with passwordless sudo.
# Does nothing when all of it is there.  Where it cannot install it says what is missing and ends
# with 0: the tests then skip, or fail under CI=true (tests/support/peers.py).
#
#   install_peers.sh           the peers of the tests
#   install_peers.sh venv PY   what PY needs to make a virtual environment; ends with 1 without
set -euo pipefail

# package=a command it brings
peers=(
    openssh-server=sshd openssh-client=ssh dropbear-bin=dropbear putty-tools=plink curl=curl
    xvfb=Xvfb xauth=xauth x11-utils=xdpyinfo iproute2=ip nftables=nft
    freerdp2-x11=xfreerdp freerdp2-shadow-x11=freerdp-shadow-cli winpr-utils=winpr-hash
    dovecot-pop3d=dovecot inetutils-telnetd=telnetd lsof=lsof iputils-ping=ping
    inetutils-telnet=telnet vsftpd=vsftpd x11-apps=xeyes desktop-file-utils=desktop-file-validate
    openvpn=openvpn wireguard-tools=wg-quick strongswan-swanctl=swanctl openssl=openssl
    prometheus=promtool systemd=systemd-analyze tmux=tmux
)
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

say() { printf 'peers: %s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_install() {
    command -v apt-get >/dev/null || { say "this is no Debian or Ubuntu"; return 1; }
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || { say "neither root nor passwordless sudo"; return 1; }
}

is_there() {
    case $1 in
        # Their programs live outside PATH or under a name of the release (xfreerdp3).
        freerdp2-x11) command -v xfreerdp || command -v xfreerdp3 ;;
        freerdp2-shadow-x11) command -v freerdp-shadow-cli || command -v freerdp-shadow-cli3 ;;
        winpr-utils) command -v winpr-hash || command -v winpr-hash3 ;;
        dovecot-pop3d) [ -e /usr/lib/dovecot/pop3 ] ;;
        inetutils-telnetd) command -v telnetd || command -v in.telnetd ;;
        *) command -v "$2" ;;
    esac >/dev/null
}

missing_peers() {
    local entry
    for entry in "${peers[@]}"; do
        is_there "${entry%%=*}" "${entry#*=}" || printf '%s\n' "${entry%%=*}"
    done
}

# Later releases carry FreeRDP 3 only.
known_name() {
    local name=$1
    apt-cache show "$name" >/dev/null 2>&1 || name=${name/freerdp2/freerdp3}
    case $name in winpr-utils) apt-cache show "$name" >/dev/null 2>&1 || name=winpr3-utils ;; esac
    printf '%s\n' "$name"
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "$@" >/dev/null
}

# Tests start their own servers, on loopback.  The services that come with the packages must start
# neither now (policy-rc.d) nor at the next boot (disabled, unless they were here before).
units=(
    ssh.service ssh.socket dovecot.service dovecot.socket inetutils-inetd.service
    openbsd-inetd.service vsftpd.service openvpn.service strongswan.service strongswan-starter.service
    prometheus.service
)

has_unit() { [ -e "/lib/systemd/system/$1" ] || [ -e "/etc/systemd/system/$1" ]; }

install() {
    say "installing $*"
    as_root apt-get update -qq || say "apt-get update failed; trying with the lists that are here"
    local names=() name unit new_units=() status=0 made=
    for name in "$@"; do names+=("$(known_name "$name")"); done
    for unit in "${units[@]}"; do has_unit "$unit" || new_units+=("$unit"); done
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        made=yes
    fi
    if ! apt_install "${names[@]}"; then
        # One unknown name must not cost the others.
        for name in "${names[@]}"; do apt_install "$name" || status=1; done
    fi
    [ -z "$made" ] || as_root rm -f "$policy"
    if command -v systemctl >/dev/null; then
        for unit in "${new_units[@]}"; do
            ! has_unit "$unit" || as_root systemctl --quiet disable "$unit" || true
        done
    fi
    return "$status"
}

venv() {
    local python=$1
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return 0
    local package
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if can_install && install "$package"; then return 0; fi
    say "$python cannot make a virtual environment; install $package"
    return 1
}

if [ "${1:-}" = venv ]; then
    venv "$2"
    exit
fi
mapfile -t missing < <(missing_peers)
[ "${#missing[@]}" -gt 0 ] || exit 0
if can_install; then install "${missing[@]}" || true; fi
mapfile -t missing < <(missing_peers)
if [ "${#missing[@]}" -gt 0 ]; then
    say "missing: ${missing[*]}"
    say "tests that need them are skipped; as root: apt-get install ${missing[*]}"
fi
