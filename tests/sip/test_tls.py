"""TLS without sockets: two ends that hand each other their bytes, and why they do not come together."""

import ssl
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.authority import LONG_AGO, Authority, contexts
from voiceconnector.sip.tls import Contexts, TlsSession, server_context
from voiceconnector.trunk.profile import LAB

HOST = "pbx.example"


@pytest.fixture(scope="module")
def both(authority: Authority) -> Contexts:
    return contexts(authority.issue("fuzzed", HOST), authority.file)


def shake_hands(client: TlsSession, server: TlsSession) -> bytes:
    """Carry bytes to and fro until both are silent; what the client was told."""
    heard = client.receive(b"")
    for _ in range(10):
        server.receive(client.take())
        heard += client.receive(server.take())
    return heard


def failures(client: TlsSession, server: TlsSession) -> tuple[str, str]:
    shake_hands(client, server)
    return client.failure, server.failure


def test_what_is_sent_before_the_handshake_follows_it(authority: Authority) -> None:
    both = contexts(authority.issue("pbx", HOST), authority.file)
    client, server = TlsSession(both, HOST), TlsSession(both)
    client.send(b"first ")
    server.send(b"hello")
    assert shake_hands(client, server) == b"hello"
    assert (client.established, server.established) == (True, True)
    client.send(b"second")
    assert server.receive(client.take()) == b"second"


def test_an_end_in_good_order_is_told(authority: Authority) -> None:
    """RFC 8446 6.1: close_notify."""
    both = contexts(authority.issue("pbx", HOST), authority.file)
    client, server = TlsSession(both, HOST), TlsSession(both)
    shake_hands(client, server)
    client.send(b"bye")
    client.close()
    assert server.receive(client.take()) == b"bye"
    assert (server.ended, server.failure) == (True, "")


def test_what_is_sent_after_the_end_is_dropped(authority: Authority) -> None:
    both = contexts(authority.issue("pbx", HOST), authority.file)
    client, server = TlsSession(both, HOST), TlsSession(both)
    shake_hands(client, server)
    client.close()
    client.take()
    client.send(b"too late")
    assert client.take() == b""


@pytest.mark.parametrize(
    ("names", "expected", "told"),
    [
        ((HOST,), HOST, ""),
        (("*.branch.example",), "pbx.branch.example", ""),
        (("192.0.2.7",), "192.0.2.7", ""),
        (("other.example",), HOST, "its certificate is not for the host pbx.example of the route"),
        ((HOST,), "192.0.2.7", "its certificate is not for the address 192.0.2.7 of the route"),
    ],
)
def test_the_certificate_must_be_for_the_host_of_the_route(
    authority: Authority, names: tuple[str, ...], expected: str, told: str
) -> None:
    """RFC 5922 7.1: dNSName and iPAddress of subjectAltName."""
    both = contexts(authority.issue("named", *names), authority.file)
    client, server = TlsSession(both, expected), TlsSession(both)
    shake_hands(client, server)
    assert client.failure.startswith(told)
    assert bool(client.failure) == bool(told)


@pytest.mark.parametrize("kind", ["expired", "not valid yet", "self-signed", "unknown issuer"])
def test_a_certificate_that_cannot_be_verified_says_why_with_its_setting(authority: Authority, kind: str) -> None:
    begins = LONG_AGO if kind == "expired" else LONG_AGO.replace(year=2090) if kind == "not valid yet" else None
    ends = LONG_AGO.replace(year=2021) if kind == "expired" else LONG_AGO.replace(year=2091)
    files = authority.issue(kind, HOST, begins=begins, ends=ends, self_signed=kind == "self-signed")
    both = contexts(files, None if kind == "unknown issuer" else authority.file)
    told, alert = failures(TlsSession(both, HOST), TlsSession(both))
    assert kind in told
    assert told.endswith("(profile.verify_tls_certificates)")
    assert alert, "the server hears that its certificate was refused"


