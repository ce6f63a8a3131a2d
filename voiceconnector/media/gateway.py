"""What a carrier's gateway adds to the offer of a caller in the PSTN, before it goes on to a PBX.

Whoever calls, the offer that comes out of a gateway has telephone-event for the sixteen DTMF events (RFC 4733
2.5.1.1) and says how long its packets are (RFC 8866 6.4). An offer that has both is left as it is.
"""

import re

_AUDIO = re.compile(r"^m=audio [1-9]\d*(?:/\d+)? RTP/AVP [^\r\n]*", re.MULTILINE)
_EVENT = re.compile(r"^a=rtpmap:(\d{1,3}) telephone-event/8000", re.MULTILINE | re.IGNORECASE)
_EVENTS = "0-15"
_USUAL_PAYLOAD_TYPE = 101
_PTIME_MS = 20


def completed(offer: bytes) -> bytes:
    """An offer with telephone-event and ptime in its first audio line; what cannot be read comes back as it is."""
    text = offer.decode("latin-1")
    line = _AUDIO.search(text)
    if line is None:
        return offer
    end = text.find("\nm=", line.end()) + 1 or len(text)
    section = text[line.start() : end]
    first, added = line[0], ""
    event = _EVENT.search(section)
    number = int(event[1]) if event else _free_payload_type(first, section)
    if event is None:
        first += f" {number}"
        added = f"a=rtpmap:{number} telephone-event/8000\r\n"
    if f"a=fmtp:{number} " not in section:
        added += f"a=fmtp:{number} {_EVENTS}\r\n"
    if "\na=ptime:" not in section:
        added += f"a=ptime:{_PTIME_MS}\r\n"
    if not added:
        return offer
    rest = section[len(line[0]) :]
    rest = rest if rest.endswith("\n") else f"{rest}\r\n"
    return f"{text[: line.start()]}{first}{rest}{added}{text[end:]}".encode("latin-1")


def _free_payload_type(first: str, section: str) -> int:
    """101, which everybody uses, or the next dynamic payload type that means nothing in this section."""
    taken = {int(number) for number in re.findall(r" (\d{1,3})(?![^ ])", first)}
    taken |= {int(number) for number in re.findall(r"^a=rtpmap:(\d{1,3}) ", section, re.MULTILINE)}
    candidates = (*range(_USUAL_PAYLOAD_TYPE, 128), *range(96, _USUAL_PAYLOAD_TYPE))
    return next((number for number in candidates if number not in taken), _USUAL_PAYLOAD_TYPE)
