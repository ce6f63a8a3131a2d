"""Emergency calls: what is dialled, where it is routed, and what is said about the caller's location.

The number dialled (911, or 933 as a test) is no E.164 number; it is replaced by the number of a third-party
provider where the connector has one (DNIS, guide p. 62). The location is a PIDF-LO document (RFC 4119, RFC 5139,
RFC 5491) that Geolocation headers refer to (RFC 6442). It is read to say what is wrong with it, and never a
reason to refuse a call for help.

Left out: fetching a location by reference, and judging whether an address exists.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]  # it has no types
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]  # it has no types

from .decisions import listed, shown
from .model import DNISEmergencyCallingConfiguration, VoiceConnector
from .numbers import country_of
from .profile import Profile

PIDF_TYPE = "application/pidf+xml"

_PIDF = "{urn:ietf:params:xml:ns:pidf}"
_GEOPRIV = "{urn:ietf:params:xml:ns:pidf:geopriv10}"
_CIVIC = "{urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr}"
_OLD_CIVIC = "{urn:ietf:params:xml:ns:pidf:geopriv10:civicLoc}"
_GML = "{http://www.opengis.net/gml}"
_SHAPES = "{http://www.opengis.net/pidflo/1.0}"
_DIMENSIONS = {"urn:ogc:def:crs:EPSG::4326": 2, "urn:ogc:def:crs:EPSG::4979": 3}
"""Coordinates that a position has, by its reference system: WGS 84 (RFC 5491 5)."""
_PLACE = ("country", "A1", "A2", "A3", "RD", "STS", "HNO")
"""Parts of a civic address that are shown, from the large to the small."""
MOST = 16
"""Values, bodies and documents that are looked at; whoever sends more of them does not ask for help."""

_LOCATION_VALUE = re.compile(r"\s*<([^<>\s]+)>\s*(?:;.*)?")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


# --- What is dialled, and where it goes


class EmergencyRoute(NamedTuple):
    """Where an emergency call, or a test of one, is sent."""

    number: str
    because: str
    """A sentence about how it was found."""


def is_emergency(user: str, profile: Profile) -> bool:
    """Whether the user part of a Request-URI asks for emergency services, or tests that."""
    if user[:1] == "+":
        return False
    return user.partition(";")[0] in (profile.emergency_number, profile.emergency_test_number)


def emergency_route(user: str, caller: str, connector: VoiceConnector, profile: Profile) -> EmergencyRoute:
    """Where an emergency number leads, for a caller (E.164, or anything else where it has none)."""
    dialled = user.partition(";")[0]
    is_test = dialled == profile.emergency_test_number
    what = f"{dialled} is the {'test ' if is_test else ''}number of emergency services"
    entry = _entry_for(country_of(caller), connector)
    if entry is None:
        because = f"{what}; {connector.voice_connector_id} has no DNIS entry for it, so it goes out as it was dialled"
        return EmergencyRoute(dialled, because)
    number = entry.test_phone_number if is_test else entry.emergency_phone_number
    key = "TestPhoneNumber" if is_test else "EmergencyPhoneNumber"
    if number is None:
        because = f"{what}; the DNIS entry of {entry.calling_country} has no {key}, so it goes out as it was dialled"
        return EmergencyRoute(dialled, because)
    return EmergencyRoute(number, f"{what}, and was rewritten to {number} ({key} of {entry.calling_country})")


def _entry_for(country: str, connector: VoiceConnector) -> DNISEmergencyCallingConfiguration | None:
    """The entry of the caller's country, else the first: what was dialled does not tell a country."""
    configuration = connector.emergency_calling_configuration
    entries = configuration.dnis if configuration else ()
    return next((entry for entry in entries if entry.calling_country == country), entries[0] if entries else None)


# --- Where the caller is


