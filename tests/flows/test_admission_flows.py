"""Who may call, as seen from the PBX: the answer to its INVITE or OPTIONS, the record, and the explanation."""

import hashlib
from dataclasses import replace

import pytest

from tests.flows.stage import CALLED_FAR, CALLER, CONNECTOR, PBX, REGION, TERMINATION, TRUNK, Stage, sdp
from tests.wire import answer, header, headers_of, request, start_line
from tests.world import Peer
from voiceconnector.sip.hop import Local
from voiceconnector.trunk.model import Credential
from voiceconnector.trunk.profile import AWS, LAB

HOST = CONNECTOR.outbound_host_name
URI = f"sip:{CALLED_FAR}@{HOST}"
USER, PASSWORD = "pbx", "correct horse"
RAW = "192.0.2.20"


class RawPbx:
    """A PBX that writes its own messages: what it sends is on the wire as it is here."""

    def __init__(self, stage: Stage, host: str = RAW) -> None:
        self.stage = stage
        self.host = host
        self.peer: Peer = stage.world.peer("raw", host)
        self.peer.answers = self._answers
        self.trunk: Local = stage.world.local("trunk")
        self.requests = 0

    def _answers(self, data: bytes) -> list[bytes]:
        """ACKs for refusals, 200 for what the trunk asks."""
        if not start_line(data).startswith("SIP/2.0"):
            return [answer(data)]
        if header(data, "CSeq").endswith(" INVITE") and start_line(data)[8] in "3456":
            ack = self._request("ACK", header(data, "CSeq").split()[0], header(data, "Via").partition("branch=")[2])
            return [ack.replace(f"<{URI}>\r\n".encode(), f"{header(data, 'To')}\r\n".encode())]
        return []

    def _request(self, method: str, cseq: str, branch: str, headers: str = "", body: bytes = b"") -> bytes:
        branch = branch.partition(";")[0]
        return request(
            method,
            URI,
            via=f"SIP/2.0/UDP {self.host}:5060;branch={branch}",
            caller=f"<sip:{CALLER}@{self.host}>;tag=raw",
            called=f"<{URI}>",
            call_id=f"raw@{self.host}",
            cseq=f"{cseq} {method}",
            headers=headers,
            body=body,
        )

    def send(self, method: str = "INVITE", headers: str = "", body: bytes | None = None) -> bytes:
        """Send a request; the final answer to it, or nothing."""
        self.requests += 1
        if method == "INVITE":
            headers = f"Contact: <sip:{self.host}>\r\nContent-Type: application/sdp\r\n{headers}"
            body = sdp(self.host) if body is None else body
        cseq = str(self.requests)
        self.peer.send(self._request(method, cseq, f"z9hG4bKraw{cseq}", headers, body or b""), self.trunk)
        self.stage.run(0.2)
        finals = [data for data in self.peer.received if start_line(data)[8:9] in tuple("23456")]
        found = [data for data in finals if header(data, "CSeq") == f"{cseq} {method}"]
        return found[-1] if found else b""

    def cancel(self) -> None:
        """Give up the call that rings."""
        self.peer.send(self._request("CANCEL", str(self.requests), f"z9hG4bKraw{self.requests}"), self.trunk)
        self.stage.run(0.2)


def credentials(
    challenge: bytes,
    *,
    user: str = USER,
    password: str = PASSWORD,
    nc: int = 1,
    nonce: str = "",
    algorithm: str = "MD5",
) -> str:
    """A Proxy-Authorization line by the formulas of RFC 7616 3.4.1."""
    offered = next(line for line in headers_of(challenge, "Proxy-Authenticate") if algorithm in line)
    realm = offered.partition('realm="')[2].partition('"')[0]
    nonce = nonce or offered.partition('nonce="')[2].partition('"')[0]
    digest = hashlib.md5 if algorithm == "MD5" else hashlib.sha256

    def h(text: str) -> str:
        return digest(text.encode()).hexdigest()

    response = h(f"{h(f'{user}:{realm}:{password}')}:{nonce}:{nc:08x}:c:auth:{h(f'INVITE:{URI}')}")
    return (
        f'Proxy-Authorization: Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{URI}", '
        f'response="{response}", algorithm={algorithm}, cnonce="c", qop=auth, nc={nc:08x}\r\n'
    )


