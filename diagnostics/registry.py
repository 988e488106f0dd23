"""Every check of netkit's own, in the order in which they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagnostics.checks import (
    agent,
    clock,
    gateway_algorithms,
    gateway_banner,
    gateway_config,
    gateway_host_key,
    gateway_login,
    gateway_name,
    gateway_tcp,
    ipv6_preferred,
    keepalive_setting,
    keys,
    localhost,
    loopback,
    loopback_address,
    nat,
    nat_timeout,
    network,
    path_mtu,
    port_in_use,
    port_limits,
    port_neighbours,
    protocol,
    proxy_variables,
    rdp,
    unix_socket,
    vpn_gateway,
    vpn_routes,
)

if TYPE_CHECKING:
    from diagnostics.model import Check

CHECKS: tuple[Check, ...] = (
    # loopback and localhost
    loopback.CHECK,
    loopback_address.CHECK,
    rdp.CHECK,
    localhost.CHECK,
    proxy_variables.CHECK,
    # network
    network.CHECK,
    vpn_routes.CHECK,
    vpn_gateway.CHECK,
    ipv6_preferred.CHECK,
    path_mtu.CHECK,
    clock.CHECK,
    # ports
    port_in_use.CHECK,
    port_neighbours.CHECK,
    port_limits.CHECK,
    unix_socket.CHECK,
    # keys and agent
    keys.CHECK,
    agent.CHECK,
    # gateway
    gateway_config.CHECK,
    gateway_name.CHECK,
    gateway_tcp.CHECK,
    gateway_banner.CHECK,
    gateway_algorithms.CHECK,
    gateway_host_key.CHECK,
    gateway_login.CHECK,
    # NAT
    nat.CHECK,
    keepalive_setting.CHECK,
    nat_timeout.CHECK,
    # protocol
    protocol.CHECK,
)
