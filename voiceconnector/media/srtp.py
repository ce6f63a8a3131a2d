"""SRTP and SRTCP of one leg (RFC 3711, 6188, 7714), with keys from its SDP (RFC 4568), on libsrtp.

A context keeps rollover counters, replay windows and SRTCP indices by SSRC for as long as its key is in use.
Packets are protected and unprotected where they lie: pylibsrtp's own `Session` would copy each twice and makes
five objects, which costs as much as the cipher. So its binding is called, and the policies of suites that it has
no name for are written as libsrtp lays them out (`srtp_crypto_policy_t`). AES-192 is in `aes_192`. Leaves out:
MKI, key derivation rates, unencrypted and unauthenticated SRTP, keys beyond their lifetime.
"""

from typing import Any, NamedTuple

from pylibsrtp import Policy, Session
from pylibsrtp._binding import ffi, lib  # type: ignore[import-not-found]

from voiceconnector.media import rtp
from voiceconnector.media.lane import Action, Actions, Buffer, Context, Send
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


_ALL = slice(None)


class Suite(NamedTuple):
    """How libsrtp does a suite."""

    profile: int
    key_size: int
    """Bytes of master key and master salt together."""
    cipher: int | None = None
    """`srtp_cipher_type_id_t` in place of the profile's."""


