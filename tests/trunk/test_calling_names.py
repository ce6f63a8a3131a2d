"""Calling names: of the account and of single numbers, and from when on they are seen (guide p. 58)."""

import pytest

from voiceconnector.trunk.calling_names import (
    PhoneNumberSettings,
    phone_number_settings,
    renamed,
    shown_name,
    status,
    with_default,
)
from voiceconnector.trunk.inventory import Refused
from voiceconnector.trunk.model import PhoneNumber, Snapshot
from voiceconnector.trunk.profile import AWS, LAB
from voiceconnector.trunk.shapes import shape_of

NOW = 1_700_000_000.0
HOURS = 3600.0
NUMBER = PhoneNumber("+12065550100")


def test_a_new_name_is_seen_after_72_hours_and_the_former_one_until_then() -> None:
    """Guide p. 58: the system updates the unique calling name within 72 hours."""
    first = renamed(NUMBER, "Example Corp", AWS, NOW)
    assert status(NUMBER, NOW) == "Unassigned"
    assert status(first, NOW + 71 * HOURS) == "UpdateInProgress"
    assert status(first, NOW + 72 * HOURS) == "UpdateSucceeded"
    then = NOW + 100 * HOURS
    snapshot = Snapshot.of([], [], [renamed(first, "Other", AWS, then)])
    assert shown_name(snapshot, "+12065550100", then + 71 * HOURS) == "Example Corp"
    assert shown_name(snapshot, "+12065550100", then + 72 * HOURS) == "Other"


def test_a_pending_update_must_be_complete_before_the_next() -> None:
    """AWS: pending updates to outbound calling names must be complete before you can request another update."""
    pending = renamed(NUMBER, "Example Corp", AWS, NOW)
    with pytest.raises(Refused, match="in progress") as refused:
        renamed(pending, "Other", AWS, NOW + 71 * HOURS)
    assert refused.value.code == "Conflict"
    assert renamed(pending, "Other", AWS, NOW + 72 * HOURS).calling_name == "Other"


def test_the_default_name_is_seen_where_a_number_has_none_of_its_own() -> None:
    """Guide p. 58: default calling names apply to all phone number product types."""
    settings = with_default(PhoneNumberSettings(), "Example Corp", AWS, NOW)
    named = renamed(PhoneNumber("+12065550101"), "Sales", AWS, NOW)
    tollfree = PhoneNumber("+18335550100")
    snapshot = Snapshot.of([], [], [NUMBER, named, tollfree]).after([settings])
    then = NOW + 72 * HOURS
    assert shown_name(snapshot, "+12065550100", NOW) == ""
    assert shown_name(snapshot, "+12065550100", then) == "Example Corp"
    assert shown_name(snapshot, "+12065550101", then) == "Sales"
    assert shown_name(snapshot, "+18335550100", then) == ""
    assert shown_name(snapshot, "+12065550199", then) == ""


def test_the_default_name_changes_once_in_seven_days() -> None:
    """Guide p. 58: you can update the names once every seven days."""
    settings = with_default(PhoneNumberSettings(), "Example Corp", AWS, NOW)
    with pytest.raises(Refused, match="once in 7 days"):
        with_default(settings, "Other", AWS, NOW + 7 * 24 * HOURS - 1)
    assert with_default(settings, "Other", AWS, NOW + 7 * 24 * HOURS).former_calling_name == "Example Corp"
    assert with_default(settings, "Other", LAB, NOW).calling_name == "Other"


def test_a_toll_free_number_has_no_name() -> None:
    with pytest.raises(Refused, match="toll-free"):
        renamed(PhoneNumber("+18335550100"), "Example Corp", AWS, NOW)


def test_settings_read_back_as_they_were_written() -> None:
    settings = with_default(PhoneNumberSettings(calling_name="Example"), "Example Corp", AWS, NOW)
    assert phone_number_settings(shape_of(settings), "settings") == settings
