"""The configuration: a TOML or JSON file, `VOICECONNECTOR_…` in the environment and `--set`, as one frozen value.

Every key is optional. Later sources win: defaults, file, environment, `--set`. The keys of
`[[voice_connectors]]`, `[[voice_connector_groups]]` and `[[phone_numbers]]` are the shapes of the AWS API;
`[overrides]` replaces single values of the profile, with "none" where the profile may have no limit. Relative
paths start at the working directory.

An environment variable is a key in capitals, with `__` for a dot and `_` for a hyphen or between the words of
an AWS key: `VOICECONNECTOR_REGIONS__US_EAST_1__UDP` is `regions.us-east-1.udp`, and
`VOICECONNECTOR_VOICE_CONNECTORS__0__TERMINATION__CPS_LIMIT` is `voice_connectors[0].Termination.CpsLimit`.
Values there and after `--set` are TOML; a string needs no quotes.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from ipaddress import ip_address
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NamedTuple, get_args, get_origin

from .control.access_keys import Access, access
from .trunk.document import DELETION_QUEUE, SECTIONS, Content, check_content, content_of
from .trunk.global_settings import bucket_name
from .trunk.model import AWS_REGIONS, VoiceConnector, VoiceConnectorGroup
from .trunk.profile import Profile
from .trunk.shapes import key_of, user_or_password
from .trunk.tables import (
    Given,
    Reader,
    ShapeError,
    Table,
    boolean,
    choice,
    leads_to,
    line_of,
    matching,
    number,
    overlay,
    read,
    sequence,
    text,
    whole,
)

ENVIRONMENT_PREFIX = "VOICECONNECTOR_"
NO_KEYS = frozenset({"VOICECONNECTOR_CONFIG", "VOICECONNECTOR_URL"})
"""Variables that are no keys: they name the file itself, and the emulator that commands ask."""


class ConfigError(Exception):
    """The configuration cannot be used: one line with the source, the key, its value and what is allowed."""


class Address(NamedTuple):
    """An IP address and port to listen on; port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_KEEP_BYTES = 1_000_000_000
_HTTP = Address("127.0.0.1", 8060)
_DNS = Address("127.0.0.1", 8053)
_PSTN = Address("127.0.0.1", 5070)
_DEFAULT_REGIONS = ("us-east-1", "us-west-2")
KEYS = (
    "profile", "overrides", "data_dir", "account_id",
    "http", "dns", "regions", "tls", "pstn", "media", "hep",
    *SECTIONS, DELETION_QUEUE,
)  # fmt: skip
"""Those of the outermost table."""
_HOST_AND_PORT = r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})"
_SIP_TARGET = r"sip:(?:[^\s@;?<>]+@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?(?:;transport=(?:udp|tcp))?"
_PATTERN = matching(r"[+0-9*?]{1,32}", "a number pattern such as +44* or +1206555????")
_BEHAVIOUR = matching(
    "answer|busy|no-answer|reject-[3-6][0-9]{2}|early-media|tone|echo|play|fax",
    "answer, busy, no-answer, reject-<code from 300 to 699>, early-media, tone, echo, play or fax",
)


@dataclass(frozen=True, slots=True)
class Region:
    """Where the edge of one Region listens."""

    name: str
    udp: Address
    tcp: Address
    tls: Address
    media_address: str
    """IP address of the RTP ports."""
    rtp_ports: range
    """Even ports for RTP; RTCP has the next one (RFC 3550 11)."""
    further_addresses: tuple[str, ...] = ()
    """IP addresses where UDP, TCP and TLS listen too, at the same ports; DNS answers with all of them in turn."""


@dataclass(frozen=True, slots=True)
class PstnRoute:
    """What becomes of a call to the emulated PSTN."""

    match: str = "*"
    """Pattern of called E.164 numbers: digits, `+`, `*`, `?`."""
    behaviour: str = "answer"
    """"answer", "busy", "no-answer", "reject-<code>", "early-media", "tone", "echo", "play" or "fax"."""
    target: str | None = None
    """SIP URI of a peer that gets the call instead."""
    ring_seconds: float = 1.0
    hangup_after_seconds: float | None = None
    """Seconds from the answer until the called side hangs up; None: it does not."""
    play: Path | None = None
    """WAV file."""
    tone_hz: float = 440.0
    digits: str = ""
    """DTMF digits to send after the answer."""


