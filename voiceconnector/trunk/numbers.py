"""E.164 numbers: reading one from the user part of a SIP URI, and telling its country.

Implements the number shape of the Voice Connector API, the forms of RFC 3966 that PBXs put into a user part
(visual separators, parameters, an escaped `+`), and the national split of shared calling codes: +1 is told
apart by area code. Numbers are never completed: "2065550101" stays what it is, as the service takes no
national forms and no access codes (guide p. 60).
"""

import re
from functools import lru_cache

from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    REGION_CODE_FOR_NON_GEO_ENTITY,
    NumberParseException,
    PhoneNumberType,
    number_type,
    parse,
    region_code_for_number,
)

_is_e164 = re.compile(r"\+[1-9][0-9]{1,14}").fullmatch
_escape = re.compile("%([0-9A-Fa-f]{2})")
_TOLL_FREE_PREFIXES = ("+1800", "+1833", "+1844", "+1855", "+1866", "+1877", "+1888")
"""North America's."""
_VISUAL_SEPARATORS = str.maketrans("", "", "-.() ")
"""RFC 3966 5.1.1, and the space that some PBXs escape into a user part."""


def e164(user: str) -> str:
    """The E.164 number, `+` and 2 to 15 digits, in the user part of a SIP URI; empty where it is none.

    Parameters after `;` are ignored, `%2B` is a `+`, visual separators are dropped. A local number with a
    phone-context is none: RFC 3966 5.1.5 forbids to join the two.
    """
    if _is_e164(user):
        return user
    number = _bare(user)
    return number if _is_e164(number) else ""


def why_not_e164(user: str) -> str:
    """What keeps a user part from being an E.164 number, as the end of a sentence that starts with it."""
    number = _bare(user)
    digits = number.removeprefix("+")
    if not user:
        return "is empty"
    if not digits:
        return "has no digits"
    if not (digits.isascii() and digits.isdigit()):
        return "has characters that are not digits"
    if "phone-context=" in user.lower():
        return "is a local number with a phone-context, which does not make a number (RFC 3966 5.1.5)"
    if number.startswith(("011", "00")):
        return "starts with an international access code instead of +"
    if not number.startswith("+"):
        return "has no leading +"
    if digits.startswith("0"):
        return "has a 0 where the country code starts"
    return f"has {len(digits)} digit{'s' * (len(digits) > 1)}, and E.164 allows 2 to 15"


def suggestion(user: str) -> str:
    """The E.164 number that a dialled number probably stands for; empty where there is no good guess."""
    digits = _bare(user).removeprefix("+")
    for access_code in ("011", "00"):
        digits = digits.removeprefix(access_code)
    if re.fullmatch("[2-9][0-9]{2}[2-9][0-9]{6}", digits):
        digits = "1" + digits
    number = "+" + digits
    return number if len(digits) > 7 and _is_e164(number) else ""


def _bare(user: str) -> str:
    digits = _escape.sub(lambda escape: chr(int(escape[1], 16)), user.partition(";")[0])
    return digits.translate(_VISUAL_SEPARATORS)


def country_of(number: str) -> str:
    """The country of an E.164 number, ISO 3166-1 alpha-2; empty where it belongs to none.

    Numbers of no country are those with an unassigned calling code, and those of global services (satellite
    +870 and +881, international freephone +800, networks +882 and +883). A number that fits no national plan
    of a shared calling code counts as its main country, as the longest prefix of a rate table is then the
    calling code alone. So the US has the North American toll-free and premium numbers (+1 800, +1 900, …),
    and area codes that nobody was given (+1 555).
    """
    # Unverified: how the service counts toll-free and unassigned numbers of a shared calling code.
    if number.startswith("+1"):
        # An area code belongs to one country; the digits after it only have to make a valid number.
        return _country_of(number[:5] + "2345678")
    # Beyond the eighth digit, no plan of a shared calling code tells countries apart.
    return _country_of(number[:9].ljust(len(number), "0"))


@lru_cache(maxsize=8192)
def _country_of(number: str) -> str:
    if not _is_e164(number):
        return ""
    for length in (1, 2, 3):
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(number[1 : 1 + length]))
        if regions is None:
            continue
        if regions == (REGION_CODE_FOR_NON_GEO_ENTITY,):
            return ""
        main_country: str = regions[0]
        return main_country if len(regions) == 1 else _country_in_shared_code(number) or main_country
    return ""


def forget() -> None:
    """Keep none of the countries and types that were found."""
    _country_of.cache_clear()
    _is_toll_free.cache_clear()


def _country_in_shared_code(number: str) -> str | None:
    try:
        return region_code_for_number(parse(number))
    except NumberParseException:
        return None


def is_toll_free(number: str) -> bool:
    """Whether the called side pays for calls to an E.164 number."""
    if number.startswith("+1"):
        return number.startswith(_TOLL_FREE_PREFIXES)
    return _is_toll_free(number)


@lru_cache(maxsize=8192)
def _is_toll_free(number: str) -> bool:
    try:
        return bool(number_type(parse(number)) == PhoneNumberType.TOLL_FREE)
    except NumberParseException:
        return False
