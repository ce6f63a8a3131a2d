"""Requests that nobody would send, to every operation: never a fault of ours, and always an answer in AWS's shape."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import pytest
from botocore.parsers import create_parser
from botocore.validate import ParamValidator

from tests.control.asking import Asking, content, header, open_asking, refusal
from tests.control.cloud import ACCOUNT_ID, SESSION, Cloud, Servers
from tests.control.inputs import SECRET, Inputs
from voiceconnector.control.api import ApiResponse, Call, Outcome
from voiceconnector.control.audit import event
from voiceconnector.control.operations import functions
from voiceconnector.control.service import Operation, Service

ROUNDS = 30
"""Requests to each operation, of each kind."""
JUNK: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**63, 10**30, 1.5, "", " ", "\n", "\0", "é", "\ud800", "☎" * 300, "x" * 5000, "null",
    "%2B1", "%", "+", "../..", "' OR 1=1 --", [], {}, [None], [[]], [{}], {"": ""}, [[[[[1]]]]], {"Name": {"Name": {}}},
)  # fmt: skip
QUERIES = (
    "", "a", "=", "&", "&&=&", "a=1&a=2", "max-results=0", "max-results=-1", "max-results=9e9", "next-token=x",
    "next-token=%FF", "next-token=WzEsIDJd", "%", "%zz=%zz", "operation=put&operation=put", "x=" + "y" * 9000,
)  # fmt: skip
BODIES = (
    b"", b"{}", b"[]", b"null", b"0", b'"', b"{", b"\xff\xfe", b"\0", b'{"Name": NaN}', b'{"a": 1e999}', b"[" * 50_000,
    b'{"Name":' * 5_000, b"{}{}", b'{"Tags": [' * 200, b'\xef\xbb\xbf{"Name": "lab"}', b"9" * 6000,
)  # fmt: skip


@pytest.fixture
def ask(servers: Servers, tmp_path: Path) -> Iterator[Asking]:
    def audit(call: Call, outcome: Outcome) -> None:
        kept = json.dumps(event(call, outcome, None, ACCOUNT_ID, "1"))
        assert SECRET not in kept, f"the event of {call.operation.name} tells a password"

    with open_asking(servers.service, tmp_path, audit=audit) as asking:
        yield asking


def emulated(service: Service) -> list[Operation]:
    return [service.operations[name] for name in functions(service.operations)]


class Prober:
    """Asks an API, and judges each answer by the model and by botocore."""

    def __init__(self, ask: Asking, chance: Random) -> None:
        self.inputs = Inputs(chance)
        self.chance = chance
        self.succeeded: set[str] = set()
        self._ask = ask

    def send(self, operation: Operation, fields: Any, query: str = "", body: bytes | None = None) -> None:
        """A request with these members; `query` comes on top, and `body` in place of what they make."""
        answer = self._ask(operation.method, target(operation, fields, query), as_json(operation, fields, body))
        assert answer.status < 500, answer
        assert SECRET.encode() not in answer.body, f"{operation.name} tells a password"
        if answer.status >= 300:
            refusal(answer)
            return
        assert answer.status == operation.status
        self.succeeded.add(operation.name)
        if answer.body:
            self.inputs.learn(content(answer))
        check_answer(operation, answer)

    def mutated(self, value: Any) -> Any:
        """The same, with something in it replaced, missing, repeated or new."""
        chance = self.chance
        if isinstance(value, dict) and value and chance.random() < 0.8:
            key = chance.choice(list(value))
            left = {name: inner for name, inner in value.items() if name != key}
            return left if chance.random() < 0.15 else left | {key: self.mutated(value[key])}
        if isinstance(value, list) and value and chance.random() < 0.8:
            place = chance.randrange(len(value))
            return [*value[:place], self.mutated(value[place]), *value[place:]]
        if isinstance(value, dict) and chance.random() < 0.5:
            return value | {"Unknown": chance.choice(JUNK)}
        return chance.choice(JUNK)


def target(operation: Operation, fields: Any, query: str = "") -> str:
    """Path and query of a request with these members."""
    named = dict(operation.labels)
    segments = [quote(as_text(fields.get(named.get(place))), safe="") if place in named else segment
                for place, segment in enumerate(operation.segments)]  # fmt: skip
    pairs = [*operation.query]
    for name, member in operation.input.members.items():
        if member.place == "querystring" and name in fields:
            pairs.append((member.wire_name, as_text(fields[name])))
    written = "&".join([*(f"{name}={quote(value, safe='')}" for name, value in pairs), *([query] if query else [])])
    return f"/{'/'.join(segments)}?{written}"


def as_text(value: object) -> str:
    """A value for a path or a query, in characters that UTF-8 has."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace").decode()


def as_json(operation: Operation, fields: Any, body: bytes | None) -> bytes:
    if body is not None:
        return body
    members = operation.input.members
    inner = {name: value for name, value in fields.items() if name not in members or members[name].place == "body"}
    return json.dumps(inner).encode() if operation.has_body else b""


def check_answer(operation: Operation, answer: ApiResponse) -> None:
    """Whether botocore can read an answer, and finds in it what its model has."""
    shape = SESSION.get_service_model(operation.service).operation_model(operation.name).output_shape
    headers = {"x-amzn-requestid": header(answer, b"x-amzn-requestid")}
    response = {"headers": headers, "status_code": answer.status, "body": answer.body}
    parsed = create_parser("rest-json").parse(response, shape)
    assert parsed.pop("ResponseMetadata")["RequestId"]
    if shape is not None:
        report = ParamValidator().validate(without_empty_lists(parsed), shape)
        assert not report.has_errors(), report.generate_report()


