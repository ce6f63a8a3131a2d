"""Whole calls of connectors that require encryption, and of those that do not: which offers pass, and with what."""

import json
from base64 import b64decode, b64encode
from dataclasses import replace

import pytest

from tests.flows.inbound import NUMBER, ONE, TWO, Inbound, route
from tests.flows.stage import CONNECTOR, FAR, FAR_SDP, PBX, REGION, TERMINATION, TRUNK, Stage, sdp
from tests.flows.test_in_call import answering, sides
from tests.phone import SDP
from tests.wire import body_of, header
from voiceconnector.media.plan import Srtp, StreamPlan
from voiceconnector.records.ladder import Packet, ladder, render_messages
from voiceconnector.sip.hop import Local
from voiceconnector.trunk.profile import AWS, LAB, Profile

SHA1_80, SHA1_32 = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"
THEIRS, THEIR_OTHER = b"t" * 30, b"o" * 30
SECRET = replace(CONNECTOR, require_encryption=True)
AWS_AT_HOME = replace(AWS, private_addresses_allowed=True, default_cps_limit=None)


def secure(
    *lines: str,
    address: str = PBX,
    port: int = 4000,
    direction: str = "sendrecv",
    version: int = 1,
    key: bytes = THEIRS,
) -> bytes:
    """The description of a PBX with secure RTP."""
    plain = sdp(address, port, direction=direction, version=version).replace(b"RTP/AVP", b"RTP/SAVP")
    lines = lines or (f"a=crypto:1 {SHA1_80} inline:{b64encode(key).decode()}",)
    return plain + "".join(f"{line}\r\n" for line in lines).encode()


def with_tls(stage: Stage, *nodes: str) -> None:
    """Let the trunk, and these PBXs, have a listener for TLS too."""
    world = stage.world
    world.add(world.nodes["trunk"], Local(REGION, "TLS", TRUNK, 5061))
    for name in nodes:
        world.add(world.nodes[name], Local(name, "TLS", world.local(name).host, 5061))


def encrypted(profile: Profile = LAB, **more: object) -> Stage:
    """A trunk that requires encryption, and a PBX that reaches it over TLS."""
    stage = Stage(profile, SECRET, **more)  # type: ignore[arg-type]
    with_tls(stage, "pbx")
    return stage


def crypto_of(body: bytes) -> list[tuple[str, str, bytes]]:
    """Tag, suite and key of the a=crypto lines."""
    lines = [line.decode()[9:].split() for line in body.split(b"\r\n") if line.startswith(b"a=crypto:")]
    return [(tag, suite, b64decode(inline.removeprefix("inline:"))) for tag, suite, inline in lines]


def key_of(body: bytes) -> bytes:
    """The key of the only a=crypto line."""
    ((_, _, key),) = crypto_of(body)
    return key


def protection_of(stage: Stage) -> list[Srtp | None]:
    return [stream.srtp for stream in stage.plan.streams]


# -- calls to the PSTN


@pytest.mark.parametrize("profile", [LAB, AWS_AT_HOME])
def test_an_encrypted_call_is_plain_behind_the_trunk(profile: Profile) -> None:
    """Acceptance case 12, guide p. 61: over TLS with RTP/SAVP it connects; the PSTN knows nothing of it."""
    stage = encrypted(profile)
    stage.pbx.dial(transport="TLS", body=secure())
    stage.run()
    offered = body_of(stage.sent("trunk>far INVITE"))
    assert b"RTP/AVP" in offered
    assert b"crypto" not in offered
    stage.far.pick_up()
    stage.run()
    answer = stage.pbx.bodies[-1]
    assert b" RTP/SAVP 0 101\r\n" in answer
    assert [line[:2] for line in crypto_of(answer)] == [("1", SHA1_80)]
    assert len(key_of(answer)) == 30
    assert protection_of(stage) == [Srtp(SHA1_80, THEIRS, key_of(answer)), None]
    assert stage.details["MediaProtection"] == {"Customer": SHA1_80, "Pstn": "plain RTP"}
    assert SHA1_80 in stage.explained()
    assert "198.51.100.7:6000 by its SDP (plain RTP)" in stage.explained()
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)
    assert "pass in SIP" not in stage.notes


