"""Orders of phone numbers and ports: how they go on, and what becomes of their numbers (guide p. 39-56)."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from voiceconnector.trunk.inventory import Refused
from voiceconnector.trunk.model import PhoneNumber, Resource, Snapshot, VoiceConnector
from voiceconnector.trunk.orders import PhoneNumberOrder, Wish, due, moved, order, phone_number_order, port
from voiceconnector.trunk.profile import AWS, LAB, Profile
from voiceconnector.trunk.shapes import shape_of
from voiceconnector.trunk.tables import ShapeError

NOW = 1_700_000_000.0
ID = "01234567-89ab-cdef-0123-456789abcdef"
ONE, TWO = "+12065550101", "+12065550102"
EMPTY = Snapshot.of([])
WITH_CONNECTOR = Snapshot.of([VoiceConnector("0" * 22, "lab")])


def wish(*numbers: str, product_type: str = "VoiceConnector") -> Wish:
    return Wish(ID, numbers, product_type)  # type: ignore[arg-type]


def ordered(snapshot: Snapshot, *numbers: str, profile: Profile = AWS) -> Snapshot:
    return snapshot.after(order(snapshot, wish(*numbers), profile, NOW))


def later(snapshot: Snapshot, seconds: float) -> Snapshot:
    change = due(snapshot, NOW + seconds)
    return snapshot.after(change.put, change.remove)


def the_order(snapshot: Snapshot) -> PhoneNumberOrder:
    return snapshot.all(PhoneNumberOrder)[ID]


def statuses(snapshot: Snapshot) -> dict[str, str]:
    return {each.e164_phone_number: each.status for each in the_order(snapshot).ordered_phone_numbers}


def test_an_order_is_processed_and_then_successful() -> None:
    """awscli's examples: ten seconds from Processing to the end."""
    snapshot = ordered(EMPTY, ONE, TWO)
    assert (the_order(snapshot).status, statuses(snapshot)) == ("Processing", {ONE: "Processing", TWO: "Processing"})
    assert snapshot.all(PhoneNumber)[ONE].progress == "AcquireInProgress"
    assert later(snapshot, 9) == snapshot
    done = later(snapshot, 10)
    assert (the_order(done).status, statuses(done)) == ("Successful", {ONE: "Acquired", TWO: "Acquired"})
    assert done.all(PhoneNumber)[ONE] == PhoneNumber(ONE, order_id=ID)
    assert due(done, NOW + 99).put == ()


def test_what_somebody_has_or_no_search_finds_fails_and_the_order_is_partial() -> None:
    taken = EMPTY.after([PhoneNumber(TWO, name="mine"), PhoneNumber("+12065550103", deletion_due=NOW + 99)])
    done = later(
        ordered(taken, ONE, TWO, "+12065550103", "+12065551234", profile=replace(AWS, phone_numbers_max=9)), 10
    )
    assert the_order(done).status == "Partial"
    assert statuses(done) == {ONE: "Acquired", TWO: "Failed", "+12065550103": "Failed", "+12065551234": "Failed"}
    assert done.all(PhoneNumber)[TWO] == PhoneNumber(TWO, name="mine")
    assert "+12065551234" not in done.all(PhoneNumber)


def test_an_order_that_brings_nothing_has_failed() -> None:
    done = later(ordered(EMPTY, "+12065551234"), 10)
    assert (the_order(done).status, dict(done.all(PhoneNumber))) == ("Failed", {})


def test_the_lab_orders_numbers_that_no_search_finds_and_only_valid_ones() -> None:
    done = later(ordered(EMPTY, "+12065551234", "+15555550100", profile=LAB), 10)
    assert statuses(done) == {"+12065551234": "Acquired", "+15555550100": "Failed"}


def test_of_two_orders_for_a_number_the_first_one_gets_it() -> None:
    first = ordered(EMPTY, ONE)
    second = first.after(order(first, replace(wish(ONE), order_id=ID.replace("0", "9")), AWS, NOW))
    done = later(second, 10)
    assert [each.status for each in done.all(PhoneNumberOrder).values()] == ["Successful", "Failed"]
    assert done.all(PhoneNumber)[ONE].order_id == ID


@pytest.mark.parametrize(
    ("numbers", "product_type", "message"),
    [
        ([], "VoiceConnector", "is empty"),
        ([ONE, ONE], "VoiceConnector", "twice"),
        (["+442079460123"], "VoiceConnector", "SipMediaApplicationDialIn"),
        ([f"+120655501{index:02}" for index in range(51)], "VoiceConnector", "more than the 50"),
        ([f"+120655501{index:02}" for index in range(6)], "VoiceConnector", "beyond the 5"),
    ],
)
def test_an_order_that_breaks_a_rule_is_refused_whole(numbers: list[str], product_type: str, message: str) -> None:
    """Guide p. 40: international numbers only with the SIP media application dial-in product type."""
    with pytest.raises(Refused, match=message):
        order(EMPTY, wish(*numbers, product_type=product_type), AWS, NOW)


