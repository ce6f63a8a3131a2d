"""The inventory of phone numbers: associations, product types, the deletion queue (guide p. 39, 56-59, 63-66)."""

from dataclasses import replace

import pytest

from voiceconnector.trunk.inventory import (
    DELETION_QUEUE_SECONDS,
    Associations,
    Change,
    Refused,
    associate,
    configured,
    delete,
    disassociate,
    expired,
    restored,
    with_product_type,
)
from voiceconnector.trunk.model import PhoneNumber, Snapshot, VoiceConnector, VoiceConnectorGroup
from voiceconnector.trunk.profile import AWS, LAB

NOW = 1_700_000_000.0
ONE, TWO, THREE = "+12065550101", "+12065550102", "+12065550103"
EAST = VoiceConnector("east" * 5 + "00", "east", phone_numbers=(ONE,))
WEST = VoiceConnector("west" * 5 + "00", "west")
GROUP = VoiceConnectorGroup("group" * 4 + "00", "both", phone_numbers=(TWO,))
NUMBERS = [PhoneNumber(ONE, associated=7.0), PhoneNumber(TWO, associated=8.0), PhoneNumber(THREE)]
SNAPSHOT = Snapshot.of([EAST, WEST], [GROUP], NUMBERS)


def with_number(number: str, **changes: object) -> Snapshot:
    known = SNAPSHOT.all(PhoneNumber).get(number) or PhoneNumber(number)
    return SNAPSHOT.after([replace(known, **changes)])  # type: ignore[arg-type]


def after(snapshot: Snapshot, change: Change) -> Snapshot:
    return snapshot.after(change.put, change.remove)


def codes(change: Change) -> dict[str, str]:
    return {error.number: error.code for error in change.errors}


def test_a_free_number_is_associated_and_known_since_when() -> None:
    change = associate(SNAPSHOT, WEST, [THREE], force=False, now=NOW)
    snapshot = after(SNAPSHOT, change)
    assert change.errors == ()
    assert snapshot.by_id[WEST.voice_connector_id].phone_numbers == (THREE,)
    assert Associations(snapshot).of(snapshot.all(PhoneNumber)[THREE]) == (
        ("VoiceConnectorId", WEST.voice_connector_id, NOW),
    )


def test_a_number_that_another_one_has_stays_there_without_force() -> None:
    """AWS: if false, does not associate any phone numbers that have previously existing associations."""
    change = associate(SNAPSHOT, WEST, [ONE, TWO, THREE], force=False, now=NOW)
    assert codes(change) == {ONE: "PhoneNumberAssociationsExist", TWO: "PhoneNumberAssociationsExist"}
    assert after(SNAPSHOT, change).by_id[WEST.voice_connector_id].phone_numbers == (THREE,)


def test_force_takes_numbers_from_connectors_and_groups() -> None:
    """AWS: if true, removes any previously existing associations."""
    change = associate(SNAPSHOT, WEST, [ONE, TWO], force=True, now=NOW)
    snapshot = after(SNAPSHOT, change)
    assert change.errors == ()
    assert snapshot.by_id[EAST.voice_connector_id].phone_numbers == ()
    assert snapshot.groups[GROUP.voice_connector_group_id].phone_numbers == ()
    assert snapshot.by_id[WEST.voice_connector_id].phone_numbers == (ONE, TWO)
    group_again = associate(snapshot, snapshot.groups[GROUP.voice_connector_group_id], [ONE], force=True, now=NOW)
    assert after(snapshot, group_again).by_phone_number[ONE] == replace(GROUP, phone_numbers=(ONE,))


def test_what_is_associated_already_is_left_alone() -> None:
    assert associate(SNAPSHOT, EAST, [ONE, ONE], force=False, now=NOW) == Change()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"product_type": "SipMediaApplicationDialIn"}, "BadRequest"),
        ({"deletion_due": NOW}, "PreconditionFailed"),
        ({"progress": "AcquireInProgress"}, "PreconditionFailed"),
        ({"progress": "Cancelled"}, "PreconditionFailed"),
    ],
)
def test_a_number_that_cannot_be_associated_is_told_by_code_and_never_named(
    changes: dict[str, object], code: str
) -> None:
    change = associate(with_number(THREE, **changes), WEST, [THREE, "+12065550199"], force=True, now=NOW)
    assert codes(change) == {THREE: code, "+12065550199": "NotFound"}
    assert change.put == ()
    assert not any("206555" in error.message for error in change.errors)


def test_a_number_that_is_ported_in_is_assigned_beforehand_and_takes_no_calls_yet() -> None:
    """Guide p. 53: numbers are assigned, and not activated before the FOC date."""
    porting = with_number(THREE, progress="PortinInProgress")
    snapshot = after(porting, associate(porting, WEST, [THREE], force=False, now=NOW))
    assert snapshot.by_phone_number[THREE].name == "west"
    assert (snapshot.inbound(THREE), snapshot.owner(THREE)) == ((), None)
    active = snapshot.after([replace(snapshot.all(PhoneNumber)[THREE], progress=None)])
    assert [each.name for each in active.inbound(THREE)] == ["west"]


