"""SRTP and SRTCP of one leg (RFC 3711, 6188, 7714), with keys from its SDP (RFC 4568), on libsrtp.

A context keeps rollover counters, replay windows and SRTCP indices by SSRC for as long as its key is in use.
Packets are protected and unprotected where they lie: pylibsrtp's own `Session` would copy each twice and makes
five objects, which costs as much as the cipher. So its binding is called, and the policies of suites that it has
no name for are written as libsrtp lays them out (`srtp_crypto_policy_t`). Leaves out: MKI, key derivation rates,
unencrypted and unauthenticated SRTP, keys beyond their lifetime.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from pylibsrtp import Policy, Session
from pylibsrtp._binding import ffi, lib  # type: ignore[import-not-found]

from voiceconnector.media import rtp
from voiceconnector.media.lane import Buffer, Send
from voiceconnector.media.plan import AUTHENTICATION

REPLAY_WINDOW = 128
"""Packets; at least 64 (RFC 3711 3.3.2)."""
MOST_SSRCS = 16
"""Sources of one context that are remembered. More are no call, and each costs memory."""

RTCP_SSRC = slice(4, 8)
"""Of the first packet's sender (RFC 3550 6.4)."""

REPLAYED = "replayed"
TRUNCATED = "truncated"

_REASONS = {2: TRUNCATED, 9: REPLAYED, 10: REPLAYED, 21: TRUNCATED, 26: REPLAYED}
"""By `srtp_err_status_t`: bad_param, replay_fail, replay_old, parse_err, pkt_idx_old."""
_NO_CONTEXT = 13
"""no_ctx: the SSRC is a new one."""


class Suite(NamedTuple):
    """How libsrtp does a suite."""

    profile: int
    key_size: int
    """Bytes of master key and master salt together."""
    cipher: int | None = None
    """`srtp_cipher_type_id_t` in place of the profile's."""


