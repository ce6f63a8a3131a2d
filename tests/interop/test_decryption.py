"""A call over TLS and SRTP as tshark takes it from the wire, read with the TLS key log and the SDES keys in its SDP.

Wireshark 4.0 decrypts TLS and shows the keys in the SDP; SRTP it does not decrypt. That, libsrtp does here, with
the keys that tshark found and nothing else.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pylibsrtp import Policy, Session

from tests.interop.emulator import Call, Emulator, configuration, new_place, running_emulator
from tests.interop.peers import Capture, program
from tests.interop.stage import ECHO
from tests.interop.test_capture_file import capture_of, fields, rtp_streams
from tests.interop.test_tls import baresip_over_tls
from tests.interop.test_tshark import WARNING

pytestmark = pytest.mark.interop

ACCOUNT = "sip:+12065550104@encryptedtrunk00000000.voiceconnector.chime.aws"
PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
EARLY = 3
"""Packets that may come before the relay has the keys: those of 50 ms after the answer."""
TRUNK_TLS, PBX_SIDE = "tcp.port == 5061", "sip && tcp.port == 5061"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("decryption")


@pytest.fixture(scope="module")
def emulator(folder: Path) -> Iterator[Emulator]:
    """The emulator with the configuration of sbc_configs/baresip, a key log, and captures."""
    program("baresip")
    kept = f'\n[tls]\nkey_log = "{folder / "keys.log"}"\n[media]\ncapture = true\n'
    yield from running_emulator(configuration("baresip") + kept, new_place(), folder)


@pytest.fixture(scope="module")
def call(emulator: Emulator, folder: Path) -> Call:
    """A call of baresip over TLS, with SDES mandatory; what was on the wire is in capture.pcapng."""
    with Capture(emulator.place, folder) as capture, baresip_over_tls(emulator, folder, ACCOUNT, ECHO) as baresip:
        baresip.finish()
        capture.stop()
    (call,) = [call for call in emulator.calls() if call.fields["From"] == "+12065550104"]
    call.counters()
    return call


@pytest.fixture(scope="module")
def wire(call: Call, folder: Path) -> Path:
    """The call as it was sent, together with what the emulator gives away of its keys when it is asked."""
    keys, merged, ordered = (folder / f"{name}.pcapng" for name in ("keys", "merged", "ordered"))
    done = call.emulator.command("capture", str(call.fields["TransactionId"]), "--as-sent", "-o", str(keys))
    assert done.returncode == 0, done.stderr
    merge = [program("mergecap"), "-w", str(merged), str(keys), str(folder / "capture.pcapng")]
    for command in (merge, [program("reordercap"), str(merged), str(ordered)]):
        subprocess.run(command, check=True, capture_output=True)
    return ordered


def key_of(file: Path, which: str, tag: str) -> tuple[str, bytes, str]:
    """Suite, master key with salt, and media port, of the crypto line with a tag, as tshark reads the SDP."""
    crypto = [f"sdp.crypto.{name}" for name in ("tag", "crypto_suite", "master_key", "master_salt")]
    ((*found, port),) = fields(file, f"{which} && tls", *crypto, "sdp.media.port")
    lines = zip(*(values.split(",") for values in found), strict=True)
    ((_, suite, key, salt),) = (line for line in lines if not tag or line[0] == tag)
    return suite, bytes.fromhex(key + salt), port


def decrypted(file: Path, suite: str, key: bytes, source: str, destination: str) -> list[bytes]:
    """RTP from one port to another, with SRTP taken off (RFC 3711); not what ICMP errors quote of it."""
    session = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=PROFILES[suite]))
    ports = f"udp.srcport == {source} && udp.dstport == {destination} && !icmp"
    return [session.unprotect(bytes.fromhex(payload)) for (payload,) in fields(file, ports, "udp.payload")]


def test_without_the_key_log_there_is_no_sip_to_be_seen(call: Call, folder: Path) -> None:
    assert call.fields["StatusCode"] == 200
    assert fields(folder / "capture.pcapng", f"tls && {TRUNK_TLS}", "frame.number")
    assert not fields(folder / "capture.pcapng", PBX_SIDE, "frame.number")


def test_with_the_key_log_the_whole_dialog_is_seen_inside_tls(wire: Path, call: Call) -> None:
    """RFC 3261 26.2.1; the key log is a block of the file, and tshark is told nothing."""
    messages = fields(wire, f"tls && {PBX_SIDE}", "sip.Method", "sip.Status-Code", "sip.Call-ID")
    assert {call_id for *_, call_id in messages} == {call.fields["CallId"]}
    assert [method for method, status, _ in messages if not status] == ["INVITE", "ACK", "BYE"]
    assert {"100", "180", "200"} <= {status for _, status, _ in messages}


def test_the_keys_in_the_sdp_decrypt_the_audio_which_is_what_the_capture_shows(
    wire: Path, call: Call, tmp_path: Path
) -> None:
    """RFC 4568 6.1, RFC 3711: both directions, packet for packet the plain RTP of capture.pcapng."""
    suite, trunk_key, trunk_port = key_of(wire, "sip.Status-Code == 200 && sdp", "")
    ((tag,),) = fields(wire, "sip.Status-Code == 200 && sdp && tls", "sdp.crypto.tag")
    offered, pbx_key, pbx_port = key_of(wire, 'sip.Method == "INVITE"', tag)
    assert suite == offered
    plain = capture_of(call, tmp_path)
    for key, source, destination in ((pbx_key, pbx_port, trunk_port), (trunk_key, trunk_port, pbx_port)):
        audio = decrypted(wire, suite, key, source, destination)
        assert len(audio) > 50
        ports = f"udp.srcport == {source} && udp.dstport == {destination} && !icmp"
        shown = [bytes.fromhex(payload) for (payload,) in fields(plain, f"rtp && {ports}", "udp.payload")]
        assert shown == audio[-len(shown) :]
        assert len(audio) - len(shown) <= EARLY


def test_the_decoded_capture_has_neither_keys_nor_srtp(call: Call, tmp_path: Path) -> None:
    plain = capture_of(call, tmp_path)
    assert not fields(plain, f"_ws.malformed || _ws.expert.severity >= {WARNING}", "frame.number", "_ws.expert.message")
    assert not fields(plain, "srtp.enc_payload || srtp.auth_tag || tls", "frame.number")
    keys = fields(plain, "sdp.crypto.crypto_suite", "sdp.media.proto", "sdp.crypto.master_key")
    assert keys, "the crypto lines are there, and what they say of the key is not"
    zeros = {bytes.fromhex(part).hex() for _, found in keys for part in found.split(",")}
    assert zeros == {"d34d34" * 5 + "d3"}, "base64 of zeros"
    assert {protocol for protocol, _ in keys} == {"RTP/AVP"}
    counted = call.counters()
    expected = [counted[way]["packets"] for way in ("cust2vc", "vc2cust", "rem2vc", "vc2rem")]
    assert sorted(packets for packets, _ in rtp_streams(plain)) == sorted(expected)