def guarded(**profile: object) -> Stage:
    """A trunk that asks for a password."""
    stage = Stage(replace(LAB, **profile))  # type: ignore[arg-type]  # Fields of Profile by name.
    stage.configure(credentials=(Credential(USER, PASSWORD),))
    return stage


# -- digest


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_the_right_password_admits_the_call(algorithm: str) -> None:
    """Acceptance case 3; RFC 7616 3.4."""
    stage = guarded(digest_algorithms=("SHA-256", "MD5"))
    pbx = RawPbx(stage)
    challenge = pbx.send()
    assert start_line(challenge) == "SIP/2.0 407 Proxy Authentication Required"
    assert len(headers_of(challenge, "Proxy-Authenticate")) == 2
    assert not headers_of(challenge, "Warning"), "a first challenge is nothing to warn of"
    pbx.send(headers=credentials(challenge, algorithm=algorithm))
    assert stage.world.told()[-1] == "far>trunk 100 INVITE"
    pbx.cancel()
    stage.end(explained=['user "pbx" gave the right password'])
    assert stage.ended()[0].started.sip_auth_user == USER
    assert any(b"407 " in data for _, _, _, data in stage.history.log), "the challenge is a part of the story"


def test_a_challenge_alone_leaves_no_record() -> None:
    stage = guarded()
    RawPbx(stage).send()
    stage.end(calls=0, explained=["Challenged with 407", "Credentials"])
    assert not stage.refused()


@pytest.mark.parametrize(
    ("wrong", "because", "stale"),
    [
        ({"password": "guess"}, "the password for user", False),
        ({"user": "nobody"}, "no credential of the connector has the user name", False),
        ({"nonce": "00000000" * 4}, "the challenge that the PBX answered is unknown or older", True),
    ],
    ids=["wrong password", "unknown user", "unknown nonce"],
)
def test_a_wrong_answer_is_challenged_again_and_never_admitted(
    wrong: dict[str, str], because: str, stale: bool
) -> None:
    """Acceptance case 4; RFC 7616 3.3: stale only where the password may be right."""
    stage = guarded()
    pbx = RawPbx(stage)
    challenge = pbx.send(headers=credentials(pbx.send(), **wrong))  # type: ignore[arg-type]  # All of them text.
    assert start_line(challenge).startswith("SIP/2.0 407")
    assert ("stale=true" in header(challenge, "Proxy-Authenticate")) == stale
    assert because in header(challenge, "Warning")
    stage.end(calls=0, explained=[because, "Credentials"])
    assert stage.switch.refusals["digest"] == (0 if stale else 1)
    assert not stage.world.told("trunk", "far")


def test_an_old_nonce_is_stale_and_the_new_one_admits() -> None:
    """RFC 7616 3.3: "stale=true ... the client may wish to simply retry"."""
    stage = guarded(nonce_lifetime=60.0)
    pbx = RawPbx(stage)
    challenge = pbx.send()
    stage.run(61)
    again = pbx.send(headers=credentials(challenge))
    assert "stale=true" in header(again, "Proxy-Authenticate")
    pbx.send(headers=credentials(again))
    assert stage.world.told()[-1] == "far>trunk 100 INVITE"
    pbx.cancel()
    stage.end()


def test_a_used_answer_is_refused_and_the_next_count_is_admitted() -> None:
    """RFC 7616 3.4: the nonce count lets the server see replays."""
    stage = guarded()
    pbx = RawPbx(stage)
    challenge = pbx.send()
    pbx.send(headers=credentials(challenge))
    pbx.cancel()
    replayed = pbx.send(headers=credentials(challenge))
    assert start_line(replayed).startswith("SIP/2.0 407")
    assert "was used before" in header(replayed, "Warning")
    pbx.send(headers=credentials(challenge, nc=2))
    pbx.cancel()
    stage.end(calls=2)


