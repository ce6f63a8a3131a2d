"""The kinds of resources that are kept: what each is called, and how its table is read.

The name is AWS's name of the shape. The same table stands in the store and in an exported configuration.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .account_model import (
    Account,
    Activity,
    Directory,
    SupportRequest,
    User,
    account,
    activity,
    directory,
    support_request,
    user,
)
from .calling_names import PhoneNumberSettings, phone_number_settings
from .global_settings import GlobalSettings, global_settings
from .model import PhoneNumber, Resource, VoiceConnector, VoiceConnectorGroup
from .orders import PhoneNumberOrder, phone_number_order
from .roles import ServiceLinkedRole, service_linked_role
from .shapes import phone_number_of_inventory, voice_connector, voice_connector_group
from .sip_rules import SipMediaApplication, SipRule, sip_media_application, sip_rule
from .tagging import Tags, tags


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource."""

    type: type[Any]
    """A frozen dataclass, as `model.Resource` says."""
    read: Callable[[object, str], Resource]
    """From a table and its path; raises ShapeError."""

    @property
    def name(self) -> str:
        return self.type.__name__

    @property
    def section(self) -> str:
        """What the list of its tables is called in a document: "voice_connectors" for VoiceConnector."""
        words = "_".join(re.findall("[A-Z][a-z0-9]*", self.name)).lower()
        if words.endswith("s"):
            return words
        return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"


KINDS = (
    Kind(Directory, directory),
    Kind(Account, account),
    Kind(User, user),
    Kind(VoiceConnector, voice_connector),
    Kind(VoiceConnectorGroup, voice_connector_group),
    Kind(PhoneNumber, phone_number_of_inventory),
    Kind(PhoneNumberOrder, phone_number_order),
    Kind(PhoneNumberSettings, phone_number_settings),
    Kind(Tags, tags),
    Kind(GlobalSettings, global_settings),
    Kind(SipMediaApplication, sip_media_application),
    Kind(SipRule, sip_rule),
    Kind(Activity, activity),
    Kind(SupportRequest, support_request),
    Kind(ServiceLinkedRole, service_linked_role),
)
"""In an order in which they can be created: what is referred to comes first."""
