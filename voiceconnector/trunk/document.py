"""The whole configuration as one document: a list of tables for each kind of resource, called its section.

The same document stands in a configuration file, comes out of an export and goes into an import. What is in it is
the whole of it: what a resource refers to is in the document too. Settings of the program are not, but for a table
of each Region that a resource is in.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from .inventory import with_numbers
from .kinds import KINDS, Kind
from .model import EMPTY, PhoneNumber, Resource, Snapshot, VoiceConnector, VoiceConnectorGroup, identity
from .profile import Profile
from .shapes import (
    at_most,
    check_deletion_queue,
    check_phone_numbers,
    check_voice_connector_groups,
    check_voice_connectors,
    name,
    phone_number,
    shape_of,
)
from .sip_rules import SipMediaApplication, SipRule, check_sip_media_application, check_sip_rule
from .tables import LEFT_OUT, ShapeError, Table, mapping, read
from .tagging import Tags

SECTIONS: Mapping[str, Kind] = MappingProxyType({kind.section: kind for kind in KINDS})
"""The kinds by section, in an order in which they can be created."""
DELETION_QUEUE = "deletion_queue"
"""A list of numbers, for those who write a document by hand: they are deleted when it is taken."""
REGIONS = "regions"

_SECRETS = frozenset({"Password", "PersonalPIN"})
_ID_CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
T = TypeVar("T")


class Content(NamedTuple):
    """What a document says."""

    resources: tuple[Resource, ...]
    """In an order in which they can be created."""
    deletion_queue: tuple[str, ...]

    def of(self, kind: type[T]) -> tuple[T, ...]:
        """The resources of one kind, in their order."""
        return tuple(resource for resource in self.resources if isinstance(resource, kind))


# Out


def exported(snapshot: Snapshot, *, secrets: bool) -> dict[str, Any]:
    """All that is there; without secrets, `LEFT_OUT` stands in their place, which no reader takes."""
    document: dict[str, Any] = {}
    if regions := _regions(snapshot):
        document[REGIONS] = {region: {} for region in regions}
    for section, kind in SECTIONS.items():
        shapes = [shape_of(resource) for resource in snapshot.all(kind.type).values()]
        if shapes:
            document[section] = shapes if secrets else _without_secrets(shapes)
    return document


def _regions(snapshot: Snapshot) -> tuple[str, ...]:
    """Where there is something, in alphabetical order."""
    there = {connector.aws_region for connector in snapshot.by_id.values()}
    there.update(application.aws_region for application in snapshot.all(SipMediaApplication).values())
    return tuple(sorted(there))


def _without_secrets(content: Any) -> Any:
    match content:
        case dict():
            return {key: LEFT_OUT if key in _SECRETS else _without_secrets(item) for key, item in content.items()}
        case list():
            return [_without_secrets(item) for item in content]
    return content


# In


def content_of(table: Table) -> Content:
    """What the sections of a document say. Raises ShapeError.

    What has a name and no id gets an id that the name decides, so that it is the same each time.
    """
    resources: list[Resource] = []
    for section, kind in SECTIONS.items():
        resources += table.shapes(section, _reader(kind))
    return Content(tuple(resources), table.each(DELETION_QUEUE, phone_number))


def _reader(kind: Kind) -> Callable[[object, str], Resource]:
    if kind.type not in _IDENTIFIED:
        return kind.read
    return lambda entries, path: kind.read(_identified(kind.type, entries, path), path)


def _identified(kind: type, entries: object, path: str) -> dict[str, object]:
    id_key, default_name, new_id = _IDENTIFIED[kind]
    given = {"Name": default_name, **read(mapping, entries, path)}
    seed = read(name, given["Name"], f"{path}.Name")
    given.setdefault(id_key, new_id(seed, given))
    return given


def _plain_id(seed: str, _given: Mapping[str, object]) -> str:
    chance = Random(seed)
    return "".join(_ID_CHARACTERS[int(chance.random() * 36)] for _ in range(22))


def _uuid(seed: str, given: Mapping[str, object]) -> str:
    """Applications that stand in for one another may share their name, as they are in different Regions."""
    return str(UUID(int=Random(f"{given.get('AwsRegion')} {seed}").getrandbits(128), version=4))


_IDENTIFIED: Mapping[type, tuple[str, str, Callable[[str, Mapping[str, object]], str]]] = MappingProxyType(
    {
        VoiceConnector: ("VoiceConnectorId", "voice-connector", _plain_id),
        VoiceConnectorGroup: ("VoiceConnectorGroupId", "voice-connector-group", _plain_id),
        SipMediaApplication: ("SipMediaApplicationId", "sip-media-application", _uuid),
        SipRule: ("SipRuleId", "sip-rule", _uuid),
    }
)
"""The key of the id, the name of one without a name, and how the id follows from them."""


def check_content(content: Content, regions: Sequence[str], profile: Profile) -> None:
    """Raise ShapeError for the first resource that is wrong, by itself or next to the others.

    Raises ValueError where they contradict each other in a way that is not one resource's.
    """
    connectors, groups = content.of(VoiceConnector), content.of(VoiceConnectorGroup)
    check_voice_connectors(connectors, regions, profile, "voice_connectors")
    check_voice_connector_groups(groups, connectors, profile, "voice_connector_groups", "voice_connectors")
    check_phone_numbers(content.of(PhoneNumber), (*connectors, *groups), "phone_numbers")
    check_deletion_queue(content.deletion_queue, (*connectors, *groups), DELETION_QUEUE)
    for section, kind in SECTIONS.items():
        _check_ids(content.of(kind.type), section)
    in_use = [each for each in content.of(PhoneNumber) if each.deletion_due is None and each.progress != "Cancelled"]
    at_most(profile.phone_numbers_max, len(in_use), "phone_numbers", profile)
    applications = content.of(SipMediaApplication)
    for index, application in enumerate(applications):
        check_sip_media_application(application, regions, f"sip_media_applications[{index}]")
    at_most(profile.sip_media_applications_max, len(applications), "sip_media_applications", profile)
    snapshot = EMPTY.after(with_numbers(*content, known={}, now=0.0))
    _check_tags(content)
    _check_rules(content.of(SipRule), snapshot)


def _check_ids(resources: Sequence[Resource], section: str) -> None:
    places: dict[str, int] = {}
    for index, resource in enumerate(resources):
        other = places.setdefault(identity(resource), index)
        if other != index:
            raise ShapeError(f"{section}[{index}]", f"has the id of {section}[{other}], {identity(resource)}")


def _check_tags(content: Content) -> None:
    known = {identity(resource) for resource in content.resources if not isinstance(resource, Tags)}
    for index, tags in enumerate(content.of(Tags)):
        if tags.resource_id not in known:
            raise ShapeError(f"tags[{index}].ResourceId", f"= '{tags.resource_id}': is the id of nothing else here")


def _check_rules(rules: Sequence[SipRule], snapshot: Snapshot) -> None:
    places: dict[str, int] = {}
    for index, rule in enumerate(rules):
        here = f"sip_rules[{index}]"
        check_sip_rule(rule, snapshot, here)
        other = places.setdefault(rule.trigger_value, index)
        if other != index:
            raise ShapeError(f"{here}.TriggerValue", f"is that of sip_rules[{other}] already")
