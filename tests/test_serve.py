"""`voiceconnector serve` as a process: it starts, refuses what is wrong in one line, drains, and survives a kill."""

import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.authority import Authority
from tests.interop.name_server import NameServer
from voiceconnector.trunk.store import Store

HOST = "127.0.0.1"

CONNECTOR = "abcdef1ghij2klmno3pqr4"
CONFIGURATION = f"""
[http]
address = "127.0.0.1:0"
[dns]
address = "127.0.0.1:0"
[regions.us-east-1]
udp = "127.0.0.1:0"
tcp = "127.0.0.1:0"
[regions.us-west-2]
enabled = false
[pstn]
address = "127.0.0.1:0"
[[pstn.routes]]
match = "*"
ring_seconds = 0.05
[[voice_connectors]]
VoiceConnectorId = "{CONNECTOR}"
Name = "lab"
PhoneNumbers = ["+12065550100"]
[voice_connectors.Termination]
CpsLimit = 100
CallingRegions = ["US"]
CidrAllowedList = ["127.0.0.0/8"]
"""


class Served:
    """A running `serve`."""

    def __init__(self, folder: Path, *settings: str) -> None:
        file = folder / "lab.toml"
        file.write_text(CONFIGURATION)
        command = [sys.executable, "-m", "voiceconnector", "serve", "--config", str(file)]
        command += ["--set", f"data_dir={folder / 'var'}"]
        for setting in settings:
            command += ["--set", setting]
        self.data_dir = folder / "var"
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
        )
        self.banner = self._read_banner()
        self.http = re.search(r"http://[\d.:]+", self.banner)[0]  # type: ignore[index]
        self.udp = self.address("us-east-1 UDP")

    def _read_banner(self) -> str:
        assert self.process.stdout
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith("Voice Connector "):
                return "".join(lines)
        raise AssertionError(f"serve ended at start: {''.join(lines)}")

    def address(self, name: str) -> tuple[str, int]:
        """Where something listens, by its name in the banner."""
        match = re.search(rf"{name}\s+\[?([\da-f.:]+?)\]?:(\d+)\n", self.banner)
        assert match, self.banner
        return match[1], int(match[2])

    def get(self, path: str) -> object:
        with urllib.request.urlopen(f"{self.http}{path}", timeout=60) as response:
            return json.load(response)

    def post(self, path: str, body: bytes) -> tuple[int, object]:
        connection = HTTPConnection(self.http.removeprefix("http://"), timeout=60)
        with closing(connection):
            connection.request("POST", path, body)
            response = connection.getresponse()
            return response.status, json.load(response)

    def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=90)
        return self.process.returncode, output

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=90)


class Phone:
    """A PBX of few words, on a real UDP socket."""

    def __init__(self, edge: tuple[str, int]) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(5)
        self.socket.connect(edge)
        self.port = self.socket.getsockname()[1]
        self.identity = f"{self.port}-{time.monotonic_ns()}"

    def close(self) -> None:
        self.socket.close()

    def send(self, method: str, cseq: int, *, uri: str = "", to_tag: str = "", body: str = "") -> None:
        uri = uri or f"sip:+12065550123@{CONNECTOR}.voiceconnector.chime.aws"
        kind = "Content-Type: application/sdp\r\n" if body else ""
        self.socket.send(
            (
                f"{method} {uri} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{self.identity}{method}{cseq};rport\r\n"
                f"From: <sip:+12065550100@127.0.0.1>;tag={self.identity}\r\n"
                f"To: <sip:+12065550123@{CONNECTOR}.voiceconnector.chime.aws>{to_tag}\r\n"
                f"Call-ID: {self.identity}\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n"
                f"Contact: <sip:+12065550100@127.0.0.1:{self.port}>\r\n{kind}"
                f"Content-Length: {len(body)}\r\n\r\n{body}"
            ).encode()
        )

    def receive(self, wanted: str) -> str:
        """The next message whose first line contains `wanted`."""
        for _ in range(50):
            message = self.socket.recv(65_535).decode()
            if wanted in message.partition("\r\n")[0]:
                return message
        raise AssertionError(f"no {wanted}")

    def answer(self, request: str) -> None:
        """200 to a request."""
        copied = [line for line in request.split("\r\n") if line.startswith(("Via", "From", "To", "Call-ID", "CSeq"))]
        self.socket.send("\r\n".join(["SIP/2.0 200 OK", *copied, "Content-Length: 0", "", ""]).encode())

    def call(self, called: str = "+12065550123") -> None:
        """INVITE, 200, ACK."""
        sdp = (
            f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self.port + 1} RTP/AVP 0\r\n"
        )
        self.send("INVITE", 1, uri=f"sip:{called}@{CONNECTOR}.voiceconnector.chime.aws", body=sdp)
        answer = self.receive("200 OK")
        tag = re.search(r"\r\nTo: [^\r]*(;tag=[^\r;]+)", answer)
        contact = re.search(r"\r\nContact: <([^>]+)>", answer)
        assert tag
        assert contact
        self.to_tag, self.contact = tag[1], contact[1]
        self.send("ACK", 1, uri=self.contact, to_tag=self.to_tag)


def environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("VOICECONNECTOR_")} | {
        "PYTHONPATH": str(Path(__file__).parent.parent)
    }


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "voiceconnector", *arguments],
        capture_output=True, text=True, timeout=120, env=environment(), check=False,
    )  # fmt: skip


def records(data_dir: Path) -> list[dict[str, object]]:
    return [json.loads(file.read_text()) for file in (data_dir / "buckets").rglob("*") if file.is_file()]


@pytest.fixture
def phone(served: Served) -> Iterator[Phone]:
    with closing(Phone(served.udp)) as phone:
        yield phone


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    running = Served(tmp_path)
    yield running
    if running.process.poll() is None:
        running.kill()


def test_health_is_ok_once_every_listener_is_up(served: Served) -> None:
    health = served.get("/emulator/health")
    assert isinstance(health, dict)
    assert health["status"] == "ok"


def test_sigterm_hangs_up_writes_the_record_and_exits_0(served: Served, phone: Phone) -> None:
    phone.call()
    served.process.send_signal(signal.SIGTERM)
    bye = phone.receive("BYE")
    assert "shutting down" in bye
    phone.answer(bye)
    served.process.communicate(timeout=90)
    assert served.process.returncode == 0
    (record,) = records(served.data_dir)
    assert record["CallId"] == phone.identity
    assert record["Status"] == "Failed"


def test_a_killed_emulator_writes_the_records_it_owes_at_its_next_start(tmp_path: Path) -> None:
    killed = Served(tmp_path)
    with closing(Phone(killed.udp)) as phone:
        phone.call()
    killed.kill()
    again = Served(tmp_path)
    connectors = re.findall(rf"{CONNECTOR}", again.banner)
    status, output = again.stop()
    assert (status, bool(connectors)) == (0, True), output
    (record,) = records(again.data_dir)
    assert record["CallId"] == phone.identity
    assert record["Status"] == "Failed"
    assert "stopped" in str(record["StatusMessage"])


def test_the_next_record_goes_where_the_global_settings_say(served: Served) -> None:
    """Guide p. 76: a bucket is selected, and logging can be stopped at any time; here without a restart."""

    def refused_call(settings: bytes) -> str:
        with closing(HTTPConnection(served.http.removeprefix("http://"), timeout=60)) as connection:
            connection.request("PUT", "/settings", settings)
            assert connection.getresponse().status == 204
        with closing(Phone(served.udp)) as phone:
            phone.send("INVITE", 1, uri=f"sip:+442079460000@{CONNECTOR}.voiceconnector.chime.aws")
            phone.receive("403")
            return phone.identity

    first = refused_call(b"{}")
    second = refused_call(b'{"VoiceConnector": {"CdrBucket": "another-bucket"}}')
    refused_call(b'{"VoiceConnector": {}}')
    served.stop()
    where = {
        json.loads(file.read_text())["CallId"]: file.relative_to(served.data_dir / "buckets").parts[0]
        for file in (served.data_dir / "buckets").rglob("*_*")
    }
    assert where == {first: "voiceconnector-cdrs", second: "another-bucket"}


