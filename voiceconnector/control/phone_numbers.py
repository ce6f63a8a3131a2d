"""Phone numbers: look at, change, delete, restore; and the account's calling name (guide p. 56-59)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType

from ..trunk import calling_names, inventory, orders
from ..trunk.countries import kind_of
from ..trunk.inventory import Associations, Change, PhoneNumberError, Refused, known_number
from ..trunk.model import PhoneNumber, Snapshot, VoiceConnector, VoiceConnectorGroup
from ..trunk.numbers import country_of
from ..trunk.sip_rules import SipRule
from ..trunk.store import Conflict, NotFound
from .context import Control, Fields, not_found
from .errors import ApiError
from .pages import page

_UPDATES = ("ProductType", "CallingName", "Name")
_STATUSES = (
    "Cancelled", "PortinCancelRequested", "PortinInProgress", "AcquireInProgress", "AcquireFailed", "Unassigned",
    "Assigned", "ReleaseInProgress", "DeleteInProgress", "ReleaseFailed", "DeleteFailed",
)  # fmt: skip
"""The API's; it has no enumeration where numbers are listed by status."""
_ASSOCIATES: Mapping[str, type] = MappingProxyType(
    {"VoiceConnectorId": VoiceConnector, "VoiceConnectorGroupId": VoiceConnectorGroup, "SipRuleId": SipRule}
)
_TEXTS = frozenset({"US", "CA", "PR"})
# Unverified: AWS's examples have texts, both ways, for a local number of the US.
_VOICE_ONLY: Mapping[str, bool] = MappingProxyType(
    {"InboundCall": True, "OutboundCall": True, "InboundSMS": False, "OutboundSMS": False, "InboundMMS": False,
     "OutboundMMS": False}
)  # fmt: skip
_VOICE_AND_TEXTS: Mapping[str, bool] = MappingProxyType(dict.fromkeys(_VOICE_ONLY, True))


def get_phone_number(control: Control, asked: Fields) -> Fields:
    return {"PhoneNumber": _one(control, asked["PhoneNumberId"])}


def list_phone_numbers(control: Control, asked: Fields) -> Fields:
    """All numbers, those of the deletion queue included, or those that are filtered for."""
    snapshot = up_to_date(control)
    associations = Associations(snapshot)
    found = _associated(snapshot, associations, asked)
    for fits in _filters(associations, asked):
        found = list(filter(fits, found))
    numbers_of_page, token = page(found, asked)
    now = control.clock()
    return {"PhoneNumbers": [_shown(known, associations, now) for known in numbers_of_page], "NextToken": token}


def _associated(snapshot: Snapshot, associations: Associations, asked: Fields) -> Sequence[PhoneNumber]:
    """All numbers, or those that are associated with what is filtered for, in order of creation."""
    numbers = snapshot.all(PhoneNumber)
    if ("FilterName" in asked) != ("FilterValue" in asked):
        raise ApiError("BadRequestException", "FilterName and FilterValue go together; give both, or none")
    if "FilterName" not in asked:
        return tuple(numbers.values())
    name, value = asked["FilterName"], asked["FilterValue"]
    kind = _ASSOCIATES.get(name)
    holder = snapshot.all(kind).get(value) if kind else None
    if kind and holder is None:
        raise not_found(kind, value)
    if isinstance(holder, VoiceConnector | VoiceConnectorGroup):
        held = [numbers[number] for number in holder.phone_numbers if number in numbers]
        return sorted(held, key=lambda known: known.created_timestamp)
    return [known for known in numbers.values() if any(each[:2] == (name, value) for each in associations.of(known))]


def _filters(associations: Associations, asked: Fields) -> Iterator[Callable[[PhoneNumber], bool]]:
    status, product_type = asked.get("Status"), asked.get("ProductType")
    if status is not None:
        if status not in _STATUSES:
            raise ApiError("BadRequestException", f"Status must be one of {', '.join(_STATUSES)}")
        yield lambda known: associations.status(known) == status
    if product_type is not None:
        yield lambda known: known.product_type == product_type


def update_phone_number(control: Control, asked: Fields) -> Fields:
    """Another product type, calling name or name: one at a time."""
    with answering_for_one():
        control.store.commit(_updated(control, up_to_date(control), asked))
    return {"PhoneNumber": _one(control, asked["PhoneNumberId"])}


def batch_update_phone_number(control: Control, asked: Fields) -> Fields:
    """The same for several numbers; what is refused of one does not keep the others."""
    items = asked["UpdatePhoneNumberRequestItems"]
    ids = [item["PhoneNumberId"] for item in items]
    if len(set(ids)) < len(ids):
        raise ApiError("BadRequestException", "UpdatePhoneNumberRequestItems has a PhoneNumberId twice")
    snapshot = up_to_date(control)
    updated, errors = [], []
    for item in items:
        try:
            updated.append(_updated(control, snapshot, item))
        except Refused as refused:
            errors.append(PhoneNumberError(item["PhoneNumberId"], refused.code, str(refused)))
    return committed(control, Change(tuple(updated), errors=tuple(errors)))


