"""Emergency calls: the rewriting of what was dialled, and what is found out about a location."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceconnector.trunk.emergency import (
    MOST,
    PIDF_TYPE,
    LocationBody,
    emergency_route,
    is_emergency,
    review_location,
)
from voiceconnector.trunk.model import (
    DNISEmergencyCallingConfiguration,
    EmergencyCallingConfiguration,
    VoiceConnector,
)
from voiceconnector.trunk.profile import AWS

US = DNISEmergencyCallingConfiguration("+12065550911", "US", "+12065550933")
CANADA = DNISEmergencyCallingConfiguration("+12065550912", "CA")
CONNECTOR = VoiceConnector(
    "abcdef1ghij2klmno3pqr4", "office", emergency_calling_configuration=EmergencyCallingConfiguration((US, CANADA))
)

# After RFC 6442 5.1: a point in a device, by value.
POINT = """<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf"
    xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10"
    xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
    xmlns:gml="http://www.opengis.net/gml"
    entity="pres:target123@atlanta.example.com">
  <dm:device id="target123-1">
    <gp:geopriv>
      <gp:location-info>
        <gml:Point srsName="urn:ogc:def:crs:EPSG::4326"><gml:pos>32.86726 -97.16054</gml:pos></gml:Point>
      </gp:location-info>
      <gp:usage-rules/>
      <gp:method>802.11</gp:method>
    </gp:geopriv>
    <dm:deviceID>mac:1234567890ab</dm:deviceID>
  </dm:device>
</presence>"""
CIVIC = """<presence xmlns="urn:ietf:params:xml:ns:pidf"
    xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10"
    xmlns:ca="urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr" entity="sip:desk@pbx.example.com">
  <tuple id="0"><status><gp:geopriv>
    <gp:location-info>
      <ca:civicAddress><ca:country>US</ca:country><ca:A1>WA</ca:A1><ca:A3>Seattle</ca:A3>
        <ca:RD>7th</ca:RD><ca:STS>Avenue</ca:STS><ca:HNO>2121</ca:HNO></ca:civicAddress>
    </gp:location-info>
    <gp:usage-rules/>
  </gp:geopriv></status></tuple>
