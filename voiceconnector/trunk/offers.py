"""The phone numbers that a search finds: a pool that is the same at each start (guide p. 39).

North American numbers are 555-0100 to 555-0199 of each area code, and of each toll-free prefix but 800: they are
set aside for fiction, so that no laboratory rings somebody up. Elsewhere a hundred numbers begin like the example
of phonenumbers' metadata for the country, or for the area code that is asked for.
"""

from dataclasses import dataclass
from functools import lru_cache

from phonenumbers import (
    PhoneNumberFormat,
    PhoneNumberType,
    country_code_for_region,
    example_number_for_type,
    format_number,
)

from .area_codes import areas
from .countries import COUNTRIES, NumberKind, type_of
from .model import PhoneNumber, Snapshot
from .numbers import country_of

# The maintainers of Amazon's CDK constructs say that there are none with 800.
_TOLL_FREE_PREFIXES = ("833", "844", "855", "866", "877", "888")
_FICTION = "55501"
_NORTH_AMERICA = ("US", "CA", "PR")
_PER_RANGE = 100
_FIXED_DIGITS = 5
"""Of the end of an example number, those that the pool's numbers share but for the last two."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; empty: no matter which."""

    country: str = "US"
    """ISO 3166-1 alpha-2."""
    kind: NumberKind | None = None
    area_code: str = ""
    state: str = ""
    """Postal code or name."""
    city: str = ""
    toll_free_prefix: str = ""

    @property
    def is_toll_free(self) -> bool:
        return self.kind == "TollFree" or bool(self.toll_free_prefix)


def available(snapshot: Snapshot, search: Search) -> tuple[str, ...]:
    """The numbers that can be ordered, in order. Raises ValueError for a search that cannot be made, with why."""
    _check(search)
    numbers = snapshot.all(PhoneNumber)
    return tuple(number for number in _pool(search) if is_free(numbers.get(number)))


def is_free(known: PhoneNumber | None) -> bool:
    """Whether a number can be ordered, as far as the account's own numbers are concerned."""
    return known is None or known.progress == "Cancelled"


def is_offered(number: str) -> bool:
    """Whether some search finds an E.164 number, when nobody has it."""
    if type_of(number) is None:
        return False
    if number.startswith("+1"):
        return number[5:10] == _FICTION and (number[2:5] in _TOLL_FREE_PREFIXES or number[2:5] in areas())
    country = country_of(number)
    ends = (_example(country, kind)[-_FIXED_DIGITS:-2] for kind in COUNTRIES[country].kinds)
    return number[-_FIXED_DIGITS:-2] in ends


# Unverified: what the service refuses. Amazon's CDK constructs refuse a city without its state, a search in the US
# without state, area code or toll-free prefix, and one elsewhere without a type; it answers one for nothing with 400.
def _check(search: Search) -> None:
    """Raise ValueError for criteria that contradict each other, or are too few."""
    country = COUNTRIES.get(search.country)
    if country is None:
        raise ValueError(
            f"Country {search.country} has no numbers to order; those that have are {', '.join(COUNTRIES)}"
        )
    geographic = search.area_code or search.state or search.city
    if search.toll_free_prefix and search.country not in _NORTH_AMERICA:
        raise ValueError("TollFreePrefix is for numbers of the US, Canada and Puerto Rico")
    if search.toll_free_prefix and search.kind == "Local":
        raise ValueError("TollFreePrefix and PhoneNumberType Local exclude each other")
    if search.is_toll_free and geographic:
        raise ValueError("Toll-free numbers have no AreaCode, City or State; leave them out")
    if not search.is_toll_free:
        _check_geography(search)
    kind: NumberKind = "TollFree" if search.is_toll_free else "Local"
    if kind not in country.kinds:
        raise ValueError(f"PhoneNumberType {kind} is not to be had in {search.country}; {', '.join(country.kinds)} is")


def _check_geography(search: Search) -> None:
    north_american = search.country in _NORTH_AMERICA
    if search.country == "US" and not (search.area_code or search.state):
        raise ValueError("A search in the US needs State, AreaCode, TollFreePrefix or PhoneNumberType TollFree")
    if search.country != "US" and not search.kind:
        raise ValueError(f"A search in {search.country} needs PhoneNumberType")
    if (search.state or search.city) and not north_american:
        raise ValueError("State and City are for numbers of the US and Canada; elsewhere give AreaCode")
    if search.city and not search.state:
        raise ValueError("City needs its State")
    if search.state and not any(search.state.lower() in each.states for each in areas().values()):
        raise ValueError(f"State {search.state} is none of the US or Canada; give its postal code, such as WA")
    allowed = "3 digits" if north_american else "1 to 5 digits"
    digits = range(3, 4) if north_american else range(1, 6)
    code = search.area_code
    if code and not (code.isascii() and code.isdigit() and len(code) in digits):
        raise ValueError(f"AreaCode {code} must be {allowed}")


@lru_cache(maxsize=64)
def _pool(search: Search) -> tuple[str, ...]:
    if search.country in _NORTH_AMERICA:
        prefixes = _north_american(search)
        return tuple(f"+1{prefix}{_FICTION}{last:02}" for prefix in prefixes for last in range(_PER_RANGE))
    example = _example(search.country, "TollFree" if search.is_toll_free else "Local")
    for start in _starts(example, search):
        numbers = tuple(f"{start}{last:02}" for last in range(_PER_RANGE))
        valid = tuple(number for number in numbers if _fits(number, search))
        if valid:
            return valid
    return ()


def _north_american(search: Search) -> tuple[str, ...]:
    """The area codes or toll-free prefixes that are looked for."""
    if search.is_toll_free:
        return tuple(prefix for prefix in _TOLL_FREE_PREFIXES if search.toll_free_prefix in ("", prefix))
    state, city = search.state.lower(), search.city.lower()
    return tuple(
        code
        for code, area in areas().items()
        if area.country == search.country
        and search.area_code in ("", code)
        and (not state or state in area.states)
        and (not city or any(f"{each} {city}" in area.cities for each in area.states))
    )


def _starts(example: str, search: Search) -> list[str]:
    """How the numbers of a range may begin, but for their last two digits: with the example's, or the area code's."""
    if not search.area_code:
        return [example[:-2]]
    code = f"+{country_code_for_region(search.country)}"
    area = search.area_code if search.country == "IT" else search.area_code.lstrip("0")
    rest = example[len(code) + len(area) + 1 : -2]
    if len(rest) < _FIXED_DIGITS - 2:
        return []
    return [f"{code}{area}{digit}{rest}" for digit in "2345678910"]


def _fits(number: str, search: Search) -> bool:
    found = type_of(number)
    wanted = "TollFree" if search.is_toll_free else "Local"
    return found is not None and found.kind == wanted and country_of(number) == search.country


@lru_cache(maxsize=64)
def _example(country: str, kind: NumberKind) -> str:
    """A number of the country, as phonenumbers gives it to show what its numbers look like."""
    type_ = PhoneNumberType.TOLL_FREE if kind == "TollFree" else PhoneNumberType.FIXED_LINE
    example = example_number_for_type(country, type_)
    assert example, "countries with such numbers have an example"
    return str(format_number(example, PhoneNumberFormat.E164))
