"""`voiceconnector call` and POST /emulator/calls with a running `serve`, and a PBX of few words on a real socket."""

import json
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.test_serve import Phone, Served, environment, records, run
from tests.wire import answer, header, start_line
from voiceconnector.sip.hop import host_port

NUMBER = "+12065550100"


class Pbx:
    """Answers calls, echoes audio, and hangs up nothing by itself; with status code 180 it rings for ever."""

    def __init__(self, status_code: int = 200, host: str = "127.0.0.1") -> None:
        self.host = host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket, self.audio = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
        for each in (self.socket, self.audio):
            each.bind((host, 0))
            each.settimeout(0.1)
        self.port, self.audio_port = self.socket.getsockname()[1], self.audio.getsockname()[1]
        self.status_code = status_code
        self.invites: list[bytes] = []
        self.over = False
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self._signal, self._echo)]
        for thread in self.threads:
            thread.start()

    def close(self) -> None:
        self.over = True
        for thread in self.threads:
            thread.join()
        for each in (self.socket, self.audio):
            each.close()

    def _received(self, sock: socket.socket) -> Iterator[tuple[bytes, tuple[str, int]]]:
        while not self.over:
            with suppress(TimeoutError):
                yield sock.recvfrom(65_535)

    def _signal(self) -> None:
        for data, source in self._received(self.socket):
            for message in self._answers(data):
                self.socket.sendto(message, source)

    def _answers(self, data: bytes) -> Iterator[bytes]:
        method = start_line(data).partition(" ")[0]
        if method == "INVITE":
            self.invites.append(data)
            yield answer(data, 180, "Ringing", headers=self._lines(data))
            place = f"IN IP{6 if ':' in self.host else 4} {self.host}"
            body = (
                f"v=0\r\no=- 1 1 {place}\r\ns=-\r\nc={place}\r\nt=0 0\r\nm=audio {self.audio_port} RTP/AVP 0\r\n"
            ).encode()
            if self.status_code == 200:
                yield answer(data, headers=self._lines(data) + "Content-Type: application/sdp\r\n", body=body)
            elif self.status_code > 199:
                yield answer(data, self.status_code, "No")
        elif method in ("BYE", "CANCEL"):
            yield answer(data)

    def _lines(self, data: bytes) -> str:
        contact = f"sip:pbx@{host_port(self.host, self.port)}"
        return f"Record-Route: {header(data, 'Record-Route')}\r\nContact: <{contact}>\r\n"

    def _echo(self) -> None:
        for data, source in self._received(self.audio):
            self.audio.sendto(data, source)


def served(folder: Path, *ports: int, host: str = "127.0.0.1") -> Served:
    """A `serve` whose number leads to these ports of a host, in this order; its Region listens there too."""
    routes = ", ".join(
        f'{{Host = "{host}", Port = {port}, Priority = {priority}}}' for priority, port in enumerate(ports, 1)
    )
    free = host_port(host, 0)
    region = (f'regions.us-east-1.{protocol}="{free}"' for protocol in ("udp", "tcp"))
    return Served(folder, f"voice_connectors[0].Origination={{Routes = [{routes}]}}", *region)


@pytest.fixture
def pbx() -> Iterator[Pbx]:
    with closing(Pbx()) as pbx:
        yield pbx