@pytest.mark.parametrize(
    "line",
    [
        "Digest",
        "Basic cGJ4OmNvcnJlY3QgaG9yc2U=",
        'Digest username="pbx',
        "Digest username=,,,",
        "\x00",
        'Digest realm=""',
    ],
)
def test_credentials_that_cannot_be_read_are_challenged(line: str) -> None:
    stage = guarded()
    refusal = RawPbx(stage).send(headers=f"Proxy-Authorization: {line}\r\n")
    assert start_line(refusal).startswith("SIP/2.0 407")
    stage.end(calls=0)


def test_secrets_are_in_no_note_event_or_explanation() -> None:
    stage = guarded()
    pbx = RawPbx(stage)
    line = credentials(pbx.send(), password="s3cret-guess")
    pbx.send(headers=line)
    response = line.partition('response="')[2].partition('"')[0]
    told = f"{stage.notes}{stage.events}{stage.explained()}{stage.ended()}"
    for secret in (PASSWORD, "s3cret-guess", response):
        assert secret not in told
    stage.end(calls=0)


# -- limits


def test_calls_beyond_the_calls_per_second_are_throttled() -> None:
    """Acceptance case 10."""
    stage = Stage()
    stage.configure(termination=replace(TERMINATION, cps_limit=1))
    stage.pbx.dial()
    stage.pbx.dial()
    stage.run()
    assert stage.pbx.heard == ["failed 503"]
    refusal = stage.sent("trunk>pbx 503 INVITE")
    assert header(refusal, "Retry-After") == "1"
    assert "Termination.CpsLimit" in header(refusal, "Warning")
    assert stage.switch.limits.throttles == {CONNECTOR.voice_connector_id: 1}
    assert "Termination.CpsLimit" in stage.explained()
    stage.run(1)
    stage.pbx.dial()
    stage.run()
    assert stage.pbx.heard == ["failed 503"], "the third passes"
    for session in stage.pbx.sessions:
        session.hang_up(stage.now)
    stage.end(calls=3)


def test_the_quota_of_active_calls_is_kept() -> None:
    """Acceptance case 11."""
    stage = Stage(replace(LAB, active_calls_quota=1))
    first, _ = stage.answered()
    stage.pbx.dial()
    stage.run()
    assert stage.pbx.heard[-1] == "failed 503"
    assert "profile.active_calls_quota" in stage.explained()
    first.hang_up(stage.now)
    stage.run()
    assert stage.switch.limits.active_calls_in_region(REGION) == 0
    stage.answered()
    stage.pbx.session.hang_up(stage.now)
    stage.end(calls=3, completed=2)


# -- numbers, plans, places


@pytest.mark.parametrize(
    ("dial", "refusal", "explained"),
    [
        ({"caller": "+13125550199"}, "403 Caller Id +13125550199 is not valid", "Termination.DefaultPhoneNumber"),
        ({"called": "2065550123"}, "484 2065550123 Is Not an E.164 Number", "profile.not_e164_status"),
        ({"called": "01144207946"}, "484 01144207946 Is Not an E.164 Number", "international access code"),
        ({"called": "+4930123456"}, "403 Country DE Is Not in the Calling Plan", "Termination.CallingRegions"),
        ({"called": "+14165550123"}, "403 Country CA Is Not in the Calling Plan", "+1 is told apart by area code"),
        ({"host": "nowhere.example.com"}, "404 No Voice Connector Has This Host Name", "OutboundHostName"),
    ],
)
def test_a_refusal_says_what_and_why(dial: dict[str, str], refusal: str, explained: str) -> None:
    """Acceptance cases 5 to 9."""
    stage = Stage()
    stage.pbx.dial(**dial)  # type: ignore[arg-type]  # All of them text.
    stage.run()
    status_code = refusal[:3]
    message = stage.sent(f"trunk>pbx {status_code} INVITE")
    assert start_line(message) == f"SIP/2.0 {refusal}"
    assert header(message, "Warning").startswith('399 voiceconnector "')
    recorded = 0 if "host" in dial else 1
    stage.end(calls=recorded, completed=0, explained=[explained, f"Refused with {refusal}."])
    if recorded:
        assert stage.ended()[0].status_message == refusal[4:]
    assert len(stage.refused()) == 1
    assert stage.switch.refusals.total() == 1


