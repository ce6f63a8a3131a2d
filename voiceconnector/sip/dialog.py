"""Dialog state: RFC 3261 section 12."""

from .grammar import ParseError, split_values, without_controls
from .headers import uri_of
from .message import Request, Response
from .uri import SipUri


class Dialog:
    """What one side knows of a dialog, and the head of each request it sends in it."""

    __slots__ = (
        "call_id", "local", "local_cseq", "local_tag", "own_route", "remote", "remote_cseq", "remote_tag",
        "remote_target", "route_set",
    )  # fmt: skip

    def __init__(self, call_id: str, local: str, local_tag: str, remote: str, remote_tag: str) -> None:
        self.call_id = call_id
        self.local = local
        """Our From (as the caller) or To (as the callee) without its tag."""
        self.local_tag = local_tag
        self.remote = remote
        """The peer's From or To, with its tag once there is one."""
        self.remote_tag = remote_tag
        self.local_cseq = 0
        self.remote_cseq = 0
        self.remote_target = uri_of(remote)
        """URI of the peer's Contact; until there is one, of its From or To, as before RFC 3261."""
        self.route_set: tuple[str, ...] = ()
        """Route values in the order of sending."""
        self.own_route = ""
        """URI of a proxy that we play ourselves, first in the route set of the peer and in ours not at all."""

    @classmethod
    def of_callee(cls, request: Request, local_tag: str) -> "Dialog":
        """The callee's side of the dialog that `request` opens: 12.1.1."""
        dialog = cls(
            request.call_id,
            without_controls(request.headers["to"][0]),
            local_tag,
            without_controls(request.headers["from"][0]),
            request.from_tag,
        )
        dialog.remote_cseq = request.cseq
        if "record-route" in request.headers:
            dialog.route_set = _routes(request)
        dialog.refresh_target(request)
        return dialog

    def establish(self, response: Response) -> None:
        """Take the callee's tag, target and route set from a 1xx or 2xx: 12.1.2."""
        self.remote = without_controls(response.headers["to"][0])
        self.remote_tag = response.to_tag
        self.remote_target = self.remote_target or uri_of(self.remote)
        if "record-route" in response.headers:
            self.route_set = self._beyond_ours(_reversed_routes(response))
        self.refresh_target(response)

    def _beyond_ours(self, routes: tuple[str, ...]) -> tuple[str, ...]:
        """A route set without the proxy that we are (16.4: it takes itself out)."""
        if self.own_route and routes:
            try:
                ours, first = SipUri.parse(self.own_route), SipUri.parse(uri_of(routes[0]))
            except ParseError:
                return routes
            if ours.address == first.address:
                return routes[1:]
        return routes

    def refresh_target(self, message: Request | Response) -> None:
        """12.2.1.2, 12.2.2. A missing or unusable Contact leaves the target as it is."""
        contact = message.header("contact")
        if not contact:
            return
        try:
            target = uri_of(split_values(contact)[0] if "," in contact else contact)
            SipUri.parse(target, "Contact")
        except ParseError:
            return
        self.remote_target = target

    def accepts(self, request: Request) -> bool:
        """Whether a request belongs to this dialog: its Call-ID and From-tag (12.2.2)."""
        return request.call_id == self.call_id and request.from_tag == self.remote_tag

    def in_order(self, request: Request) -> bool:
        """Note a request's CSeq; False where it is not above the last one (12.2.2: answer 500)."""
        if request.cseq <= self.remote_cseq:
            return False
        self.remote_cseq = request.cseq
        return True

    def next_uri(self) -> str:
        """The URI whose host the next request of this dialog is sent to: 12.2.1.1."""
        return uri_of(self.route_set[0]) if self.route_set else self.remote_target

    def request_head(self, method: str, cseq: int) -> tuple[str, str]:
        """Request-URI, and the lines Route to CSeq, of a request in this dialog: 12.2.1.1, 16.12.1.2."""
        uri, routes = self.remote_target, self.route_set
        if routes and not _is_loose(routes[0]):
            uri, routes = uri_of(routes[0]), (*routes[1:], f"<{self.remote_target}>")
        route = "".join(f"Route: {value}\r\n" for value in routes)
        return uri, (
            f"{route}Max-Forwards: 70\r\nFrom: {self.local};tag={self.local_tag}\r\nTo: {self.remote}\r\n"
            f"Call-ID: {self.call_id}\r\nCSeq: {cseq} {method}\r\n"
        )


def _routes(message: Request | Response) -> tuple[str, ...]:
    """The values of Record-Route, fit for lines of our own. Raises ParseError."""
    return tuple([without_controls(value) for value in message.values("record-route")])


def _reversed_routes(response: Response) -> tuple[str, ...]:
    """A route set that cannot be read is none: the call is up, and an ACK without route may still arrive."""
    try:
        return _routes(response)[::-1]
    except ParseError:
        return ()


def _is_loose(route: str) -> bool:
    try:
        return SipUri.parse(uri_of(route), "Route").is_loose
    except ParseError:
        return True  # Not ours to judge: sent back as it came.
