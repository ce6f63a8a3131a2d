"""Porting orders, which the API shows and only support makes: `/emulator/porting-orders` (guide p. 52-55).

An order of new numbers that waits for papers is moved along here too.
"""

from datetime import UTC, datetime

from ..trunk.orders import PORTING_STATUSES, OrderStatus, Wish, moved, port
from ..trunk.shapes import phone_number, phone_number_name, product_type
from ..trunk.tables import Reader, Table, choice, text
from .context import Control, Fields
from .output import iso_8601
from .phone_number_orders import known_order, order_shown
from .phone_numbers import answering_for_one, up_to_date

_status: Reader[OrderStatus] = choice(*PORTING_STATUSES)


def create_porting_order(control: Control, entries: object) -> Fields:
    """An order from JSON. Raises ShapeError, ApiError, Conflict."""
    table = Table(entries, "", ("E164PhoneNumbers", "ProductType", "Name", "Status", "FocDate"))
    wish = Wish(
        control.new_uuid(),
        table.each("E164PhoneNumbers", phone_number),
        table.get("ProductType", product_type, "VoiceConnector"),
        table.get("Name", phone_number_name, ""),
    )
    status: OrderStatus = table.get("Status", _status, "Submitted")
    foc_date = table.get("FocDate", _time, None)
    with answering_for_one():
        control.store.commit(*port(up_to_date(control), wish, status, foc_date, control.profile))
    return _written(control, wish.order_id)


def move_porting_order(control: Control, order_id: str, entries: object) -> Fields:
    """Another status, from JSON. Raises ShapeError, ApiError, Conflict, NotFound."""
    table = Table(entries, "", ("Status", "FocDate"))
    status, foc_date = table.required("Status", _status), table.get("FocDate", _time, None)
    known = known_order(control, order_id)
    with answering_for_one():
        control.store.commit(*moved(control.store.snapshot, known, status, foc_date))
    return _written(control, order_id)


def _time(value: object) -> float:
    """Unix time, from ISO 8601; in UTC where it names no other offset."""
    try:
        read = datetime.fromisoformat(text(value))
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        raise ValueError("must be a time in ISO 8601, such as 2022-05-01T12:00:00Z") from None


def _written(control: Control, order_id: str) -> Fields:
    """The order as the API shows it, as it is after an instant FOC date too."""
    shown = order_shown(control, order_id)
    times = ("CreatedTimestamp", "UpdatedTimestamp", "FocDate")
    return shown | {key: iso_8601(shown[key]) if shown[key] is not None else None for key in times}
