"""The values of `trunk.model`: what they derive, what they hide, what they refuse."""

from dataclasses import replace

import pytest

from voiceconnector.trunk.model import (
    Credential,
    PhoneNumber,
    Snapshot,
    Termination,
    VoiceConnector,
    VoiceConnectorGroup,
    VoiceConnectorItem,
)

CONNECTOR_ID = "abcdef1ghij2klmno3pqr4"


def test_the_outbound_host_name_is_the_id_under_the_services_domain() -> None:
    """Guide p. 61: `abcdef1ghij2klmno3pqr4.voiceconnector.chime.aws`."""
    connector = VoiceConnector(CONNECTOR_ID, "lab")
    assert connector.outbound_host_name == "abcdef1ghij2klmno3pqr4.voiceconnector.chime.aws"


def test_a_password_is_in_no_representation() -> None:
    connector = VoiceConnector(CONNECTOR_ID, "lab", credentials=(Credential("pbx", "t0p-secret"),))
    assert "t0p-secret" not in repr(connector)
    assert "pbx" in repr(connector)


def test_a_user_name_is_case_sensitive() -> None:
    """RFC 7616 3.4.2: the user name goes into HA1 byte by byte."""
    pbx = Credential("pbx", "secret")
    connector = VoiceConnector(CONNECTOR_ID, "lab", credentials=(pbx,))
    assert connector.credential("pbx") is pbx
    assert connector.credential("PBX") is None


@pytest.mark.parametrize(
    ("allowed", "source", "expected"),
    [
        ("198.51.100.4/32", "198.51.100.4", True),
        ("198.51.100.4/32", "198.51.100.5", False),
        ("198.51.100.4", "198.51.100.4", True),
        ("192.0.2.0/27", "192.0.2.31", True),
        ("192.0.2.0/27", "192.0.2.32", False),
        ("0.0.0.0/0", "203.0.113.9", True),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("2001:db8::/32", "2001:db8:ffff::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("192.0.2.0/24", "::ffff:192.0.2.7", True),
    ],
)
def test_a_source_address_is_allowed_by_the_network_it_is_in(allowed: str, source: str, expected: bool) -> None:
    """RFC 4632 3.1 prefixes; RFC 4291 2.5.5.2 for the IPv4-mapped address of a dual-stack socket."""
    assert Termination(cidr_allowed_list=(allowed,)).allows(source) is expected


def test_an_empty_allowlist_allows_nobody() -> None:
    assert not Termination().allows("127.0.0.1")


def test_a_network_with_host_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="host bits"):
        Termination(cidr_allowed_list=("192.0.2.7/24",))


def test_terminations_are_equal_when_their_settings_are() -> None:
    assert Termination(cidr_allowed_list=("192.0.2.0/24",)) == Termination(cidr_allowed_list=("192.0.2.0/24",))
    assert Termination() != Termination(disabled=True)


def test_a_snapshot_finds_a_connector_by_id_host_name_and_number() -> None:
    """Host names ignore case (RFC 4343) and may end in the root's dot (RFC 1034 3.1)."""
    lab = VoiceConnector(CONNECTOR_ID, "lab", phone_numbers=("+12065550100", "+12065550101"))
    snapshot = Snapshot.of([lab, VoiceConnector("0" * 22, "other")])
    assert snapshot.by_id[CONNECTOR_ID] is lab
    assert snapshot.for_host_name("ABCDEF1ghij2klmno3pqr4.VoiceConnector.chime.aws.") is lab
    assert snapshot.for_host_name("voiceconnector.chime.aws") is None
    assert snapshot.owner("+12065550101") is lab
    assert snapshot.owner("+12065550199") is None


def test_a_snapshot_cannot_be_changed() -> None:
    snapshot = Snapshot.of([VoiceConnector(CONNECTOR_ID, "lab")])
    with pytest.raises(TypeError):
        snapshot.by_id["x"] = VoiceConnector("x", "x")  # type: ignore[index]  # what is shown to fail


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (VoiceConnector(CONNECTOR_ID, "twin"), CONNECTOR_ID),
        (VoiceConnector("0" * 22, "thief", phone_numbers=("+12065550100",)), r"\+12065550100"),
    ],
)
def test_an_id_and_a_phone_number_have_one_owner(second: VoiceConnector, message: str) -> None:
    first = VoiceConnector(CONNECTOR_ID, "lab", phone_numbers=("+12065550100",))
    with pytest.raises(ValueError, match=message):
        Snapshot.of([first, second])