class LocationBody(NamedTuple):
    """A body of a request, or a part of it."""

    content_type: str
    content_id: str
    """As it stands in its header, `<...>`; empty without one."""
    encoding: str
    """Content-Transfer-Encoding; empty without one."""
    body: bytes


def review_location(
    geolocation: Sequence[str], routing: str | None, bodies: Sequence[LocationBody], *, emergency: bool
) -> list[str]:
    """What an INVITE says about where its caller is, and what is wrong with that, in sentences.

    `geolocation`: values of the Geolocation headers. `routing`: value of Geolocation-Routing. Costs nothing
    worth mentioning for a call that says nothing.
    """
    too_many = max(len(geolocation), len(bodies)) > MOST
    geolocation, bodies = geolocation[:MOST], bodies[:MOST]
    documents = [body for body in bodies if _media_type(body) == PIDF_TYPE]
    if not geolocation and not documents:
        return ["The emergency call says nothing about where its caller is."] if emergency else []
    findings = [f"Of Geolocation values and parts of the body, the first {MOST} were looked at."] if too_many else []
    referred_to: list[LocationBody] = []
    for value in geolocation:
        findings += _follow(value, bodies, referred_to)
    findings += [
        f"Nobody will look for the location in the body {_name(document)}: no Geolocation header refers to it "
        "(RFC 6442 4.1)."
        for document in documents
        if document not in referred_to
    ]
    for document in documents:
        findings += _read(document)
    return findings + _routing_allowed(routing)


def _follow(value: str, bodies: Sequence[LocationBody], referred_to: list[LocationBody]) -> list[str]:
    """What one location value refers to (RFC 6442 4.1); what it finds is added to `referred_to`."""
    match = _LOCATION_VALUE.fullmatch(value)
    if match is None:
        return [f"Geolocation: {shown(value)} is not a URI in angle brackets (RFC 6442 4.1)."]
    scheme, colon, rest = match[1].partition(":")
    if not colon:
        return [f"Geolocation: {shown(match[1])} is not a URI."]
    if scheme.lower() != "cid":
        return [f"The location is given by reference, {shown(match[1])}, which the trunk does not fetch."]
    wanted = f"<{unquote(rest)}>"
    found = next((body for body in bodies if body.content_id == wanted), None)
    if found is None:
        known = listed(tuple(shown(body.content_id) or "one without Content-ID" for body in bodies)) or "no body"
        return [
            f"Geolocation refers to cid:{shown(rest)}, and no part of the body has the Content-ID "
            f"{shown(unquote(rest))} (RFC 2392); there is {known}."
        ]
    referred_to.append(found)
    if _media_type(found) != PIDF_TYPE:
        return [f"Geolocation refers to a body of type {shown(found.content_type)}, and not {PIDF_TYPE} (RFC 6442 4)."]
    return []


def _routing_allowed(routing: str | None) -> list[str]:
    value = (routing or "").strip().lower()
    if value == "yes":
        return []
    if routing is None:
        said = "There is no Geolocation-Routing header"
    else:
        said = f"Geolocation-Routing is {shown(routing)}"
    return [f"{said}, so the location must not be used to route the call: it takes Geolocation-Routing: yes."]


def _name(body: LocationBody) -> str:
    return shown(body.content_id.strip("<>")) or "without Content-ID"


def _media_type(body: LocationBody) -> str:
    return body.content_type.partition(";")[0].strip().lower()


# --- The document


