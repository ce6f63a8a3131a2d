"""Where phone numbers can be had: which types, for what, and who asks for which papers (guide p. 39-56).

The API only tells the types; the papers are what the guide lists. A number of a country that is not here cannot be
ordered or ported in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from phonenumbers import NumberParseException, PhoneNumberType, is_valid_number, number_type, parse

from .model import PhoneNumberProductType
from .numbers import country_of, is_toll_free

NumberKind = Literal["Local", "TollFree"]
"""AWS's PhoneNumberType."""


@dataclass(frozen=True, slots=True)
class NumberType:
    """Numbers of one kind in one country."""

    kind: NumberKind
    documents: tuple[str, ...] = ()
    """What is asked for when some are ordered; empty: nothing is."""
    condition: str = ""
    """What else holds for these papers."""
    porting: tuple[str, ...] | None = None
    """What is asked for when some are ported in; None: they cannot be."""
    porting_condition: str = ""
    prefixes: tuple[str, ...] = ()
    """How such numbers begin, in E.164, where they are a range of their own: national or business numbers."""


@dataclass(frozen=True, slots=True)
class Country:
    """A country that has numbers to order."""

    code: str
    """ISO 3166-1 alpha-2."""
    product_types: tuple[PhoneNumberProductType, ...]
    number_types: tuple[NumberType, ...]

    @property
    def kinds(self) -> tuple[NumberKind, ...]:
        """The kinds of its numbers, each once."""
        return tuple(dict.fromkeys(each.kind for each in self.number_types))

    def kinds_for(self, product_type: PhoneNumberProductType) -> tuple[NumberKind, ...]:
        """Those of them that can be had for a product; none that is toll-free for Business Calling."""
        if product_type not in self.product_types:
            return ()
        return tuple(each for each in self.kinds if product_type != "BusinessCalling" or each == "Local")


_ADDRESS = "business address"
_LOCATION = "proof of location"
_REGISTRATION = "copy of the business registration"
_REGISTRATION_OR_ID = "copy of the business registration, or of the ID of an individual"
_UTILITY_BILL = "proof of address such as a utility bill"
_INVOICE = "last invoice of the current provider"
_AUTHORIZATION = "letter of authorization"
_CERTIFICATE = "certificate of the number from the national regulator"

_SAME_ZONE = "the address is in the geographic zone of the numbers"
_SAME_COUNTRY = "the address is in the country"
_ANY_COUNTRY = "the address may be in another country"
_FROM_REGULATOR = "the number is first obtained from the local regulator"

_PORTING = (_INVOICE, _AUTHORIZATION)
_NEITHER = (NumberType("Local", porting=_PORTING), NumberType("TollFree", porting=_PORTING))
"""No papers for local or toll-free numbers, the usual two for porting."""
_US_PORTING = (
    "letter of agency (LOA), one for each carrier",
    "billing telephone number (BTN) of the account",
    "name of the person in charge of billing with the current carrier",
    "service address and customer name as the contract with the current carrier has them",
    "date and time wanted for the port",
)
_DIAL_IN: tuple[PhoneNumberProductType, ...] = ("SipMediaApplicationDialIn",)