def test_two_calls_have_two_keys() -> None:
    stage = encrypted()
    keys = []
    for _ in range(2):
        stage.answered(transport="TLS", body=secure())
        keys.append(key_of(stage.pbx.bodies[-1]))
        stage.pbx.session.hang_up(stage.now)
        stage.run()
    assert len(set(keys)) == 2
    stage.end(calls=2, completed=2)


@pytest.mark.parametrize(
    ("body", "warn_code", "words"),
    [
        (sdp(), "302", "offers audio over RTP/AVP, and the Voice Connector requires encryption, which is RTP/SAVP ("),
        (
            sdp() + b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + b64encode(THEIRS) + b"\r\n", "302",
            "its a=crypto lines count under RTP/SAVP only",
        ),
        (sdp().replace(b"RTP/AVP", b"RTP/SAVP"), "306", "it has no a=crypto line"),
        (secure(f"a=crypto:1 F8_128_HMAC_SHA1_80 inline:{b64encode(THEIRS).decode()}"), "306", "F8_128_HMAC_SHA1_80"),
        (
            secure(f"a=crypto:1 {SHA1_80} inline:{b64encode(THEIRS).decode()}|2^20|1:4"), "306",
            "it has a master key identifier (MKI), which is not supported",
        ),
        (secure("a=fingerprint:sha-256 19:E2:1C:3B", "a=setup:actpass"), "302", "DTLS-SRTP is not supported, use SDES"),
        (secure().replace(b"RTP/SAVP", b"RTP/SAVPF"), "302", "over RTP/SAVPF; only RTP/SAVP is carried"),
    ],
    ids=["plain", "best effort", "no key", "F8", "MKI", "DTLS", "SAVPF"],
)  # fmt: skip
def test_an_offer_without_a_usable_key_is_488_in_plain_words(body: bytes, warn_code: str, words: str) -> None:
    """Acceptance case 12, RFC 4568 5.1.2, RFC 3261 20.43; what is said never holds the key."""
    stage = encrypted()
    stage.pbx.dial(transport="TLS", body=body)
    stage.run()
    assert stage.pbx.heard == ["failed 488"]
    warning = header(stage.sent("trunk>pbx 488 INVITE"), "Warning")
    assert warning.startswith(f"{warn_code} voiceconnector ")
    assert words in warning
    assert not stage.far.sessions
    stage.end(completed=0, explained=["NO  media", "What to change"])
    told = stage.explained() + warning + repr(stage.events)
    assert b64encode(THEIRS).decode() not in told


def test_no_key_of_a_call_is_shown_anywhere() -> None:
    """Neither theirs nor ours: in what is explained, listed, told as an event, drawn as a ladder, or printed."""
    stage = encrypted()
    stage.answered(transport="TLS", body=secure())
    keys = [THEIRS, key_of(stage.pbx.bodies[-1])]
    packets = [Packet(time, "TLS", "pbx", "trunk", data) for time, _, _, data in stage.history.log]
    shown = [
        stage.explained(), json.dumps(stage.details), repr(stage.events), repr(stage.plan), repr(stage.history.plan),
        ladder(packets, {}), render_messages(packets, {}),
    ]  # fmt: skip
    assert "inline:(hidden)" in shown[-1]
    for text in shown:
        for key in keys:
            assert b64encode(key).decode() not in text
            assert repr(key)[2:-1] not in text
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_plain_signalling_is_blocked_before_media_is_looked_at() -> None:
    stage = encrypted()
    stage.pbx.dial(body=secure())
    stage.run()
    assert stage.pbx.heard == ["failed 403"]
    stage.end(calls=0)


def test_the_pbx_changes_its_key() -> None:
    """RFC 4568 7.1.4: a new key in a re-INVITE; ours, and what the PSTN was told, stay."""
    stage = encrypted()
    stage.answered(transport="TLS", body=secure())
    ours = key_of(stage.pbx.bodies[-1])
    stage.far.when_asked = answering(FAR_SDP)
    stage.pbx.session.send("INVITE", stage.now, SDP, secure(key=THEIR_OTHER, version=2))
    stage.run()
    assert protection_of(stage) == [Srtp(SHA1_80, THEIR_OTHER, ours), None]
    stage.pbx.session.send(
        "UPDATE", stage.now, SDP, secure(f"a=crypto:2 {SHA1_32} inline:{b64encode(THEIRS).decode()}")
    )
    stage.run()
    ((tag, suite, key),) = crypto_of(stage.pbx.bodies[-1])
    assert (tag, suite) == ("2", SHA1_32)
    assert key != ours
    assert protection_of(stage) == [Srtp(SHA1_32, THEIRS, key), None]
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