def test_only_the_holder_gives_a_number_up() -> None:
    change = disassociate(SNAPSHOT, EAST, [ONE, TWO, "+12065550199"])
    snapshot = after(SNAPSHOT, change)
    assert codes(change) == {TWO: "NotFound", "+12065550199": "NotFound"}
    assert snapshot.by_id[EAST.voice_connector_id].phone_numbers == ()
    assert snapshot.all(PhoneNumber)[ONE].associated is None
    assert Associations(snapshot).status(snapshot.all(PhoneNumber)[ONE]) == "Unassigned"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "Unassigned"),
        ({"progress": "PortinInProgress"}, "PortinInProgress"),
        ({"progress": "Cancelled"}, "Cancelled"),
        ({"deletion_due": NOW}, "DeleteInProgress"),
    ],
)
def test_a_status_says_how_a_number_stands(changes: dict[str, object], status: str) -> None:
    snapshot = with_number(THREE, **changes)
    assert Associations(snapshot).status(snapshot.all(PhoneNumber)[THREE]) == status
    assert Associations(snapshot).status(snapshot.all(PhoneNumber)[ONE]) == "Assigned"


def test_a_product_type_changes_while_nothing_has_the_number() -> None:
    """Guide p. 57: unassigned numbers can be switched from one product type to another."""
    numbers = SNAPSHOT.all(PhoneNumber)
    changed = with_product_type(SNAPSHOT, numbers[THREE], "SipMediaApplicationDialIn")
    assert changed.product_type == "SipMediaApplicationDialIn"
    with pytest.raises(Refused, match="disassociate it before") as refused:
        with_product_type(SNAPSHOT, numbers[ONE], "SipMediaApplicationDialIn")
    assert refused.value.code == "PhoneNumberAssociationsExist"


@pytest.mark.parametrize(
    ("number", "product_type"),
    [
        ("+442079460123", "VoiceConnector"),
        ("+14165550100", "VoiceConnector"),
        ("+17875550100", "SipMediaApplicationDialIn"),
        ("+18335550100", "BusinessCalling"),
    ],
)
def test_a_number_outside_the_us_is_for_sip_media_applications_and_puerto_ricos_is_not(
    number: str, product_type: str
) -> None:
    """Guide p. 40, 49, 56; AWS: for toll-free numbers, you cannot use the Business Calling product type."""
    snapshot = with_number(number, product_type="SipMediaApplicationDialIn")
    with pytest.raises(Refused, match="product type"):
        with_product_type(snapshot, snapshot.all(PhoneNumber)[number], product_type)  # type: ignore[arg-type]


def test_a_deleted_number_waits_seven_days_and_is_gone() -> None:
    """Guide p. 58."""
    change = delete(SNAPSHOT, [THREE], NOW)
    snapshot = after(SNAPSHOT, change)
    assert dict(snapshot.deletion_queue) == {THREE: NOW + 7 * 24 * 3600}
    assert expired(snapshot, NOW + DELETION_QUEUE_SECONDS - 1) == ()
    gone = expired(snapshot, NOW + DELETION_QUEUE_SECONDS)
    assert THREE not in snapshot.after(remove=gone).all(PhoneNumber)


def test_what_cannot_be_deleted_is_left_with_its_reason() -> None:
    """Guide p. 58: unassigned numbers can be deleted."""
    snapshot = with_number(THREE, progress="AcquireInProgress")
    change = delete(snapshot, [ONE, TWO, THREE, "+12065550199"], NOW)
    assert codes(change) == {
        ONE: "PhoneNumberAssociationsExist",
        TWO: "PhoneNumberAssociationsExist",
        THREE: "PreconditionFailed",
        "+12065550199": "NotFound",
    }
    deleted = after(SNAPSHOT, delete(SNAPSHOT, [THREE], NOW))
    assert codes(delete(deleted, [THREE], NOW)) == {THREE: "PreconditionFailed"}


def test_a_number_whose_port_was_cancelled_goes_without_a_queue() -> None:
    snapshot = with_number(THREE, progress="Cancelled")
    assert THREE not in after(snapshot, delete(snapshot, [THREE], NOW)).all(PhoneNumber)


def test_a_restored_number_is_back_and_associated_with_nothing() -> None:
    """Guide p. 59."""
    snapshot = after(SNAPSHOT, delete(SNAPSHOT, [THREE], NOW))
    back = snapshot.after([restored(snapshot, THREE, AWS)])
    assert Associations(back).status(back.all(PhoneNumber)[THREE]) == "Unassigned"
    with pytest.raises(Refused, match="not in the deletion queue"):
        restored(back, THREE, AWS)


def test_a_number_is_not_restored_beyond_the_quota() -> None:
    """Deleted numbers do not count (RestorePhoneNumber declares ResourceLimitExceededException)."""
    snapshot = after(SNAPSHOT, delete(SNAPSHOT, [THREE], NOW))
    full = snapshot.after([PhoneNumber(f"+1206555011{digit}") for digit in range(3)])
    with pytest.raises(Refused, match="5 phone numbers and 1 more") as refused:
        restored(full, THREE, AWS)
    assert refused.value.code == "ResourceLimitExceeded"
    assert restored(full, THREE, LAB).deletion_due is None


def test_numbers_of_a_configuration_join_the_inventory_once() -> None:
    empty = Snapshot.of([])
    named = PhoneNumber(ONE, name="front desk")
    put = configured(empty, [EAST, named, PhoneNumber(THREE)], ["+12065550199"], NOW)
    snapshot = empty.after(put)
    numbers = snapshot.all(PhoneNumber)
    assert numbers[ONE] == replace(named, associated=NOW)
    assert set(numbers) == {ONE, THREE, "+12065550199"}
    assert snapshot.awaits_deletion("+12065550199")
    assert configured(snapshot, [EAST, named, PhoneNumber(THREE)], ["+12065550199"], NOW + 1) == ()
