"""Words that name nobody, and so stay."""

from __future__ import annotations


def _each(text: str) -> frozenset[str]:
    return frozenset(text.split())


USERS = _each(
    """
    root toor admin administrator administrators user users guest nobody nogroup none unknown
    daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc gnats
    systemd-network systemd-resolve systemd-timesync systemd-coredump systemd-oom messagebus dbus
    syslog _apt tss uuidd tcpdump sshd rtkit kernoops avahi cups-pk-helper usbmux dnsmasq polkitd
    whoopsie colord geoclue pulse gdm saned hplip nm-openvpn chrony postfix nginx apache httpd http
    postgres mysql mariadb redis mongodb docker libvirt-qemu rpc statd unbound ntp bind named git
    ubuntu debian ec2-user centos fedora pi vagrant core opc azureuser cloud-user
    system localsystem wheel staff sudo public default
    """
)
"""Accounts that systems and programs bring along."""

DOMAINS = frozenset({"nt authority", "nt service", "builtin", "window manager", "workgroup"})
"""What stands before the backslash of Windows' own accounts."""

HOSTS = _each(
    """
    localhost localhost.localdomain localhost4 localhost6 localhost4.localdomain4
    localhost6.localdomain6 localdomain ip6-localhost ip6-loopback ip6-localnet ip6-mcastprefix
    ip6-allnodes ip6-allrouters ip6-allhosts broadcasthost any none all host.docker.internal
    gateway.docker.internal kubernetes.docker.internal
    """
)
"""Names that every hosts file has."""

PLAIN = _each(
    """
    the a an of to on in is it by for and or not no any all none as at be if this that with
    ssh sshd scp sftp netkit sudo host hosts gateway server client port ports address target name
    user test example local remote proxy jump bastion tcp udp ip ipv4 ipv6 dns nat vpn lan wan
    linux windows darwin macos unix x11 display key keys agent config doctor forward tunnel
    """
)
"""Words of everyday use: replacing them hides nothing and spoils every sentence."""
