"""Where a message goes or comes from: a local listener and a remote address."""

from dataclasses import dataclass, field
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
    reliable: bool = field(init=False, repr=False, compare=False)
    """Whether the transport repeats what is lost, so that SIP need not."""
    sent_by: str = field(init=False, repr=False, compare=False)
    """Host and port as Via, Contact and URIs spell them."""
    uri: str = field(init=False, repr=False, compare=False)
    """A SIP URI that reaches this listener."""

    def __post_init__(self) -> None:
        """What each message asks for is worked out once."""
        sent_by = host_port(self.host, self.port)
        parameter = "" if self.transport == "UDP" else f";transport={self.transport.lower()}"
        object.__setattr__(self, "reliable", self.transport != "UDP")
        object.__setattr__(self, "sent_by", sent_by)
        object.__setattr__(self, "uri", f"sip:{sent_by}{parameter}")


class Hop(NamedTuple):
    """The next (or last) hop of a message."""

    local: Local
    address: tuple[str, int]
    """Remote IP address and port; over TCP and TLS it names a connection, or where to open one."""
    fallback: tuple[str, int] | None = None
    """Where to connect if the connection `address` names is gone (RFC 3261 18.2.2)."""
    server_name: str = ""
    """Whom a TLS connection is to lead to, a host name or IP address (RFC 5922 4); "": whoever is at the address."""

    def __str__(self) -> str:
        return f"{self.local.transport} {host_port(*self.address)}"


def bracketed(host: str) -> str:
    """A host as URIs and Via have it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def host_port(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"{bracketed(host)}:{port}"


@lru_cache(maxsize=4096)
def is_ip_address(host: str) -> bool:
    """Whether one can send to `host` (IPv6 without brackets) without looking it up."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def forget() -> None:
    """Keep nothing of the hosts that were asked about."""
    is_ip_address.cache_clear()
