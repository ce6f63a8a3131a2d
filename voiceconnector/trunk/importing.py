"""Taking a document in: everything becomes what it says, or nothing changes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .decisions import listed
from .document import DELETION_QUEUE, REGIONS, SECTIONS, Content, check_content, content_of
from .inventory import with_numbers
from .kinds import KINDS
from .model import PhoneNumber, Resource, Snapshot, identity
from .profile import Profile
from .shapes import LEFT_OUT, shape_of
from .store import Conflict, Store
from .tables import Table


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

    A password that was left out stays as it is. Raises ShapeError and ValueError for the document, Conflict where
    something would be removed and `replace` is false, StoreError when the disk refuses.
    """
    given = Table(document, "", (REGIONS, *SECTIONS, DELETION_QUEUE))
    table = Table(_with_known_passwords(given.entries, store.snapshot), "", tuple(given.entries))
    content = content_of(table)
    check_content(content, regions, profile)
    put, removed = _change(content, store.snapshot, now)
    if removed and not replace:
        raise Conflict(f"the document does not have {_listed(removed)}, which an import would remove: see --replace")
    added = sum(identity(resource) not in store.snapshot.all(type(resource)) for resource in put)
    before = sum(len(store.snapshot.all(kind.type)) for kind in KINDS)
    store.commit(*put, remove=removed)
    return Counts(added, len(put) - added, len(removed), before - len(removed) - len(put) + added)


def _with_known_passwords(document: Mapping[str, object], snapshot: Snapshot) -> Mapping[str, object]:
    """The document with the passwords that were left out and that are known already."""
    connectors = document.get("voice_connectors")
    if not isinstance(connectors, list):
        return document
    return {**document, "voice_connectors": [_with_passwords_of(snapshot, entries) for entries in connectors]}


def _with_passwords_of(snapshot: Snapshot, entries: object) -> object:
    match entries:
        case {"VoiceConnectorId": str(id_), "Credentials": [*credentials], **others} if known := snapshot.by_id.get(
            id_
        ):
            passwords = {credential.username: credential.password for credential in known.credentials}
            filled_in = [_with_password(passwords, given) for given in credentials]
            return {**others, "VoiceConnectorId": id_, "Credentials": filled_in}
    return entries


def _with_password(passwords: Mapping[str, str], credential: object) -> object:
    match credential:
        case {"Username": str(username), "Password": str(given), **others} if (
            given == LEFT_OUT and username in passwords
        ):
            return {**others, "Username": username, "Password": passwords[username]}
    return credential


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
    return known is None or shape_of(known) != shape_of(resource)


def _listed(resources: Iterable[Resource]) -> str:
    """In words, section by section: "voice_connectors a and b; phone_numbers +12065550100"."""
    by_kind: dict[type, list[str]] = {}
    for resource in resources:
        by_kind.setdefault(type(resource), []).append(identity(resource))
    return "; ".join(f"{kind.section} {listed(tuple(by_kind[kind.type]), 3)}" for kind in KINDS if kind.type in by_kind)
