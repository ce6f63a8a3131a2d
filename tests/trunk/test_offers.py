"""The numbers that a search finds, and the countries that have some (guide p. 39-52)."""

import phonenumbers
import pytest

from voiceconnector.trunk.area_codes import areas
from voiceconnector.trunk.countries import COUNTRIES, described, kind_of, product_types, type_of
from voiceconnector.trunk.model import PhoneNumber, Snapshot
from voiceconnector.trunk.numbers import country_of
from voiceconnector.trunk.offers import Search, available, is_offered

EMPTY = Snapshot.of([])


def found(**criteria: str) -> tuple[str, ...]:
    return available(EMPTY, Search(**criteria))  # type: ignore[arg-type]


def test_an_area_code_has_the_hundred_numbers_of_fiction() -> None:
    """555-0100 to 555-0199 are set aside for fiction (ATIS-0300115)."""
    assert found(area_code="206") == tuple(f"+120655501{last:02}" for last in range(100))


@pytest.mark.parametrize(
    ("criteria", "codes"),
    [
        ({"state": "WA"}, {"206", "253", "360", "425", "509", "564"}),
        ({"state": "Washington"}, {"206", "253", "360", "425", "509", "564"}),
        ({"state": "wa", "city": "seattle"}, {"206"}),
        ({"state": "WA", "city": "Vancouver"}, {"360"}),
        ({"state": "WA", "area_code": "509"}, {"509"}),
        ({"state": "WA", "area_code": "212"}, set()),
        ({"state": "WA", "city": "Springfield"}, set()),
        ({"country": "CA", "kind": "Local", "state": "BC", "city": "Vancouver"}, {"604"}),
        ({"country": "PR", "kind": "Local"}, {"787", "939"}),
        ({"toll_free_prefix": "833"}, {"833"}),
        ({"toll_free_prefix": "800"}, set()),
        ({"kind": "TollFree"}, {"833", "844", "855", "866", "877", "888"}),
    ],
)
def test_a_search_is_confined_to_what_it_names(criteria: dict[str, str], codes: set[str]) -> None:
    assert {number[2:5] for number in found(**criteria)} == codes


@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        ({}, "needs State, AreaCode"),
        ({"kind": "Local"}, "needs State, AreaCode"),
        ({"area_code": "206", "city": "Seattle"}, "City needs its State"),
        ({"country": "CA", "area_code": "416"}, "needs PhoneNumberType"),
        ({"country": "FR", "kind": "Local"}, "those that have are US, PR"),
        ({"country": "GB", "kind": "Local", "state": "WA"}, "State and City are for"),
        ({"country": "GB", "toll_free_prefix": "800"}, "TollFreePrefix is for"),
        ({"toll_free_prefix": "833", "kind": "Local"}, "exclude each other"),
        ({"toll_free_prefix": "833", "area_code": "206"}, "leave them out"),
        ({"area_code": "20"}, "must be 3 digits"),
        ({"state": "ZZ"}, "postal code"),
        ({"country": "NG", "kind": "TollFree"}, "Local is"),
        ({"country": "KR", "kind": "Local"}, "TollFree is"),
    ],
)
def test_a_search_that_contradicts_itself_says_so(criteria: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        found(**criteria)


@pytest.mark.parametrize(
    ("country", "kind"), [(code, kind) for code, country in COUNTRIES.items() for kind in country.kinds]
)
def test_every_country_offers_valid_numbers_of_its_types(country: str, kind: str) -> None:
    criteria = {"state": "WA"} if (country, kind) == ("US", "Local") else {}
    numbers = found(country=country, kind=kind, **criteria)
    assert len(numbers) >= 100
    assert list(numbers) == sorted(set(numbers))
    for number in numbers[:100]:
        assert phonenumbers.is_valid_number(phonenumbers.parse(number))
        assert kind_of(number) == kind
        assert country_of(number) == country or number.startswith("+18")
        assert is_offered(number)


@pytest.mark.parametrize(
    ("country", "area_code", "start"),
    [("GB", "020", "+4420"), ("DE", "30", "+4930"), ("IT", "06", "+3906"), ("AT", "720", "+43720")],
)
def test_an_area_code_of_another_country_has_numbers_too(country: str, area_code: str, start: str) -> None:
    numbers = found(country=country, kind="Local", area_code=area_code)
    assert numbers
    assert all(number.startswith(start) and is_offered(number) for number in numbers)


@pytest.mark.parametrize("number", ["+12065551234", "+15555550100", "+18005550100", "+447700900123", "+33123456789"])
def test_other_numbers_are_not_offered(number: str) -> None:
    assert not is_offered(number)


def test_what_somebody_has_is_not_offered_and_what_was_given_up_is() -> None:
    known = [
        PhoneNumber("+12065550100"),
        PhoneNumber("+12065550101", deletion_due=1.0),
        PhoneNumber("+12065550102", progress="AcquireInProgress"),
        PhoneNumber("+12065550103", progress="Cancelled"),
    ]
    numbers = available(Snapshot.of([], [], known), Search(area_code="206"))
    assert numbers[0] == "+12065550103"
    assert len(numbers) == 97


def test_every_area_code_is_one_of_its_country() -> None:
    assert len(areas()) > 400
    assert {area.country for area in areas().values()} == {"US", "CA", "PR"}
    for code, area in areas().items():
        assert country_of(f"+1{code}5550100") == area.country


@pytest.mark.parametrize(
    ("number", "documents"),
    [
        ("+12065550100", 0),
        ("+442079460123", 0),
        ("+4930123400", 3),
        ("+4932211234567", 3),
        ("+436701234567", None),
        ("+43720123456", 1),
        ("+358753123456", 0),
        ("+358131234567", 2),
        ("+353818123456", 1),
        ("+41581234567", 1),
        ("+41212345678", 3),
        ("+33123456789", None),
    ],
)
def test_a_number_needs_the_papers_that_the_guide_lists(number: str, documents: int | None) -> None:
    """Guide p. 42-51."""
    type_ = type_of(number)
    assert (None if type_ is None else len(type_.documents)) == documents


def test_numbers_are_for_voice_connectors_in_the_us_and_puerto_rico_only() -> None:
    """Guide p. 40, 49."""
    assert "VoiceConnector" in product_types("+12065550100")
    assert product_types("+17875550100") == ("VoiceConnector", "BusinessCalling")
    assert product_types("+14165550100") == product_types("+33123456789") == ("SipMediaApplicationDialIn",)


def test_the_countries_are_described_with_their_papers_and_ports() -> None:
    countries = {each["CountryCode"]: each for each in described()}
    assert list(countries) == list(COUNTRIES)
    assert countries["NZ"]["PhoneNumberTypes"][0]["Porting"] == {"Supported": False}
    (korean,) = countries["KR"]["PhoneNumberTypes"]
    assert (korean["Type"], korean["IdentityRequired"], len(korean["Documents"])) == ("TollFree", True, 2)