def test_numbers_of_a_country_that_asks_for_papers_wait_for_them() -> None:
    """Guide p. 40-46: German local numbers need an address and a registration."""
    asked = wish("+4930123400", product_type="SipMediaApplicationDialIn")
    waiting = EMPTY.after(order(EMPTY, asked, AWS, NOW))
    assert the_order(later(waiting, 1e6)).status == "PendingDocuments"
    done = waiting.after(moved(waiting, the_order(waiting), "Successful", None))
    assert done.all(PhoneNumber)["+4930123400"].progress is None
    lab = EMPTY.after(order(EMPTY, asked, LAB, NOW))
    assert the_order(later(lab, 10)).status == "Successful"


# Porting


def ported(status: str = "Submitted", foc_date: float | None = None) -> Snapshot:
    put = port(WITH_CONNECTOR, wish(ONE, TWO), status, foc_date, AWS)  # type: ignore[arg-type]
    return WITH_CONNECTOR.after(put)


def move(snapshot: Snapshot, status: str, foc_date: float | None = None) -> Snapshot:
    return snapshot.after(moved(snapshot, the_order(snapshot), status, foc_date))  # type: ignore[arg-type]


def progress(snapshot: Snapshot) -> set[str | None]:
    return {known.progress for known in snapshot.all(PhoneNumber).values()}


def test_a_port_goes_through_its_statuses_and_is_complete_on_its_date() -> None:
    """Guide p. 53-55."""
    snapshot = ported()
    assert (the_order(snapshot).order_type, the_order(snapshot).status) == ("Porting", "Submitted")
    for status in ("PendingDocuments", "Exception", "ChangeRequested", "Submitted"):
        snapshot = move(snapshot, status)
        assert (the_order(snapshot).status, progress(snapshot)) == (status, {"PortinInProgress"})
    snapshot = move(snapshot, "FOC", NOW + 60)
    assert (the_order(snapshot).status, the_order(snapshot).foc_date) == ("FOC", NOW + 60)
    assert later(snapshot, 59) == snapshot
    done = later(snapshot, 60)
    assert (the_order(done).status, progress(done)) == ("Successful", {None})
    assert the_order(done).foc_date == NOW + 60
    assert statuses(done) == {ONE: "Acquired", TWO: "Acquired"}


def test_a_port_that_leaves_foc_no_longer_completes_by_itself() -> None:
    snapshot = move(ported("FOC", NOW + 60), "Exception")
    assert the_order(later(snapshot, 61)).status == "Exception"


def test_a_cancelled_port_leaves_numbers_that_can_be_ported_again() -> None:
    asked = move(ported(), "CancelRequested")
    assert progress(asked) == {"PortinCancelRequested"}
    cancelled = move(asked, "Cancelled")
    assert (the_order(cancelled).status, progress(cancelled)) == ("Cancelled", {"Cancelled"})
    assert statuses(cancelled) == {ONE: "Failed", TWO: "Failed"}
    again = cancelled.after(port(cancelled, wish(ONE), "Successful", None, AWS))
    assert again.all(PhoneNumber)[ONE].progress is None


@pytest.mark.parametrize("status", ["Cancelled", "Successful"])
def test_what_is_settled_stays_so(status: str) -> None:
    with pytest.raises(Refused, match=f"The order is {status}"):
        move(move(ported(), status), "Submitted")


@pytest.mark.parametrize(
    ("snapshot", "numbers", "product_type", "status", "message"),
    [
        (EMPTY, [ONE], "VoiceConnector", "Submitted", "Create a Voice Connector before"),
        (WITH_CONNECTOR, [ONE], "VoiceConnector", "FOC", "needs FocDate"),
        (WITH_CONNECTOR, [ONE], "VoiceConnector", "Processing", "is none of PendingDocuments"),
        (WITH_CONNECTOR.after([PhoneNumber(ONE)]), [ONE], "VoiceConnector", "Submitted", "in the inventory already"),
        (EMPTY, ["+6432345600"], "SipMediaApplicationDialIn", "Submitted", "NZ cannot be ported"),
        (EMPTY, ["+33123456789"], "SipMediaApplicationDialIn", "Submitted", "FR cannot be ported"),
    ],
)
def test_a_port_that_breaks_a_rule_is_refused(
    snapshot: Snapshot, numbers: Iterable[str], product_type: str, status: str, message: str
) -> None:
    """Guide p. 48: local numbers of New Zealand cannot be ported; p. 52: a Voice Connector comes first."""
    with pytest.raises(Refused, match=message):
        port(snapshot, wish(*numbers, product_type=product_type), status, None, AWS)  # type: ignore[arg-type]


# Shapes


@pytest.mark.parametrize("snapshot", [ordered(EMPTY, ONE), later(ordered(EMPTY, ONE), 10), ported("FOC", NOW)])
def test_an_order_reads_back_as_it_was_written(snapshot: Snapshot) -> None:
    known: Resource = the_order(snapshot)
    assert phone_number_order(shape_of(known), "order") == known


def test_an_order_with_a_status_of_none_is_refused() -> None:
    shape = shape_of(the_order(ordered(EMPTY, ONE))) | {"Status": "Lost"}
    with pytest.raises(ShapeError, match=r"order\.Status = 'Lost': must be Processing, Successful"):
        phone_number_order(shape, "order")