def test_calls_explain_and_ladder_tell_of_a_refused_call(served: Served, phone: Phone) -> None:
    phone.send("INVITE", 1, uri=f"sip:+442079460000@{CONNECTOR}.voiceconnector.chime.aws")
    assert "Warning: 399" in phone.receive("403")
    listed = run("calls", "--url", served.http)
    assert "+442079460000" in listed.stdout
    explained = run("explain", "last", "--url", served.http)
    assert "CallingRegions" in explained.stdout
    drawn = run("ladder", "last", "--messages", "--url", served.http)
    assert "403" in drawn.stdout
    assert phone.identity in drawn.stdout


def test_a_register_is_told_that_this_trunk_does_not_register(phone: Phone) -> None:
    phone.send("REGISTER", 1)
    answer = phone.receive("405")
    assert "Allow: INVITE" in answer
    assert "register" in answer.lower()


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("pstn.address=127.0.0.1:99999", "pstn.address"),
        ("profil=lab", "profile"),
        ("regions.us-east-1.udp=203.0.113.77:5060", "regions.us-east-1.udp"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_2(tmp_path: Path, setting: str, named: str) -> None:
    file = tmp_path / "lab.toml"
    file.write_text(CONFIGURATION)
    result = run("serve", "--config", str(file), "--set", f"data_dir={tmp_path / 'var'}", "--set", setting)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert named in line


def test_a_port_in_use_is_one_line_and_exit_2(tmp_path: Path, served: Served) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    file = folder / "lab.toml"
    file.write_text(CONFIGURATION)
    address = f"{served.udp[0]}:{served.udp[1]}"
    result = run(
        "serve", "--config", str(file), "--set", f"data_dir={folder}", "--set", f"regions.us-east-1.udp={address}"
    )
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert address in line
    assert "in use" in line


def test_a_missing_file_is_one_line_and_exit_2(tmp_path: Path) -> None:
    result = run("check-config", str(tmp_path / "absent.toml"))
    assert result.returncode == 2
    assert "absent.toml" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_commands_without_an_emulator_say_how_to_start_one() -> None:
    result = run("calls", "--url", "http://127.0.0.1:9")
    assert result.returncode == 1
    assert "voiceconnector serve" in result.stderr


def test_a_region_is_taken_down_and_up_again(served: Served, phone: Phone) -> None:
    down = run("region", "us-east-1", "down", "--url", served.http)
    assert (down.returncode, down.stdout) == (0, "us-east-1  down, packets dropped: 0\n")
    phone.send("OPTIONS", 1)
    for _ in range(500):  # until the datagram has been seen and dropped
        if "packets dropped: 1" in (shown := run("region", "--url", served.http).stdout):
            break
    assert shown == "us-east-1  down, packets dropped: 1\n"
    health = served.get("/emulator/health")
    assert isinstance(health, dict)
    assert (health["status"], health["regions"]) == ("ok", {"us-east-1": "down"})
    state = served.get("/emulator/state")
    assert isinstance(state, dict)
    assert state["regions"] == {"us-east-1": {"State": "down", "DelaySeconds": 0.0, "DroppedPackets": 1}}
    assert run("region", "us-east-1", "up", "--url", served.http).returncode == 0
    phone.send("OPTIONS", 2)
    assert "CSeq: 2 OPTIONS" in phone.receive("200 OK")
    slow = run("region", "us-east-1", "slow", "--delay", "0.01", "--url", served.http)
    assert slow.stdout == "us-east-1  slow, 0.01 s, packets dropped: 1\n"
    phone.send("OPTIONS", 3)
    assert "CSeq: 3 OPTIONS" in phone.receive("200 OK")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("us-est-1", "down"), 1, "voiceconnector: there is no Region us-est-1; this emulator serves us-east-1\n"),
        (("us-est-1",), 1, "voiceconnector: there is no Region us-est-1; this emulator serves us-east-1\n"),
        (
            ("us-east-1", "slow", "--delay", "900"),
            1,
            "voiceconnector: DelaySeconds = 900.0: must be a number from 0.001 to 60\n",
        ),
        (
            ("us-east-1", "down", "--delay", "9"),
            2,
            "voiceconnector: --delay is for a Region that is to be slow, as in: "
            "voiceconnector region us-east-1 slow --delay 5\n",
        ),
    ],
)
def test_a_wrong_region_or_delay_is_one_line(
    served: Served, arguments: tuple[str, ...], status: int, message: str
) -> None:
    result = run("region", *arguments, "--url", served.http)
    assert (result.returncode, result.stderr) == (status, message)


