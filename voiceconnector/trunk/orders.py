"""Orders of phone numbers, new ones and those that are ported in (guide p. 39-56).

A number that an order is to bring is in the inventory at once, and not in service before the order is fulfilled.
One that cannot be had is not; so it has failed when the order is settled. Times are Unix times in seconds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from .countries import type_of
from .inventory import Change, Refused, check_product_type, expired, room_for
from .model import PhoneNumber, PhoneNumberProductType, PhoneNumberProgress, Resource, Snapshot, identity
from .numbers import country_of
from .offers import is_free, is_offered
from .profile import Profile
from .shapes import phone_number, product_type, unix_time, uuid
from .tables import Reader, Table, choice

OrderStatus = Literal[
    "Processing", "Successful", "Failed", "Partial", "PendingDocuments", "Submitted", "FOC", "ChangeRequested",
    "Exception", "CancelRequested", "Cancelled",
]  # fmt: skip
OrderedStatus = Literal["Processing", "Acquired", "Failed"]
OrderType = Literal["New", "Porting"]

PORTING_STATUSES: tuple[OrderStatus, ...] = (
    "PendingDocuments", "Submitted", "FOC", "ChangeRequested", "Exception", "CancelRequested", "Cancelled",
    "Successful",
)  # fmt: skip
"""Those that support moves an order to (guide p. 55)."""
_SETTLED = frozenset({"Successful", "Failed", "Partial", "Cancelled"})


@dataclass(frozen=True, slots=True)
class OrderedPhoneNumber:
    """One number of an order."""

    e164_phone_number: str
    status: OrderedStatus = "Processing"


@dataclass(frozen=True, slots=True)
class PhoneNumberOrder:
    """Numbers that were ordered together."""

    phone_number_order_id: str
    """UUID."""
    product_type: PhoneNumberProductType
    ordered_phone_numbers: tuple[OrderedPhoneNumber, ...]
    status: OrderStatus = "Processing"
    order_type: OrderType = "New"
    foc_date: float | None = None
    """The firm order commitment: when ported numbers become active; None: it is not agreed."""
    due: float | None = None
    """When the order is settled by itself; None: it waits for somebody."""
    created_timestamp: float = 0.0
    updated_timestamp: float = 0.0

    @property
    def is_settled(self) -> bool:
        return self.status in _SETTLED


@dataclass(frozen=True, slots=True)
class Wish:
    """What is ordered."""

    order_id: str
    """UUID, for the new order."""
    numbers: Sequence[str]
    product_type: PhoneNumberProductType
    name: str = ""
    """For each of the numbers."""


order_status: Reader[OrderStatus] = choice(*get_args(OrderStatus))
_ordered_status: Reader[OrderedStatus] = choice(*get_args(OrderedStatus))
_order_type: Reader[OrderType] = choice("New", "Porting")


def phone_number_order(entries: object, path: str) -> PhoneNumberOrder:
    keys = ("PhoneNumberOrderId", "ProductType", "OrderedPhoneNumbers", "Status", "OrderType", "FocDate", "Due")
    table = Table(entries, path, keys)
    return PhoneNumberOrder(
        phone_number_order_id=table.required("PhoneNumberOrderId", uuid),
        product_type=table.required("ProductType", product_type),
        ordered_phone_numbers=table.shapes("OrderedPhoneNumbers", _ordered_phone_number),
        status=table.get("Status", order_status, "Processing"),
        order_type=table.get("OrderType", _order_type, "New"),
        foc_date=table.get("FocDate", unix_time, None),
        due=table.get("Due", unix_time, None),
    )


def _ordered_phone_number(entries: object, path: str) -> OrderedPhoneNumber:
    table = Table(entries, path, ("E164PhoneNumber", "Status"))
    return OrderedPhoneNumber(
        table.required("E164PhoneNumber", phone_number), table.get("Status", _ordered_status, "Processing")
    )


# New numbers


def order(snapshot: Snapshot, wish: Wish, profile: Profile, now: float) -> tuple[Resource, ...]:
    """What is to be committed for an order of new numbers: itself, and those numbers that can be had.

    Raises Refused for what is wrong whoever has the numbers: the product type, too many.
    """
    _check(snapshot, wish, profile)
    numbers = snapshot.all(PhoneNumber)
    acquired = [
        _expected(wish, number, "AcquireInProgress")
        for number in wish.numbers
        if is_free(numbers.get(number)) and _can_be_had(number, profile)
    ]
    documents = profile.identity_documents_required and any(_needs_documents(number) for number in wish.numbers)
    return (
        PhoneNumberOrder(
            wish.order_id,
            wish.product_type,
            tuple(map(OrderedPhoneNumber, wish.numbers)),
            # Unverified: the guide has such numbers requested from support, and not how their order stands meanwhile.
            "PendingDocuments" if documents else "Processing",
            due=None if documents else now + profile.phone_number_order_seconds,
        ),
        *acquired,
    )


def _check(snapshot: Snapshot, wish: Wish, profile: Profile) -> None:
    count, most = len(wish.numbers), profile.phone_numbers_per_order_max
    if not count:
        raise Refused("BadRequest", "E164PhoneNumbers is empty; order one phone number at least")
    if len(set(wish.numbers)) < count:
        raise Refused("BadRequest", "E164PhoneNumbers has a phone number twice")
    if most is not None and count > most:
        raise Refused("BadRequest", f"{count} phone numbers are more than the {most} that one order can have")
    for number in wish.numbers:
        check_product_type(number, wish.product_type)
    room_for(snapshot, count, profile)


def _can_be_had(number: str, profile: Profile) -> bool:
    return type_of(number) is not None if profile.orders_beyond_search else is_offered(number)


def _needs_documents(number: str) -> bool:
    found = type_of(number)
    return found is not None and bool(found.documents)


def _expected(wish: Wish, number: str, progress: PhoneNumberProgress) -> PhoneNumber:
    return PhoneNumber(
        number, product_type=wish.product_type, name=wish.name, progress=progress, order_id=wish.order_id
    )


# Ported numbers


def port(
    snapshot: Snapshot, wish: Wish, status: OrderStatus, foc_date: float | None, profile: Profile
) -> tuple[Resource, ...]:
    """What is to be committed for numbers that are to be ported in (guide p. 52-54). Raises Refused."""
    _check(snapshot, wish, profile)
    if wish.product_type == "VoiceConnector" and not snapshot.by_id:
        raise Refused(
            "PreconditionFailed", "Create a Voice Connector before you port phone numbers for one (guide p. 52)"
        )
    numbers = snapshot.all(PhoneNumber)
    for number in wish.numbers:
        if not is_free(numbers.get(number)):
            raise Refused("Conflict", "A phone number is in the inventory already")
        found = type_of(number)
        if found is None or found.porting is None:
            country = country_of(number) or "no country"
            raise Refused("BadRequest", f"Such phone numbers of {country} cannot be ported in (guide p. 42-54)")
    begun = PhoneNumberOrder(
        wish.order_id, wish.product_type, tuple(map(OrderedPhoneNumber, wish.numbers)), "Submitted", "Porting"
    )
    expected = {number: _expected(wish, number, "PortinInProgress") for number in wish.numbers}
    changed = moved(snapshot.after((begun, *expected.values())), begun, status, foc_date)
    return tuple({(type(each), identity(each)): each for each in (begun, *expected.values(), *changed)}.values())


def moved(
    snapshot: Snapshot, known: PhoneNumberOrder, status: OrderStatus, foc_date: float | None
) -> tuple[Resource, ...]:
    """What is to be committed when support moves an order to a status (guide p. 55). Raises Refused.

    An order with a FOC date is fulfilled by itself on that date.
    """
    if known.is_settled:
        raise Refused("Conflict", f"The order is {known.status}, and stays so")
    if status not in PORTING_STATUSES:
        raise Refused("BadRequest", f"Status {status} is none of {', '.join(PORTING_STATUSES)}")
    foc_date = known.foc_date if foc_date is None else foc_date
    if status == "FOC" and foc_date is None:
        raise Refused("BadRequest", "Status FOC needs FocDate, the firm order commitment")
    if status == "Successful":
        return _settled(snapshot, replace(known, foc_date=foc_date))
    if status == "Cancelled":
        failed = tuple(replace(each, status="Failed") for each in known.ordered_phone_numbers)
        closed = replace(known, status=status, ordered_phone_numbers=failed, due=None)
        return (closed, *_progressing(snapshot, known, "Cancelled"))
    waiting: PhoneNumberProgress = "PortinCancelRequested" if status == "CancelRequested" else "PortinInProgress"
    if known.order_type == "New":
        waiting = "AcquireInProgress"
    due = foc_date if status == "FOC" else None
    return (replace(known, status=status, foc_date=foc_date, due=due), *_progressing(snapshot, known, waiting))


def _progressing(snapshot: Snapshot, known: PhoneNumberOrder, progress: PhoneNumberProgress) -> list[PhoneNumber]:
    return [replace(number, progress=progress) for number in _coming(snapshot, known)]


# Time


def due(snapshot: Snapshot, now: float) -> Change:
    """What has come due: orders that are fulfilled or failed, numbers that leave the deletion queue."""
    put: list[Resource] = []
    for known in snapshot.all(PhoneNumberOrder).values():
        if known.due is not None and known.due <= now:
            put += _settled(snapshot, known)
    return Change(tuple(put), expired(snapshot, now))


def _settled(snapshot: Snapshot, known: PhoneNumberOrder) -> tuple[Resource, ...]:
    coming = _coming(snapshot, known)
    acquired = {identity(number) for number in coming}
    status: OrderStatus = "Successful" if len(acquired) == len(known.ordered_phone_numbers) else "Partial"
    ordered = tuple(
        replace(each, status="Acquired" if each.e164_phone_number in acquired else "Failed")
        for each in known.ordered_phone_numbers
    )
    settled = replace(known, status=status if acquired else "Failed", ordered_phone_numbers=ordered, due=None)
    return (settled, *(replace(number, progress=None) for number in coming))


def _coming(snapshot: Snapshot, known: PhoneNumberOrder) -> list[PhoneNumber]:
    """The numbers that an order is about to bring."""
    numbers = snapshot.all(PhoneNumber)
    found: Iterable[PhoneNumber | None] = (numbers.get(each.e164_phone_number) for each in known.ordered_phone_numbers)
    return [number for number in found if number and number.progress and number.order_id == identity(known)]
