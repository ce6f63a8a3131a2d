"""A leg's packets kept in a file: how the relay writes them, and how they are read again.

Plain RTP and RTCP as the call's parties have it, or UDPTL: what SRTP protects is written after decryption and
before encryption. Leaves out pcapng: that is made from this, together with the call's SIP.
"""

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import BinaryIO, NamedTuple

from voiceconnector.media.file import File, write_whole
from voiceconnector.media.plan import Address, PortPair

# A file is MAGIC and then one record for each packet, in the order in which they were seen. Numbers are in
# network byte order. The last record may be cut short when the writer was killed; a reader leaves it out.
#
#     0                   1                   2                   3
#     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#    |    size of packet, in bytes   |  kind: RTP 0, RTCP 1; +2: sent|
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#    |            microseconds since 1970-01-01 UTC (64 bits)        |
#    |                                                               |
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#    |  the relay's address: IPv6, or IPv4 as ::ffff:a.b.c.d (128)   |
#    |                              ...                              |
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#    |  the remote's address, likewise (128)                         |
#    |                              ...                              |
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#    |  the relay's port             |  the remote's port            |
#    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#    |  the packet
MAGIC = b"VCRTP 1\n"
_RECORD = Struct("!HHQ16s16sHH")
_RTCP, _SENT = 1, 2

MOST_BYTES = 256 << 20
"""Of one file: more than two hours of one leg, both ways."""


class CapturedPacket(NamedTuple):
    """One packet of a capture."""

    time_us: int
    """Microseconds since 1970-01-01 UTC."""
    sent: bool
    """By the relay to the remote; False: received from it."""
    rtcp: bool
    local: Address
    remote: Address
    data: bytes


def record(packet: CapturedPacket) -> bytes:
    """A packet as it stands in the file."""
    kind = _RTCP * packet.rtcp | _SENT * packet.sent
    addresses = _packed(packet.local[0]), _packed(packet.remote[0])
    ports = packet.local[1], packet.remote[1]
    return _RECORD.pack(len(packet.data), kind, packet.time_us, *addresses, *ports) + packet.data


def read(file: BinaryIO) -> Iterator[CapturedPacket]:
    """The packets of a file, in order. ValueError when it is no such file."""
    if file.read(len(MAGIC)) != MAGIC:
        raise ValueError("not a capture of this program's relay")
    while len(head := file.read(_RECORD.size)) == _RECORD.size:
        size, kind, time_us, local, remote, local_port, remote_port = _RECORD.unpack(head)
        data = file.read(size)
        if len(data) == size:
            addresses = (_unpacked(local), local_port), (_unpacked(remote), remote_port)
            yield CapturedPacket(time_us, bool(kind & _SENT), bool(kind & _RTCP), *addresses, data)


@lru_cache(maxsize=256)
def _packed(address: str) -> bytes:
    if ":" in address:
        return IPv6Address(address).packed
    return bytes(10) + b"\xff\xff" + IPv4Address(address).packed


@lru_cache(maxsize=256)
def _unpacked(packed: bytes) -> str:
    address = IPv6Address(packed)
    return str(address.ipv4_mapped or address)


class CaptureFile:
    """A capture being written. Raises OSError from `flush`; then it is to be closed."""

    def __init__(self, file: File, pair: PortPair, wall_us: int) -> None:
        """`wall_us` is what to add to the times given here to get microseconds since 1970-01-01 UTC."""
        self._file = file
        self._rtp, self._rtcp = (pair.address, pair.rtp), (pair.address, pair.rtcp)
        self._wall_us = wall_us
        self._pending = bytearray()
        self._size = file.seek(0, 2)
        if not self._size:
            self._pending += MAGIC

    def add(self, data: bytes | memoryview, now_us: int, remote: Address, sent: bool, rtcp: bool) -> None:
        """One packet, received from the remote or sent to it."""
        if self._size < MOST_BYTES:
            local = self._rtcp if rtcp else self._rtp
            self._pending += record(CapturedPacket(now_us + self._wall_us, sent, rtcp, local, remote, bytes(data)))

    def flush(self) -> None:
        """Writes what has come since this was last done."""
        if self._pending and self._size < MOST_BYTES:
            pending, self._pending = self._pending, bytearray()
            write_whole(self._file, pending)
            self._size += len(pending)
            if self._size >= MOST_BYTES:
                raise OSError("the capture has grown to its limit of 256 MiB")

    def close(self) -> None:
        """Writes the rest and closes the file. OSError when that could not be written; it is closed all the same."""
        try:
            self.flush()
        finally:
            self._file.close()
