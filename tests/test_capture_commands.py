"""Captures, recordings and copies of SIP messages of a running `serve`: HTTP, commands and a collector."""

import json
import socket
import struct
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.test_serve import CONNECTOR, Phone, Served, run

SECRET = "hush-hush"


@pytest.fixture
def collector() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(5)
        yield listening


@pytest.fixture
def served(tmp_path: Path, collector: socket.socket) -> Iterator[Served]:
    host, port = collector.getsockname()
    running = Served(tmp_path, f"hep.address={host}:{port}", "hep.capture_id=7", f"hep.password={SECRET}")
    yield running
    if running.process.poll() is None:
        running.kill()


@pytest.fixture
def phone(served: Served) -> Iterator[Phone]:
    with closing(Phone(served.udp)) as phone:
        yield phone


def ask(served: Served, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(f"{served.http}{path}", body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def only_call(served: Served) -> str:
    calls: Any = served.get("/emulator/calls")
    (call,) = calls
    return str(call["TransactionId"])


def chunks(data: bytes) -> dict[int, bytes]:
    """The chunks of a HEP packet by type."""
    assert (data[:4], struct.unpack_from("!H", data, 4)[0]) == (b"HEP3", len(data))
    found, data = {}, data[6:]
    while data:
        kind, size = struct.unpack_from("!HH", data, 2)
        found[kind], data = data[6:size], data[size:]
    return found


def copied(collector: socket.socket, until: bytes) -> list[dict[int, bytes]]:
    """What the collector gets, up to the first message that begins like this."""
    found = [chunks(collector.recv(65_535))]
    while not found[-1][15].startswith(until):
        found.append(chunks(collector.recv(65_535)))
    return found


def test_a_collector_gets_every_message_of_both_legs_with_the_call_it_belongs_to(
    served: Served, phone: Phone, collector: socket.socket
) -> None:
    phone.call()
    phone.send("BYE", 2, uri=phone.contact, to_tag=phone.to_tag)
    messages = copied(collector, b"BYE")
    messages += copied(collector, b"SIP/2.0 200")
    messages += copied(collector, b"SIP/2.0 200")
    texts = [message[15].decode() for message in messages]
    invite, other_invite = (text for text in texts if text.startswith("INVITE"))
    assert phone.identity in invite
    assert phone.identity not in other_invite
    identity = only_call(served)
    assert {message[17].decode() for message in messages} == {identity}
    assert {message[14].decode() for message in messages} == {SECRET}
    assert {message[12] for message in messages} == {b"\0\0\0\7"}
    first = messages[0]
    assert (struct.unpack("!H", first[7])[0], struct.unpack("!H", first[8])[0]) == (phone.port, served.udp[1])
    assert (first[3], first[4]) == (bytes([127, 0, 0, 1]), bytes([127, 0, 0, 1]))
    starts = [text.partition("\r\n")[0].partition(" sip:")[0] for text in texts]
    assert starts[:3] == ["INVITE", "SIP/2.0 100 Trying", "INVITE"]
    assert starts.count("ACK") == 2
    assert starts.count("BYE") == 2


def test_a_message_of_no_call_has_its_own_call_id_and_no_credentials(
    served: Served, phone: Phone, collector: socket.socket
) -> None:
    phone.send("OPTIONS", 1, uri=f"sip:{CONNECTOR}.voiceconnector.chime.aws")
    for message in copied(collector, b"SIP/2.0"):
        assert message[17].decode() == phone.identity
    phone.socket.send(
        (
            "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1;rport\r\nFrom: <sip:a@b>;tag=1\r\n"
            "To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 9 OPTIONS\r\n"
            f'Authorization: Digest username="pbx", response="{SECRET}"\r\n\r\n'
        ).encode()
    )
    told = copied(collector, b"OPTIONS sip:x")[-1][15]
    assert SECRET.encode() not in told
    assert b'response="000000000"' in told


def test_the_password_of_the_collector_is_never_printed(served: Served) -> None:
    _, output = served.stop()
    assert SECRET not in served.banner + output


def test_a_collector_that_is_gone_costs_no_call(served: Served, phone: Phone, collector: socket.socket) -> None:
    collector.close()
    phone.call()
    phone.send("BYE", 2, uri=phone.contact, to_tag=phone.to_tag)
    phone.receive("200 OK")
    state: Any = served.get("/emulator/state")
    assert state["collector"]["lost"] > 0
    _, output = served.stop()
    assert output.count("The collector of SIP messages at 127.0.0.1") == 1


def test_a_capture_is_a_file_to_be_saved(served: Served, phone: Phone, tmp_path: Path) -> None:
    phone.call()
    identity = only_call(served)
    status, headers, body = ask(served, "GET", f"/emulator/calls/{identity}/capture.pcapng")
    assert (status, body[:4]) == (200, b"\x0a\x0d\x0d\x0a")
    assert headers["content-type"] == "application/x-pcapng"
    assert headers["content-disposition"] == f'attachment; filename="{identity}.pcapng"'
    assert identity.encode() not in body or b"INVITE sip:" in body
    saved = run("capture", "last", "-o", str(tmp_path / "call.pcapng"), "--url", served.http)
    assert (saved.returncode, saved.stderr) == (0, "")
    assert (tmp_path / "call.pcapng").read_bytes()[:4] == body[:4]


def test_one_call_is_captured_and_recorded_on_demand(served: Served, phone: Phone) -> None:
    phone.call()
    path = f"/emulator/calls/{only_call(served)}"
    orders: list[tuple[str, str, bytes | None, tuple[bool, bool]]] = [
        ("POST", "capture", None, (True, False)),
        ("POST", "record", b'{"Enabled": true}', (True, True)),
        ("DELETE", "capture", None, (False, True)),
        ("POST", "record", b'{"Enabled": false}', (False, False)),
    ]
    for method, what, body, expected in orders:
        status, _, answer = ask(served, method, f"{path}/{what}", body)
        call = json.loads(answer)
        assert (status, call["Capturing"], call["Recording"]) == (200, *expected)
    assert run("capture", "last", "--start", "--url", served.http).returncode == 0
    assert run("record", "last", "--start", "--url", served.http).returncode == 0
    call = served.get(path)
    assert isinstance(call, dict)
    assert (call["Capturing"], call["Recording"]) == (True, True)
    phone.send("BYE", 2, uri=phone.contact, to_tag=phone.to_tag)
    phone.receive("200 OK")
    status, _, answer = ask(served, "POST", f"{path}/capture")
    assert (status, json.loads(answer)["message"]) == (409, "the call is over, so there is nothing to capture any more")


def test_what_cannot_be_had_is_refused_in_a_sentence(served: Served, phone: Phone) -> None:
    phone.send("INVITE", 1, uri=f"sip:+442079460000@{CONNECTOR}.voiceconnector.chime.aws")
    phone.receive("403")
    path = f"/emulator/calls/{only_call(served)}"
    refusals = [
        ("GET", "/emulator/calls/none/capture.pcapng", None, 404, "no call none is remembered"),
        ("GET", "/emulator/calls/none/recording.wav", None, 404, "no call none is remembered"),
        ("POST", "/emulator/calls/none/capture", None, 404, "no call none is remembered"),
        ("DELETE", "/emulator/calls/none/record", None, 404, "no call none is remembered"),
        ("GET", f"{path}/recording.wav", None, 404, "[media] record = true"),
        ("POST", f"{path}/record", None, 409, "the call is over"),
        ("POST", f"{path}/capture", b'{"Enabled": 1}', 400, "Enabled = 1: must be true or false"),
        ("POST", f"{path}/capture", b"[]", 400, "must be a table"),
        ("POST", f"{path}/capture", b"{", 400, "not JSON"),
    ]
    for method, where, body, expected, words in refusals:
        status, _, answer = ask(served, method, where, body)
        assert (status, words in json.loads(answer)["message"]) == (expected, True), (where, answer)
    nowhere = run("record", "last", "--url", served.http)
    assert nowhere.returncode == 1
    assert "record = true" in nowhere.stderr
    assert ask(served, "GET", f"{path}/capture.pcapng")[0] == 200, "a refused call has its SIP"


def test_what_cannot_be_kept_is_told_and_the_call_goes_on(served: Served, phone: Phone) -> None:
    (served.data_dir / "captures").touch()  # no folder can be there
    phone.call()
    path = f"/emulator/calls/{only_call(served)}"
    assert ask(served, "POST", f"{path}/capture")[0] == 200
    deadline = time.monotonic() + 60
    while "Capture of the PBX" not in (told := ask(served, "GET", f"{path}/explain")[2].decode()):
        assert time.monotonic() < deadline, told
    assert "The call goes on without it." in told
    phone.send("BYE", 2, uri=phone.contact, to_tag=phone.to_tag)
    phone.receive("200 OK")
