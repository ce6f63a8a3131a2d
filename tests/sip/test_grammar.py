"""The productions that all headers share: lists, parameters, quoted strings, text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.sip.grammar import ParseError, display, parse_parameters, quote, split_values, unquote


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("one", ["one"]),
        ("one, two,three", ["one", "two", "three"]),
        ('"a,b" <sip:c@d>, <sip:e,f@g>;h=i', ['"a,b" <sip:c@d>', "<sip:e,f@g>;h=i"]),
        (r'"a\",b" <sip:c@d>,e', [r'"a\",b" <sip:c@d>', "e"]),
        ('<sip:a@b>;x="1,2", <sip:c@d>', ['<sip:a@b>;x="1,2"', "<sip:c@d>"]),
        ('"<" <sip:a@b>,"," <sip:c@d>', ['"<" <sip:a@b>', '"," <sip:c@d>']),
        ("", [""]),
    ],
)
def test_values_are_split_at_the_commas_between_them(text: str, values: list[str]) -> None:
    """RFC 3261 7.3.1, 25.1: not at those in quotes or in a URI in brackets."""
    assert split_values(text) == values


@pytest.mark.parametrize("text", [",", "a,", ",a", "a,,b", 'a,"b', "a,<b", 'a, "b\\"'])
def test_a_list_with_nothing_between_commas_or_an_open_end_is_refused(text: str) -> None:
    with pytest.raises(ParseError) as refusal:
        split_values(text)
    assert refusal.value.status_code == 400


@given(st.lists(st.text('ab<>,";\\ ', max_size=6), min_size=1, max_size=5))
def test_quoted_values_come_back_as_they_were(texts: list[str]) -> None:
    quoted = [f"{quote(text)} <sip:a@b>" for text in texts]
    assert split_values(", ".join(quoted)) == quoted
    assert [unquote(value.rpartition(" ")[0]) for value in quoted] == texts


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("", {}),
        (";lr", {"lr": None}),
        (";tag=1918181833n", {"tag": "1918181833n"}),
        (" ; Q = 0.7 ; Expires=3600", {"q": "0.7", "expires": "3600"}),
        (';text="a;b=c,d \\"e\\"";y', {"text": '"a;b=c,d \\"e\\""', "y": None}),
        (";received=::1;rport=6000;maddr=[::1]", {"received": "::1", "rport": "6000", "maddr": "[::1]"}),
        (";+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>\"",
         {"+sip.instance": '"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"'}),
    ],
)  # fmt: skip
def test_parameters_are_read(text: str, parameters: dict[str, str | None]) -> None:
    """25.1 generic-param, with the white space of RFC 4475 3.1.1.1."""
    assert parse_parameters(text, "Via") == parameters


@pytest.mark.parametrize("text", [";", ";;a", "a=b", ";a=", ";=b", ';a="b', ";a b", ";a=b c", ";tag=1;Tag=2", ";a=<b>"])
def test_parameters_that_cannot_be_read_are_refused(text: str) -> None:
    """7.3.1: no parameter more than once."""
    with pytest.raises(ParseError) as refusal:
        parse_parameters(text, "Contact")
    assert (refusal.value.status_code, refusal.value.where) == (400, "Contact")


@pytest.mark.parametrize(
    ("text", "value"),
    [('"J Rosenberg \\\\\\""', 'J Rosenberg \\"'), ('""', ""), ("token", "token"), ('"', '"'), ('"a" b', '"a" b')],
)
def test_quotes_and_escapes_are_taken_off(text: str, value: str) -> None:
    """25.1 quoted-string, quoted-pair."""
    assert unquote(text) == value


@given(st.text(max_size=30))
def test_what_is_quoted_is_one_line_and_unquotes_to_itself(text: str) -> None:
    quoted = quote(text)
    assert not {"\r", "\n"} & set(quoted)
    assert unquote(quoted) == text.replace("\r", " ").replace("\n", " ")


def test_text_is_shown_as_utf8_where_it_is_that() -> None:
    """7.3.1, 25.1: UTF-8 is what TEXT-UTF8 means; others are shown as latin-1 rather than not at all."""
    assert display("Jörg".encode().decode("latin-1")) == "Jörg"
    assert display("J\xf6rg") == "J\xf6rg"
    assert display("plain") == "plain"
    assert display("already € decoded") == "already € decoded"


def test_a_parse_error_carries_the_answer_it_deserves() -> None:
    """21.4.1: the reason phrase should name the trouble."""
    error = ParseError("given twice", "CSeq", "RFC 3261 7.3.1")
    assert (error.status_code, error.reason_phrase, str(error)) == (
        400,
        "Bad CSeq",
        "CSeq: given twice (RFC 3261 7.3.1)",
    )
    assert ParseError("x", "URI", "y", 416, "Unsupported URI Scheme").reason_phrase == "Unsupported URI Scheme"