@pytest.mark.parametrize(
    "path",
    [
        "/emulator/calls",
        "/emulator/regions/us-east-1",
        "/emulator/regions/%00%ff",
        "/emulator/porting-orders",
        "/emulator/porting-orders/%00%ff",
    ],
)
def test_orders_that_mean_nothing_are_refused_in_a_sentence(served: Served, path: str) -> None:
    bodies = [
        b"", b"{", b"[]", b"null", b"1e999", b"NaN", b"\xff\xfe", b"[" * 60_000, b"x" * 70_000, b'"\\ud800"',
        b'{"\\ud800": 1}', b'{"To": "\\ud800"}', b'{"To": {"To": []}}', b'{"State": "\\ud800"}',
        b'{"State": "slow", "DelaySeconds": NaN}', b'{"State": "slow", "DelaySeconds": 1e999}',
        b'{"State": "slow", "DelaySeconds": ' + b"9" * 5_000 + b"}", b'{"To": "+12065550100", "Play": "/dev/zero"}',
        b'{"To": "+12065550100", "Play": "' + b"a" * 5_000 + b'"}', b'{"To": "+12065550100", "DurationSeconds": NaN}',
        b'{"To": "+12065550100", "From": "\\u0000"}', b'{"To": "+99912065550100"}',
    ]  # fmt: skip
    for body in bodies:
        status, said = served.post(path, body)
        assert status in (400, 404), body[:50]
        assert isinstance(said, dict)
        assert said["message"]
    state = served.get("/emulator/state")
    assert isinstance(state, dict)
    assert (state["calls"], state["regions"]["us-east-1"]["State"]) == (0, "up")


def test_a_call_in_a_region_that_goes_down_says_so(served: Served, phone: Phone) -> None:
    phone.call()
    for _ in range(500):  # until the ACK has been seen
        if "answered" in run("calls", "--url", served.http).stdout:
            break
    run("region", "us-east-1", "down", "--url", served.http)
    run("region", "us-east-1", "up", "--url", served.http)
    explained = run("explain", "last", "--url", served.http).stdout
    assert "From here on, Region us-east-1 is down, so its packets are dropped without a word." in explained
    assert "From here on, Region us-east-1 is up." in explained


def test_a_group_and_a_number_in_the_deletion_queue_are_kept_from_start_to_start(tmp_path: Path) -> None:
    group = (
        f'voice_connector_groups=[{{Name = "both", PhoneNumbers = ["+12065550111"], '
        f'VoiceConnectorItems = [{{VoiceConnectorId = "{CONNECTOR}", Priority = 1}}]}}]'
    )
    settings = (group, 'deletion_queue=["+12065550199"]')
    assert Served(tmp_path, *settings).stop()[0] == 0
    again = Served(tmp_path, *settings)
    status, output = again.stop()
    assert status == 0, output
    store = Store(again.data_dir, time.time)
    assert [known.voice_connector_id for known in store.snapshot.inbound("+12065550111")] == [CONNECTOR]
    assert store.snapshot.awaits_deletion("+12065550199")
    store.close()


def test_a_configured_name_of_a_number_is_in_the_records(tmp_path: Path) -> None:
    """The guide's sample of a record has SourcePhoneNumberName."""
    served = Served(tmp_path, 'phone_numbers=[{E164PhoneNumber = "+12065550100", Name = "front desk"}]')
    with closing(Phone(served.udp)) as phone:
        phone.call()
        assert served.stop()[0] == 0
    (record,) = records(served.data_dir)
    assert (record["SourcePhoneNumberName"], record["DestinationPhoneNumberName"]) == ("front desk", "")


