"""`voiceconnector call` and POST /emulator/calls with a running `serve`, and a PBX of few words on a real socket."""

import json
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.test_serve import Served, records, run
from tests.wire import answer, header, start_line

NUMBER = "+12065550100"


class Pbx:
    """Answers calls, echoes audio, and hangs up nothing by itself."""

    def __init__(self, status_code: int = 200) -> None:
        self.socket, self.audio = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for each in (self.socket, self.audio):
            each.bind(("127.0.0.1", 0))
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
            body = (
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                f"m=audio {self.audio_port} RTP/AVP 0\r\n"
            ).encode()
            if self.status_code == 200:
                yield answer(data, headers=self._lines(data) + "Content-Type: application/sdp\r\n", body=body)
            else:
                yield answer(data, self.status_code, "No")
        elif method in ("BYE", "CANCEL"):
            yield answer(data)

    def _lines(self, data: bytes) -> str:
        return f"Record-Route: {header(data, 'Record-Route')}\r\nContact: <sip:pbx@127.0.0.1:{self.port}>\r\n"

    def _echo(self) -> None:
        for data, source in self._received(self.audio):
            self.audio.sendto(data, source)


def served(folder: Path, *ports: int) -> Served:
    routes = ", ".join(
        f'{{Host = "127.0.0.1", Port = {port}, Priority = {priority}}}' for priority, port in enumerate(ports, 1)
    )
    return Served(folder, f"voice_connectors[0].Origination={{Routes = [{routes}]}}")


@pytest.fixture
def pbx() -> Iterator[Pbx]:
    with closing(Pbx()) as pbx:
        yield pbx


def post(emulator: Served, body: object) -> tuple[int, dict[str, str]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{emulator.http}/emulator/calls", data)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_call_from_the_pstn_is_followed_to_its_end(tmp_path: Path, pbx: Pbx) -> None:
    emulator = served(tmp_path, free_port(), pbx.port)
    try:
        called = run("call", "--to", NUMBER, "--from", "+442079460123", "--duration", "1", "--url", emulator.http)
        assert called.returncode == 0, called.stdout + called.stderr
        assert re.search(r"cannot|ECONNREFUSED", called.stdout), "the first route leads to nobody"
        for words in ("The called side rings.", "answered", "PCMU", "Audio went both ways", "The caller hung up."):
            assert words in called.stdout, called.stdout
        status, placed = post(emulator, {"To": NUMBER, "DurationSeconds": 0.2})
        assert status == 201
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


def test_an_order_that_cannot_be_placed_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    emulator = served(tmp_path, free_port())
    try:
        for body, status_code, words in (
            (b"{", 400, ""),
            ({}, 400, "To"),
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