def post(emulator: Served, body: object) -> tuple[int, dict[str, str]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{emulator.http}/emulator/calls", data)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_call_from_the_pstn_is_followed_to_its_end(tmp_path: Path, pbx: Pbx) -> None:
    emulator = served(tmp_path, free_port(), pbx.port)
    try:
        called = run("call", "--to", NUMBER, "--from", "+442079460123", "--duration", "1", "--url", emulator.http)
        assert called.returncode == 0, called.stdout + called.stderr
        assert re.search(r"(cannot|ECONNREFUSED).*\n.*INVITE to", called.stdout), "the first route leads to nobody"
        for words in ("The called side rings.", "answered", "PCMU", "Audio went both ways", "The caller hung up."):
            assert words in called.stdout, called.stdout
        status, placed = post(emulator, {"To": NUMBER, "DurationSeconds": 0.2})
        assert status == 201
        ladder = run("ladder", placed["TransactionId"], "--url", emulator.http).stdout
        participants = sorted(re.findall(r"voiceconnector|PSTN|PBX(?: 2)?", ladder))
        assert participants == ["PBX", "PBX 2", "PSTN", "voiceconnector"], ladder
        details = emulator.get(f"/emulator/calls/{placed['TransactionId']}")
        assert isinstance(details, dict)
        assert (details["Direction"], details["To"]) == ("Inbound", NUMBER)
    finally:
        emulator.stop()
    found = records(emulator.data_dir)
    assert [record["Direction"] for record in found] == ["Inbound", "Inbound"]
    assert {record["SourcePhoneNumber"] for record in found} == {"+442079460123", "+13125550199"}
    assert {record["DestinationPhoneNumber"] for record in found} == {NUMBER}
    assert {record["UsageType"] for record in found} >= {"USE1-GB-US-inbound-minutes"}
    assert header(pbx.invites[0], "X-VoiceConnector-ID") == "abcdef1ghij2klmno3pqr4"


def test_connections_that_are_refused_or_broken_off_move_the_call_on(tmp_path: Path, pbx: Pbx) -> None:
    """RST to the SYN, and RST in the middle of the INVITE."""
    with socket.create_server(("127.0.0.1", 0)) as resetting, socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # taken, so that nobody else listens there, and not listening
        refused = deaf.getsockname()[1]
        resetting.settimeout(60)

        def reset() -> None:
            connection, _ = resetting.accept()
            connection.recv(65_535)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

        thread = threading.Thread(target=reset)
        thread.start()
        ports = ((refused, "TCP"), (resetting.getsockname()[1], "TCP"), (pbx.port, "UDP"))
        routes = ", ".join(
            f'{{Host = "127.0.0.1", Port = {port}, Protocol = "{protocol}", Priority = {priority}}}'
            for priority, (port, protocol) in enumerate(ports, 1)
        )
        emulator = Served(tmp_path, f"voice_connectors[0].Origination={{Routes = [{routes}]}}")
        try:
            called = run("call", "--to", NUMBER, "--duration", "0.3", "--url", emulator.http)
        finally:
            emulator.stop()
            thread.join()
    assert called.returncode == 0, called.stdout + called.stderr
    assert f"TCP 127.0.0.1:{refused}: cannot connect" in called.stdout
    assert "broke off the connection" in called.stdout
    assert "it answered the call" in called.stdout


def test_a_pbx_with_ipv6_is_called_from_a_pstn_without_it(tmp_path: Path) -> None:
    """RFC 5118: the addresses on the PBX's leg are IPv6; the relay stands between the versions."""
    with closing(Pbx(host="::1")) as pbx:
        emulator = served(tmp_path, pbx.port, host="::1")
        try:
            called = run("call", "--to", NUMBER, "--duration", "0.6", "--url", emulator.http)
        finally:
            emulator.stop()
    assert called.returncode == 0, called.stdout + called.stderr
    assert "Audio went both ways" in called.stdout
    assert start_line(pbx.invites[0]) == f"INVITE sip:{NUMBER}@[::1]:{pbx.port};transport=UDP SIP/2.0"
    assert b"c=IN IP6 ::1\r\n" in pbx.invites[0]


def test_a_call_to_a_number_of_the_trunk_goes_out_and_comes_in_again(tmp_path: Path, pbx: Pbx) -> None:
    emulator = served(tmp_path, pbx.port)
    try:
        with closing(Phone(emulator.udp)) as phone:
            phone.call(NUMBER)
            assert pbx.invites
            phone.send("BYE", 2, uri=phone.contact, to_tag=phone.to_tag)
            phone.receive("200 OK")
    finally:
        emulator.stop()
    found = {str(record["Direction"]): record for record in records(emulator.data_dir)}
    assert sorted(found) == ["Inbound", "Outbound"]
    assert {record["Status"] for record in found.values()} == {"Completed"}
    assert len({record["CallId"] for record in found.values()}) == 2


def free_port() -> int:
    """A port of UDP where nobody listens, as far as chance goes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_refused_call_says_why_and_fails(tmp_path: Path) -> None:
    with closing(Pbx(486)) as pbx:
        emulator = served(tmp_path, pbx.port)
        try:
            called = run("call", "--to", NUMBER, "--url", emulator.http)
            assert called.returncode == 1
            assert "486" in called.stdout
            assert "voiceconnector explain" in called.stderr
            unknown = run("call", "--to", "+12065550999", "--url", emulator.http)
            assert unknown.returncode == 1
            assert "+12065550999 is a number of no Voice Connector" in unknown.stderr
        finally:
            emulator.stop()


@pytest.mark.parametrize(
    ("status_code", "line", "status", "words"),
    [
        (180, "The called side rings.", 1, ("The caller cancelled the call", "not answered: 487 Request Terminated")),
        (200, "First RTP from the PBX", 0, ("The caller hung up.", "Answered, ", "Audio went both ways")),
    ],
)
def test_the_first_interrupt_hangs_up(
    tmp_path: Path, status_code: int, line: str, status: int, words: tuple[str, ...]
) -> None:
    with closing(Pbx(status_code)) as pbx:
        emulator = served(tmp_path, pbx.port)
        try:
            command = [sys.executable, "-m", "voiceconnector", "call", "--to", NUMBER, "--url", emulator.http]
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1, env=environment()
            ) as calling:
                assert calling.stdout
                told = ""
                while line not in told:
                    told += calling.stdout.readline() or pytest.fail(told)
                calling.send_signal(signal.SIGINT)
                told += calling.communicate(timeout=60)[0]
                assert calling.returncode == status, told
        finally:
            emulator.stop()
    for expected in ("hanging up", *words):
        assert expected in told, told


def test_a_call_that_others_placed_is_theirs_to_end(tmp_path: Path, pbx: Pbx) -> None:
    emulator = served(tmp_path, pbx.port)
    try:
        with closing(Phone(emulator.udp)) as phone:
            phone.call()
            calls = emulator.get("/emulator/calls")
            assert isinstance(calls, list)
            identity = calls[0]["TransactionId"]
            assert delete(emulator, identity)[0] == 409
            phone.send("BYE", 2, uri=phone.contact, to_tag=phone.to_tag)
            phone.receive("200 OK")
            status, over = delete(emulator, identity)
            assert (status, over["State"]) == (200, "completed")
        assert delete(emulator, "none")[0] == 404
    finally:
        emulator.stop()


def delete(emulator: Served, identity: str) -> tuple[int, dict[str, str]]:
    request = urllib.request.Request(f"{emulator.http}/emulator/calls/{identity}", method="DELETE")
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_an_order_that_cannot_be_placed_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    emulator = served(tmp_path, free_port())
    try:
        for body, status_code, words in (
            (b"{", 400, ""),
            ({}, 400, "To"),
            ([], 400, ""),
            (b"null", 400, ""),
            ({"To": "2065550100"}, 400, "E.164"),
            ({"To": NUMBER, "From": "me"}, 400, "From"),
            ({"To": NUMBER, "DurationSeconds": -1}, 400, "DurationSeconds"),
            ({"To": NUMBER, "Colour": "red"}, 400, "Colour"),
            ({"To": NUMBER, "Play": "/no/such.wav"}, 400, "WAV"),
            ({"To": "+12065550999"}, 404, "no Voice Connector"),
        ):
            status, told = post(emulator, body)
            assert status == status_code, (body, told)
            assert words in told["message"], told
    finally:
        emulator.stop()