def _updated(control: Control, snapshot: Snapshot, asked: Fields) -> PhoneNumber:
    """Raises Refused."""
    known = known_number(snapshot, asked["PhoneNumberId"])
    given = [each for each in _UPDATES if each in asked]
    if len(given) != 1:
        there = " and ".join(given) or "none"
        raise Refused("BadRequest", f"One of {', '.join(_UPDATES)} can be updated at a time, and there is {there}")
    inventory.check_in_use(known)
    value = asked[given[0]]
    match given[0]:
        case "ProductType":
            return inventory.with_product_type(snapshot, known, value)
        case "CallingName":
            return calling_names.renamed(known, value, control.profile, control.clock())
    return replace(known, name=value)


def delete_phone_number(control: Control, asked: Fields) -> Fields:
    """Into the deletion queue, for seven days."""
    change = inventory.delete(up_to_date(control), [asked["PhoneNumberId"]], control.clock())
    for error in change.errors:
        raise _exception(error.code, error.message)
    committed(control, change)
    return {}


def batch_delete_phone_number(control: Control, asked: Fields) -> Fields:
    return committed(control, inventory.delete(up_to_date(control), asked["PhoneNumberIds"], control.clock()))


def restore_phone_number(control: Control, asked: Fields) -> Fields:
    """Out of the deletion queue, within the quota."""
    with answering_for_one():
        control.store.commit(inventory.restored(up_to_date(control), asked["PhoneNumberId"], control.profile))
    return {"PhoneNumber": _one(control, asked["PhoneNumberId"])}


def get_phone_number_settings(control: Control, asked: Fields) -> Fields:
    settings = calling_names.settings_of(control.store.snapshot)
    return {
        "CallingName": settings.calling_name or None,
        "CallingNameUpdatedTimestamp": settings.calling_name_changed,
    }


def update_phone_number_settings(control: Control, asked: Fields) -> Fields:
    """The calling name of numbers that have none of their own."""
    settings = calling_names.settings_of(control.store.snapshot)
    with answering_for_one():
        changed = calling_names.with_default(settings, asked["CallingName"], control.profile, control.clock())
    control.store.commit(changed)
    return {}


# What the other files of numbers share


def up_to_date(control: Control) -> Snapshot:
    """What there is, once that which has come due is done."""
    change = orders.due(control.store.snapshot, control.clock())
    if change.put or change.remove:
        control.store.commit(*change.put, remove=change.remove)
    return control.store.snapshot


def committed(control: Control, change: Change) -> Fields:
    """Keep a change, and say which numbers it does not have."""
    if change.put or change.remove:
        control.store.commit(*change.put, remove=change.remove)
    return {"PhoneNumberErrors": _errors(change.errors)}


def _errors(errors: Iterable[PhoneNumberError]) -> list[Fields]:
    return [
        {"PhoneNumberId": phone_number_id(error.number), "ErrorCode": error.code, "ErrorMessage": error.message}
        for error in errors
    ]


@contextmanager
def answering_for_one() -> Iterator[None]:
    """What is refused of a number is refused of the whole request."""
    try:
        yield
    except Refused as refused:
        raise _exception(refused.code, str(refused)) from None


def _exception(code: inventory.ErrorCode, message: str) -> Exception:
    """What contradicts what is there is a Conflict, which not every operation declares."""
    match code:
        case "NotFound":
            return NotFound(message)
        case "BadRequest" | "ResourceLimitExceeded":
            return ApiError(f"{code}Exception", message)
    return Conflict(message)


def phone_number_id(number: str) -> str:
    """The id of a number, as AWS's examples have it: %2B12065550100."""
    return f"%2B{number[1:]}" if number.startswith("+") else number


def _one(control: Control, number: str) -> Fields:
    """A number as the API shows it. Raises NotFound."""
    snapshot = up_to_date(control)
    with answering_for_one():
        return _shown(known_number(snapshot, number), Associations(snapshot), control.clock())


def _shown(known: PhoneNumber, associations: Associations, now: float) -> Fields:
    number = known.e164_phone_number
    country = country_of(number)
    return {
        "PhoneNumberId": phone_number_id(number),
        "E164PhoneNumber": number,
        "Country": country or None,
        "Type": kind_of(number),
        "ProductType": known.product_type,
        "Status": associations.status(known),
        "Capabilities": _VOICE_AND_TEXTS if country in _TEXTS else _VOICE_ONLY,
        "Associations": [
            {"Name": each.name, "Value": each.value, "AssociatedTimestamp": each.since}
            for each in associations.of(known)
        ],
        "CallingName": known.calling_name or None,
        "CallingNameStatus": calling_names.status(known, now),
        "CreatedTimestamp": known.created_timestamp,
        "UpdatedTimestamp": known.updated_timestamp,
        # Unverified: whether it is the time of the deletion, or as here of its end, when the number is gone.
        "DeletionTimestamp": known.deletion_due,
        "OrderId": known.order_id,
        "Name": known.name or None,
    }
