"""Lists in pages: MaxResults and NextToken."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import TypeVar

from ..trunk.model import Resource, identity
from .context import Fields
from .errors import ApiError

T = TypeVar("T")
Place = tuple[float | str, str]
"""Where an item stands in its list: what the list is ordered by, and the item's id."""

# Unverified: the models have 100 as the most that may be asked for, and say nothing of how many come unasked.
DEFAULT_RESULTS = 100


def by_creation(resource: Resource) -> Place:
    """Where a resource stands among those of its kind."""
    return resource.created_timestamp, identity(resource)


def page(
    items: Sequence[T], asked: Fields, place: Callable[[T], Place] = by_creation
) -> tuple[Sequence[T], str | None]:
    """The items that are asked for, and the token for those after them; None at the end.

    `items` are all there are, in the order of their places. A token says which item was the last one, so that
    items that come and go between two pages make no other item come twice or never. Raises ApiError for a token
    that is none.
    """
    token = asked.get("NextToken")
    start = _index_after(_place_of(token), items, place) if token else 0
    end = start + asked.get("MaxResults", DEFAULT_RESULTS)
    return items[start:end], _token(place(items[end - 1])) if end < len(items) else None


def _index_after(last: Place, items: Sequence[T], place: Callable[[T], Place]) -> int:
    order, id_ = last
    for index, item in enumerate(items):
        if place(item)[1] == id_:
            return index + 1
    # It is gone. Those of the same moment may come again, which is better than never.
    try:
        return next((index for index, item in enumerate(items) if place(item)[0] >= order), len(items))  # type: ignore[operator]
    except TypeError:  # a list that is ordered by something else
        raise _no_token() from None


def _token(place: Place) -> str:
    return urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _place_of(token: str) -> Place:
    try:
        order, id_ = json.loads(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, TypeError, RecursionError):
        raise _no_token() from None
    if isinstance(order, bool) or not isinstance(order, int | float | str) or not isinstance(id_, str):
        raise _no_token()
    return order, id_


def _no_token() -> ApiError:
    return ApiError("BadRequestException", "NextToken is none that a list has given; leave it out for the first page")
