"""Messages as text, written and answered without the code under test."""

CRLF = "\r\n"


def request(
    method: str = "INVITE",
    uri: str = "sip:bob@127.0.0.2",
    *,
    via: str = "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1",
    caller: str = "<sip:alice@127.0.0.1>;tag=a",
    called: str = "<sip:bob@127.0.0.2>",
    call_id: str = "1@127.0.0.1",
    cseq: str = "",
    headers: str = "",
    body: bytes = b"",
) -> bytes:
    """A request; `headers` are whole lines, `cseq` is "1 METHOD" unless given."""
    head = (
        f"{method} {uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {caller}\r\nTo: {called}\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq or f'1 {method}'}\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body


def answer(
    asked: bytes, status_code: int = 200, reason: str = "OK", *, tag: str = "b", headers: str = "", body: bytes = b""
) -> bytes:
    """A response as RFC 3261 8.2.6 makes it: Via, From, To with `tag`, Call-ID and CSeq of the request."""
    to = header(asked, "To")
    if tag and ";tag=" not in to:
        to += f";tag={tag}"
    copied = [f"Via: {via}" for via in headers_of(asked, "Via")]
    copied += [f"From: {header(asked, 'From')}", f"To: {to}"]
    copied += [f"Call-ID: {header(asked, 'Call-ID')}", f"CSeq: {header(asked, 'CSeq')}"]
    head = f"SIP/2.0 {status_code} {reason}\r\n{CRLF.join(copied)}\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode("latin-1") + body


def headers_of(data: bytes, name: str) -> list[str]:
    """The values of all lines of a header, spelled as given."""
    lines = data.partition(b"\r\n\r\n")[0].decode("latin-1").split(CRLF)[1:]
    return [line.partition(": ")[2] for line in lines if line.partition(":")[0] == name]


def header(data: bytes, name: str) -> str:
    """The only line of a header; its absence or a second one is a failure."""
    (value,) = headers_of(data, name)
    return value


def start_line(data: bytes) -> str:
    return data.partition(b"\r\n")[0].decode("latin-1")


def body_of(data: bytes) -> bytes:
    return data.partition(b"\r\n\r\n")[2]


def told(data: bytes) -> str:
    """A request's method or a response's status code, as ladders show them."""
    words = start_line(data).split(" ")
    return words[1] if words[0].startswith("SIP/") else words[0]
