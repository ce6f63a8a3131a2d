"""E.164 numbers in user parts of SIP URIs, and their countries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.trunk.numbers import country_of, e164, is_toll_free, suggestion, why_not_e164


@pytest.mark.parametrize(
    ("user", "number"),
    [
        ("+12065550100", "+12065550100"),
        ("%2B12065550100", "+12065550100"),
        ("+1-206-555-0100", "+12065550100"),
        ("+1(206)555.0100", "+12065550100"),
        ("+1%20206%20555%200100", "+12065550100"),
        ("+12065550100;npdi;rn=+12065550000", "+12065550100"),
        ("+12065550100;phone-context=example.com", "+12065550100"),
        ("+123456789012345", "+123456789012345"),
    ],
)
def test_an_e164_number_is_read_in_every_form_that_pbxs_send(user: str, number: str) -> None:
    """RFC 3966 5.1.1 (visual separators), RFC 4694 (rn, npdi), RFC 3261 19.1.2 (escapes)."""
    assert e164(user) == number


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ("", "is empty"),
        ("+", "has no digits"),
        ("alice", "has characters that are not digits"),
        ("+1206555010a", "has characters that are not digits"),
        ("+١٢٠٦٥٥٥٠١٠٠", "has characters that are not digits"),
        ("2065550101", "has no leading +"),
        ("12065550101", "has no leading +"),
        ("1001", "has no leading +"),
        ("011493012345678", "starts with an international access code instead of +"),
        ("00493012345678", "starts with an international access code instead of +"),
        ("+0493012345678", "has a 0 where the country code starts"),
        ("+1234567890123456", "has 16 digits, and E.164 allows 2 to 15"),
        ("+1", "has 1 digit, and E.164 allows 2 to 15"),
        (
            "5550101;phone-context=+1206",
            "is a local number with a phone-context, which does not make a number (RFC 3966 5.1.5)",
        ),
    ],
)
def test_what_is_no_e164_number_is_told_apart(user: str, why: str) -> None:
    """The API's shape: `+`, a first digit 1 to 9, 15 digits at most. Short and local numbers are none."""
    assert e164(user) == ""
    assert why_not_e164(user) == why


@pytest.mark.parametrize(
    ("user", "number"),
    [
        ("2065550101", "+12065550101"),
        ("12065550101", "+12065550101"),
        ("01112065550101", "+12065550101"),
        ("011493012345678", "+493012345678"),
        ("00493012345678", "+493012345678"),
        ("+00493012345678", "+493012345678"),
        ("1001", ""),
        ("03012345678", ""),
        ("alice", ""),
        ("", ""),
    ],
)
def test_a_national_number_gets_a_guess_of_what_was_meant(user: str, number: str) -> None:
    assert suggestion(user) == number


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+12065550100", "US"),  # Seattle
        ("+14165550100", "CA"),  # Toronto
        ("+16045550100", "CA"),  # Vancouver
        ("+17875550100", "PR"),
        ("+19395550100", "PR"),
        ("+18765550100", "JM"),
        ("+16585550100", "JM"),
        ("+18095550100", "DO"),
        ("+12425550100", "BS"),
        ("+14415550100", "BM"),
        ("+16715550100", "GU"),
    ],
)
def test_a_north_american_number_is_told_apart_by_area_code(number: str, country: str) -> None:
    """NANPA's area code assignments."""
    assert country_of(number) == country


@pytest.mark.parametrize("area_code", ["800", "833", "844", "855", "866", "877", "888", "900"])
def test_north_american_toll_free_and_premium_numbers_count_as_the_us(area_code: str) -> None:
    assert country_of(f"+1{area_code}5550100") == "US"


@pytest.mark.parametrize("number", ["+15551234567", "+12225550100", "+1206555", "+1206", "+12"])
def test_a_north_american_number_that_nobody_was_given_counts_as_the_us(number: str) -> None:
    assert country_of(number) == "US"


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+493012345678", "DE"),
        ("+442071838750", "GB"),
        ("+441481256789", "GG"),
        ("+447797712345", "JE"),
        ("+390612345678", "IT"),
        ("+390669812345", "VA"),
        ("+74951234567", "RU"),
        ("+77271234567", "KZ"),
        ("+8613812345678", "CN"),
        ("+81312345678", "JP"),
        ("+6591234567", "SG"),
        ("+262269601234", "YT"),
        ("+262262123456", "RE"),
    ],
)
def test_other_numbers_have_the_country_of_their_calling_code_and_plan(number: str, country: str) -> None:
    """ITU-T E.164 calling codes, and the national plans of shared ones."""
    assert country_of(number) == country


@pytest.mark.parametrize(
    "number",
    ["+80012345678", "+870773123456", "+881612345678", "+882161234567", "+883510012345", "+979123456789"],
)
def test_a_global_service_belongs_to_no_country(number: str) -> None:
    """ITU-T E.164: 800 freephone, 870 and 881 satellites, 882 and 883 networks, 979 premium rate."""
    assert country_of(number) == ""


@pytest.mark.parametrize("number", ["+99912345678", "+21012345678", ""])
def test_a_number_with_an_unassigned_calling_code_belongs_to_no_country(number: str) -> None:
    """ITU-T E.164: 210 and 999 are spare."""
    assert country_of(number) == ""


def test_an_invalid_number_seen_first_does_not_change_the_country_of_its_area_code() -> None:
    assert country_of("+1514") == "CA"
    assert country_of("+15140000000") == "CA"
    assert country_of("+15145550100") == "CA"


@given(st.text())
def test_any_text_is_either_a_number_or_has_a_reason(user: str) -> None:
    number = e164(user)
    assert number == "" or (number[0] == "+" and number[1:].isascii() and number[1:].isdigit())
    assert why_not_e164(user)
    assert suggestion(user) == "" or e164(suggestion(user))


@given(st.from_regex(r"\+[1-9][0-9]{1,14}", fullmatch=True))
def test_every_number_shape_of_the_api_is_read_unchanged_and_has_at_most_one_country(number: str) -> None:
    assert e164(number) == number
    country = country_of(number)
    assert country == "" or (len(country) == 2 and country.isupper())


@given(
    st.from_regex(r"[1-9][0-9]{1,14}", fullmatch=True),
    st.lists(st.sampled_from(["", "-", ".", "(", ")", "%20", " "]), min_size=15, max_size=15),
)
def test_visual_separators_anywhere_change_nothing(digits: str, separators: list[str]) -> None:
    """RFC 3966 5.1.1: they carry no meaning."""
    user = "".join(digit + separator for digit, separator in zip(digits, separators, strict=False))
    assert e164("+" + user) == "+" + digits


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("+18005550100", True),
        ("+18885550100", True),
        ("+18225550100", False),
        ("+12065550100", False),
        ("+448001234567", True),
        ("+442079460123", False),
        ("+8001234", False),
        ("+99912345678", False),
    ],
)
def test_a_toll_free_number_is_told_by_its_national_plan(number: str, expected: bool) -> None:
    """NANPA: 800, 833, 844, 855, 866, 877 and 888 are toll-free; Ofcom: 0800 is."""
    assert is_toll_free(number) is expected