@pytest.mark.parametrize("who", ["pbx", "far"])
def test_hold_and_resume_keep_the_keys(who: str) -> None:
    """RFC 3264 8.4."""
    stage = encrypted()
    stage.answered(transport="TLS", body=secure())
    before = stage.plan
    asker, asked, _ = sides(stage, who)

    def described(phone: object, direction: str, version: int) -> bytes:
        if phone is stage.pbx:
            return secure(direction=direction, version=version)
        return sdp(FAR, 6000, direction=direction, version=version)

    for version, direction, back in ((2, "sendonly", "recvonly"), (3, "sendrecv", "sendrecv")):
        asked.when_asked = answering(described(asked, back, version))
        asker.session.send("INVITE", stage.now, SDP, described(asker, direction, version))
        stage.run()
        assert asker.heard[-1] == "200 INVITE"
        assert protection_of(stage) == [stream.srtp for stream in before.streams]
    assert stage.plan == before
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


@pytest.mark.parametrize("who", ["pbx", "far"])
def test_a_refresh_without_change_does_not_touch_the_relay(who: str) -> None:
    """RFC 4028 7.4."""
    stage = encrypted()
    stage.answered(transport="TLS", body=secure())
    plans = len(stage.ports.plans[1])
    asker, asked, _ = sides(stage, who)
    asked.when_asked = answering(FAR_SDP if who == "pbx" else secure())
    asker.session.send("INVITE", stage.now, SDP, secure() if who == "pbx" else FAR_SDP)
    stage.run()
    assert asker.heard[-1] == "200 INVITE"
    assert len(stage.ports.plans[1]) == plans
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_a_call_without_offer_is_offered_secure_rtp() -> None:
    """RFC 3261 13.2.1: our offer with its keys in the 200, the PBX's key in the ACK."""
    stage = encrypted()
    stage.pbx.acknowledge_with = secure()
    stage.pbx.dial(transport="TLS", body=b"")
    stage.run()
    stage.far.pick_up()
    stage.run()
    assert protection_of(stage) == [Srtp(SHA1_80, THEIRS, key_of(stage.pbx.bodies[-1])), None]
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_early_media_is_encrypted_with_the_key_of_the_answer() -> None:
    stage = encrypted()
    stage.pbx.dial(transport="TLS", body=secure())
    stage.run()
    stage.far.early_media()
    stage.run()
    early = protection_of(stage)
    stage.far.pick_up()
    stage.run()
    assert protection_of(stage) == early == [Srtp(SHA1_80, THEIRS, key_of(stage.pbx.bodies[0])), None]
    assert stage.pbx.bodies[0] == stage.pbx.bodies[-1]
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_requiring_encryption_counts_from_the_next_call() -> None:
    """A call that is up goes on as it began."""
    stage = Stage()
    with_tls(stage, "pbx")
    stage.answered()
    stage.configure(require_encryption=True)
    stage.far.when_asked = answering(FAR_SDP)
    stage.pbx.session.send("INVITE", stage.now, SDP, sdp(version=2))
    stage.run()
    assert stage.pbx.heard[-1] == "200 INVITE"
    stage.pbx.session.hang_up(stage.now)
    stage.pbx.dial(transport="TLS", body=sdp())
    stage.run()
    assert stage.pbx.heard[-1] == "failed 488"
    stage.end(calls=2, completed=1)


# -- connectors that do not require it


def test_secure_rtp_over_plain_sip_is_carried_and_told() -> None:
    """RFC 4568 8: the keys are as secret as the signalling."""
    stage = Stage()
    stage.answered(body=secure())
    assert protection_of(stage)[0] is not None
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)
    assert stage.notes.count("The keys of the caller's secure RTP pass in SIP over UDP, which is not encrypted") == 1


def test_a_profile_may_refuse_secure_rtp_that_nobody_requires() -> None:
    stage = Stage(AWS_AT_HOME)
    stage.pbx.dial(body=secure())
    stage.run()
    assert stage.pbx.heard == ["failed 488"]
    assert "(profile.srtp_optional)" in header(stage.sent("trunk>pbx 488 INVITE"), "Warning")
    stage.end(completed=0)


