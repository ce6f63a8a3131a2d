"""Telephones on real UDP sockets, for tests that ask how one call goes. Their messages are written as in tests.wire."""

import hashlib
import itertools
import re
import select
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from tests.wire import answer, header, headers_of, request, told

Address = tuple[str, int]
PATIENCE = 90.0
"""Seconds without a packet after which a test has failed."""


class Call(NamedTuple):
    """How a call went."""

    answer: bytes
    """The final answer to its INVITE."""
    taker: "Phone | None"
    """Who was called and answered."""
    invite: bytes
    """As it arrived there; empty where it arrived nowhere."""

    @property
    def status(self) -> int:
        return int(told(self.answer))

    @property
    def warning(self) -> str:
        """What the answer says in words."""
        return header(self.answer, "Warning")


class Phone:
    """A telephone. It accepts each call, and hangs up those it made itself."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self._calls = itertools.count(1)

    def close(self) -> None:
        self.socket.close()

    @property
    def contact(self) -> str:
        return f"Contact: <sip:phone@127.0.0.1:{self.port}>\r\n"

    def sdp(self) -> bytes:
        """Audio at a port where nobody listens: what is said in these calls does not matter."""
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self.port} RTP/AVP 0\r\n"
        ).encode()

    def take(self) -> bytes:
        """Answer one request: 200 to all but ACK. Returns it."""
        asked, source = self.socket.recvfrom(65_535)
        if told(asked) == "INVITE":
            kind = f"{self.contact}Content-Type: application/sdp\r\n"
            self.socket.sendto(answer(asked, headers=kind, body=self.sdp(), tag=f"t{self.port}"), source)
        elif told(asked) != "ACK":
            self.socket.sendto(answer(asked, tag=""), source)
        return asked

    def call(
        self,
        edge: Address,
        uri: str,
        from_: str,
        takers: Sequence["Phone"] = (),
        login: tuple[str, str] | None = None,
    ) -> Call:
        """Call, and hang up once it was answered. `takers` are who may be called; `login` answers a challenge."""
        dialled = _Dialled(self, edge, uri, from_)
        dialled.invite()
        taken = _follow(self, [dialled], takers)
        if dialled.status == 407 and login:
            dialled.invite(_authorization(dialled.answer, uri, *login))
            taken = _follow(self, [dialled], takers)
        taker, invite = taken[-1] if taken else (None, b"")
        return Call(dialled.answer, taker, invite)

    def burst(self, edge: Address, uri: str, from_: str, times: int, takers: Sequence["Phone"]) -> list[int]:
        """Call several times at once. Returns the status of the final answers, in the order of the calls."""
        dialled = [_Dialled(self, edge, uri, from_) for _ in range(times)]
        for one in dialled:
            one.invite()
        _follow(self, dialled, takers)
        return [one.status for one in dialled]

    def number(self) -> int:
        """Of its next call."""
        return next(self._calls)


class _Dialled:
    """One call that a phone makes."""

    def __init__(self, phone: Phone, edge: Address, uri: str, from_: str) -> None:
        self._phone = phone
        self._edge = edge
        self._uri = uri
        self._from = f"<sip:{from_}@127.0.0.1>;tag=f"
        self.call_id = f"{phone.port}-{phone.number()}"
        self._cseq = 0
        self.answer = b""
        """The final answer to its last INVITE."""
        self.over = False

    @property
    def status(self) -> int:
        return int(told(self.answer))

    def invite(self, headers: str = "") -> None:
        self.over, self._cseq = False, self._cseq + 1
        kind = f"{self._phone.contact}Content-Type: application/sdp\r\n"
        self._send("INVITE", f"<{self._uri}>", headers=f"{kind}{headers}", body=self._phone.sdp())

    def hear(self, said: bytes) -> None:
        """Acknowledge a final answer to the INVITE, hang up a call that was accepted."""
        if int(told(said)) < 200 or header(said, "CSeq") == f"{self._cseq - 1} INVITE":
            return
        if header(said, "CSeq").endswith("BYE"):
            self.over = True
            return
        self.answer, to = said, header(said, "To")
        if self.status >= 300:
            self._send("ACK", to)
            self.over = True
        else:
            uri = _uri_of(header(said, "Contact"))
            self._send("ACK", to, uri=uri, branch="-ack")
            self._cseq += 1
            self._send("BYE", to, uri=uri)

    def _send(
        self, method: str, to: str, *, uri: str = "", branch: str = "", headers: str = "", body: bytes = b""
    ) -> None:
        """RFC 3261 17.1.1.3: the ACK of a refusal has the branch of its INVITE."""
        data = request(
            method,
            uri or self._uri,
            via=f"SIP/2.0/UDP 127.0.0.1:{self._phone.port};branch=z9hG4bK{self.call_id}-{self._cseq}{branch}",
            caller=self._from,
            called=to,
            call_id=self.call_id,
            cseq=f"{self._cseq} {method}",
            headers=headers,
            body=body,
        )
        self._phone.socket.sendto(data, self._edge)


def _follow(caller: Phone, dialled: Sequence[_Dialled], takers: Sequence[Phone]) -> list[tuple[Phone, bytes]]:
    """Let calls take their course until all are over. Returns who was called, and with which INVITE."""
    phones = {phone.socket: phone for phone in (caller, *takers)}
    calls = {one.call_id: one for one in dialled}
    taken = []
    while not all(one.over for one in dialled):
        ready, _, _ = select.select(list(phones), [], [], PATIENCE)
        assert ready, f"nothing was heard for {PATIENCE:g} s"
        for phone in (phones[sock] for sock in ready):
            if phone is caller:
                said = phone.socket.recv(65_535)
                if call := calls.get(header(said, "Call-ID")):
                    call.hear(said)
            elif told(asked := phone.take()) == "INVITE":
                taken.append((phone, asked))
    return taken


def _uri_of(name_addr: str) -> str:
    found = re.search("<([^>]+)>", name_addr)
    assert found, name_addr
    return found[1]


def _authorization(challenged: bytes, uri: str, username: str, password: str) -> str:
    """RFC 7616 3.4.1, with MD5 and qop auth."""
    challenge = next(value for value in headers_of(challenged, "Proxy-Authenticate") if "SHA" not in value)
    realm, nonce = (_parameter(challenge, name) for name in ("realm", "nonce"))
    secret, asked = _md5(f"{username}:{realm}:{password}"), _md5(f"INVITE:{uri}")
    response = _md5(f"{secret}:{nonce}:00000001:c:auth:{asked}")
    return (
        f'Proxy-Authorization: Digest username="{username}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
        f'algorithm=MD5, qop=auth, nc=00000001, cnonce="c", response="{response}"\r\n'
    )


def _parameter(challenge: str, name: str) -> str:
    found = re.search(f'{name}="([^"]*)"', challenge)
    assert found, challenge
    return found[1]


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@contextmanager
def phones(count: int) -> Iterator[list[Phone]]:
    """So many telephones, which are closed in the end."""
    opened = [Phone() for _ in range(count)]
    try:
        yield opened
    finally:
        for phone in opened:
            phone.close()
