"""Phone numbers: who has them, and the queue of those that were deleted (guide p. 39, 56-59, 63-66).

Rules as functions of a snapshot: each says what is to be committed, and changes nothing itself. Times are Unix
times in seconds. No text names a number: the API's model counts them among what must not be logged.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from .account_model import User
from .countries import product_types
from .model import (
    PhoneNumber,
    PhoneNumberProductType,
    PhoneNumberProgress,
    Resource,
    Snapshot,
    VoiceConnector,
    VoiceConnectorGroup,
    identity,
)
from .profile import Profile
from .sip_rules import rules_by_phone_number

DELETION_QUEUE_SECONDS = 7 * 86_400.0
"""How long a deleted number can be restored (guide p. 58)."""

Holder = VoiceConnector | VoiceConnectorGroup
PhoneNumberStatus = PhoneNumberProgress | Literal["Unassigned", "Assigned", "DeleteInProgress"]
ErrorCode = Literal[
    "BadRequest", "Conflict", "NotFound", "PhoneNumberAssociationsExist", "PreconditionFailed", "ResourceLimitExceeded"
]
"""Those of the API's ErrorCode that are used for numbers."""


class Refused(Exception):
    """Something cannot be done with one number; the text says why, and what to do."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class PhoneNumberError(NamedTuple):
    """Why one number of several was left as it is."""

    number: str
    code: ErrorCode
    message: str


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be committed, and which numbers are left as they are."""

    put: tuple[Resource, ...] = ()
    remove: tuple[Resource, ...] = ()
    errors: tuple[PhoneNumberError, ...] = ()


class Association(NamedTuple):
    """What a number is associated with."""

    name: Literal["VoiceConnectorId", "VoiceConnectorGroupId", "SipRuleId", "UserId", "AccountId"]
    value: str
    """Its id."""
    since: float | None
    """None: nobody knows."""