def test_secure_rtp_ends_at_the_trunk_on_the_pstns_side() -> None:
    """A peer behind the trunk that answers with it has not been offered it."""
    stage = Stage()
    stage.pbx.dial()
    stage.run()
    stage.far.pick_up(body=secure(address=FAR, port=6000))
    stage.run()
    assert stage.pbx.heard == ["failed 488"]
    stage.end(completed=0, explained=["only RTP/AVP is carried"])


# -- calls from the PSTN


class Encrypted(Inbound):
    """PBXs that are called over TLS. Their routes are TCP, as the service wants them."""

    def __init__(self, **more: object) -> None:
        super().__init__(
            route(ONE, protocol="TCP", port=5061), route(TWO, 2, protocol="TCP", port=5061), **more  # type: ignore[arg-type]
        )  # fmt: skip
        with_tls(self, "one", "two")
        self.configure(require_encryption=True, termination=TERMINATION)
        self.one.answer = secure(address=ONE, port=7000)


def test_an_inbound_call_is_offered_with_our_key() -> None:
    """Guide p. 61: TLS and secure RTP; the default offer is AES-128 with an 80 bit tag."""
    stage = Encrypted()
    stage.ring()
    stage.run()
    offered = body_of(stage.invite())
    assert b" RTP/SAVP 0 101\r\n" in offered
    assert [line[:2] for line in crypto_of(offered)] == [("1", SHA1_80)]
    stage.one.pick_up()
    stage.run()
    assert b"crypto" not in stage.far.bodies[-1]
    assert protection_of(stage) == [None, Srtp(SHA1_80, THEIRS, key_of(offered))]
    stage.far.session.hang_up(stage.now)
    stage.end(completed=1)
    assert "pass in SIP" not in stage.notes


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (sdp(ONE, 7000), "answers audio over RTP/AVP; only RTP/SAVP is carried"),
        (secure("a=x:1", address=ONE), "it has no a=crypto line"),
        (secure(f"a=crypto:1 {SHA1_32} inline:{b64encode(THEIRS).decode()}", address=ONE), "tag 1 was offered for"),
        (secure(f"a=crypto:1 {SHA1_80} inline:{b64encode(THEIRS).decode()}|1:4", address=ONE), "(MKI)"),
    ],
)
def test_an_answer_without_a_usable_key_ends_the_call(body: bytes, words: str) -> None:
    """RFC 4568 5.1.3: ACK, then BYE; the caller is refused, and the user told why."""
    stage = Encrypted()
    stage.ring()
    stage.run()
    stage.one.pick_up(body=body)
    stage.end(completed=0, explained=["NO  media", words])
    assert stage.far.heard == ["failed 488"]
    assert stage.one.heard == ["INVITE", "ACK", "BYE"]


def test_the_next_target_gets_another_key() -> None:
    """RFC 4568 8: the first one has seen the first."""
    stage = Encrypted()
    stage.ring()
    stage.run()
    first = key_of(body_of(stage.invite()))
    stage.one.refuse(503)
    stage.run()
    second = key_of(body_of(stage.invite("two")))
    assert first != second
    stage.two.pick_up(body=secure(address=TWO, port=7000))
    stage.run()
    assert protection_of(stage) == [None, Srtp(SHA1_80, THEIRS, second)]
    stage.far.session.hang_up(stage.now)
    stage.end(completed=1)


def test_the_pstn_refreshes_a_call_whose_other_leg_is_encrypted() -> None:
    """RFC 4568 7.1.4: our key on the PBX's leg stays what it was."""
    stage = Encrypted()
    stage.talking()
    first = body_of(stage.invite())
    before: list[StreamPlan] = [*stage.plan.streams]
    stage.one.when_asked = answering(stage.one.answer)
    stage.far.session.send("INVITE", stage.now, SDP, FAR_SDP)
    stage.run()
    assert stage.far.heard[-1] == "200 INVITE"
    assert crypto_of(stage.one.bodies[-1]) == crypto_of(first)
    assert [*stage.plan.streams] == before
    stage.far.session.hang_up(stage.now)
    stage.end(completed=1)
    assert NUMBER in stage.explained()