def test_a_ported_number_takes_calls_from_its_date_on_though_nobody_looks(served: Served) -> None:
    """Guide p. 53-54: on the FOC date, the ported phone numbers are activated."""
    foc_date = datetime.fromtimestamp(time.time() + 2, UTC).isoformat()
    order = {"E164PhoneNumbers": ["+12065550177"], "Status": "FOC", "FocDate": foc_date}
    status, made = served.post("/emulator/porting-orders", json.dumps(order).encode())
    assert (status, made["Status"], made["OrderType"]) == (201, "FOC", "Porting")  # type: ignore[index]
    path = f"/voice-connectors/{CONNECTOR}?operation=associate-phone-numbers"
    assert served.post(path, b'{"E164PhoneNumbers": ["+12065550177"]}') == (200, {"PhoneNumberErrors": []})
    status, said = served.post("/emulator/calls", b'{"To": "+12065550177"}')
    assert (status, "is PortinInProgress, so it is not in service yet" in str(said)) == (404, True)
    for _ in range(1_000):
        status, said = served.post("/emulator/calls", b'{"To": "+12065550177"}')
        if status != 404:
            break
        time.sleep(0.02)
    assert status == 201, said
    moved = served.post(f"/emulator/porting-orders/{made['PhoneNumberOrderId']}", b'{"Status": "Submitted"}')  # type: ignore[index]
    assert moved == (409, {"message": "The order is Successful, and stays so"})


def test_the_papers_that_countries_ask_for_are_told(served: Served) -> None:
    """Guide p. 42-51."""
    countries = served.get("/emulator/phone-number-countries")
    assert isinstance(countries, list)
    assert [each["CountryCode"] for each in countries][:3] == ["US", "PR", "AU"]


def test_a_number_that_the_store_gives_to_another_is_one_line_and_exit_2(tmp_path: Path) -> None:
    assert Served(tmp_path).stop()[0] == 0
    file = tmp_path / "other.toml"
    file.write_text(CONFIGURATION.replace(CONNECTOR, "0" * 22))
    result = run("serve", "--config", str(file), "--set", f"data_dir={tmp_path / 'var'}")
    assert result.returncode == 2
    assert result.stderr == f"voiceconnector: {CONNECTOR} and {'0' * 22} both have +12065550100\n"


def test_a_claimed_domain_is_looked_up_at_the_configured_name_server_and_kept(tmp_path: Path) -> None:
    """2018 guide p. 7."""
    names: dict[str, list[str]] = {}
    with closing(NameServer(("127.0.0.1", 0), {}, names)) as name_server:
        resolver = f'dns.resolver="127.0.0.1:{name_server.address[1]}"'
        served = Served(tmp_path, resolver)
        _, answer = served.post("/accounts", b'{"Name": "example-account"}')
        domains = f"/emulator/chime/accounts/{field(answer, 'Account', 'AccountId')}/domains"
        status, claimed = served.post(domains, b'{"DomainName": "example.com"}')
        assert (status, field(claimed, "Status")) == (201, "Pending verification")
        names[field(claimed, "TxtRecord", "Name")] = [field(claimed, "TxtRecord", "Value")]
        assert field(served.post(f"{domains}/example.com/verify", b"")[1], "Status") == "Verified"
        served.kill()
        again = Served(tmp_path, resolver)
        assert field(again.get(f"{domains}/example.com"), "Status") == "Verified"
        assert again.stop()[0] == 0


def field(content: Any, *keys: str) -> str:
    for key in keys:
        content = content[key]
    return str(content)


def test_prometheus_finds_the_counts_of_a_call(served: Served, phone: Phone) -> None:
    phone.call()
    with urllib.request.urlopen(f"{served.http}/metrics", timeout=60) as answer:
        text = answer.read().decode()
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert f'OutboundCallAttempts{{Region="us-east-1",VoiceConnectorId="{CONNECTOR}"}} 1.0' in text