_TAG_80, _TAG_32 = Policy.SRTP_PROFILE_AES128_CM_SHA1_80, Policy.SRTP_PROFILE_AES128_CM_SHA1_32
_AES_ICM_192, _AES_ICM_256 = 4, 5
SUITES = {
    "AES_CM_128_HMAC_SHA1_80": Suite(_TAG_80, 30),
    "AES_CM_128_HMAC_SHA1_32": Suite(_TAG_32, 30),
    "AES_192_CM_HMAC_SHA1_80": Suite(_TAG_80, 38, _AES_ICM_192),
    "AES_192_CM_HMAC_SHA1_32": Suite(_TAG_32, 38, _AES_ICM_192),
    "AES_256_CM_HMAC_SHA1_80": Suite(_TAG_80, 46, _AES_ICM_256),
    "AES_256_CM_HMAC_SHA1_32": Suite(_TAG_32, 46, _AES_ICM_256),
    "AEAD_AES_128_GCM": Suite(Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
    "AEAD_AES_256_GCM": Suite(Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
}
"""By name in SDP (RFC 4568 6.2, 6188 4, 7714 14.2). SRTCP of the 32-bit ones has an 80-bit tag (RFC 4568 6.2.2)."""


def reason(status: int) -> str:
    """Why a packet could not be unprotected, from what libsrtp returned: AUTHENTICATION, REPLAYED or TRUNCATED."""
    return _REASONS.get(status, AUTHENTICATION)


class LibsrtpContext:
    """A context of libsrtp."""

    actions = Actions(lib.srtp_protect, lib.srtp_unprotect, lib.srtp_protect_rtcp, lib.srtp_unprotect_rtcp)

    def __init__(self, suite: Suite, key: bytes, receiving: bool) -> None:
        self._policy = Policy(key, Policy.SSRC_ANY_INBOUND if receiving else Policy.SSRC_SPECIFIC, 0, suite.profile)
        self._policy.window_size = REPLAY_WINDOW
        if suite.cipher is not None:
            _set_cipher(self._policy, suite.cipher, suite.key_size)
        self._session = session = Session(self._policy if receiving else None)
        # Nobody may hold the pointer for longer than there is the session that it belongs to.
        self.handle: Any = ffi.gc(session._srtp[0], lambda _pointer: session)

    def add(self, ssrc: int) -> None:
        self._policy.ssrc_value = ssrc
        self._session.add_stream(self._policy)

    def forget(self, ssrc: int) -> None:
        self._session.remove_stream(ssrc)


def _set_cipher(policy: Policy, cipher: int, key_size: int) -> None:
    """Changes the cipher of a policy that is otherwise that of AES-128 with the same tags.

    struct { cipher_type_id, int cipher_key_len, auth_type_id, int auth_key_len, int auth_tag_len, sec_serv }
    """
    for part in (policy._policy.rtp, policy._policy.rtcp):
        words = ffi.cast("uint32_t *", ffi.addressof(part))
        words[0], words[1] = cipher, key_size


def _context(suite_name: str, key: bytes, receiving: bool) -> Context:
    """ValueError for a suite that is not in SUITES or a key of another size."""
    suite = SUITES.get(suite_name)
    if suite is None:
        raise ValueError(f"{suite_name} is not a suite that the relay has")
    if len(key) != suite.key_size:
        raise ValueError(f"{suite_name} takes a key and salt of {suite.key_size} bytes, not {len(key)}")
    if suite.cipher != _AES_ICM_192:
        return LibsrtpContext(suite, key, receiving)
    from voiceconnector.media import aes_192

    return aes_192.Context(key, 10 if suite.profile == _TAG_80 else 4)


class Receiver:
    """What the remote's key is good for: unprotects packets in the receive buffer, where they lie."""

    __slots__ = ("_buffer", "_ssrcs", "context", "key", "suite")

    def __init__(self, suite: str, key: bytes, buffer: Buffer) -> None:
        """ValueError when suite and key do not go together."""
        self.suite, self.key = suite, key
        self.context = _context(suite, key, receiving=True)
        self._ssrcs: dict[int, None] = {}
        self._buffer = buffer

    def rtp(self, size: int) -> tuple[int, str]:
        """Unprotects the RTP packet in the buffer's first `size` bytes: its plain size and "", or 0 and why not."""
        return self._run(self.context.actions.unprotect, size)

    def rtcp(self, size: int) -> tuple[int, str]:
        """As `rtp`, for an RTCP packet."""
        return self._run(self.context.actions.unprotect_rtcp, size)

    def _run(self, unprotect: Action, size: int) -> tuple[int, str]:
        memory, length = self._buffer.memory, self._buffer.length
        length[0] = size
        status = unprotect(self.context.handle, memory, length)
        return (0, reason(status)) if status else (length[0], "")

    def note(self, ssrc: int) -> None:
        """A source has sent a good packet. The oldest is forgotten when there are too many."""
        if ssrc not in self._ssrcs:
            self._ssrcs[ssrc] = None
            if len(self._ssrcs) > MOST_SSRCS:
                _forget_oldest(self.context, self._ssrcs)


class Sender:
    """What our key is good for: protects packets in the buffer's spare memory."""

    __slots__ = ("_buffer", "_ssrcs", "context", "key", "suite")

    def __init__(self, suite: str, key: bytes, buffer: Buffer) -> None:
        """ValueError when suite and key do not go together."""
        self.suite, self.key = suite, key
        self.context = _context(suite, key, receiving=False)
        self._ssrcs: dict[int, None] = {}
        self._buffer = buffer

    def rtp(self, send: Send) -> Send:
        """What protects an RTP packet and has `send` send it. OSError too when it can not be protected.

        That is so for a sequence number that was sent already: a keystream is never used twice (RFC 3711 9.1).
        """

        def send_protected(packet: bytes | memoryview) -> int:
            protected = self._run(self.context.actions.protect, packet, rtp.SSRC)
            if protected is None:
                raise OSError("the packet could not be protected")
            return send(protected)

        return send_protected

    def rtcp(self, packet: bytes | memoryview) -> memoryview | None:
        """The compound packet protected, in memory that is used again for the next; None when it can not be."""
        return self._run(self.context.actions.protect_rtcp, packet, RTCP_SSRC)

    def _run(self, protect: Action, packet: bytes | memoryview, ssrc_at: slice) -> memoryview | None:
        buffer, handle = self._buffer, self.context.handle
        size = len(packet)
        buffer.spare_views[size][_ALL] = packet
        buffer.length[0] = size
        status = protect(handle, buffer.spare_memory, buffer.length)
        if status == _NO_CONTEXT:
            self._make_room(int.from_bytes(packet[ssrc_at]))
            status = protect(handle, buffer.spare_memory, buffer.length)
        return None if status else buffer.spare_views[buffer.length[0]]

    def _make_room(self, ssrc: int) -> None:
        """Packets of this source can be protected from now on."""
        self.context.add(ssrc)
        self._ssrcs[ssrc] = None
        if len(self._ssrcs) > MOST_SSRCS:
            _forget_oldest(self.context, self._ssrcs)


def _forget_oldest(context: Context, ssrcs: dict[int, None]) -> None:
    oldest = next(iter(ssrcs))
    del ssrcs[oldest]
    context.forget(oldest)