def without_empty_lists(value: Any) -> Any:
    """The models say "one at least" of lists such as an answer's tags; where there are none, they are empty."""
    if isinstance(value, list):
        return [without_empty_lists(item) for item in value]
    if isinstance(value, dict):
        return {name: without_empty_lists(inner) for name, inner in value.items() if inner != []}
    return value


@pytest.mark.parametrize("seed", range(3))
def test_requests_that_the_model_permits_are_answered_as_it_says(ask: Asking, servers: Servers, seed: int) -> None:
    operations = emulated(servers.service)
    prober = Prober(ask, Random(seed))
    for _ in range(ROUNDS):
        for operation in prober.chance.sample(operations, len(operations)):
            prober.send(operation, prober.inputs.of(operation.input))
    assert {"CreateVoiceConnector", "GetVoiceConnector", "DeleteVoiceConnector"} <= prober.succeeded


@pytest.mark.parametrize("seed", range(3))
def test_requests_that_are_almost_right_are_answered_or_refused(ask: Asking, servers: Servers, seed: int) -> None:
    operations = emulated(servers.service)
    prober = Prober(ask, Random(seed))
    for _ in range(ROUNDS):
        for operation in prober.chance.sample(operations, len(operations)):
            fields = prober.inputs.of(operation.input)
            if operation.method == "DELETE" and prober.chance.random() < 0.7:
                continue  # else little would be there to be found
            prober.send(operation, fields)
            prober.send(operation, mutated if isinstance(mutated := prober.mutated(fields), dict) else {})


@pytest.mark.parametrize("seed", range(2))
def test_whatever_the_query_and_the_body_are_there_is_an_answer(ask: Asking, servers: Servers, seed: int) -> None:
    operations = emulated(servers.service)
    prober = Prober(ask, chance := Random(seed))
    for operation in operations * 5:
        fields = prober.inputs.of(operation.input)
        prober.send(operation, fields)
        prober.send(operation, fields, query=chance.choice(QUERIES))
        prober.send(operation, fields, body=chance.choice(BODIES))
        broken = bytearray(as_json(operation, fields, None) or b"{}")
        broken[chance.randrange(len(broken))] = chance.randrange(256)
        prober.send(operation, fields, body=bytes(broken))


def test_operations_that_are_not_emulated_are_forbidden_whatever_is_asked(ask: Asking, servers: Servers) -> None:
    known = {operation.name for operation in emulated(servers.service)}
    prober = Prober(ask, Random(1))
    for operation in servers.service.operations.values():
        if operation.name not in known:
            fields = prober.mutated(prober.inputs.of(operation.input))
            asked = fields if isinstance(fields, dict) else {}
            assert refusal(ask(operation.method, target(operation, asked)))[0] == "ForbiddenException"


def test_whatever_the_path_is_there_is_an_answer(ask: Asking, servers: Servers) -> None:
    chance = Random(1)
    parts = [segment for operation in emulated(servers.service) for segment in operation.segments]
    for _ in range(2000):
        pieces = [
            chance.choice([*parts, "%", "%2F", "%FF", "", ".", "..", "é", "a b"]) for _ in range(chance.randrange(6))
        ]
        method = chance.choice(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
        answer = ask(method, "/" + "/".join(pieces) + chance.choice(["", "?" + chance.choice(QUERIES)]))
        assert answer.status < 500
        if answer.status >= 300:
            refusal(answer)


# Over HTTP

LINES = (
    b"GET /voice-connectors HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /voice-connectors HTTP/1.0\r\n\r\n",
    b"GET /voice-connectors\r\n\r\n",
    b"\r\n\r\n",
    b"GET  HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://elsewhere/voice-connectors HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /voice-connectors?\xe2\x98\x8e HTTP/1.1\r\nHost: a\r\n\r\n",
    b"FLY /voice-connectors HTTP/1.1\r\nHost: a\r\n\r\n",
    b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /voice-connectors HTTP/9.9\r\nHost: a\r\n\r\n",
    b"POST /voice-connectors HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST /voice-connectors HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    b"POST /voice-connectors HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /voice-connectors HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"GET /voice-connectors HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"GET /voice-connectors HTTP/1.1\r\nHost a\r\n\r\n",
    b"GET /voice-connectors HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
)


def said(cloud: Cloud, sent: bytes) -> bytes:
    """All that a server says to this, up to the end of the connection."""
    host, _, port = cloud.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        received = b""
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                received += piece
        except ConnectionError:
            pass  # it did not want to hear the rest
        return received


@pytest.mark.parametrize("sent", LINES, ids=range(len(LINES)))
def test_what_is_hardly_http_makes_no_fault_of_ours(cloud: Cloud, voice: Any, sent: bytes) -> None:
    answer = said(cloud, sent)
    assert not answer or (answer.startswith(b"HTTP/1.1 ") and answer[9:10] in b"1234"), answer
    assert voice.list_voice_connectors()["VoiceConnectors"] == []


def test_a_body_of_no_end_is_refused_before_it_ends(cloud: Cloud, voice: Any) -> None:
    head = b"POST /voice-connectors HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n"
    answer = said(cloud, head + b" " * (2 << 20))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"The body is longer than 1048576 bytes" in answer
    assert voice.list_voice_connectors()["VoiceConnectors"] == []