def test_without_verification_any_certificate_will_do(authority: Authority) -> None:
    files = authority.issue("bad", "other.example", begins=LONG_AGO, ends=LONG_AGO.replace(year=2021))
    both = contexts(files, authority.file, verify=False)
    assert failures(TlsSession(both, HOST), TlsSession(both)) == ("", "")


def test_no_version_before_1_2_is_spoken(authority: Authority) -> None:
    """RFC 8996."""
    files = authority.issue("old", HOST)
    both = contexts(files, authority.file, verify=False)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.deprecated_call():
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    told = failures(TlsSession(Contexts(both.server, old), HOST), TlsSession(both))
    assert told[1] == "no common version of TLS; here it is 1.2 and 1.3"


@pytest.mark.parametrize("text", [b"SIP/2.0 200 OK\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_peer_that_speaks_no_tls_is_told_apart(authority: Authority, text: bytes) -> None:
    client = TlsSession(contexts(authority.issue("pbx", HOST), authority.file), HOST)
    client.receive(b"")
    client.receive(text)
    assert client.failure == "it speaks no TLS there"


@settings(max_examples=40)
@given(st.binary(max_size=200), st.booleans(), st.integers(0, 400))
def test_whatever_comes_is_an_end_and_no_fault(
    both: Contexts, data: bytes, after_the_handshake: bool, position: int
) -> None:
    """Also in the middle of a record that is otherwise good."""
    client, server = TlsSession(both, HOST), TlsSession(both)
    if after_the_handshake:
        shake_hands(client, server)
        client.send(b"x" * 300)
    else:
        client.receive(b"")
    sent = client.take()
    for piece in (sent[:position], data, sent[position:]):
        heard = server.receive(piece)
        assert heard in (b"", b"x" * 300)
    server.send(b"answer")
    server.close()


def test_nobody_is_asked_for_a_certificate_and_who_asks_is_shown_one(authority: Authority) -> None:
    both = contexts(authority.issue("pbx", HOST), authority.file)
    assert both.server.verify_mode == ssl.CERT_NONE
    asking = contexts(authority.issue("asking", HOST), None).server
    asking.verify_mode = ssl.CERT_REQUIRED
    asking.load_verify_locations(authority.file)
    assert failures(TlsSession(both, HOST), TlsSession(Contexts(asking, both.client))) == ("", "")


def test_a_pbx_that_does_not_accept_our_certificate_is_told_what_it_lacks(authority: Authority, tmp_path: Path) -> None:
    both = contexts(authority.issue("pbx", HOST), authority.file)
    asking = contexts(authority.issue("asking", HOST), None).server
    asking.verify_mode = ssl.CERT_REQUIRED
    asking.load_verify_locations(Authority(tmp_path, "another").file)
    told, _ = failures(TlsSession(both, HOST), TlsSession(Contexts(asking, both.client)))
    assert "`voiceconnector ca`" in told


def test_files_that_openssl_does_not_take_are_named(authority: Authority, tmp_path: Path) -> None:
    good, other = authority.issue("good", HOST), authority.issue("other", HOST)
    with pytest.raises(ValueError, match=r"good\.pem: OpenSSL does not take it: key values mismatch"):
        server_context(good.certificate, other.private_key, LAB.tls_ciphers, None)
    with pytest.raises(ValueError, match=r"tls_ciphers: OpenSSL knows none of NONSENSE"):
        server_context(good.certificate, good.private_key, ("NONSENSE",), None)


def test_the_key_log_has_the_secrets_of_both_ends(authority: Authority, tmp_path: Path) -> None:
    """The NSS key log format that Wireshark reads."""
    files, log = authority.issue("logged", HOST), tmp_path / "keys.log"
    both = contexts(files, None, verify=False, key_log=log)
    shake_hands(TlsSession(both, HOST), TlsSession(both))
    lines = log.read_text().splitlines()
    secrets = [line for line in lines if line.startswith("CLIENT_TRAFFIC_SECRET_0 ")]
    assert len(secrets) == 2
    assert len(set(secrets)) == 1
