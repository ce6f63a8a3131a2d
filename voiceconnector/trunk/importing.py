"""Taking a document in: everything becomes what it says, or nothing changes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, NamedTuple

from .decisions import listed
from .document import DELETION_QUEUE, REGIONS, SECTIONS, Content, check_content, content_of
from .inventory import with_numbers
from .kinds import KINDS
from .model import PhoneNumber, Resource, Snapshot, identity
from .profile import Profile
from .shapes import key_of, shape_of
from .store import Conflict, Store
from .tables import LEFT_OUT, Table


class Counts(NamedTuple):
    """What an import has done."""

    added: int
    changed: int
    removed: int
    left: int
    """Resources that were as the document has them already."""


def import_document(
    store: Store, document: object, regions: Sequence[str], profile: Profile, now: float, *, replace: bool
) -> Counts:
    """Make everything what a document says, all or nothing; `now` is Unix time in seconds.

    A secret that was left out stays as it is. Raises ShapeError and ValueError for the document, Conflict where
    something would be removed and `replace` is false, StoreError when the disk refuses.
    """
    given = Table(document, "", (REGIONS, *SECTIONS, DELETION_QUEUE))
    table = Table(_with_known_secrets(given.entries, store.snapshot), "", tuple(given.entries))
    content = content_of(table)
    check_content(content, regions, profile)
    put, removed = _change(content, store.snapshot, now)
    if removed and not replace:
        raise Conflict(f"the document does not have {_listed(removed)}, which an import would remove: see --replace")
    added = sum(identity(resource) not in store.snapshot.all(type(resource)) for resource in put)
    before = sum(len(store.snapshot.all(kind.type)) for kind in KINDS)
    store.commit(*put, remove=removed)
    return Counts(added, len(put) - added, len(removed), before - len(removed) - len(put) + added)


def _with_known_secrets(document: Mapping[str, object], snapshot: Snapshot) -> dict[str, object]:
    """The document with the secrets that were left out and that are known already."""
    filled_in = dict(document)
    for section, kind in SECTIONS.items():
        tables = document.get(section)
        if isinstance(tables, list):
            id_key, known = key_of(fields(kind.type)[0].name), snapshot.all(kind.type)
            filled_in[section] = [_with_secrets_of(_named(given, id_key, known), given) for given in tables]
    return filled_in


def _with_secrets_of(known: Resource | None, given: object) -> object:
    return _filled_in(given, shape_of(known)) if known is not None and _lacks_secrets(given) else given


def _lacks_secrets(given: object) -> bool:
    match given:
        case dict():
            return any(map(_lacks_secrets, given.values()))
        case list():
            return any(map(_lacks_secrets, given))
    return given == LEFT_OUT


def _filled_in(given: object, known: object) -> object:
    """A value with the secrets of the one that is known; users of a connector are told by their names."""
    match given, known:
        case str(), str() if given == LEFT_OUT:
            return known
        case dict(), dict():
            return {key: _filled_in(item, known.get(key)) for key, item in given.items()}
        case list(), list():
            users = {user["Username"]: user for user in known if isinstance(user, dict) and "Username" in user}
            return [_filled_in(item, _named(item, "Username", users)) for item in given]
    return given


def _named(given: object, key: str, known: Mapping[str, Any]) -> Any:
    """What is known by the name that a table has under a key."""
    name = given.get(key) if isinstance(given, dict) else None
    return known.get(name) if isinstance(name, str) else None


def _change(content: Content, snapshot: Snapshot, now: float) -> tuple[list[Resource], list[Resource]]:
    """What is to be put, and what is to be removed, so that there is what the document says."""
    resources = with_numbers(*content, snapshot.all(PhoneNumber), now)
    put = [resource for resource in resources if _differs(resource, snapshot)]
    wanted = {(type(resource), identity(resource)) for resource in resources}
    everything = (resource for kind in KINDS for resource in snapshot.all(kind.type).values())
    removed = [resource for resource in everything if (type(resource), identity(resource)) not in wanted]
    return put, removed


def _differs(resource: Resource, snapshot: Snapshot) -> bool:
    known = snapshot.all(type(resource)).get(identity(resource))
    if known is None:
        return True
    times = {"created_timestamp": known.created_timestamp, "updated_timestamp": known.updated_timestamp}
    return bool(replace(resource, **times) != known)


def _listed(resources: Iterable[Resource]) -> str:
    """In words, section by section: "voice_connectors a and b; phone_numbers +12065550100"."""
    by_kind: dict[type, list[str]] = {}
    for resource in resources:
        by_kind.setdefault(type(resource), []).append(identity(resource))
    return "; ".join(f"{kind.section} {listed(tuple(by_kind[kind.type]), 3)}" for kind in KINDS if kind.type in by_kind)