class TlsFiles(NamedTuple):
    """Files of the user for TLS, PEM all of them but the last."""

    certificate: Path | None = None
    """What the listeners present, with its chain; None: one that the development CA signs."""
    private_key: Path | None = None
    ca: Path | None = None
    """CAs that PBXs are verified by, besides the system's."""
    key_log: Path | None = None
    """Where the secrets of all connections are written to, for Wireshark."""


@dataclass(frozen=True, slots=True)
class Media:
    """What is kept of the media of calls, below `data_dir`."""

    capture: bool = False
    """RTP and RTCP of every call, for its capture.pcapng."""
    record: bool = False
    """A WAV file of each leg of every call."""
    keep_bytes: int = _KEEP_BYTES
    """What all of it may take; the oldest calls' are deleted."""


@dataclass(frozen=True, slots=True)
class Hep:
    """A collector of SIP messages."""

    address: Address
    capture_id: int = 2001
    """The capture agent that this emulator is to the collector."""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Config:
    """All that can be configured."""

    profile: Profile
    data_dir: Path
    account_id: str
    http_address: Address
    access: Access
    """Who may use the AWS API there."""
    dns_address: Address
    dns_forward: Address | None
    """The server that gets queries for other names; None: they are refused."""
    dns_resolver: Address | None
    """The server that is asked for the hosts of origination routes; None: the system's."""
    regions: Mapping[str, Region]
    """By name, in AWS's order."""
    tls: TlsFiles
    pstn_address: Address
    pstn_routes: tuple[PstnRoute, ...]
    """The first match wins."""
    media: Media
    hep: Hep | None
    """Who gets a copy of each SIP message; None: nobody."""
    content: Content
    """Resources, created at start if absent, and phone numbers that are deleted then, to rehearse calls to them."""

    @property
    def voice_connectors(self) -> tuple[VoiceConnector, ...]:
        return self.content.of(VoiceConnector)

    @property
    def voice_connector_groups(self) -> tuple[VoiceConnectorGroup, ...]:
        return self.content.of(VoiceConnectorGroup)

    @property
    def deletion_queue(self) -> tuple[str, ...]:
        return self.content.deletion_queue


@dataclass(frozen=True, slots=True)
class Source:
    """A configuration before it is understood."""

    document: dict[str, Any]
    path: Path | None
    """The file; None: there is none."""
    written: str
    """What is in the file."""
    origins: Mapping[str, str]
    """Where keys come from that are not the file's."""

    def place(self, error_path: str) -> str:
        """Which source an error is about: a setting, a variable, or the line of the file."""
        for given, origin in self.origins.items():
            if leads_to(given, error_path):
                return origin
        if self.path is None:
            return "configuration"
        line = line_of(error_path, self.written)
        return f"{self.path}:{line}" if line else str(self.path)


def load(
    path: Path | None = None, settings: Iterable[str] = (), environment: Mapping[str, str] | None = None
) -> Config:
    """Read the configuration: the file, then variables of the environment, then `key=value` settings.

    Raises ConfigError; nothing but files is touched.
    """
    return config_of(read_source(path, settings, environment))


def read_source(
    path: Path | None, settings: Iterable[str] = (), environment: Mapping[str, str] | None = None
) -> Source:
    """The same, without understanding it. A file whose name ends in .json is JSON."""
    written = _written(path) if path else ""
    parse, kind = (_json, "JSON") if path and path.suffix == ".json" else (_toml, "TOML")
    try:
        document = parse(written)
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deeply") from None
    except ValueError as error:  # a DecodeError, or a number of too many digits
        raise ConfigError(f"{path}: is not {kind}: {' '.join(str(error).split())}") from None
    origins: dict[str, str] = {}
    for key, value, origin in _given(settings, environment or {}):
        try:
            origins[overlay(document, key, value)] = origin
        except ShapeError as error:
            raise ConfigError(f"{origin}: {error}") from None
    return Source(document, path, written, origins)


def config_of(source: Source) -> Config:
    """What a source means. Raises ConfigError."""
    try:
        return _config(source.document)
    except ShapeError as error:
        raise ConfigError(f"{source.place(error.path)}: {error}") from None
    except ValueError as error:  # resources that contradict each other
        raise ConfigError(f"{source.path or 'configuration'}: {error}") from None


# Where values come from