class Associations:
    """What every number is associated with at one moment."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._by_phone_number = snapshot.by_phone_number
        self._rules = rules_by_phone_number(snapshot)
        self._users = snapshot.all(User)

    def of(self, known: PhoneNumber) -> tuple[Association, ...]:
        """What a number of the inventory is associated with: one thing, or a user and its account."""
        match self._by_phone_number.get(known.e164_phone_number):
            case VoiceConnector() as holder:
                return (Association("VoiceConnectorId", identity(holder), known.associated),)
            case VoiceConnectorGroup() as holder:
                return (Association("VoiceConnectorGroupId", identity(holder), known.associated),)
        if rule := self._rules.get(known.e164_phone_number):
            return (Association("SipRuleId", identity(rule), rule.created_timestamp),)
        if known.user_id:
            return self._of_user(known.user_id, known.associated)
        return ()

    def _of_user(self, user_id: str, since: float | None) -> tuple[Association, ...]:
        user = self._users.get(user_id)
        mine = Association("UserId", user_id, since)
        return (mine, Association("AccountId", user.account_id, since)) if user and user.account_id else (mine,)

    def status(self, known: PhoneNumber) -> PhoneNumberStatus:
        """How a number of the inventory stands."""
        number = known.e164_phone_number
        if known.deletion_due is not None:
            # Unverified: the API has ReleaseInProgress too, and says of neither when a number has it.
            return "DeleteInProgress"
        if known.progress:
            return known.progress
        held = number in self._by_phone_number or number in self._rules or known.user_id
        return "Assigned" if held else "Unassigned"


def configured(
    snapshot: Snapshot, resources: Iterable[Resource], deletion_queue: Iterable[str], now: float
) -> tuple[Resource, ...]:
    """What is to be committed for resources and deleted numbers of a configuration that are not there yet."""
    absent = [resource for resource in resources if identity(resource) not in snapshot.all(type(resource))]
    known = snapshot.all(PhoneNumber)
    wanted = with_numbers(absent, deletion_queue, known, now)
    return tuple(each for each in wanted if not (isinstance(each, PhoneNumber) and known.get(identity(each)) == each))


def with_numbers(
    resources: Iterable[Resource], deletion_queue: Iterable[str], known: Mapping[str, PhoneNumber], now: float
) -> tuple[Resource, ...]:
    """Resources of a configuration with the numbers that somebody has, or that are deleted, in the inventory too.

    A number that is not among the resources is as it is known; it is associated since then, or since now.
    """
    others: list[Resource] = []
    numbers: dict[str, PhoneNumber] = {}
    for resource in resources:
        if isinstance(resource, PhoneNumber):
            numbers[identity(resource)] = resource
        else:
            others.append(resource)
    for number in [number for holder in others if isinstance(holder, Holder) for number in holder.phone_numbers]:
        there = known.get(number, PhoneNumber(number))
        given = numbers.get(number, there)
        since = next((each.associated for each in (given, there) if each.associated is not None), now)
        numbers[number] = replace(given, associated=since)
    due = now + DELETION_QUEUE_SECONDS
    for number in deletion_queue:
        numbers.setdefault(number, known.get(number) or PhoneNumber(number, deletion_due=due))
    return (*others, *numbers.values())


def known_number(snapshot: Snapshot, number: str) -> PhoneNumber:
    """A number of the inventory, the deletion queue included. Raises Refused."""
    known = snapshot.all(PhoneNumber).get(number)
    if known is None:
        raise Refused(
            "NotFound", "There is no such phone number in the inventory; ListPhoneNumbers shows those there are"
        )
    return known


def room_for(snapshot: Snapshot, count: int, profile: Profile) -> None:
    """Raise Refused when the account cannot have so many numbers more; deleted ones do not count."""
    numbers = snapshot.all(PhoneNumber).values()
    there = sum(known.deletion_due is None and known.progress != "Cancelled" for known in numbers)
    most = profile.phone_numbers_max
    if most is not None and there + count > most:
        raise Refused(
            "ResourceLimitExceeded",
            f"{there} phone numbers and {count} more are beyond the {most} that profile {profile.name} allows; "
            "delete some, raise overrides.phone_numbers_max, or use profile lab",
        )


# Associations


def associate(snapshot: Snapshot, holder: Holder, numbers: Iterable[str], force: bool, now: float) -> Change:
    """Give numbers to a connector or a group; with `force`, also those that another one has (guide p. 56, 63-66)."""
    taken: list[PhoneNumber] = []
    errors = _each(numbers, lambda number: taken.extend(_associable(snapshot, holder, number, force)))
    moved = {identity(known) for known in taken}
    added = [identity(known) for known in taken]
    others = {identity(other): other for number in added if (other := snapshot.by_phone_number.get(number))}
    return Change(
        (
            *((replace(holder, phone_numbers=(*holder.phone_numbers, *added)),) if added else ()),
            *(_without(other, moved) for other in others.values()),
            *(replace(known, associated=now) for known in taken),
        ),
        errors=errors,
    )


def _associable(snapshot: Snapshot, holder: Holder, number: str, force: bool) -> tuple[PhoneNumber, ...]:
    """The number, if it is to be moved; nothing if it is there already."""
    known = known_number(snapshot, number)
    other = snapshot.by_phone_number.get(number)
    if other is not None and identity(other) == identity(holder):
        return ()
    check_in_use(known)
    if known.progress and known.progress != "PortinInProgress":
        raise Refused("PreconditionFailed", f"The phone number is {known.progress}; wait until its order is fulfilled")
    if known.product_type != "VoiceConnector":
        raise Refused(
            "BadRequest",
            f"The phone number has the product type {known.product_type}, and must have VoiceConnector; "
            "UpdatePhoneNumber changes that",
        )
    if other is not None and not force:
        raise Refused(
            "PhoneNumberAssociationsExist",
            f"The phone number is associated with {_kind(other)} {identity(other)}; disassociate it there, "
            "or set ForceAssociate",
        )
    return (known,)


def disassociate(snapshot: Snapshot, holder: Holder, numbers: Iterable[str]) -> Change:
    """Take numbers away from a connector or a group."""
    freed: list[PhoneNumber] = []
    errors = _each(numbers, lambda number: freed.append(_held(snapshot, holder, number)))
    if not freed:
        return Change(errors=errors)
    rest = _without(holder, {identity(known) for known in freed})
    return Change((rest, *(replace(known, associated=None) for known in freed)), errors=errors)


def _held(snapshot: Snapshot, holder: Holder, number: str) -> PhoneNumber:
    known = known_number(snapshot, number)
    if number not in holder.phone_numbers:
        raise Refused("NotFound", f"The phone number is not associated with {_kind(holder)} {identity(holder)}")
    return known


def _without(holder: Holder, numbers: set[str]) -> Holder:
    return replace(holder, phone_numbers=tuple(each for each in holder.phone_numbers if each not in numbers))


def _kind(holder: Holder) -> str:
    return "Voice Connector" if isinstance(holder, VoiceConnector) else "Voice Connector group"


# What a number is for


def with_product_type(snapshot: Snapshot, known: PhoneNumber, product_type: PhoneNumberProductType) -> PhoneNumber:
    """The number, to be used for something else, while it is associated with nothing (guide p. 57). Raises Refused."""
    check_in_use(known)
    _check_free(Associations(snapshot), known, "change its product type")
    check_product_type(identity(known), product_type)
    return replace(known, product_type=product_type)


def check_product_type(number: str, product_type: PhoneNumberProductType) -> None:
    """Raise Refused where a number of this country cannot be used for that (guide p. 40, 49, 56)."""
    allowed = product_types(number)
    if product_type not in allowed:
        raise Refused(
            "BadRequest",
            f"A phone number of this country and type must have the product type {' or '.join(allowed)}: numbers "
            "outside the US are for SIP media applications",
        )


# The deletion queue


def delete(snapshot: Snapshot, numbers: Iterable[str], now: float) -> Change:
    """Put numbers that are associated with nothing into the deletion queue (guide p. 58)."""
    deleted: list[PhoneNumber] = []
    cancelled: list[PhoneNumber] = []
    associations = Associations(snapshot)

    def one(number: str) -> None:
        known = known_number(snapshot, number)
        check_in_use(known)
        _check_free(associations, known, "delete it")
        if known.progress == "Cancelled":
            cancelled.append(known)
        elif known.progress:
            raise Refused("PreconditionFailed", f"The phone number is {known.progress}; wait until that is over")
        else:
            deleted.append(replace(known, associated=None, deletion_due=now + DELETION_QUEUE_SECONDS))

    errors = _each(numbers, one)
    return Change(tuple(deleted), tuple(cancelled), errors)


def restored(snapshot: Snapshot, number: str, profile: Profile) -> PhoneNumber:
    """A number out of the deletion queue, associated with nothing (guide p. 59). Raises Refused."""
    known = known_number(snapshot, number)
    if known.deletion_due is None:
        raise Refused("BadRequest", "The phone number is not in the deletion queue, so it cannot be restored")
    room_for(snapshot, 1, profile)
    return replace(known, deletion_due=None)


def expired(snapshot: Snapshot, now: float) -> tuple[PhoneNumber, ...]:
    """The numbers that are gone for good: anybody can order them again."""
    numbers = snapshot.all(PhoneNumber)
    return tuple(numbers[number] for number, due in snapshot.deletion_queue.items() if due <= now)


def check_in_use(known: PhoneNumber) -> None:
    """Raise Refused for a number of the deletion queue."""
    if known.deletion_due is not None:
        raise Refused("PreconditionFailed", "The phone number is in the deletion queue; restore it first")


def _check_free(associations: Associations, known: PhoneNumber, purpose: str) -> None:
    for association in associations.of(known):
        raise Refused(
            "PhoneNumberAssociationsExist",
            f"The phone number is associated with {association.name} {association.value}; "
            f"disassociate it before you {purpose}",
        )


def _each(numbers: Iterable[str], action: Callable[[str], object]) -> tuple[PhoneNumberError, ...]:
    """Do something with each number, once; what was refused."""
    errors = []
    for number in dict.fromkeys(numbers):
        try:
            action(number)
        except Refused as refused:
            errors.append(PhoneNumberError(number, refused.code, str(refused)))
    return tuple(errors)
