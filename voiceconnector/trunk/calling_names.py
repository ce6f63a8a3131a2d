"""Calling names: what those who are called see of the caller, for the account and for single numbers (guide p. 58).

Times are Unix times in seconds.
"""

from dataclasses import dataclass, replace
from typing import Literal

from .inventory import Refused
from .model import PhoneNumber, Snapshot, identity
from .numbers import is_toll_free
from .profile import Profile
from .shapes import calling_name, unix_time
from .tables import Table, choice

CallingNameStatus = Literal["Unassigned", "UpdateInProgress", "UpdateSucceeded"]

ONLY = "default"


@dataclass(frozen=True, slots=True)
class PhoneNumberSettings:
    """What holds for all numbers of the account; there is one, or none yet."""

    phone_number_settings_id: str = ONLY
    calling_name: str = ""
    """For numbers that have none of their own."""
    former_calling_name: str = ""
    """What is seen until `calling_name_due`."""
    calling_name_due: float | None = None
    calling_name_changed: float | None = None
    """When it was last asked for; None: never."""
    created_timestamp: float = 0.0
    updated_timestamp: float = 0.0


def phone_number_settings(entries: object, path: str) -> PhoneNumberSettings:
    keys = ("PhoneNumberSettingsId", "CallingName", "FormerCallingName", "CallingNameDue", "CallingNameChanged")
    table = Table(entries, path, keys)
    return PhoneNumberSettings(
        phone_number_settings_id=table.get("PhoneNumberSettingsId", choice(ONLY), ONLY),
        calling_name=table.get("CallingName", calling_name, ""),
        former_calling_name=table.get("FormerCallingName", calling_name, ""),
        calling_name_due=table.get("CallingNameDue", unix_time, None),
        calling_name_changed=table.get("CallingNameChanged", unix_time, None),
    )


def settings_of(snapshot: Snapshot) -> PhoneNumberSettings:
    return snapshot.all(PhoneNumberSettings).get(ONLY) or PhoneNumberSettings()


def status(known: PhoneNumber, now: float) -> CallingNameStatus:
    """How far the last change of a number's own name has come."""
    if _pending(known, now):
        return "UpdateInProgress"
    return "UpdateSucceeded" if known.calling_name else "Unassigned"


def shown_name(snapshot: Snapshot, number: str, now: float) -> str:
    """The name that goes with calls from an E.164 number; empty where there is none."""
    known = snapshot.all(PhoneNumber).get(number)
    if known is None or is_toll_free(number):
        return ""
    return _current(known, now) or _current(settings_of(snapshot), now)


def renamed(known: PhoneNumber, name: str, profile: Profile, now: float) -> PhoneNumber:
    """A number whose own calling name is to become another one; empty: the account's. Raises Refused."""
    # Unverified: the guide does not say so; databases of calling names have no toll-free numbers.
    if is_toll_free(identity(known)) and name:
        raise Refused("BadRequest", "A toll-free phone number has no calling name")
    if _pending(known, now):
        raise Refused(
            "Conflict", "An update of the calling name is in progress; wait until it is complete (guide p. 58)"
        )
    return replace(
        known,
        calling_name=name,
        former_calling_name=known.calling_name,
        calling_name_due=now + profile.calling_name_seconds,
    )


def with_default(settings: PhoneNumberSettings, name: str, profile: Profile, now: float) -> PhoneNumberSettings:
    """The account's calling name is to become another one. Raises Refused when it was changed lately."""
    changed = settings.calling_name_changed
    if changed is not None and now < changed + profile.calling_name_interval:
        days = profile.calling_name_interval / 86_400
        raise Refused("BadRequest", f"The default calling name can be updated once in {days:g} days (guide p. 58)")
    return replace(
        settings,
        calling_name=name,
        former_calling_name=_current(settings, now),
        calling_name_due=now + profile.calling_name_seconds,
        calling_name_changed=now,
    )


def _pending(named: PhoneNumber | PhoneNumberSettings, now: float) -> bool:
    return named.calling_name_due is not None and now < named.calling_name_due


def _current(named: PhoneNumber | PhoneNumberSettings, now: float) -> str:
    return named.former_calling_name if _pending(named, now) else named.calling_name