def _written(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text at byte {error.start}") from None


def _toml(written: str) -> dict[str, Any]:
    if not written:
        return {}
    import tomllib  # as long as 5 dataclasses take, and a start without a file does not need it

    return tomllib.loads(written)


def _json(written: str) -> dict[str, Any]:
    document = json.loads(written)
    if not isinstance(document, dict):
        raise ValueError("must be an object")
    return document


def _given(settings: Iterable[str], environment: Mapping[str, str]) -> Iterable[tuple[str, object, str]]:
    """Key, value and name of the source, in the order in which they apply."""
    for variable in sorted(environment):
        if variable.startswith(ENVIRONMENT_PREFIX) and variable not in NO_KEYS:
            yield _key_of(variable), _value_of(environment[variable]), f"environment variable {variable}"
    for setting in settings:
        key, equals, written = setting.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {setting!r}: must be key=value, such as http.address=127.0.0.1:8060")
        yield key.strip(), _value_of(written.strip()), "--set"


def _key_of(variable: str) -> str:
    """The key that an environment variable stands for."""
    top, *rest = variable.removeprefix(ENVIRONMENT_PREFIX).split("__")
    match top := top.lower():
        case section if section in SECTIONS:
            rest = [key_of(part.lower()) for part in rest]
        case "http" if rest[:1] == ["ACCESS_KEYS"]:
            rest = ["access_keys", *(key_of(part.lower()) for part in rest[1:])]
        case "regions":
            rest = [part.lower() if depth else part.lower().replace("_", "-") for depth, part in enumerate(rest)]
        case _:
            rest = [part.lower() for part in rest]
    return ".".join((top, *rest))


def _value_of(written: str) -> object:
    """A value in TOML, or the text itself where it is none."""
    try:
        parsed = _toml(f"value = {written}")
    except (ValueError, RecursionError):
        return written
    if parsed.keys() != {"value"}:
        return written
    value = parsed["value"]
    return value if isinstance(value, str | list | dict) else Given(value, written)


# From tables to values


def _ip(value: object) -> str:
    try:
        address = ip_address(text(value))
    except ValueError:
        raise ValueError("must be an IP address such as 127.0.0.1 or ::1") from None
    if address.is_unspecified or address.is_multicast:
        raise ValueError("must be the address of one interface, as PBXs are told to send there")
    return str(address)


def _address(value: object) -> Address:
    allowed = "must be an IP address and port such as 127.0.0.1:5060 or [::1]:5060, port 0 for any free one"
    found = re.fullmatch(_HOST_AND_PORT, value) if isinstance(value, str) else None
    if not found or int(found[3]) > 65535:
        raise ValueError(allowed)
    try:
        return Address(str(ip_address(found[1] or found[2])), int(found[3]))
    except ValueError:
        raise ValueError(allowed) from None


def _server(value: object) -> Address:
    address = _address(value)
    if not address.port or ip_address(address.host).is_unspecified:
        raise ValueError("must be the IP address and port of a DNS server such as 127.0.0.1:53")
    return address


def _collector(value: object) -> Address:
    address = _address(value)
    if not address.port or ip_address(address.host).is_unspecified:
        raise ValueError("must be the IP address and port of a HEP collector such as 127.0.0.1:9060")
    return address


def _sip_address(value: object) -> Address:
    address = _address(value)
    _ip(address.host)
    return address


def _rtp_ports(value: object) -> range:
    allowed = "must be [first, last], the first even, both from 1024 to 65535 and first before last"
    match value:
        case [int(first), int(last)] if 1024 <= first < last <= 65535 and first % 2 == 0:
            return range(first, last if last % 2 else last + 1, 2)
    raise ValueError(allowed)


def wav_file(value: object) -> Path:
    """The path of a WAV file. Raises ValueError for any other."""
    path = Path(text(value))
    try:
        head = b""
        if path.is_file():  # opening a FIFO would wait for its writer
            with path.open("rb") as file:
                head = file.read(12)
    except OSError as error:
        raise ValueError(f"must be a WAV file that can be read: {error.strerror}") from None
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise ValueError("must be a WAV file, this is " + ("another" if path.exists() else "no") + " file")
    return path


def _target(value: object) -> str:
    found = re.fullmatch(_SIP_TARGET, value) if isinstance(value, str) else None
    if not found or int(found[2] or 5060) > 65535:
        raise ValueError("must be a SIP URI such as sip:127.0.0.1:6000 or sip:127.0.0.1:6000;transport=tcp")
    try:
        ip_address(found[1].strip("[]"))
    except ValueError:
        raise ValueError(f"must have an IP address in place of {found[1]}, as names are not looked up here") from None
    return found[0]


def _policy_file(written: str) -> str:
    try:
        return Path(written).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ValueError(f"must be a policy document as JSON, or a file that has one: {reason}") from None


def _config(document: Mapping[str, object]) -> Config:
    table = Table(document, "", KEYS)
    profile = _profile(table)
    regions = _regions(table.shape("regions", lambda entries, path: Table(entries, path, AWS_REGIONS)))
    http = table.shape("http", lambda entries, path: Table(entries, path, ("address", "auth", "access_keys")))
    dns = table.shape("dns", lambda entries, path: Table(entries, path, ("address", "forward", "resolver")))
    pstn = table.shape("pstn", lambda entries, path: Table(entries, path, ("address", "routes")))
    config = Config(
        profile=profile,
        data_dir=Path(table.get("data_dir", text, "var")),
        account_id=table.get("account_id", matching("[0-9]{12}", "a string of 12 digits"), "111122223333"),
        http_address=http.get("address", _address, _HTTP) if http else _HTTP,
        access=access(http, _policy_file) if http else Access(),
        dns_address=dns.get("address", _address, _DNS) if dns else _DNS,
        dns_forward=dns.get("forward", _server, None) if dns else None,
        dns_resolver=dns.get("resolver", _server, None) if dns else None,
        regions=regions,
        tls=table.shape("tls", _tls_files) or TlsFiles(),
        pstn_address=pstn.get("address", _sip_address, _PSTN) if pstn else _PSTN,
        pstn_routes=pstn.shapes("routes", _pstn_route) if pstn else (),
        media=table.shape("media", _media) or Media(),
        hep=table.shape("hep", _hep),
        content=content_of(table),
    )
    _check_listeners(config)
    check_content(config.content, tuple(regions), profile)
    return config


def _regions(table: Table | None) -> dict[str, Region]:
    configured = table.entries if table else {}
    regions: dict[str, Region] = {}
    for host_number, region_name in enumerate(AWS_REGIONS, start=1):
        if region_name in configured or region_name in _DEFAULT_REGIONS:
            region = _region(region_name, f"127.0.0.{host_number}", configured.get(region_name, {}))
            if region:
                regions[region_name] = region
    if not regions:
        raise ShapeError("regions", "must have one that is enabled")
    return regions


def _region(region_name: str, host: str, entries: object) -> Region | None:
    """One Region, None if it is not enabled. TCP, TLS and media are where UDP is, unless they are given."""
    keys = ("enabled", "udp", "tcp", "tls", "media_address", "rtp_ports", "further_addresses")
    table = Table(entries, f"regions.{region_name}", keys)
    udp = table.get("udp", _sip_address, Address(host, 5060))
    region = Region(
        name=region_name,
        udp=udp,
        tcp=table.get("tcp", _sip_address, udp),
        tls=table.get("tls", _sip_address, Address(udp.host, 5061 if udp.port else 0)),
        media_address=table.get("media_address", _ip, udp.host),
        rtp_ports=table.get("rtp_ports", _rtp_ports, range(20000, 29999, 2)),
        further_addresses=table.each("further_addresses", _ip),
    )
    return region if table.get("enabled", boolean, True) else None


def _tls_files(entries: object, path: str) -> TlsFiles:
    table = Table(entries, path, TlsFiles._fields)
    files = TlsFiles(*(table.get(key, _path, None) for key in TlsFiles._fields))
    for key, other in (("certificate", "private_key"), ("private_key", "certificate")):
        if key in table and other not in table:
            raise ShapeError(f"{path}.{key}", f"must come with {path}.{other}")
    return files


def _path(value: object) -> Path:
    return Path(text(value))


def _pstn_route(entries: object, path: str) -> PstnRoute:
    keys = tuple(field.name for field in fields(PstnRoute))
    table = Table(entries, path, keys)
    route = PstnRoute(
        match=table.get("match", _PATTERN, "*"),
        behaviour=table.get("behaviour", _BEHAVIOUR, "answer"),
        target=table.get("target", _target, None),
        ring_seconds=table.get("ring_seconds", number(0, 3600), 1.0),
        hangup_after_seconds=table.get("hangup_after_seconds", number(0, 86400), None),
        play=table.get("play", wav_file, None),
        tone_hz=table.get("tone_hz", number(20, 3400), 440.0),
        digits=table.get("digits", matching("[0-9*#A-D]{1,64}", "1 to 64 of the digits 0-9*#A-D"), ""),
    )
    if route.target and "behaviour" in table:
        raise ShapeError(f"{path}.behaviour", "must not be there, as target hands the call to your own peer")
    if route.behaviour == "play" and not route.play:
        raise ShapeError(f"{path}.play", "is missing: it names the WAV file for the behaviour play")
    return route


def _media(entries: object, path: str) -> Media:
    table = Table(entries, path, ("capture", "record", "keep_bytes"))
    return Media(
        table.get("capture", boolean, False),
        table.get("record", boolean, False),
        table.get("keep_bytes", whole(1_000_000), _KEEP_BYTES),
    )


def _hep(entries: object, path: str) -> Hep:
    table = Table(entries, path, ("address", "capture_id", "password"))
    return Hep(
        table.required("address", _collector),
        table.get("capture_id", whole(0, 0xFFFFFFFF), 2001),
        table.get("password", user_or_password, ""),
    )


def _check_listeners(config: Config) -> None:
    """Raise ShapeError for an address that two listeners would share."""
    listeners = [
        ("http.address", "tcp", config.http_address),
        *(("dns.address", protocol, config.dns_address) for protocol in ("udp", "tcp")),
        *(("pstn.address", protocol, config.pstn_address) for protocol in ("udp", "tcp")),
    ]
    for region in config.regions.values():
        listeners += [
            (f"regions.{region.name}.udp", "udp", region.udp),
            (f"regions.{region.name}.tcp", "tcp", region.tcp),
            (f"regions.{region.name}.tls", "tcp", region.tls),
        ]
        for index, host in enumerate(region.further_addresses):
            path = f"regions.{region.name}.further_addresses[{index}]"
            listeners += [
                (path, "udp", Address(host, region.udp.port)),
                (path, "tcp", Address(host, region.tcp.port)),
                (path, "tcp", Address(host, region.tls.port)),
            ]
    taken: dict[tuple[str, Address], str] = {}
    for path, protocol, address in listeners:
        other = taken.setdefault((protocol, address), path)
        if other != path and address.port:
            raise ShapeError(path, f"= '{address}': is the address of {other} already")
    if config.dns_forward == config.dns_address:
        raise ShapeError(
            "dns.forward", f"= '{config.dns_forward}': is dns.address, so a query would come back for ever"
        )


def _profile(table: Table) -> Profile:
    """The profile by its name, with `[overrides]` of single values."""
    profile = Profile.named(table.get("profile", choice("lab", "aws"), "lab"))
    types = {field.name: field.type for field in fields(Profile) if field.name != "name"}
    overrides = table.shape("overrides", lambda entries, path: Table(entries, path, tuple(types)))
    if overrides is None:
        return profile
    changes: dict[str, Any] = {key: overrides.required(key, _reader_of(types[key], key)) for key in overrides.entries}
    if changes.get("cdr_bucket"):
        read(bucket_name, changes["cdr_bucket"], "overrides.cdr_bucket")
    if changes.get("srtp_offer") == ():
        raise ShapeError("overrides.srtp_offer", "= []: must name a suite, for connectors that require encryption")
    return replace(profile, **changes)


def _reader_of(type_: object, key: str) -> Reader[object]:
    """How a profile value of this type is read; SIP status codes are told by their name."""
    scalars: dict[object, Reader[object]] = {
        bool: boolean,
        int: whole(300, 699) if key.endswith("_status") else whole(0),
        float: number(0, 1e9),
        str: text,
    }
    if type_ in scalars:
        return scalars[type_]
    arguments = get_args(type_)
    if get_origin(type_) is Literal:
        return choice(*arguments)
    item = _reader_of(next(argument for argument in arguments if argument is not type(None)), key)
    if get_origin(type_) is UnionType:
        return lambda value: None if value == "none" else item(value)
    assert get_origin(type_) is tuple, f"no way to read {type_}"
    return lambda value: tuple(item(each) for each in sequence(value))
