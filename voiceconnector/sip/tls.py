"""TLS under SIP, without a socket: ciphertext in, bytes of messages out, by OpenSSL (RFC 5246, RFC 8446, RFC 5922).

`Contexts` holds what all connections share, `TlsSession` is one end of one of them, whose `failure` tells a person
what is wrong with whom. As a server no certificate of the peer is asked for; as a
client one is presented where the peer asks. Left out: renegotiation, compression, sessions that are resumed by us.
"""

import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

PIECE = 65_536
"""Bytes that are decrypted at a time."""
VERSIONS = "1.2 and 1.3"
_VERIFY_SETTING = "profile.verify_tls_certificates"
_NO_TLS = "it speaks no TLS there"
_NO_COMMON_VERSION = f"no common version of TLS; here it is {VERSIONS}"
_DISTRUSTS_US = "it does not accept the emulator's certificate; give it the CA that `voiceconnector ca` prints"

# Verification results of OpenSSL (X509_V_ERR_…), and what they mean.
_UNVERIFIED = {
    2: "its certificate has an unknown issuer; name the issuer's CA file in tls.ca",
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is self-signed; name it in tls.ca",
    19: "its certificate has an unknown issuer, whose self-signed CA is in the chain; name that CA file in tls.ca",
    20: "its certificate has an unknown issuer; name the issuer's CA file in tls.ca",
    21: "its certificate has an unknown issuer, and it sent no chain; name the issuer's CA file in tls.ca",
    26: "its certificate is not meant for servers (extendedKeyUsage)",
    62: "its certificate is not for the host {name} of the route (subjectAltName)",
    64: "its certificate is not for the address {name} of the route (subjectAltName)",
}
# Reasons of OpenSSL for giving up, our own and those that the peer's alert names.
_REASONS = {
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "PACKET_LENGTH_TOO_LONG": _NO_TLS,
    "UNSUPPORTED_PROTOCOL": _NO_COMMON_VERSION,
    "VERSION_TOO_LOW": _NO_COMMON_VERSION,
    "TLSV1_ALERT_PROTOCOL_VERSION": _NO_COMMON_VERSION,
    "NO_SHARED_CIPHER": "no common cipher suite",
    "NO_CIPHERS_AVAILABLE": "no common cipher suite",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it finds no cipher suite or signature in common (handshake_failure)",
    "TLSV1_ALERT_UNKNOWN_CA": _DISTRUSTS_US,
    "SSLV3_ALERT_BAD_CERTIFICATE": _DISTRUSTS_US,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _DISTRUSTS_US,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it says that the emulator's certificate has expired",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a certificate of the emulator (mutual TLS)",
    "UNEXPECTED_EOF_WHILE_READING": "it closed the connection",
}


class Contexts(NamedTuple):
    """What new connections are begun with."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def server_context(
    certificate: Path, private_key: Path, ciphers: Sequence[str], key_log: Path | None
) -> ssl.SSLContext:
    """For connections that PBXs open. `ciphers` are OpenSSL's names of suites of TLS 1.2.

    Raises ValueError, in one line, for what cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # The second half is for the certificate of a user that has an EC key; with an RSA key it offers nothing.
    names = (*ciphers, *(name.replace("ECDHE-RSA", "ECDHE-ECDSA") for name in ciphers))
    try:
        context.set_ciphers(":".join(names))
    except ssl.SSLError:
        raise ValueError(f"profile.tls_ciphers: OpenSSL knows none of {', '.join(ciphers)}") from None
    _prepare(context, certificate, private_key, key_log)
    return context


def client_context(
    certificate: Path, private_key: Path, key_log: Path | None, *, verify: bool, ca: Path | None = None
) -> ssl.SSLContext:
    """For connections to PBXs, which are verified by the system's CAs and those in the file `ca`, or not at all.

    Raises as `server_context`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _prepare(context, certificate, private_key, key_log)
    if verify:
        context.load_default_certs()
        if ca:
            _load(context.load_verify_locations, ca)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _prepare(context: ssl.SSLContext, certificate: Path, private_key: Path, key_log: Path | None) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    # An empty password, so that none is asked for on the terminal.
    _load(partial(context.load_cert_chain, keyfile=private_key, password=""), certificate)
    if key_log:
        context.keylog_filename = str(key_log)


def _load(load: Callable[[Path], None], path: Path) -> None:
    try:
        load(path)
    except OSError as error:  # ssl.SSLError is one.
        told = (getattr(error, "reason", None) or error.strerror or str(error)).lower().replace("_", " ")
        raise ValueError(f"{path}: OpenSSL does not take it: {told}") from None


class TlsSession:
    """One end of a connection."""

    __slots__ = ("_incoming", "_object", "_outgoing", "_server_name", "_waiting", "ended", "established", "failure")

    def __init__(self, contexts: Contexts, server_name: str = "") -> None:
        """`server_name` is whom a client expects; "" makes a server."""
        self.established = False
        self.ended = False
        """Whether the peer has said that nothing more comes."""
        self.failure = ""
        """Why TLS has failed, with "it" for the peer."""
        self._server_name = server_name
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._waiting: list[bytes] = []
        context = contexts.client if server_name else contexts.server
        self._object = context.wrap_bio(self._incoming, self._outgoing, not server_name, server_name or None)

    def receive(self, data: bytes) -> bytes:
        """What the peer says in `data`, decrypted; b"" when that is nothing yet.

        There may be something to `take` afterwards, also after a failure: the alert.
        """
        if self.failure:
            return b""
        self._incoming.write(data)
        pieces: list[bytes] = []
        try:
            if not self.established:
                self._object.do_handshake()
                self._establish()
            while piece := self._object.read(PIECE):
                pieces.append(piece)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as error:
            self.failure = reason(error, self._server_name)
        return b"".join(pieces)

    def send(self, data: bytes) -> None:
        """Encrypt `data`, once the handshake is over; `take` has it then. What comes after the end is dropped."""
        if not self.established:
            self._waiting.append(data)
            return
        with suppress(ssl.SSLError):
            self._object.write(data)

    def take(self) -> bytes:
        """Ciphertext for the peer."""
        return self._outgoing.read()

    def close(self) -> None:
        """Say that nothing more comes (close_notify); `take` has it."""
        with suppress(ssl.SSLError):
            self._object.unwrap()

    def _establish(self) -> None:
        self.established = True
        for data in self._waiting:
            self._object.write(data)
        self._waiting.clear()


def reason(error: ssl.SSLError, server_name: str) -> str:
    """Why OpenSSL has given up, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        known = _UNVERIFIED.get(error.verify_code)
        told = known.format(name=server_name) if known else f"its certificate is not accepted: {error.verify_message}"
        return f"{told} ({_VERIFY_SETTING})"
    name = error.reason or ""
    return _REASONS.get(name) or f"OpenSSL says: {name.lower().replace('_', ' ') or error}"
