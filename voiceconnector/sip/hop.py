"""Where a message goes or comes from: a local listener and a remote address."""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Local:
    """One of our own listening sockets."""

    name: str
    """Whose it is: an AWS Region, or "pstn"."""
    transport: str
    """UDP, TCP or TLS, as in Via."""
    host: str
    """IPv6 without brackets."""
    port: int

    @property
    def reliable(self) -> bool:
        return self.transport != "UDP"

    @property
    def sent_by(self) -> str:
        """Host and port as Via, Contact and URIs spell them."""
        return host_port(self.host, self.port)

    @property
    def uri(self) -> str:
        """A SIP URI that reaches this listener."""
        parameter = "" if self.transport == "UDP" else f";transport={self.transport.lower()}"
        return f"sip:{self.sent_by}{parameter}"


class Hop(NamedTuple):
    """The next (or last) hop of a message."""

    local: Local
    address: tuple[str, int]
    """Remote IP address and port; over TCP and TLS it names a connection, or where to open one."""
    fallback: tuple[str, int] | None = None
    """Where to connect if the connection `address` names is gone (RFC 3261 18.2.2)."""

    def __str__(self) -> str:
        return f"{self.local.transport} {host_port(*self.address[:2])}"


def host_port(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@lru_cache(maxsize=4096)
def is_ip_address(host: str) -> bool:
    """Whether one can send to `host` (IPv6 without brackets) without looking it up."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
