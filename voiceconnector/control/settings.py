"""Settings of the whole account: the bucket of call detail records (guide p. 76)."""

from dataclasses import replace
from typing import Any

from ..trunk.global_settings import (
    business_calling_settings,
    cdr_bucket,
    settings_of,
    voice_connector_settings,
)
from .context import Control, Fields


def get_global_settings(control: Control, asked: Fields) -> Fields:
    """The buckets there are. Where nobody wants records, the member is left out, as Terraform expects."""
    snapshot = control.store.snapshot
    business_calling = settings_of(snapshot).business_calling
    return {
        "VoiceConnector": _shown(cdr_bucket(snapshot, control.profile)),
        "BusinessCalling": _shown(business_calling.cdr_bucket if business_calling else None),
    }


def update_global_settings(control: Control, asked: Fields) -> Fields:
    """Takes effect with the next record. Settings without a bucket stop the records; what is not given stays."""
    changes: dict[str, Any] = {}
    if "VoiceConnector" in asked:
        changes["voice_connector"] = voice_connector_settings(_given(asked["VoiceConnector"]), "VoiceConnector")
    if "BusinessCalling" in asked:
        changes["business_calling"] = business_calling_settings(_given(asked["BusinessCalling"]), "BusinessCalling")
    if changes:
        control.store.commit(replace(settings_of(control.store.snapshot), **changes))
    return {}


def _shown(bucket: str | None) -> Fields | None:
    return {"CdrBucket": bucket} if bucket else None


def _given(settings: Fields) -> Fields:
    """An empty name is none."""
    return {key: value for key, value in settings.items() if value}
