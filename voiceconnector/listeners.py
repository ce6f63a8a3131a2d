"""The listeners of the emulator: every transport at every address of a Region, and the carrier's side."""

from ipaddress import ip_address

from .config import Address, Region
from .sip.hop import Local
from .sip.transport import Transport, free_port
from .trunk.zone import Edge


class StartError(Exception):
    """The emulator cannot start; the text is one line for a person."""


async def open_region(service: Transport, region: Region) -> Edge:
    """Bind all addresses of a Region; what DNS tells of them. Raises StartError."""
    key = f"regions.{region.name}"
    udp = await open_pair(service, key, region.name, region.udp, region.tcp)
    tcp = service.stack.locals[region.name, "TCP"]
    tls = await _open_tls(service, f"{key}.tls", region.name, region.tls)
    for host in region.further_addresses:
        path = f"{key}.further_addresses"
        await open_pair(service, path, region.name, Address(host, udp.port), Address(host, tcp.port))
        await _open_tls(service, path, region.name, Address(host, tls.port))
    ports = {local.transport: local.port for local in (udp, tcp, tls) if local.host == udp.host}
    return Edge((udp.host, *region.further_addresses), ports)


async def open_pair(transport: Transport, key: str, name: str, udp: Address, tcp: Address) -> Local:
    """Bind UDP and TCP; where both have the same address and port 0, a port that is free for both.

    `key` is their place in the configuration. Raises StartError.
    """
    address, protocol = udp, "UDP"
    try:
        if udp == tcp and not udp.port:
            udp = tcp = Address(udp.host, free_port(udp.host))
        local = transport.open_udp(name, *udp)
        address, protocol = tcp, "TCP"
        await transport.open_tcp(name, *tcp)
    except OSError as error:
        raise _cannot_listen(key, address, protocol, error) from error
    return local


async def _open_tls(transport: Transport, key: str, name: str, tls: Address) -> Local:
    try:
        return await transport.open_tls(name, *tls)
    except OSError as error:
        raise _cannot_listen(key, tls, "TLS", error) from error


def _cannot_listen(key: str, address: Address, protocol: str, error: OSError) -> StartError:
    where = key if key.endswith(("address", "addresses", "tls")) else f"{key}.{protocol.lower()}"
    return StartError(f"{where} = {address}: cannot listen there ({protocol}): {error.strerror}")


def is_ipv6(host: str) -> bool:
    """Whether an IP address is one of IPv6."""
    return ip_address(host).version == 6
