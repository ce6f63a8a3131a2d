"""Where the name of a SIP server leads: RFC 3263."""

from typing import NamedTuple


class Located(NamedTuple):
    """What came of looking up a host name."""

    targets: tuple[tuple[str, str, int], ...]
    """Transport, IP address and port, in the order of being tried."""
    because: str
    """Why there is no target, in words; "" where there is one."""