def test_every_command_has_help_with_an_example() -> None:
    for command in (
        "demo",
        "serve",
        "call",
        "calls",
        "explain",
        "ladder",
        "capture",
        "record",
        "region",
        "check-config",
    ):
        result = run(command, "--help")
        assert result.returncode == 0
        assert f"voiceconnector {command}" in result.stdout


def test_the_demo_carries_audio_both_ways_in_both_directions() -> None:
    result = run("demo", "--seconds", "3")  # long enough that a stall at the end of a call is a small part of it
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("Audio went both ways") == 2
    assert result.stdout.count('"Status": "Completed"') == 2
    for words in ('"Direction": "Outbound"', '"Direction": "Inbound"', "the next one's turn", "it answered the call"):
        assert words in result.stdout


def test_a_live_call_s_media_is_counted_at_the_moment_that_somebody_looks(served: Served, phone: Phone) -> None:
    phone.call()
    (call,) = listed(served)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtp_socket:
        rtp_socket.bind(("127.0.0.1", phone.port + 1))
        found = details(served, call)
        (where,) = [place for place in found["Streams"] if place.startswith("the PBX was told")]
        told = re.search(r"told to send to ([\d.]+):(\d+);", where)
        assert told
        for number in range(5):
            rtp_socket.sendto(b"\x80\0" + number.to_bytes(2) + bytes(8) + b"\xff" * 160, (told[1], int(told[2])))
        deadline = time.monotonic() + 10
        while details(served, call)["Media"].get("cust2vc", {}).get("packets") != 5:
            assert time.monotonic() < deadline
        assert details(served, call)["Media"]["vc2rem"]["packets"] == 5
        assert details(served, call)["State"] == "answered"
    with urllib.request.urlopen(
        f"{served.http}/emulator/calls/{call['TransactionId']}/explain", timeout=60
    ) as response:
        assert "PBX to trunk   5 packets" in response.read().decode()


def listed(served: Served) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = served.get("/emulator/calls")  # type: ignore[assignment]
    return found


