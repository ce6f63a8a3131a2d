"""SRTP of one leg while its plan has keys: which contexts are in use, and what could not be authenticated."""

from collections.abc import Callable

from voiceconnector.media import rtp, srtp
from voiceconnector.media.g711 import SAMPLE_RATE
from voiceconnector.media.lane import BUFFER_SIZE, Buffer, Send
from voiceconnector.media.plan import AUTHENTICATION, UNENCRYPTED, Address, Srtp, StreamPlan

_TEN_MS = SAMPLE_RATE // 100
_EVENT_SIZE = 4

Tell = Callable[..., None]


class Protection:
    """Both directions of one leg. Without a context, for want of a usable key, nothing passes."""

    __slots__ = ("_buffer", "_previous", "_tell", "_told", "auth_failed", "receiver", "replayed", "sender", "truncated",
                 "unencrypted")  # fmt: skip

    def __init__(self, buffer: Buffer, tell: Tell) -> None:
        self.receiver: srtp.Receiver | None = None
        self.sender: srtp.Sender | None = None
        self.auth_failed = self.replayed = self.truncated = self.unencrypted = 0
        self._buffer = buffer
        self._tell = tell
        self._previous: srtp.Receiver | None = None
        self._told: set[str] = set()

    def replan(self, keys: Srtp) -> None:
        """Uses these keys. A context goes on while its key stays: rollover counters survive a re-INVITE.

        The remote may send under its old key until it has seen our answer: that is taken until the first packet
        under the new one (RFC 4568 7.1.4). Its rollover counter begins at zero, as the answer's of peers does.
        """
        self._told.clear()
        receiver, sender = self.receiver, self.sender
        try:
            if receiver is None or (receiver.suite, receiver.key) != (keys.suite, keys.remote_key):
                self.receiver = srtp.Receiver(keys.suite, keys.remote_key, self._buffer)
                self._previous = receiver
            if sender is None or (sender.suite, sender.key) != (keys.suite, keys.local_key):
                self.sender = srtp.Sender(keys.suite, keys.local_key, self._buffer)
        except ValueError as error:
            self.receiver = self.sender = self._previous = None
            self._tell("ProtectionFailed", None, str(error))

    @property
    def settled(self) -> bool:
        """Whether packets come under one key alone."""
        return self.receiver is not None and self._previous is None

    def unprotect(self, size: int, source: Address, plan: StreamPlan) -> int:
        """Makes the datagram in the buffer plain; returns its plain size, or 0 when it is not to be believed."""
        if self.receiver is None or size >= BUFFER_SIZE:
            self.auth_failed += 1
            return 0
        if self._previous is None:
            plain_size, why = self.receiver.rtp(size)
        else:
            plain_size, why = self._unprotect_by_either(self.receiver, self._previous, size)
        if why:
            self.refuse(why, size, source, plan)
        return plain_size

    def _unprotect_by_either(self, receiver: srtp.Receiver, previous: srtp.Receiver, size: int) -> tuple[int, str]:
        datagram = bytes(self._buffer.views[size])  # a failed attempt may leave it changed
        plain_size, why = receiver.rtp(size)
        if why != AUTHENTICATION:
            self._previous = None
            return plain_size, why
        self._buffer.data[:size] = datagram
        plain_size, why_not = previous.rtp(size)
        return plain_size, why_not and why

    def unprotect_rtcp(self, size: int) -> int:
        """As `unprotect`, for RTCP."""
        if self.receiver is None or size >= BUFFER_SIZE:
            self.auth_failed += 1
            return 0
        datagram = bytes(self._buffer.views[size])
        plain_size, why = self.receiver.rtcp(size)
        if why == AUTHENTICATION and self._previous is not None:
            self._buffer.data[:size] = datagram
            plain_size, why = self._previous.rtcp(size)
        if why:
            self._count(why)
        else:
            self.receiver.note(int.from_bytes(self._buffer.data[srtp.RTCP_SSRC]))
        return plain_size

    def note(self, ssrc: int) -> None:
        """A source has sent a good packet."""
        if self.receiver is not None:
            self.receiver.note(ssrc)

    def refuse(self, why: str, size: int, source: Address | None, plan: StreamPlan) -> None:
        """Counts a datagram that was not taken, by reason, and tells of each reason once for each plan."""
        if why == AUTHENTICATION and self._is_plain(size, plan):
            why = UNENCRYPTED
        self._count(why)
        if why in {AUTHENTICATION, UNENCRYPTED} and why not in self._told:
            self._told.add(why)
            self._tell("ProtectionFailed", source, why)

    def _is_plain(self, size: int, plan: StreamPlan) -> bool:
        """Whether the datagram is rather RTP than SRTP: its payload has a size that only G.711 and events have."""
        packet = self._buffer.views[size]
        if rtp.fault(packet, plan.payload_types) is not None:
            return False
        start, end = rtp.payload_bounds(packet) or (0, 0)
        if packet[1] & rtp.PAYLOAD_TYPE < rtp.FIRST_DYNAMIC:
            return (end - start) % _TEN_MS == 0
        return end - start == _EVENT_SIZE

    def _count(self, why: str) -> None:
        self.auth_failed += why == AUTHENTICATION
        self.unencrypted += why == UNENCRYPTED
        self.replayed += why == srtp.REPLAYED
        self.truncated += why == srtp.TRUNCATED

    def sending(self, send: Send) -> Send:
        """What protects an RTP packet and has `send` send it."""
        return self.sender.rtp(send) if self.sender else _refuse_to_send

    def protect_rtcp(self, packet: bytes | memoryview) -> memoryview | None:
        """A compound packet protected; None when it can not be."""
        return self.sender.rtcp(packet) if self.sender else None


def _refuse_to_send(_packet: bytes | memoryview) -> int:
    raise OSError("there is no key to protect it with")
