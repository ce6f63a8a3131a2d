"""A name server for the host names in origination routes, with dnspython, on a real socket."""

import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class NameServer:
    """Answers A and TXT queries for some names; other types are empty, other names are not there."""

    def __init__(
        self,
        address: tuple[str, int],
        names: Mapping[str, Sequence[str]],
        texts: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        """`names`: the addresses of each, in the order of the answer; `texts`: the TXT records."""
        self._names = names
        self._texts = texts
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self.address: tuple[str, int] = self._socket.getsockname()
        """Where it listens."""
        self._socket.settimeout(0.1)
        self._over = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._over = True
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._over:
            with suppress(TimeoutError):
                query, client = self._socket.recvfrom(65_535)
                self._socket.sendto(self._answer(query), client)

    def _answer(self, wire: bytes) -> bytes:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        answer = dns.message.make_response(query)
        if name in self._texts:
            if question.rdtype == dns.rdatatype.TXT and self._texts[name]:
                written = (f'"{text}"' for text in self._texts[name])
                answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "TXT", *written))
        elif not any(
            known == name or known.endswith(f".{name}") or name.endswith(f".{known}") for known in self._names
        ):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif question.rdtype == dns.rdatatype.A and name in self._names:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", *self._names[name]))
        return answer.to_wire(want_shuffle=False)
