"""TLS against other implementations: openssl's client, sipp behind stunnel, and baresip."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authority import Authority
from tests.interop.emulator import Emulator, configuration, new_place, running_emulator
from tests.interop.inbound import Inbound
from tests.interop.peers import Baresip, Stunnel, program
from tests.interop.stage import ECHO, OPEN, OWNED, Stage
from voiceconnector.sip.hop import host_port
from voiceconnector.trunk.profile import LAB

pytestmark = pytest.mark.interop

TLS_PORT = 5061
ENCRYPTED, ENCRYPTED_NUMBER = "encryptedtrunk00000000", "+12065550105"
INBOUND_NUMBER = "+12065550115"
"""Of a connector that requires encryption, with stunnel at the end of its route."""


# -- openssl


def s_client(emulator: Emulator, *options: str) -> subprocess.CompletedProcess[str]:
    address = host_port(*emulator.place.at("127.0.0.1", TLS_PORT))
    command = [program("openssl"), "s_client", "-connect", address, *options]
    return subprocess.run(command, input="", capture_output=True, text=True, timeout=90, check=False)


@pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
def test_tls_1_2_and_1_3_are_spoken_and_the_certificate_is_verified(
    sipp_emulator: Emulator, tmp_path: Path, version: str
) -> None:
    """Acceptance case 13."""
    ca = tmp_path / "ca.pem"
    ca.write_text(sipp_emulator.ca())
    host = f"{OPEN}.voiceconnector.chime.aws"
    checks = ("-CAfile", str(ca), "-verify_return_error", "-verify_hostname", host, "-x509_strict")
    done = s_client(sipp_emulator, f"-{version}", *checks)
    assert done.returncode == 0, done.stderr
    assert "Verify return code: 0 (ok)" in done.stdout


@pytest.mark.parametrize("version", ["tls1", "tls1_1"])
def test_older_versions_are_refused(sipp_emulator: Emulator, version: str) -> None:
    """Acceptance case 13; RFC 8996."""
    done = s_client(sipp_emulator, f"-{version}", "-cipher", "ALL:@SECLEVEL=0")
    assert done.returncode != 0
    assert "alert protocol version" in done.stderr


@pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
def test_no_certificate_of_the_client_is_asked_for(sipp_emulator: Emulator, version: str) -> None:
    """Acceptance case 13: there is no CertificateRequest (RFC 5246 7.4.4, RFC 8446 4.3.2) in the handshake."""
    done = s_client(sipp_emulator, f"-{version}", "-msg")
    assert "ServerHello" in done.stdout
    assert "CertificateRequest" not in done.stdout


def test_the_suites_of_tls_1_2_are_those_of_the_profile_and_no_other(sipp_emulator: Emulator) -> None:
    """Each that openssl knows is tried by itself: no DHE, no AES128-SHA, no AES256-SHA, nothing weaker."""
    listing = [program("openssl"), "ciphers", "-tls1_2", "-s", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
    known = subprocess.run(listing, capture_output=True, text=True, timeout=90, check=True).stdout.strip().split(":")
    suites = [name for name in known if not name.startswith("TLS_")]
    assert {"DHE-RSA-AES256-GCM-SHA384", "AES256-SHA", "AES128-SHA", "AES256-SHA256", "AECDH-NULL-SHA"} <= set(suites)
    accepted = {
        name for name in suites if s_client(sipp_emulator, "-tls1_2", "-cipher", f"{name}:@SECLEVEL=0").returncode == 0
    }
    assert accepted == set(LAB.tls_ciphers)


def test_a_client_cannot_renegotiate(sipp_emulator: Emulator) -> None:
    """RFC 5746 4.5: it may be refused, and costs the server more than the client."""
    address = host_port(*sipp_emulator.place.at("127.0.0.1", TLS_PORT))
    command = [program("openssl"), "s_client", "-connect", address, "-tls1_2"]
    done = subprocess.run(command, input="R\n", capture_output=True, text=True, timeout=90, check=False)
    assert "no renegotiation" in done.stderr


# -- sipp


@pytest.fixture
def certificate(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.mark.usefixtures("stage")
def test_sipp_calls_over_tls(stage: Stage, certificate: Authority, tmp_path: Path) -> None:
    place = stage.place
    stunnel = Stunnel(place, tmp_path, stage.emulator.ca(), certificate.issue("pbx", place.host, rsa_key=True))
    stage.exit.callback(stunnel.close)
    caller = stage.sipp(
        "pbx/call", place.host, place.peer_port(place.host), "tcp",
        "-s", ECHO, "-key", "vc", OPEN, "-key", "from", OWNED[OPEN], "-cid_str", "over-tls", "-d", "300",
        host_port(*place.at("127.0.0.1", Stunnel.OUT)), call_id="over-tls",
    )  # fmt: skip
    caller.finish()
    assert stage.record(caller)["Status"] == "Completed"
    explained = stage.call(caller).explain()
    assert "from TLS" in explained
    assert "the request came over TLS, and RequireEncryption is off" in explained
    assert ";transport=tls>" in caller.received()[-2].header("Contact")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_sipp_is_kept_out_without_tls_where_encryption_is_required(stage: Stage, transport: str) -> None:
    """Acceptance case 12."""
    caller = stage.pbx(
        "refused", trunk=ENCRYPTED, caller=ENCRYPTED_NUMBER, transport="udp" if transport == "udp" else "tcp"
    ).finish()
    assert caller.statuses()[-1] == f"403 Encryption Required and {transport.upper()} Has None"
    assert "RequireEncryption" in caller.received()[-1].header("Warning")
    assert "Let the PBX call over TLS (port 5061)" in stage.call(caller).explain()


def test_sipp_is_called_over_tls(inbound: Inbound, certificate: Authority, tmp_path: Path) -> None:
    """Acceptance case 25; what the route leads to answers, and TLS ends at stunnel."""
    place = inbound.place
    stunnel = Stunnel(place, tmp_path, inbound.emulator.ca(), certificate.issue("pbx", place.host, rsa_key=True))
    inbound.exit.callback(stunnel.close)
    busy = ("-key", "answer", "SIP/2.0 486 Busy Here")
    pbx = inbound.pbx("refuse", *busy, port=Stunnel.SIPP, transport="tcp")
    caller = inbound.caller("call_refused", INBOUND_NUMBER).finish()
    pbx.finish()
    host, port = place.at("127.0.0.1", Stunnel.IN)
    invite = pbx.received()[0]
    assert invite.start_line == f"INVITE sip:{INBOUND_NUMBER}@{host}:{port};transport=TLS SIP/2.0"
    assert invite.header("Via").startswith(f"SIP/2.0/TLS {place.host}:{TLS_PORT};branch=")
    assert inbound.tried(caller) == [(str(port), "it answered 486 Busy Here")]


# -- baresip


@pytest.fixture(scope="module")
def baresip_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulator with the configuration of sbc_configs/baresip."""
    program("baresip")
    yield from running_emulator(configuration("baresip"), new_place(), tmp_path_factory.mktemp("baresip-tls"))