def test_a_stranger_is_refused_and_leaves_no_record() -> None:
    """Acceptance case 2."""
    stage = Stage()
    refusal = RawPbx(stage, "198.51.100.200").send()
    assert start_line(refusal) == "SIP/2.0 403 Source Address 198.51.100.200 Is Not Allowed"
    stage.end(calls=0, explained=["Termination.CidrAllowedList", '"198.51.100.200/32"'])


def test_a_stranger_may_be_met_with_silence() -> None:
    stage = Stage(replace(LAB, drop_unlisted=True))
    assert RawPbx(stage, "198.51.100.200").send() == b""
    stage.end(calls=0, explained=["Dropped", "Termination.CidrAllowedList"])
    assert stage.world.told() == ["raw>trunk INVITE"]


@pytest.mark.parametrize(
    ("method", "headers"),
    [("REGISTER", ""), ("OPTIONS", ""), ("INVITE", "Require: x\r\n"), ("OPTIONS", "Require: x\r\n")],
)
def test_silence_towards_strangers_is_complete(method: str, headers: str) -> None:
    stage = Stage(replace(LAB, drop_unlisted=True))
    assert RawPbx(stage, "198.51.100.200").send(method, headers) == b""
    stage.end(calls=0)


def test_a_disabled_termination_refuses() -> None:
    stage = Stage()
    stage.configure(termination=replace(TERMINATION, disabled=True))
    stage.pbx.dial()
    stage.run()
    assert stage.pbx.heard == ["failed 403"]
    stage.end(completed=0, explained=["Termination.Disabled"])


def test_encryption_that_is_required_keeps_udp_out() -> None:
    """Acceptance case 12."""
    stage = Stage()
    stage.configure(require_encryption=True)
    stage.pbx.dial()
    stage.run()
    assert stage.pbx.heard == ["failed 403"]
    stage.end(calls=0, explained=["RequireEncryption"])


def test_an_asserted_identity_may_be_a_sip_and_a_tel_uri() -> None:
    """RFC 3325 9.1: the header may hold one of each, in one line."""
    stage = Stage()
    pai = f"P-Asserted-Identity: <tel:{CALLER}>, <sip:other@pbx>\r\n"
    session = stage.pbx.dial(caller="anonymous", headers=pai)
    stage.run()
    assert f"<sip:{CALLER}@{TRUNK}>" in header(stage.sent("trunk>far INVITE"), "From")
    session.cancel(stage.now)
    stage.end(explained=[f"the caller {CALLER} (P-Asserted-Identity)"])


def test_a_broken_asserted_identity_is_as_none() -> None:
    stage = Stage()
    session = stage.pbx.dial(headers='P-Asserted-Identity: "x, <sip:y\r\n')
    stage.run()
    assert stage.world.told()[-1] == "far>trunk 100 INVITE"
    session.cancel(stage.now)
    stage.end()


def test_a_caller_that_is_no_number_is_shown_safely() -> None:
    stage = Stage()
    stage.pbx.dial(from_="<sip:evil%0d%0aname@pbx>")
    stage.run()
    assert stage.pbx.heard == ["failed 403"]
    stage.end(completed=0, explained=["-> +442079460123"])


# -- what cannot be worked on