def _read(document: LocationBody) -> list[str]:
    """What a PIDF-LO document says, or why it cannot be read."""
    where = f"The location {_name(document)}"
    if document.encoding.lower() not in ("", "7bit", "8bit", "binary"):
        return [f"{where} is encoded as {shown(document.encoding)}, and was not read."]
    try:
        root: Element = fromstring(document.body, forbid_dtd=True)
    except DefusedXmlException:
        return [f"{where} was not read: it declares a document type or entities, which no PIDF needs (RFC 3863 4)."]
    except (ParseError, ValueError, LookupError) as error:
        return [f"{where} is not XML that can be read: {shown(str(error))}."]
    if root.tag != f"{_PIDF}presence":
        return [
            f"{where} is no PIDF: its root is {_local_name(root)} and not presence of {_PIDF[1:-1]} (RFC 3863 4.1)."
        ]
    objects = list(root.iter(f"{_GEOPRIV}geopriv"))
    findings = (
        [] if root.get("entity") else [f"{where} does not say whose it is: presence has no entity (RFC 3863 4.1)."]
    )
    if not objects:
        return [*findings, f"{where} has no geopriv element, so there is no location in it (RFC 4119 2.2)."]
    for geopriv in objects:
        findings += [f"{where}: {finding}" for finding in _read_object(geopriv)]
    return findings


def _read_object(geopriv: Element) -> list[str]:
    findings = []
    if geopriv.find(f"{_GEOPRIV}usage-rules") is None:
        findings.append("usage-rules is missing (RFC 4119 2.2.2).")
    information = geopriv.find(f"{_GEOPRIV}location-info")
    if information is None:
        return [*findings, "location-info is missing (RFC 4119 2.2.1)."]
    read = False
    for element in information:
        if element.tag == f"{_CIVIC}civicAddress":
            findings += _read_civic(element)
        elif element.tag.startswith((_GML, _SHAPES)):
            findings += _read_shape(element)
        elif element.tag == f"{_OLD_CIVIC}civicAddress":
            findings.append("its civic address is of the namespace that RFC 5139 replaced.")
        else:
            continue
        read = True
    return findings if read else [*findings, "location-info has neither a civic address nor a geodetic location."]


def _read_civic(address: Element) -> list[str]:
    """A civic address (RFC 5139)."""
    values = {_local_name(part): (part.text or "").strip() for part in address}
    country = values.get("country", "")
    findings = []
    if not re.fullmatch("[A-Z]{2}", country):
        said = f"is {shown(country)}" if country else "is missing"
        findings.append(f"the country of its civic address {said}; it takes two capitals (RFC 5139 3.3).")
    place = tuple(shown(values[key]) for key in _PLACE if values.get(key))
    return [f"a civic address, {', '.join(place) or 'empty'}.", *findings]


def _read_shape(shape: Element) -> list[str]:
    """A geodetic location: a point, or a shape around one (RFC 5491 5.2)."""
    system = next((name for element in shape.iter() if (name := element.get("srsName"))), "")
    dimensions = _DIMENSIONS.get(system)
    findings = [] if dimensions else [f"its reference system {shown(system) or '(none)'} is not WGS 84 (RFC 5491 5)."]
    texts = [element.text or "" for element in shape.iter() if element.tag in (f"{_GML}pos", f"{_GML}posList")]
    for text in texts:
        findings += _read_position(text, dimensions or 2)
    if not texts:
        findings.append(f"{_local_name(shape)} has no position (RFC 5491 5.2).")
    return [f"a geodetic location, {_local_name(shape)} {shown(' '.join(' '.join(texts).split()))}.", *findings]


def _read_position(text: str, dimensions: int) -> list[str]:
    """What is wrong with coordinates: latitude and longitude in degrees, and a height where there are three."""
    written = text.split()
    if not all(map(_NUMBER.fullmatch, written)) or not written or len(written) % dimensions:
        return [f"{shown(text)!a} is not {dimensions} numbers for each position (RFC 5491 5)."]
    latitudes, longitudes = written[::dimensions], written[1::dimensions]
    wrong = [value for value in latitudes if abs(float(value)) > 90] + [
        value for value in longitudes if abs(float(value)) > 180
    ]
    return [f"{shown(wrong[0])} is no latitude or longitude in degrees (RFC 5491 5)."] if wrong else []


def _local_name(element: Element) -> str:
    return shown(str(element.tag).rpartition("}")[2], 30)
