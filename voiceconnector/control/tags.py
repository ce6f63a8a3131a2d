"""Tags on Voice Connectors and SIP media applications, by their ARNs."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from ..trunk.model import Resource, VoiceConnector
from ..trunk.shapes import shape_of
from ..trunk.sip_rules import SipMediaApplication
from ..trunk.store import NotFound
from ..trunk.tagging import Tag, Tags, TooManyTags, tagged, untagged
from .context import Control, Fields
from .errors import ApiError

_ARN = r"arn:aws:chime:([a-z0-9-]+):([0-9]{12}):([a-z]+)/([0-9a-zA-Z-]+)"
_TAGGED: Mapping[str, type[Resource]] = MappingProxyType({"vc": VoiceConnector, "sma": SipMediaApplication})
"""What has tags, by the word before the id in its ARN; each is in a Region."""


def tag_resource(control: Control, asked: Fields) -> Fields:
    """More tags, or other values of those there are."""
    known = _tags_of(control, asked["ResourceARN"])
    control.store.commit(_with(known, asked["Tags"]))
    return {}


def untag_resource(control: Control, asked: Fields) -> Fields:
    """Without the tags of these keys, of which some may not be there."""
    known = _tags_of(control, asked["ResourceARN"])
    left = untagged(known, asked["TagKeys"])
    if not left.tags:
        control.store.commit(remove=[known])
    elif left.tags != known.tags:
        control.store.commit(left)
    return {}


def list_tags_for_resource(control: Control, asked: Fields) -> Fields:
    known = _tags_of(control, asked["ResourceARN"])
    return {"Tags": [shape_of(tag) for tag in known.tags]}


def tags_of_new(resource_id: str, asked: Fields) -> tuple[Tags, ...]:
    """What to commit together with a resource that is created with Tags. Raises ApiError."""
    return (_with(Tags(resource_id), asked["Tags"]),) if "Tags" in asked else ()


def _with(known: Tags, given: list[Fields]) -> Tags:
    try:
        return tagged(known, [Tag(tag["Key"], tag["Value"]) for tag in given])
    except TooManyTags as error:
        raise ApiError("ResourceLimitExceededException", str(error)) from None
    except ValueError as error:
        raise ApiError("BadRequestException", str(error)) from None


def _tags_of(control: Control, arn: str) -> Tags:
    """The tags of what an ARN names. Raises ApiError, and NotFound where that is not there."""
    found = re.fullmatch(_ARN, arn)
    kind = _TAGGED.get(found[3]) if found else None
    if found is None or kind is None:
        kinds = " or ".join(f"arn:aws:chime:<region>:<account>:{word}/<id>" for word in _TAGGED)
        raise ApiError("BadRequestException", f"Invalid resource: ResourceARN must be {kinds}")
    region, account_id, _, resource_id = found.groups()
    resource = control.store.snapshot.all(kind).get(resource_id)
    if resource is None or resource.aws_region != region or account_id != control.account_id:
        raise NotFound("Could not find the resource of ResourceARN in this account")
    return control.store.snapshot.all(Tags).get(resource_id, Tags(resource_id))