_ALL = (
    Country(
        "US",
        ("VoiceConnector", "SipMediaApplicationDialIn", "BusinessCalling"),
        (NumberType("Local", porting=_US_PORTING), NumberType("TollFree", porting=_US_PORTING)),
    ),
    Country("PR", ("VoiceConnector", "BusinessCalling"), (NumberType("Local"), NumberType("TollFree"))),
    Country(
        "AU",
        _DIAL_IN,
        (
            NumberType("Local", (_ADDRESS, _LOCATION), _SAME_ZONE, _PORTING),
            NumberType("TollFree", (_ADDRESS,), _ANY_COUNTRY, _PORTING),
        ),
    ),
    Country(
        "AT",
        _DIAL_IN,
        (
            NumberType(
                "Local",
                (
                    _ADDRESS,
                    "proof of telecom services: an operator's invoice with another number of the area, "
                    "or an invoice for Internet access with a fixed IP address there",
                ),
                _SAME_ZONE,
                _PORTING,
            ),
            NumberType("Local", (_ADDRESS,), _SAME_COUNTRY, prefixes=("+43720",)),
            NumberType("TollFree", (_ADDRESS,), _ANY_COUNTRY, _PORTING),
        ),
    ),
    Country("CA", _DIAL_IN, _NEITHER),
    Country("DK", _DIAL_IN, _NEITHER),
    Country(
        "FI",
        _DIAL_IN,
        (
            NumberType("Local", (_ADDRESS, _LOCATION), _SAME_ZONE, _PORTING),
            NumberType("Local", prefixes=("+35875",)),
            NumberType("TollFree", porting=_PORTING),
        ),
    ),
    Country(
        "DE",
        _DIAL_IN,
        (
            NumberType(
                "Local",
                (_ADDRESS, _REGISTRATION_OR_ID, _UTILITY_BILL),
                _SAME_ZONE,
                (*_PORTING, _ADDRESS, _REGISTRATION, "copy of the ID of the company's representative"),
                _SAME_ZONE,
            ),
            NumberType("Local", (_ADDRESS, _REGISTRATION_OR_ID, _UTILITY_BILL), _SAME_COUNTRY, prefixes=("+4932",)),
            NumberType(
                "TollFree",
                (_ADDRESS, _UTILITY_BILL),
                f"{_SAME_COUNTRY}; {_FROM_REGULATOR}",
                (*_PORTING, _CERTIFICATE),
                _FROM_REGULATOR,
            ),
        ),
    ),
    Country(
        "IE",
        _DIAL_IN,
        (
            NumberType("Local", (_ADDRESS,), _SAME_ZONE, _PORTING),
            NumberType("Local", (_ADDRESS,), _SAME_COUNTRY, prefixes=("+353818", "+35376")),
            NumberType("TollFree", porting=_PORTING),
        ),
    ),
    Country(
        "IT",
        _DIAL_IN,
        (
            NumberType(
                "Local",
                (_ADDRESS, _LOCATION, _REGISTRATION, "passport or ID of the end user"),
                _SAME_ZONE,
                (
                    *_PORTING,
                    "copy of the passport or ID of the company's representative",
                    "copy of the local business registration, or an individual's proof of address",
                ),
            ),
            NumberType("TollFree", porting=_PORTING),
        ),
    ),
    Country("NZ", _DIAL_IN, (NumberType("Local"), NumberType("TollFree", porting=_PORTING))),
    Country("NG", _DIAL_IN, (NumberType("Local", (_ADDRESS,), _ANY_COUNTRY),)),
    Country("KR", _DIAL_IN, (NumberType("TollFree", (_ADDRESS, _LOCATION), _SAME_COUNTRY),)),
    Country("SE", _DIAL_IN, _NEITHER),
    Country(
        "CH",
        _DIAL_IN,
        (
            NumberType(
                "Local",
                (_ADDRESS, _LOCATION, _REGISTRATION_OR_ID),
                _SAME_ZONE,
                (*_PORTING, _ADDRESS),
                _ANY_COUNTRY,
            ),
            NumberType("Local", (_ADDRESS,), _SAME_COUNTRY, prefixes=("+4151", "+4158")),
            NumberType(
                "TollFree",
                (_ADDRESS, _REGISTRATION_OR_ID),
                _ANY_COUNTRY,
                (*_PORTING, _ADDRESS, _CERTIFICATE),
                _SAME_COUNTRY,
            ),
        ),
    ),
    Country("GB", _DIAL_IN, _NEITHER),
)

COUNTRIES: Mapping[str, Country] = MappingProxyType({country.code: country for country in _ALL})
"""By code."""

_LOCAL = frozenset({PhoneNumberType.FIXED_LINE, PhoneNumberType.FIXED_LINE_OR_MOBILE})


def kind_of(number: str) -> NumberKind:
    """Whether an E.164 number is toll-free."""
    return "TollFree" if is_toll_free(number) else "Local"


def type_of(number: str) -> NumberType | None:
    """What an E.164 number is among those that can be had in its country; None: it is none of them."""
    country = COUNTRIES.get(country_of(number))
    if country is None:
        return None
    try:
        parsed = parse(number)
    except NumberParseException:
        return None
    if not is_valid_number(parsed):
        return None
    for each in country.number_types:
        if each.prefixes and number.startswith(each.prefixes):
            return each
    kind = number_type(parsed)
    if kind != PhoneNumberType.TOLL_FREE and kind not in _LOCAL:
        return None
    wanted = kind_of(number)
    return next((each for each in country.number_types if each.kind == wanted and not each.prefixes), None)


def product_types(number: str) -> tuple[PhoneNumberProductType, ...]:
    """What an E.164 number may be used for, by its country and kind.

    Numbers outside the US are for SIP media applications only (guide p. 40, 56), but Puerto Rico's for Voice
    Connectors (p. 49); no toll-free number is for Business Calling.
    """
    country = COUNTRIES.get(country_of(number))
    allowed = country.product_types if country else _DIAL_IN
    return tuple(each for each in allowed if each != "BusinessCalling" or not is_toll_free(number))


def described() -> list[dict[str, Any]]:
    """All of it, for a person or a program to read."""
    return [
        {
            "CountryCode": country.code,
            "ProductTypes": list(country.product_types),
            "PhoneNumberTypes": [_described(each) for each in country.number_types],
        }
        for country in _ALL
    ]


def _described(each: NumberType) -> dict[str, object]:
    porting: dict[str, object] = {"Supported": each.porting is not None}
    if each.porting is not None:
        porting |= {"Documents": list(each.porting), "Condition": each.porting_condition}
    return {
        "Type": each.kind,
        "Prefixes": list(each.prefixes),
        "IdentityRequired": bool(each.documents),
        "Documents": list(each.documents),
        "Condition": each.condition,
        "Porting": porting,
    }
