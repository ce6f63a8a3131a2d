"""What a configuration comes to, in words: what `check-config` prints."""

from dataclasses import fields

from .config import Config, PstnRoute
from .control.access_keys import Access
from .trunk.document import SECTIONS
from .trunk.model import PhoneNumber, VoiceConnector, VoiceConnectorGroup, identity
from .trunk.profile import Profile
from .trunk.sip_rules import SipMediaApplication, SipRule


def describe(config: Config) -> str:
    """The configuration as a few lines for a person; no password is in it."""
    lines = [
        f"profile {config.profile.name}, account {config.account_id}, data in {config.data_dir}",
        *_overrides_described(config.profile),
        f"http {config.http_address}, {_access_described(config.access)}",
        f"dns {_dns_described(config)}",
    ]
    for region in config.regions.values():
        pairs = f"{region.rtp_ports.start}-{region.rtp_ports[-1] + 1}"
        listeners = f"udp {region.udp}, tcp {region.tcp}, tls {region.tls}"
        lines.append(f"{region.name}: {listeners}, media {region.media_address} ports {pairs}")
        if region.further_addresses:
            lines.append(f"  also at {', '.join(region.further_addresses)}")
    lines += [f"tls {key} {path}" for key, path in config.tls._asdict().items() if path]
    lines.append(f"pstn {config.pstn_address}")
    lines += [f"  {route.match}: {_route_described(route)}" for route in config.pstn_routes]
    if not any(route.match == "*" for route in config.pstn_routes):
        lines.append(f"  otherwise: {_route_described(PstnRoute())}")
    lines += _kept_described(config)
    for connector in config.voice_connectors:
        lines += _connector_described(connector)
    for group in config.voice_connector_groups:
        lines += _group_described(group)
    numbers = config.content.of(PhoneNumber)
    if numbers:
        lines.append(f"phone numbers: {', '.join(map(identity, numbers))}")
    lines += map(_application_described, config.content.of(SipMediaApplication))
    lines += map(_rule_described, config.content.of(SipRule))
    lines += _counted(config)
    if config.deletion_queue:
        lines.append(f"deletion queue: {', '.join(config.deletion_queue)}")
    if not config.voice_connectors:
        lines.append("no Voice Connector is configured: add [[voice_connectors]], or create one through the API")
    return "\n".join(lines)


def _access_described(access: Access) -> str:
    """Who may use the AWS API; names and no secrets."""
    words = {"open": "for everybody", "verify": "for access keys", "enforce": "for access keys, by their policies"}
    names = (key.user_name or key.role_name or "root" for key in access.keys)
    keys = ", ".join(f"{key.access_key_id} ({name})" for key, name in zip(access.keys, names, strict=True))
    return f"AWS API {words[access.auth]}{f': {keys}' if keys else ''}"


def _dns_described(config: Config) -> str:
    forward = f", other names from {config.dns_forward}" if config.dns_forward else ""
    resolver = f", hosts of routes from {config.dns_resolver}" if config.dns_resolver else ""
    return f"{config.dns_address}{forward}{resolver}"


def _kept_described(config: Config) -> list[str]:
    kept = [("packets", config.media.capture), ("audio", config.media.record)]
    words = " and ".join(what for what, wanted in kept if wanted)
    lines = [f"{words} of every call are kept, up to {config.media.keep_bytes:,} bytes"] if words else []
    if config.hep:
        lines.append(f"SIP messages are copied to {config.hep.address} (HEP), as capture agent {config.hep.capture_id}")
    return lines


def _overrides_described(profile: Profile) -> list[str]:
    named = Profile.named(profile.name)
    return [
        f"  {field.name} = {value} in place of {getattr(named, field.name)}"
        for field in fields(Profile)
        if (value := getattr(profile, field.name)) != getattr(named, field.name)
    ]


def _route_described(route: PstnRoute) -> str:
    if route.target:
        return f"to {route.target}"
    ringing = f" after {route.ring_seconds:g} s" if route.behaviour not in ("busy", "no-answer") else ""
    return route.behaviour + ringing


def _connector_described(connector: VoiceConnector) -> list[str]:
    lines = [
        f'voice connector "{connector.name}" in {connector.aws_region}: {connector.outbound_host_name}',
        f"  numbers: {', '.join(connector.phone_numbers) or 'none'}",
    ]
    if connector.require_encryption:
        lines.append("  encryption: required")
    termination = connector.termination
    if termination is None:
        lines.append("  termination: none, so no call can be made")
    else:
        state = "disabled" if termination.disabled else "enabled"
        sources = ", ".join(termination.cidr_allowed_list) or "nowhere"
        countries = ", ".join(termination.calling_regions) or "no country"
        rate = f", {termination.cps_limit}/s at most" if termination.cps_limit else ""
        lines.append(f"  termination: {state}, from {sources} to {countries}{rate}")
    usernames = ", ".join(credential.username for credential in connector.credentials)
    lines.append(f"  digest: {usernames or 'not asked for'}")
    for route in connector.origination.routes if connector.origination else ():
        where = f"{'TLS' if connector.require_encryption else route.protocol} {route.host} port {route.port}"
        lines.append(f"  origination: {where}, priority {route.priority}, weight {route.weight}")
    emergency = connector.emergency_calling_configuration
    for entry in emergency.dnis if emergency else ():
        test = f", tests to {entry.test_phone_number}" if entry.test_phone_number else ""
        lines.append(f"  emergency calls of {entry.calling_country}: to {entry.emergency_phone_number}{test}")
    return lines


def _application_described(application: SipMediaApplication) -> str:
    (endpoint,) = application.endpoints
    return f'SIP media application "{application.name}" in {application.aws_region}: {endpoint.lambda_arn}'


def _rule_described(rule: SipRule) -> str:
    targets = sorted(rule.target_applications, key=lambda target: target.priority)
    tried = ", ".join(f"{target.sip_media_application_id} in {target.aws_region}" for target in targets)
    state = " (disabled)" if rule.disabled else ""
    return f'SIP rule "{rule.name}"{state}: calls to {rule.trigger_value} go to {tried or "no application"}'


def _counted(config: Config) -> list[str]:
    """How many there are of the other kinds."""
    described = (VoiceConnector, VoiceConnectorGroup, PhoneNumber, SipMediaApplication, SipRule)
    counts = {
        section: len(config.content.of(kind.type)) for section, kind in SECTIONS.items() if kind.type not in described
    }
    return [f"{section.replace('_', ' ')}: {count}" for section, count in counts.items() if count]


def _group_described(group: VoiceConnectorGroup) -> list[str]:
    return [
        f'voice connector group "{group.name}" ({group.voice_connector_group_id})',
        f"  numbers: {', '.join(group.phone_numbers) or 'none'}",
        f"  tried in this order: {', '.join(group.ranked) or 'no connector'}",
    ]