@pytest.mark.parametrize(
    ("headers", "body", "refusal", "line"),
    [
        ("Require: 100rel, timer\r\n", None, "420 Bad Extension", "Unsupported: 100rel"),
        ("Content-Encoding: gzip\r\n", None, "415 Unsupported Content Encoding", "Accept-Encoding: identity"),
        ('Record-Route: "a, <sip:a;lr>\r\n', None, "400 Bad Contact or Record-Route", "Warning: 399"),
    ],
)
def test_an_invite_that_cannot_be_worked_on_is_refused_and_recorded(
    headers: str, body: bytes | None, refusal: str, line: str
) -> None:
    """RFC 3261 8.2.2.3, 8.2.3, 12.1.1."""
    stage = Stage()
    message = RawPbx(stage).send(headers=headers, body=body)
    assert start_line(message) == f"SIP/2.0 {refusal}"
    assert line in message.decode()
    stage.end(completed=0, explained=[refusal[4:], "RFC 3261"])


@pytest.mark.parametrize("contact", ["*", "<tel:+12065550100>", '"x, <sip:a@b>', "<sip:a b@c>", "<>"])
def test_a_contact_that_leads_nowhere_is_refused(contact: str) -> None:
    """RFC 3261 8.1.1.8."""
    stage = Stage()
    pbx = RawPbx(stage)
    pbx.peer.send(
        request(uri=URI, via=f"SIP/2.0/UDP {RAW};branch=z9hG4bKc", headers=f"Contact: {contact}\r\n"), pbx.trunk
    )
    stage.run()
    assert start_line(pbx.peer.received[-1]) == "SIP/2.0 400 Bad Contact or Record-Route"
    pbx.peer.answers = None
    stage.end(completed=0, explained=["Contact"])


def test_an_invite_without_contact_is_taken_as_rfc_2543_sent_it() -> None:
    stage = Stage()
    pbx = RawPbx(stage)
    data = request(
        uri=URI, via=f"SIP/2.0/UDP {RAW};branch=z9hG4bKc", caller=f"<sip:{CALLER}@{RAW}>;tag=r", called=f"<{URI}>"
    )
    pbx.peer.send(data, pbx.trunk)
    stage.run()
    assert stage.world.told()[-1] == "far>trunk 100 INVITE"
    stage.far.session.refuse(486, "Busy Here", stage.now)
    stage.end(completed=0)


@pytest.mark.parametrize(
    ("content_type", "disposition", "status_code"),
    [("text/plain", "", 415), ("", "", 415), ("text/plain", "render;handling=optional", 0)],
)
def test_a_body_of_another_type_is_415_unless_it_is_optional(
    content_type: str, disposition: str, status_code: int
) -> None:
    """RFC 3261 8.2.3, 20.11."""
    stage = Stage()
    headers = f"Content-Disposition: {disposition}\r\n" if disposition else ""
    session = stage.pbx.dial(body=b"hello", content_type=content_type, headers=headers)
    stage.run()
    if status_code:
        assert stage.pbx.heard == [f"failed {status_code}"]
        stage.end(completed=0, explained=["application/sdp"])
    else:
        assert stage.world.told()[-1] == "far>trunk 100 INVITE"
        session.cancel(stage.now)
        stage.end(completed=0)


@pytest.mark.parametrize("body", [b"", b"--b\r\n\r\nno end", b"--other--"])
def test_a_multipart_body_that_cannot_be_read_is_400(body: bytes) -> None:
    """RFC 2046 5.1.1; acceptance case 35 for the trunk."""
    stage = Stage()
    stage.pbx.dial(body=body or b"x", content_type="multipart/mixed;boundary=b")
    stage.run()
    assert stage.pbx.heard == ["failed 400"]
    stage.end(completed=0, explained=["Bad Multipart Body"])


def test_max_forwards_0_is_483() -> None:
    """RFC 3261 16.3."""
    stage = Stage()
    stage.pbx.dial(headers="Max-Forwards: 0\r\n")
    stage.run()
    assert stage.pbx.heard == ["failed 483"]
    stage.end(completed=0, explained=["Too Many Hops"])