def baresip_over_tls(emulator: Emulator, folder: Path, account: str = "", called: str = "") -> Baresip:
    files = Authority(folder).issue("baresip", emulator.place.host, rsa_key=True)
    (folder / "pbx.pem").write_text(files.private_key.read_text() + files.certificate.read_text())
    (folder / "ca.pem").write_text(emulator.ca())
    return Baresip(
        emulator,
        folder,
        account,
        called,
        more_accounts=configuration("baresip", "accounts.tls"),
        more_config=configuration("baresip", "config.tls"),
        files=(folder / "pbx.pem", folder / "ca.pem"),
    )


def test_baresip_calls_over_tls(baresip_emulator: Emulator, tmp_path: Path) -> None:
    account = "sip:+12065550103@tlstrunk00000000000000.voiceconnector.chime.aws"
    with baresip_over_tls(baresip_emulator, tmp_path, account, "+12065550199") as baresip:
        baresip.finish()
    (call,) = [call for call in baresip_emulator.calls() if call.fields["From"] == "+12065550103"]
    assert baresip_emulator.record(call.fields["CallId"])["Status"] == "Completed"
    explained = call.explain()
    assert "from TLS" in explained
    assert "Audio went both ways" in explained


def test_baresip_is_called_over_tls(baresip_emulator: Emulator, tmp_path: Path) -> None:
    emulator = baresip_emulator
    with baresip_over_tls(emulator, tmp_path) as baresip:
        baresip.listens(5081, "tcp")
        done = emulator.command("call", "--to", "+12065550104", "--duration", "10")
        assert done.returncode == 0, done.stdout + done.stderr
    assert f"INVITE to TLS {host_port(*emulator.place.at('127.0.0.1', 5081))}" in done.stdout
    assert "Audio went both ways" in done.stdout
