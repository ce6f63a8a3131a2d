"""Lists in pages: whatever comes and goes between two of them, no item comes twice or never."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.control.context import Fields
from voiceconnector.control.errors import ApiError
from voiceconnector.control.pages import DEFAULT_RESULTS, Place, page


class Item(NamedTuple):
    """Something to be listed."""

    created: float
    id: str


def place(item: Item) -> Place:
    return item.created, item.id


def items(count: int, start: int = 0) -> list[Item]:
    """So many, each of a moment of its own."""
    return [Item(float(number), f"i{number}") for number in range(start, start + count)]


def listed(known: Sequence[Item], size: int) -> list[Item]:
    """All pages."""
    found: list[Item] = []
    token = None
    for _ in range(len(known) + 1):
        asked: Fields = {"MaxResults": size} | ({"NextToken": token} if token else {})
        shown, token = page(known, asked, place)
        found += shown
        if not token:
            break
    return found


@given(st.integers(0, 120), st.integers(1, 99))
def test_the_pages_of_a_list_are_the_list(count: int, size: int) -> None:
    assert listed(items(count), size) == items(count)


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 5))
def test_items_of_one_moment_are_listed_once_each(moments: list[int], size: int) -> None:
    known = [Item(float(moment), f"i{number}") for number, moment in enumerate(sorted(moments))]
    assert listed(known, size) == known


def test_a_page_has_as_many_as_are_asked_for_and_says_whether_there_are_more() -> None:
    shown, token = page(items(5), {"MaxResults": 2}, place)
    assert (shown, token is not None) == (items(2), True)
    assert page(items(5), {"MaxResults": 5}, place) == (items(5), None)
    assert page([], {}, place) == ([], None)


def test_a_page_that_nobody_limits_has_a_hundred() -> None:
    shown, token = page(items(101), {}, place)
    assert (len(shown), token is not None) == (100, True) == (DEFAULT_RESULTS, True)
    assert page(items(101), {"NextToken": token}, place) == (items(1, 100), None)


@given(st.sets(st.integers(0, 19)), st.integers(1, 19), st.integers(0, 5))
def test_what_stays_is_listed_once_whatever_comes_and_goes_between(gone: set[int], size: int, come: int) -> None:
    first, token = page(items(20), {"MaxResults": size}, place)
    stayed = [item for item in items(20) if int(item.created) not in gone] + items(come, 20)
    rest, _ = page(stayed, {"NextToken": token}, place)
    assert list(rest) == [item for item in stayed if item not in first]


def test_a_token_says_nothing_of_the_list_that_gave_it_and_is_safe_in_a_query() -> None:
    _, token = page(items(2), {"MaxResults": 1}, place)
    assert token
    assert token.replace("-", "").replace("_", "").isalnum()


def encoded(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode()


JSON = st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps)


@given(st.text() | st.text().map(encoded) | JSON.map(encoded))
def test_any_text_for_a_token_is_taken_for_one_or_refused(token: str) -> None:
    refused = None
    try:
        page(items(3), {"NextToken": token}, place)
    except ApiError as error:
        refused = error
    assert refused is None or (refused.name, "NextToken" in refused.message) == ("BadRequestException", True)


def test_a_token_of_a_list_in_another_order_is_refused() -> None:
    _, token = page(["b", "c"], {"MaxResults": 1}, lambda name: (name, name))
    with pytest.raises(ApiError, match="NextToken is none that a list has given"):
        page(items(3), {"NextToken": token}, place)


def test_a_token_nested_without_end_is_refused() -> None:
    with pytest.raises(ApiError, match="NextToken"):
        page(items(3), {"NextToken": encoded("[" * 40_000)}, place)
