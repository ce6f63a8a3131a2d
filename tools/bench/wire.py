"""Latency as the loopback saw it: sipp's own clock counts whole milliseconds and its own delays."""

from __future__ import annotations

import contextlib
import ctypes
import re
import socket
import struct
from collections.abc import Iterator, Sequence


class Wire:
    """Kernel time stamps of INVITEs arriving at the target and of one provisional answer arriving at sipp.

    A packet socket on the loopback with a filter, so that three packets per call are copied and no more.
    """

    def __init__(self, target_port: int, caller_port: int, status: int, cseq: int) -> None:
        self._in_cseq = re.compile(rb"\r\nCSeq: *%d " % cseq, re.I)
        self._packets: list[tuple[float, bytes]] = []
        answer = int.from_bytes(b"%d " % status)
        program = [
            (0x20, 0, 0, 0xFFFFF004),  # packet type: on the loopback each packet passes out and in
            (0x15, 0, 13, 0),
            (0x30, 0, 0, 9),
            (0x15, 0, 11, socket.IPPROTO_UDP),
            (0xB1, 0, 0, 0),
            (0x48, 0, 0, 2),
            (0x15, 4, 0, target_port),
            (0x15, 0, 7, caller_port),
            (0x40, 0, 0, 16),  # "SIP/2.0 " is eight bytes, behind the UDP header's eight
            (0x15, 4, 0, answer),
            (0x06, 0, 0, 0),
            (0x40, 0, 0, 8),
            (0x15, 1, 0, int.from_bytes(b"INVI")),
            (0x06, 0, 0, 0),
            (0x06, 0, 0, 640),
            (0x06, 0, 0, 0),
        ]
        code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        attached = struct.pack("HL", len(program), ctypes.addressof(code))
        self._socket.setsockopt(socket.SOL_SOCKET, 26, attached)  # SO_ATTACH_FILTER
        self._socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self._socket.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS
        self._socket.bind(("lo", 0x0800))
        self._socket.setblocking(False)

    def drain(self) -> None:
        """Takes what has arrived."""
        with contextlib.suppress(BlockingIOError):
            while True:
                packet, ancillary, _, _ = self._socket.recvmsg(640, 64)
                seconds, nanoseconds = struct.unpack("ll", ancillary[0][2])
                self._packets.append((seconds + nanoseconds / 1e9, packet))

    def close(self) -> None:
        """Lets go of the socket; what was taken stays."""
        self._socket.close()

    def microseconds(self) -> list[float]:
        """INVITE (with credentials, where they are asked for) to answer, for every call of which both were taken."""
        asked: dict[bytes, float] = {}
        taken = []
        for moment, packet in self._packets:
            call_id = re.search(rb"\r\nCall-ID: *([^\r]+)", packet, re.I)
            if not call_id or not self._in_cseq.search(packet):
                continue
            if packet[28:34] == b"INVITE":
                asked.setdefault(call_id[1], moment)
            elif start := asked.pop(call_id[1], None):
                taken.append((moment - start) * 1e6)
        return taken


@contextlib.contextmanager
def wire(target_port: int, caller_port: int, status: int, cseq: int) -> Iterator[Wire | None]:
    """The wire's clock, or None where the system does not allow it."""
    try:
        clock = Wire(target_port, caller_port, status, cseq)
    except PermissionError:
        yield None
        return
    try:
        yield clock
    finally:
        clock.close()


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which `share` of the values lie; None of nothing."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else None
