"""Settings of the whole account: where call detail records go (guide p. 76)."""

from dataclasses import dataclass

from .model import Snapshot
from .profile import Profile
from .tables import Table, choice, matching

SCOPE = "account"
"""The id of the account's settings: there is one of their kind."""

# Amazon S3's rules for names of buckets; what is in no such name could lead out of the folder of buckets.
bucket_name = matching(
    r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9]([a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]",
    "the name of an S3 bucket: 3 to 63 lower-case letters, digits, hyphens and single dots",
)


@dataclass(frozen=True, slots=True)
class VoiceConnectorSettings:
    """What holds for all Voice Connectors."""

    cdr_bucket: str | None = None
    """Bucket that gets call detail records; None: nobody wants them."""


@dataclass(frozen=True, slots=True)
class BusinessCallingSettings:
    """What holds for Amazon Chime Business Calling; kept and shown, without effect."""

    cdr_bucket: str | None = None


@dataclass(frozen=True, slots=True)
class GlobalSettings:
    """All of them."""

    scope: str = SCOPE
    voice_connector: VoiceConnectorSettings | None = None
    """None: never set, the profile's bucket applies."""
    business_calling: BusinessCallingSettings | None = None
    created_timestamp: float = 0.0
    """Unix time, seconds."""
    updated_timestamp: float = 0.0
    """Unix time, seconds."""


def voice_connector_settings(entries: object, path: str) -> VoiceConnectorSettings:
    return VoiceConnectorSettings(Table(entries, path, ("CdrBucket",)).get("CdrBucket", bucket_name, None))


def business_calling_settings(entries: object, path: str) -> BusinessCallingSettings:
    return BusinessCallingSettings(Table(entries, path, ("CdrBucket",)).get("CdrBucket", bucket_name, None))


def global_settings(entries: object, path: str) -> GlobalSettings:
    """Raises ShapeError."""
    table = Table(entries, path, ("Scope", "VoiceConnector", "BusinessCalling"))
    return GlobalSettings(
        scope=table.get("Scope", choice(SCOPE), SCOPE),
        voice_connector=table.shape("VoiceConnector", voice_connector_settings),
        business_calling=table.shape("BusinessCalling", business_calling_settings),
    )


def settings_of(snapshot: Snapshot) -> GlobalSettings:
    """Those there are, or those of an account that set none."""
    return snapshot.all(GlobalSettings).get(SCOPE, GlobalSettings())


def cdr_bucket(snapshot: Snapshot, profile: Profile) -> str | None:
    """The bucket that gets call detail records now; None: there are none (guide p. 76)."""
    settings = snapshot.all(GlobalSettings).get(SCOPE)
    if settings and settings.voice_connector:
        return settings.voice_connector.cdr_bucket
    return profile.cdr_bucket