EAST = VoiceConnector("east" * 5 + "00", "east", phone_numbers=("+12065550100",))
WEST = VoiceConnector("west" * 5 + "00", "west", "us-west-2")
GROUP = VoiceConnectorGroup(
    "group" * 4 + "00",
    "both",
    (VoiceConnectorItem(WEST.voice_connector_id, 2), VoiceConnectorItem(EAST.voice_connector_id, 1)),
    ("+12065550111",),
)


def test_a_number_leads_to_its_connector_or_to_those_of_its_group_by_rank() -> None:
    """Guide p. 65: 1 is the highest priority, and higher ones are attempted first."""
    snapshot = Snapshot.of([WEST, EAST], [GROUP])
    assert snapshot.inbound("+12065550100") == (EAST,)
    assert snapshot.inbound("+12065550111") == (EAST, WEST)
    assert snapshot.inbound("+12065550199") == ()
    assert snapshot.owner("+12065550111") is None
    assert snapshot.by_phone_number["+12065550111"] is GROUP


def test_a_number_in_the_deletion_queue_leads_nowhere_and_is_told_from_an_unassigned_one() -> None:
    """Guide p. 58."""
    snapshot = Snapshot.of([EAST], (), [PhoneNumber("+12065550199", deletion_due=1.0)])
    assert snapshot.inbound("+12065550199") == snapshot.inbound("+12065550198") == ()
    assert snapshot.awaits_deletion("+12065550199")
    assert not snapshot.awaits_deletion("+12065550198")


@pytest.mark.parametrize(
    ("connectors", "groups", "deleted", "message"),
    [
        ([EAST], [GROUP], [], "no such Voice Connector"),
        ([EAST, WEST], [GROUP, GROUP], [], "two of VoiceConnectorGroup"),
        ([VoiceConnector("0" * 22, "x", phone_numbers=("+12065550111",)), EAST, WEST], [GROUP], [], "both have"),
        ([EAST, WEST], [GROUP], ["+12065550111"], "deletion queue"),
    ],
)
def test_a_snapshot_without_sense_is_refused(
    connectors: list[VoiceConnector], groups: list[VoiceConnectorGroup], deleted: list[str], message: str
) -> None:
    groups = [replace(group) for group in groups]
    with pytest.raises(ValueError, match=message):
        Snapshot.of(connectors, groups, [PhoneNumber(number, deletion_due=1.0) for number in deleted])


def test_a_snapshot_after_changes_is_the_one_that_would_be_made_afresh() -> None:
    moved = [replace(EAST, phone_numbers=()), replace(WEST, phone_numbers=EAST.phone_numbers)]
    after = Snapshot.of([EAST, WEST], [GROUP]).after(moved)
    assert after == Snapshot.of(moved, [GROUP])
    assert after.inbound("+12065550100") == (moved[1],)
    assert after.inbound("+12065550111") == tuple(moved)
    assert after.after(remove=[GROUP]) == Snapshot.of(moved).after(put=[GROUP]).after(remove=[GROUP])
    with pytest.raises(ValueError, match="no such Voice Connector"):
        after.after(remove=[moved[0]])


def test_a_number_that_is_not_in_service_leads_nowhere_and_is_nobodys_caller() -> None:
    """Guide p. 53: numbers are not activated before the FOC date, though they may be assigned."""
    numbers = [PhoneNumber(number, progress="PortinInProgress") for number in ("+12065550100", "+12065550111")]
    snapshot = Snapshot.of([WEST, EAST], [GROUP], numbers)
    assert snapshot.inbound("+12065550100") == snapshot.inbound("+12065550111") == ()
    assert snapshot.owner("+12065550100") is None
    assert snapshot.by_phone_number["+12065550100"] is EAST
    assert snapshot.expected == {"+12065550100", "+12065550111"}
    active = snapshot.after([replace(number, progress=None) for number in numbers])
    assert (active.inbound("+12065550100"), active.owner("+12065550100")) == ((EAST,), EAST)
