"""Tags: words and values of the user's own on what has an ARN.

They are a resource of their own, by the id of what they are on, so that a tag changes nothing else; the store
takes them away with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from .tables import Table, matching

TAGS_MAX = 50
"""On one resource."""
RESERVED_PREFIX = "aws:"
"""Of keys that are AWS's own, in any case."""

_id = matching("[0-9a-zA-Z-]{1,64}", "the id of a resource")
_key = matching("(?s).{1,128}", "1 to 128 characters")
_value = matching("(?s).{0,256}", "up to 256 characters")


@dataclass(frozen=True, slots=True)
class Tag:
    """One of them. Both are sensitive: no log and no error shows them."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Tags:
    """All tags of one resource; one without tags has none of these."""

    resource_id: str
    """Of what they are on."""
    tags: tuple[Tag, ...] = ()
    """Keys are distinct; in the order in which they were added."""
    created_timestamp: float = 0.0
    """Unix time, seconds."""
    updated_timestamp: float = 0.0
    """Unix time, seconds."""


class TooManyTags(ValueError):
    """A resource would have more than TAGS_MAX."""


def tag(entries: object, path: str) -> Tag:
    table = Table(entries, path, ("Key", "Value"))
    return Tag(table.required("Key", _key), table.required("Value", _value))


def tags(entries: object, path: str) -> Tags:
    """Raises ShapeError."""
    table = Table(entries, path, ("ResourceId", "Tags"))
    return Tags(table.required("ResourceId", _id), table.shapes("Tags", tag))


def tagged(known: Tags, added: Iterable[Tag]) -> Tags:
    """With more tags; one whose key is there replaces its value.

    Raises TooManyTags, and ValueError for a key that is reserved or given twice.
    """
    given = tuple(added)
    values = {known_tag.key: known_tag.value for known_tag in known.tags}
    for new in given:
        if new.key.lower().startswith(RESERVED_PREFIX):
            raise ValueError(f"A tag's key must not begin with {RESERVED_PREFIX}, which is reserved for AWS")
        values[new.key] = new.value
    if len({new.key for new in given}) < len(given):
        raise ValueError("Two of the tags have the same key")
    if len(values) > TAGS_MAX:
        raise TooManyTags(f"There would be {len(values)} tags, and a resource has at most {TAGS_MAX}")
    return Tags(known.resource_id, tuple(Tag(key, value) for key, value in values.items()))


def untagged(known: Tags, keys: Iterable[str]) -> Tags:
    """Without the tags of these keys; keys that are not there do not matter."""
    gone = frozenset(keys)
    return Tags(known.resource_id, tuple(kept for kept in known.tags if kept.key not in gone))
