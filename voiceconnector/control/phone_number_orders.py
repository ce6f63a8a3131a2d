"""Phone numbers that can be had, where, and orders of them (guide p. 39-52)."""

from ..trunk.countries import COUNTRIES
from ..trunk.offers import Search, available
from ..trunk.orders import PhoneNumberOrder, Wish, order
from ..trunk.store import NotFound
from .context import Control, Fields
from .errors import ApiError
from .pages import Place, page
from .phone_numbers import answering_for_one, up_to_date


def search_available_phone_numbers(control: Control, asked: Fields) -> Fields:
    """Numbers that nobody has, in order."""
    search = Search(
        asked.get("Country", "US"),
        asked.get("PhoneNumberType"),
        asked.get("AreaCode", ""),
        asked.get("State", ""),
        asked.get("City", ""),
        asked.get("TollFreePrefix", ""),
    )
    try:
        found = available(up_to_date(control), search)
    except ValueError as error:
        raise ApiError("BadRequestException", str(error)) from None
    numbers, token = page(found, asked, _place_of_number)
    return {"E164PhoneNumbers": numbers, "NextToken": token}


def list_supported_phone_number_countries(control: Control, asked: Fields) -> Fields:
    """Where numbers for a product can be ordered, and of which types."""
    product_type = asked["ProductType"]
    return {
        "PhoneNumberCountries": [
            {"CountryCode": country.code, "SupportedPhoneNumberTypes": country.kinds_for(product_type)}
            for country in COUNTRIES.values()
            if country.kinds_for(product_type)
        ]
    }


def create_phone_number_order(control: Control, asked: Fields) -> Fields:
    """An order of new numbers, which is settled later."""
    snapshot = up_to_date(control)
    wish = Wish(control.new_uuid(), asked["E164PhoneNumbers"], asked["ProductType"], asked.get("Name", ""))
    with answering_for_one():
        control.store.commit(*order(snapshot, wish, control.profile, control.clock()))
    return {"PhoneNumberOrder": order_shown(control, wish.order_id)}


def get_phone_number_order(control: Control, asked: Fields) -> Fields:
    return {"PhoneNumberOrder": order_shown(control, asked["PhoneNumberOrderId"])}


def list_phone_number_orders(control: Control, asked: Fields) -> Fields:
    known = tuple(up_to_date(control).all(PhoneNumberOrder).values())
    orders, token = page(known, asked)
    return {"PhoneNumberOrders": list(map(_shown, orders)), "NextToken": token}


def known_order(control: Control, order_id: str) -> PhoneNumberOrder:
    """The order of an id, in whichever case it is written. Raises NotFound."""
    known = up_to_date(control).all(PhoneNumberOrder).get(order_id.lower())
    if known is None:
        raise NotFound(f"Could not find PhoneNumberOrder with Id '{order_id}'")
    return known


def order_shown(control: Control, order_id: str) -> Fields:
    """An order as the API shows it. Raises NotFound."""
    return _shown(known_order(control, order_id))


def _shown(known: PhoneNumberOrder) -> Fields:
    return {
        "PhoneNumberOrderId": known.phone_number_order_id,
        "ProductType": known.product_type,
        "Status": known.status,
        "OrderType": known.order_type,
        "OrderedPhoneNumbers": [
            {"E164PhoneNumber": each.e164_phone_number, "Status": each.status} for each in known.ordered_phone_numbers
        ],
        "CreatedTimestamp": known.created_timestamp,
        "UpdatedTimestamp": known.updated_timestamp,
        "FocDate": known.foc_date,
    }


def _place_of_number(number: str) -> Place:
    return number, number
