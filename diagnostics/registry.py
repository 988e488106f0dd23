"""Every check of netkit's own, in the order in which they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagnostics.checks import (
    agent,
    clock,
    forwarding_local,
    forwarding_remote,
    forwarding_target,
    forwarding_target_here,
    gateway_algorithms,
    gateway_banner,
    gateway_config,
    gateway_host_key,
    gateway_keepalive,
    gateway_login,
    gateway_name,
    gateway_ports,
    gateway_sessions,
    gateway_tcp,
    half_close,
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
    server_timeouts,
    unix_socket,
    vpn_gateway,
    vpn_routes,
    x_access,
    x_authority,
    x_display,
    x_forwarding,
    x_mapping,
    x_server,
    x_ssh,
    x_target,
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
    # forwarding
    gateway_sessions.CHECK,
    gateway_keepalive.CHECK,
    forwarding_local.CHECK,
    forwarding_target.CHECK,
    forwarding_remote.CHECK,
    gateway_ports.CHECK,
    forwarding_target_here.CHECK,
    half_close.CHECK,
    server_timeouts.CHECK,
    # NAT
    nat.CHECK,
    keepalive_setting.CHECK,
    nat_timeout.CHECK,
    # X11
    x_display.CHECK,
    x_authority.CHECK,
    x_server.CHECK,
    x_access.CHECK,
    x_target.CHECK,
    x_ssh.CHECK,
    x_forwarding.CHECK,
    x_mapping.CHECK,
    # protocol
    protocol.CHECK,
)