def test_the_same_invite_on_two_paths_is_482_once() -> None:
    """RFC 3261 8.2.2.2: merged requests."""
    stage = Stage()
    pbx = RawPbx(stage)
    pbx.send()
    again = stage.world.sent("raw>trunk INVITE")[0].replace(b"z9hG4bKraw1", b"z9hG4bKother")
    pbx.peer.send(again, pbx.trunk)
    stage.run()
    assert [data for data in pbx.peer.received if b" 482 " in data]
    pbx.cancel()
    stage.end(completed=0)


def test_a_broken_invite_of_a_stranger_is_refused_for_its_source() -> None:
    stage = Stage()
    refusal = RawPbx(stage, "198.51.100.200").send(headers="Require: x\r\n")
    assert start_line(refusal).startswith("SIP/2.0 403")
    assert not headers_of(refusal, "Unsupported")
    stage.end(calls=0)


# -- outside of calls


def test_options_of_an_allowed_pbx_is_its_termination_health() -> None:
    """Acceptance case 15; RFC 3261 11.2."""
    stage = Stage()
    pong = RawPbx(stage).send("OPTIONS")
    assert start_line(pong) == "SIP/2.0 200 OK"
    assert ";tag=" in header(pong, "To")
    assert not headers_of(pong, "Allow")
    assert stage.health == [(CONNECTOR.voice_connector_id, RAW)]
    stage.end(calls=0)


def test_options_of_a_stranger_is_refused_and_counts_for_nothing() -> None:
    """Acceptance case 16."""
    stage = Stage()
    refusal = RawPbx(stage, "198.51.100.200").send("OPTIONS")
    assert start_line(refusal).startswith("SIP/2.0 403")
    assert not stage.health
    stage.end(calls=0, explained=["Termination.CidrAllowedList"])


def test_register_is_told_that_the_trunk_does_not_register() -> None:
    stage = Stage()
    refusal = RawPbx(stage).send("REGISTER")
    assert start_line(refusal) == "SIP/2.0 405 This Trunk Does Not Register"
    assert header(refusal, "Allow") == ", ".join(LAB.methods)
    stage.end(calls=0, explained=["Switch registration off for this trunk", "profile.register_status"])


@pytest.mark.parametrize("method", ["SUBSCRIBE", "MESSAGE", "REFER", "PUBLISH", "NOTIFY", "PRACK"])
def test_other_methods_outside_a_call_are_405(method: str) -> None:
    stage = Stage()
    assert start_line(RawPbx(stage).send(method)).startswith("SIP/2.0 405")
    stage.end(calls=0, explained=[method])


@pytest.mark.parametrize("method", ["BYE", "UPDATE", "INFO"])
def test_requests_of_no_call_are_481(method: str) -> None:
    """RFC 3261 12.2.2, 15.1.2."""
    stage = Stage()
    assert start_line(RawPbx(stage).send(method)) == "SIP/2.0 481 Call/Transaction Does Not Exist"
    stage.end(calls=0)


def test_an_unknown_method_is_501() -> None:
    stage = Stage(AWS)
    assert start_line(RawPbx(stage).send("JUMP")).startswith("SIP/2.0 501")
    stage.end(calls=0, explained=["JUMP"])


def test_pings_that_are_refused_do_not_push_out_refused_calls() -> None:
    """One refused call must still be explained after a night of refused OPTIONS."""
    stage = Stage()
    stage.pbx.dial(called="2065550123")
    stage.run()
    pbx = RawPbx(stage, "198.51.100.200")
    for _ in range(600):
        pbx.send("OPTIONS")
        stage.run(1)
    assert any(call.call_id == stage.pbx.session.dialog.call_id for call in stage.switch.history.all())
    assert len(stage.switch.history.all()) < 10
    stage.end(calls=1)


def test_the_source_of_a_call_is_where_it_comes_from_not_what_it_says() -> None:
    """RFC 3261 18.2.1: Via may name any address."""
    stage = Stage()
    pbx = RawPbx(stage, "198.51.100.200")
    pbx.host = PBX
    assert start_line(pbx.send()).startswith("SIP/2.0 403 Source Address 198.51.100.200")
    stage.end(calls=0)