</presence>"""
CID = "<target123@atlanta.example.com>"
VALUE = "<cid:target123@atlanta.example.com>"


def review(document: str | bytes, *geolocation: str, routing: str | None = "yes", content_id: str = CID) -> list[str]:
    body = document if isinstance(document, bytes) else document.encode()
    bodies = [LocationBody("application/sdp", "", "", b"v=0"), LocationBody(PIDF_TYPE, content_id, "", body)]
    return review_location(geolocation or (VALUE,), routing, bodies, emergency=True)


# -- what is dialled


@pytest.mark.parametrize(
    ("user", "expected"),
    [("911", True), ("933", True), ("911;phone-context=+1", True), ("+911", False), ("9110", False), ("", False)],
)
def test_emergency_calls_are_told_by_what_was_dialled(user: str, expected: bool) -> None:
    assert is_emergency(user, AWS) is expected


@pytest.mark.parametrize(
    ("dialled", "caller", "number", "key"),
    [
        ("911", "+12065550100", "+12065550911", "EmergencyPhoneNumber of US"),
        ("933", "+12065550100", "+12065550933", "TestPhoneNumber of US"),
        ("911", "+14165550100", "+12065550912", "EmergencyPhoneNumber of CA"),
        ("933", "+14165550100", "933", "the DNIS entry of CA has no TestPhoneNumber"),
        ("911", "+442079460123", "+12065550911", "EmergencyPhoneNumber of US"),
        ("911", "", "+12065550911", "EmergencyPhoneNumber of US"),
    ],
)
def test_the_entry_of_the_callers_country_or_the_first_decides(
    dialled: str, caller: str, number: str, key: str
) -> None:
    """Guide p. 62-63: a routing number and a test number for each country."""
    route = emergency_route(dialled, caller, CONNECTOR, AWS)
    assert route.number == number
    assert key in route.because


@pytest.mark.parametrize("configuration", [None, EmergencyCallingConfiguration()])
def test_without_an_entry_it_goes_out_as_it_was_dialled(configuration: EmergencyCallingConfiguration | None) -> None:
    connector = replace(CONNECTOR, emergency_calling_configuration=configuration)
    route = emergency_route("911", "+12065550100", connector, AWS)
    assert route.number == "911"
    assert "no DNIS entry" in route.because


# -- where the caller is


def test_a_point_that_a_geolocation_header_refers_to_is_read() -> None:
    """RFC 6442 5.1, RFC 5491 5.2.1."""
    assert review(POINT) == [
        "The location target123@atlanta.example.com: a geodetic location, Point 32.86726 -97.16054."
    ]


def test_a_civic_address_is_read() -> None:
    """RFC 5139."""
    assert review(CIVIC) == [
        "The location target123@atlanta.example.com: a civic address, US, WA, Seattle, 7th, Avenue, 2121."
    ]


def test_a_document_alone_is_read_too() -> None:
    alone = [LocationBody("Application/PIDF+XML; charset=utf-8", CID, "", CIVIC.encode())]
    assert "a civic address" in review_location([VALUE], "Yes", alone, emergency=False)[0]


def test_a_circle_is_a_geodetic_location() -> None:
    """RFC 5491 5.2.3."""
    circle = POINT.replace("<gml:Point ", '<gs:Circle xmlns:gs="http://www.opengis.net/pidflo/1.0" ').replace(
        "</gml:Point>", '<gs:radius uom="urn:ogc:def:uom:EPSG::9001">30</gs:radius></gs:Circle>'
    )
    assert "a geodetic location, Circle 32.86726 -97.16054." in review(circle)[0]


def test_three_coordinates_have_a_height() -> None:
    """RFC 5491 5: EPSG 4979 has three dimensions."""
    high = POINT.replace("EPSG::4326", "EPSG::4979").replace("-97.16054<", "-97.16054 10<")
    assert len(review(high)) == 1


def test_a_call_that_says_nothing_is_worth_a_word_only_when_it_is_for_help() -> None:
    assert review_location((), None, (), emergency=False) == []
    (finding,) = review_location((), None, (), emergency=True)
    assert "says nothing about where its caller is" in finding


@pytest.mark.parametrize(
    ("geolocation", "finding"),
    [
        ("<cid:other@atlanta.example.com>", "no part of the body has the Content-ID other@atlanta.example.com"),
        ("cid:target123@atlanta.example.com", "is not a URI in angle brackets"),
        ("<target123>", "is not a URI"),
        ("<https://lis.example.com/abc>", "by reference, https://lis.example.com/abc, which the trunk does not fetch"),
    ],
)
def test_a_geolocation_that_leads_to_no_document_is_named(geolocation: str, finding: str) -> None:
    """RFC 6442 4.1, RFC 2392."""
    found = review(POINT, geolocation)
    assert finding in found[0]
    assert "no Geolocation header refers to it" in found[1]
    assert "a geodetic location" in found[2]


def test_a_cid_is_percent_decoded_and_may_have_parameters() -> None:
    """RFC 2392 2; RFC 6442 4.1 geoloc-param."""
    value = "<cid:target123%40atlanta.example.com>;inserted-by=edge.example.com"
    assert len(review(POINT, value)) == 1


def test_a_cid_that_is_no_location_is_named() -> None:
    bodies = [LocationBody("application/sdp", CID, "", b"v=0")]
    found = review_location([VALUE], "yes", bodies, emergency=True)
    assert found == ["Geolocation refers to a body of type application/sdp, and not application/pidf+xml (RFC 6442 4)."]


@pytest.mark.parametrize(
    ("routing", "finding"),
    [
        (None, "There is no Geolocation-Routing header"),
        ("no", "Geolocation-Routing is no"),
        ("perhaps", "Geolocation-Routing is perhaps"),
    ],
)
def test_routing_by_location_has_to_be_allowed(routing: str | None, finding: str) -> None:
    """RFC 6442 4.2; the service asks for Geolocation-Routing: yes."""
    assert review(POINT, routing=routing)[-1].startswith(finding)
    assert len(review(POINT, routing="Yes")) == 1


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        (POINT, "<presence", "is not XML that can be read: unclosed token"),
        (POINT, "", "is not XML that can be read: no element found"),
        ("UTF-8", "x-none", "is not XML that can be read: unknown encoding"),
        ("UTF-8", "utf-7", "is not XML that can be read: multi-byte encodings"),
        ("urn:ietf:params:xml:ns:pidf\"", "urn:example\"", "is no PIDF: its root is presence"),
        ("    entity=", "    id=", "does not say whose it is"),
        ("gp:geopriv>", "gp:other>", "has no geopriv element"),
        ("gp:location-info>", "gp:other>", "location-info is missing (RFC 4119 2.2.1)"),
        ("<gp:usage-rules/>", "", "usage-rules is missing (RFC 4119 2.2.2)"),
        ("gml:Point", "gp:Point", "neither a civic address nor a geodetic location"),
        ("32.86726 -97.16054", "97.16054 32.86726", "97.16054 is no latitude or longitude"),
        ("32.86726 -97.16054", "32.86726", "'32.86726' is not 2 numbers"),
        ("32.86726 -97.16054", "32.86726 west", "is not 2 numbers"),
        ("32.86726 -97.16054", "nan nan", "is not 2 numbers"),
        ("<gml:pos>32.86726 -97.16054</gml:pos>", "", "Point has no position"),
        ("EPSG::4326", "EPSG::3857", "reference system urn:ogc:def:crs:EPSG::3857 is not WGS 84"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_document_is_said(old: str, new: str, finding: str) -> None:
    assert old in POINT
    found = review(POINT.replace(old, new))
    assert any(finding in sentence for sentence in found), found


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("<ca:country>US</ca:country>", "", "the country of its civic address is missing"),
        (">US<", ">usa<", "the country of its civic address is usa; it takes two capitals"),
        (":civicAddr\"", ":civicLoc\"", "the namespace that RFC 5139 replaced"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_civic_address_is_said(old: str, new: str, finding: str) -> None:
    """RFC 5139 3.3 for the country, which RFC 4776 3.3 demands."""
    assert old in CIVIC
    assert any(finding in found for found in review(CIVIC.replace(old, new)))


BOMB = b"""<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="&b;"/>"""


@pytest.mark.parametrize(
    "document",
    [
        BOMB,
        b'<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><presence>&x;</presence>',
        b'<!DOCTYPE presence SYSTEM "http://192.0.2.1/p.dtd"><presence/>',
    ],
)
def test_entities_and_document_types_are_refused(document: bytes) -> None:
    (finding,) = review(document)
    assert "declares a document type or entities" in finding


def test_an_encoded_document_is_not_read() -> None:
    bodies = [LocationBody(PIDF_TYPE, CID, "base64", b"PHByZXNlbmNl")]
    assert "is encoded as base64" in review_location([VALUE], "yes", bodies, emergency=True)[0]


TEXT = st.text(max_size=40)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(TEXT | st.just(VALUE), max_size=3),
    st.none() | TEXT,
    st.lists(
        st.builds(
            LocationBody,
            content_type=st.sampled_from([PIDF_TYPE, "application/sdp"]) | TEXT,
            content_id=st.just(CID) | TEXT,
            encoding=st.just("") | TEXT,
            body=st.binary(max_size=80)
            | st.tuples(st.sampled_from([POINT, CIVIC]), st.integers(0, 900), TEXT).map(
                lambda cut: (cut[0][: cut[1]] + cut[2] + cut[0][cut[1] + len(cut[2]) :]).encode("utf-8", "replace")
            ),
        ),
        max_size=3,
    ),
    st.booleans(),
)
def test_whatever_is_sent_findings_are_sentences_for_a_terminal(
    geolocation: list[str], routing: str | None, bodies: list[LocationBody], emergency: bool
) -> None:
    for finding in review_location(geolocation, routing, bodies, emergency=emergency):
        assert finding.isprintable()
        assert len(finding) < 1_000


def test_thousands_of_values_and_parts_are_not_gone_through() -> None:
    bodies = [LocationBody("text/plain", "", "", b"x")] * 2_500
    findings = review_location(["<cid:a>"] * 4_000, "yes", bodies, emergency=True)
    assert findings[0] == f"Of Geolocation values and parts of the body, the first {MOST} were looked at."
    assert len(findings) == 1 + MOST


def test_a_document_of_great_depth_is_read_to_its_end() -> None:
    depth = 20_000
    assert "its root is a" in review(b"<a>" * depth + b"</a>" * depth)[0]