def details(served: Served, call: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = served.get(f"/emulator/calls/{call['TransactionId']}")  # type: ignore[assignment]
    return found


# -- TLS


def tls_certificate(served: Served) -> x509.Certificate:
    """What the TLS listener shows."""
    address = served.address("us-east-1 TLS")
    return x509.load_pem_x509_certificate(ssl.get_server_certificate(address).encode())


def test_the_ca_that_is_printed_verifies_the_tls_listener(served: Served) -> None:
    printed = run("ca", "--set", f"data_dir={served.data_dir}")
    assert printed.returncode == 0
    for platform in ("Asterisk", "FreeSWITCH", "Kamailio", "baresip"):
        assert platform in printed.stderr
    host, port = served.address("us-east-1 TLS")
    context = ssl.create_default_context(cadata=printed.stdout)
    for name in (f"{CONNECTOR}.voiceconnector.chime.aws", host):
        with (
            socket.create_connection((host, port), 5) as plain,
            context.wrap_socket(plain, server_hostname=name) as tls,
        ):
            assert tls.version() == "TLSv1.3"
    assert run("ca", "--quiet", "--set", f"data_dir={served.data_dir}").stderr == ""


def test_the_ca_can_be_had_before_the_first_start_and_stays(tmp_path: Path) -> None:
    setting = ("--set", f"data_dir={tmp_path / 'var'}")
    first, second = run("ca", *setting), run("ca", *setting)
    assert first.stdout.startswith("-----BEGIN CERTIFICATE-----")
    assert second.stdout == first.stdout


def test_sighup_reads_the_certificate_again_and_no_connection_is_dropped(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = authority.issue("own", "127.0.0.1")
    served = Served(tmp_path, f"tls.certificate={files.certificate}", f"tls.private_key={files.private_key}")
    try:
        before = tls_certificate(served)
        context = ssl.create_default_context(cafile=str(authority.file))
        address = served.address("us-east-1 TLS")
        with socket.create_connection(address, 5) as plain, context.wrap_socket(plain, server_hostname=HOST) as tls:
            authority.issue("own", "127.0.0.1")
            served.process.send_signal(signal.SIGHUP)
            deadline = time.monotonic() + 5
            while (after := tls_certificate(served)) == before and time.monotonic() < deadline:
                time.sleep(0.02)
            assert after.serial_number != before.serial_number
            tls.sendall(b"\r\n\r\n")
            assert tls.recv(2) == b"\r\n", "the connection lives on"
            files.private_key.write_text("no key")
            served.process.send_signal(signal.SIGHUP)
            tls.sendall(b"\r\n\r\n")
            assert tls.recv(2) == b"\r\n"
        assert tls_certificate(served) == after
    finally:
        _, output = served.stop()
    assert "own-key.pem: holds no private key" in output
    assert "TLS goes on with the certificate it had" in output


@pytest.mark.parametrize("command", ["serve", "check-config"])
def test_a_certificate_that_cannot_be_used_is_one_line_at_start(tmp_path: Path, command: str) -> None:
    files = Authority(tmp_path).issue("own", "127.0.0.1")
    files.private_key.write_text("no key")
    file = tmp_path / "lab.toml"
    file.write_text(f'{CONFIGURATION}[tls]\ncertificate = "{files.certificate}"\nprivate_key = "{files.private_key}"\n')
    place = ["--config", str(file), "--set", f"data_dir={tmp_path / 'var'}"] if command == "serve" else [str(file)]
    done = run(command, *place)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"voiceconnector: {files.private_key}: holds no private key; it must be PEM (-----BEGIN PRIVATE KEY-----)"
    )


def test_the_key_log_is_for_its_owner_only_and_is_told(tmp_path: Path) -> None:
    served = Served(tmp_path, f"tls.key_log={tmp_path / 'keys.log'}")
    try:
        tls_certificate(served)
    finally:
        _, _ = served.stop()
    assert stat.S_IMODE((tmp_path / "keys.log").stat().st_mode) == 0o600
    assert "SERVER_TRAFFIC_SECRET_0" in (tmp_path / "keys.log").read_text()
    assert "secrets of all TLS connections" in served.banner


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (HOST, "its certificate has an unknown issuer; name the issuer's CA file in tls.ca"),
        ("other.example", "its certificate is not for the address 127.0.0.1 of the route (subjectAltName)"),
    ],
)
def test_why_the_certificate_of_a_pbx_is_not_accepted_reaches_whoever_asks(
    tmp_path: Path, name: str, told: str
) -> None:
    authority = Authority(tmp_path)
    files = authority.issue("pbx", name)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.private_key)
    with socket.create_server((HOST, 0)) as listener, ThreadPoolExecutor(1) as pool:
        port = listener.getsockname()[1]
        route = f'{{Host = "{HOST}", Port = {port}, Protocol = "TCP"}}'
        settings = ["overrides.verify_tls_certificates=true", "voice_connectors.0.RequireEncryption=true"]
        settings += [f"tls.ca={authority.file}"] if name != HOST else []
        served = Served(tmp_path, *settings, f"voice_connectors.0.Origination={{Routes = [{route}]}}")
        try:
            refused = pool.submit(refused_handshake, listener, context)
            called = run("call", "--to", "+12065550100", "--url", served.http)
            assert called.returncode == 1
            assert told in called.stdout
            assert "alert" in refused.result(5), "the PBX hears of it"
            sentence = f"TLS with {HOST}:{port} failed: {told} (profile.verify_tls_certificates)"
            assert sentence in run("explain", "last", "--url", served.http).stdout
        finally:
            served.stop()
    (record,) = records(served.data_dir)
    assert (record["Status"], record["StatusMessage"]) == ("Failed", "Service Unavailable: no answer")


def refused_handshake(listener: socket.socket, context: ssl.SSLContext) -> str:
    """Take one connection whose client will not have our certificate; what it said."""
    connection, _ = listener.accept()
    with connection, pytest.raises(ssl.SSLError) as error, context.wrap_socket(connection, server_side=True) as tls:
        tls.recv(1)
    return str(error.value)