_TAG_80, _TAG_32 = Policy.SRTP_PROFILE_AES128_CM_SHA1_80, Policy.SRTP_PROFILE_AES128_CM_SHA1_32
_AES_ICM_256 = 5
SUITES = {
    "AES_CM_128_HMAC_SHA1_80": Suite(_TAG_80, 30),
    "AES_CM_128_HMAC_SHA1_32": Suite(_TAG_32, 30),
    "AES_256_CM_HMAC_SHA1_80": Suite(_TAG_80, 46, _AES_ICM_256),
    "AES_256_CM_HMAC_SHA1_32": Suite(_TAG_32, 46, _AES_ICM_256),
    "AEAD_AES_128_GCM": Suite(Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
    "AEAD_AES_256_GCM": Suite(Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
}
"""By name in SDP (RFC 4568 6.2, 6188 4, 7714 14.2). SRTCP of the 32-bit ones has an 80-bit tag (RFC 4568 6.2.2)."""


def reason(status: int) -> str:
    """Why a packet could not be unprotected, from what libsrtp returned: AUTHENTICATION, REPLAYED or TRUNCATED."""
    return _REASONS.get(status, AUTHENTICATION)


def _policy(suite_name: str, key: bytes, ssrc_type: int) -> Policy:
    """ValueError for a suite that is not in SUITES or a key of another size."""
    suite = SUITES.get(suite_name)
    if suite is None:
        raise ValueError(f"{suite_name} is not a suite that the relay has")
    if len(key) != suite.key_size:
        raise ValueError(f"{suite_name} takes a key and salt of {suite.key_size} bytes, not {len(key)}")
    policy = Policy(key, ssrc_type, 0, suite.profile)
    policy.window_size = REPLAY_WINDOW
    if suite.cipher is not None:
        _set_cipher(policy, suite.cipher, suite.key_size)
    return policy


def _set_cipher(policy: Policy, cipher: int, key_size: int) -> None:
    """Changes the cipher of a policy that is otherwise that of AES-128 with the same tags.

    struct { cipher_type_id, int cipher_key_len, auth_type_id, int auth_key_len, int auth_tag_len, sec_serv }
    """
    for part in (policy._policy.rtp, policy._policy.rtcp):
        words = ffi.cast("uint32_t *", ffi.addressof(part))
        words[0], words[1] = cipher, key_size


class Receiver:
    """The context of what the remote sends: unprotects packets in the receive buffer, where they lie."""

    __slots__ = ("_data", "_session", "_ssrcs", "_unprotect_rtcp", "key", "length", "suite", "unprotect")

    def __init__(self, suite: str, key: bytes, buffer: Buffer) -> None:
        """ValueError when suite and key do not go together."""
        self.suite, self.key = suite, key
        self._session = Session(_policy(suite, key, Policy.SSRC_ANY_INBOUND))
        self._ssrcs: dict[int, None] = {}
        self._data = ffi.from_buffer("char[]", buffer.data)
        self.length: Any = ffi.new("int *")
        """Its only element is the size of the packet in the buffer: protected before, plain after."""
        context = self._session._srtp[0]
        self.unprotect: Callable[[], int] = partial(lib.srtp_unprotect, context, self._data, self.length)
        """Unprotects the RTP packet in the buffer; 0, or the status for `reason`."""
        self._unprotect_rtcp = partial(lib.srtp_unprotect_rtcp, context, self._data, self.length)

    def rtp(self, size: int) -> tuple[int, str]:
        """Unprotects the RTP packet in the buffer's first `size` bytes: its plain size and "", or 0 and why not."""
        return self._run(self.unprotect, size)

    def rtcp(self, size: int) -> tuple[int, str]:
        """As `rtp`, for an RTCP packet."""
        return self._run(self._unprotect_rtcp, size)

    def _run(self, unprotect: Callable[[], int], size: int) -> tuple[int, str]:
        self.length[0] = size
        status = unprotect()
        return (0, reason(status)) if status else (self.length[0], "")

    def note(self, ssrc: int) -> None:
        """A source has sent a good packet. The oldest is forgotten when there are too many."""
        if ssrc not in self._ssrcs:
            self._ssrcs[ssrc] = None
            if len(self._ssrcs) > MOST_SSRCS:
                _forget_oldest(self._session, self._ssrcs)


class Sender:
    """The context of what is sent to the remote: protects packets in the buffer's spare memory."""

    __slots__ = ("_length", "_policy", "_protect", "_protect_rtcp", "_session", "_spare", "_ssrcs", "_views", "key",
                 "suite")  # fmt: skip

    def __init__(self, suite: str, key: bytes, buffer: Buffer) -> None:
        """ValueError when suite and key do not go together."""
        self.suite, self.key = suite, key
        self._policy = _policy(suite, key, Policy.SSRC_SPECIFIC)
        self._session = Session()
        self._ssrcs: dict[int, None] = {}
        self._spare, self._views = buffer.spare, buffer.spare_views
        self._length: Any = ffi.new("int *")
        parts = self._session._srtp[0], ffi.from_buffer("char[]", buffer.spare), self._length
        self._protect: Callable[[], int] = partial(lib.srtp_protect, *parts)
        self._protect_rtcp: Callable[[], int] = partial(lib.srtp_protect_rtcp, *parts)

    def rtp(self, send: Send) -> Send:
        """What protects an RTP packet and has `send` send it. OSError too when it can not be protected.

        That is so for a sequence number that was sent already: a keystream is never used twice (RFC 3711 9.1).
        """
        spare, views, length, protect = self._spare, self._views, self._length, self._protect

        def send_protected(packet: bytes | memoryview) -> int:
            size = len(packet)
            spare[:size] = packet
            length[0] = size
            status = protect()
            if status and not self._protects_new(status, packet, rtp.SSRC, protect):
                raise OSError("the packet could not be protected")
            return send(views[length[0]])

        return send_protected

    def rtcp(self, packet: bytes | memoryview) -> memoryview | None:
        """The compound packet protected, in memory that is used again for the next; None when it can not be."""
        size = len(packet)
        self._spare[:size] = packet
        self._length[0] = size
        status = self._protect_rtcp()
        if status and not self._protects_new(status, packet, RTCP_SSRC, self._protect_rtcp):
            return None
        protected_size: int = self._length[0]
        return self._views[protected_size]

    def _protects_new(
        self, status: int, packet: bytes | memoryview, ssrc_at: slice, protect: Callable[[], int]
    ) -> bool:
        """Makes room for the packet's SSRC if that is why it was not protected, and tries again."""
        if status != _NO_CONTEXT:
            return False
        self._policy.ssrc_value = int.from_bytes(packet[ssrc_at])
        self._session.add_stream(self._policy)
        self._ssrcs[self._policy.ssrc_value] = None
        if len(self._ssrcs) > MOST_SSRCS:
            _forget_oldest(self._session, self._ssrcs)
        return protect() == 0


def _forget_oldest(session: Session, ssrcs: dict[int, None]) -> None:
    oldest = next(iter(ssrcs))
    del ssrcs[oldest]
    session.remove_stream(oldest)
