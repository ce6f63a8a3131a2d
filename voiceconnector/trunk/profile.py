"""Emulation profiles: every value of the real service that is chosen here, in one place.

A default is the value of `aws`, the profile closest to the real service; `lab` states where it is more
permissive. A value that no public source gives carries a line `Unverified:` with what is known.
"""

from dataclasses import dataclass, replace
from typing import Literal

CallerHeader = Literal["From", "P-Asserted-Identity"]
Suite = Literal[
    "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AES_192_CM_HMAC_SHA1_80", "AES_192_CM_HMAC_SHA1_32",
    "AES_256_CM_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_32", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM",
]  # fmt: skip
"""Suites of secure RTP: RFC 4568, RFC 6188, RFC 7714."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What the emulated service does where a setting of the user does not decide."""

    name: str
    """Name in the configuration: "aws" or "lab"."""

    # Requests

    # Unverified: a lost appendix lists REFER, UPDATE, INFO, PRACK and the event methods as unsupported.
    methods: tuple[str, ...] = ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS")
    """Methods accepted; what the Allow header of a 405 lists."""
    known_methods: tuple[str, ...] = (
        "REGISTER", "PRACK", "SUBSCRIBE", "NOTIFY", "PUBLISH", "INFO", "REFER", "MESSAGE", "UPDATE",
    )  # fmt: skip
    """Methods of SIP that are recognized without being accepted; the rest is unknown (RFC 3261 21.5.2)."""
    # Unverified: RFC 3261 8.2.1 gives 405; no trace of the service refusing a method is public.
    unsupported_method_status: int = 405
    """Status code for a known method that is not accepted."""
    # Unverified: RFC 3261 21.5.2 gives 501.
    unknown_method_status: int = 501
    """Status code for a method that is no method of SIP."""
    # Unverified: no guide mentions registration.
    register_status: int = 405
    """Status code for REGISTER: a trunk knows its PBX by address and digest."""
    options_shows_capabilities: bool = False
    """Whether the 200 to OPTIONS carries Allow, Accept and Supported; a trace of the service shows none."""

    # Refusals, in the order of the checks

    address_as_host: bool = False
    """Whether a Request-URI host that is the listener's own address names the Region's only connector."""
    # Unverified: the code is not published.
    unknown_host_status: int = 404
    """Status code for a host name that is no connector's."""
    # Unverified: guide p. 61 says blocked, without a code.
    unencrypted_status: int = 403
    """Status code for a call over UDP or TCP to a connector that requires encryption."""
    # Unverified: blocking may be silent.
    drop_unencrypted: bool = False
    """Whether such a call gets no answer at all."""
    # Unverified: the call is rejected; the code is not published.
    source_address_status: int = 403
    """Status code for a source address outside the allowlist."""
    # Unverified: a rejection without an answer would also fit.
    drop_unlisted: bool = False
    """Whether a request from outside the allowlist gets no answer at all."""
    # Unverified: it leaves the termination health alone; whether it is answered is not published.
    drop_unlisted_options: bool = False
    """Whether an OPTIONS from outside the allowlist gets no answer at all."""
    # Unverified: outbound calls cannot be made; the code is not published.
    termination_disabled_status: int = 403
    """Status code while termination is disabled."""
    # Unverified: records carry the digest user; no challenge of the service is public.
    challenge_status: Literal[401, 407] = 407
    """Status code of a digest challenge: 407 asks as a proxy, 401 as the called party."""
    # Unverified: the API speaks of RFC 2617, which has MD5 only.
    digest_algorithms: tuple[str, ...] = ("MD5",)
    """Algorithms offered in a challenge, the preferred one first (RFC 8760 2.3)."""
    # Unverified: not published.
    nonce_lifetime: float = 300.0
    """Seconds that a nonce is good for; an older one is answered with stale=true."""
    default_cps_limit: int | None = 1
    """Calls per second where Termination.CpsLimit was never set; None: no limit."""
    # Unverified: the metric Throttles counts it; the code is not published.
    cps_exceeded_status: int = 503
    """Status code for a call beyond the calls per second."""
    active_calls_quota: int | None = 10
    """Calls at a time over all connectors of a Region; None: no quota."""
    # Unverified: treated like the calls per second.
    active_calls_status: int = 503
    """Status code for a call beyond the quota of active calls."""
    # Unverified: not published.
    retry_after: int = 1
    """Seconds in the Retry-After header of these two refusals."""
    # Unverified: E.164 is required; 404 and 403 are as likely.
    not_e164_status: int = 484
    """Status code for a called number that is not E.164."""
    # Unverified: every public trace uses From; no trace has P-Asserted-Identity (RFC 3325).
    caller_headers: tuple[CallerHeader, ...] = ("From",)
    """Headers that may name the caller; the first one present does."""
    # Unverified: documented as an override of the caller ID; a call with an owned From was not seen.
    default_number_replaces_owned_caller: bool = True
    """Whether Termination.DefaultPhoneNumber is presented also for callers that pass as they are."""
    # Unverified: the call is rejected; the code is not published.
    calling_plan_status: int = 403
    """Status code for a country outside the calling plan."""

    # Calls from the PSTN

    # Unverified: what the PSTN hears of a number that nobody has; 404 is RFC 3261's word for it.
    unassigned_number_status: int = 404
    """Status code for a number that no Voice Connector has."""
    # Unverified: as an unassigned number, as it belongs to nobody.
    deleted_number_status: int = 404
    """Status code for a number in the deletion queue."""
    # Unverified: calls cannot come in; the code is not published.
    origination_disabled_status: int = 480
    """Status code while origination is disabled, was never put, or has no routes."""
    # Unverified: not published.
    region_down_status: int = 503
    """Status code when every Voice Connector of a number is in a Region that is down."""
    # Unverified: not published.
    routes_failed_status: int = 503
    """Status code when every route of every Voice Connector of a number has failed."""
    # Unverified: not published; longer than three retransmissions over UDP.
    provisional_timeout: float = 5.0
    """Seconds that a route has for its first answer, be it 100 Trying, before the next one is tried."""
    # Unverified: the quota is of active calls, whichever side began them.
    inbound_calls_are_active: bool = True
    """Whether calls from the PSTN count among the active calls, and are refused beyond their quota."""
    routing_seed: int | None = None
    """Makes the share of routes by weight repeatable; None: by chance."""
    private_contact: bool = True
    """Whether the Contact of an INVITE to a PBX is the private address that only the route set leads to."""
    # Unverified: traces show some address of 10.0.0.0/8 behind each edge.
    private_hop: str = "10.0.194.162"
    """Address of the hop behind the edge: in Via, From and a private Contact."""

    # TLS

    # Unverified: a public list has ECDHE with RSA and AES in GCM and CBC mode, and AES-GCM alone, without the exact
    # names; AES128-SHA, AES256-SHA* and DHE are not in it. Those of TLS 1.3 are OpenSSL's.
    tls_ciphers: tuple[str, ...] = (
        "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES128-SHA256", "ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA",
        "AES128-GCM-SHA256", "AES256-GCM-SHA384",
    )  # fmt: skip
    """Suites of TLS 1.2 that the listeners accept, by OpenSSL's names."""
    # Unverified: that the service verifies a PBX is not said; a certificate that nobody can verify protects nothing.
    verify_tls_certificates: bool = True
    """Whether a PBX that is called over TLS must have a certificate of a known issuer for the host of its route."""

    # Media

    codecs: tuple[str, ...] = ("PCMU",)
    """Audio encodings accepted, the preferred one first."""
    srtp_suites: tuple[Suite, ...] = (
        "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AES_192_CM_HMAC_SHA1_80", "AES_192_CM_HMAC_SHA1_32",
        "AES_256_CM_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_32",
    )  # fmt: skip
    """Suites of secure RTP that a PBX may offer."""
    # Unverified: documented as AES-128 in counter mode with HMAC-SHA1; the length of the tag is not.
    srtp_offer: tuple[Suite, ...] = ("AES_CM_128_HMAC_SHA1_80",)
    """Suites offered to a PBX whose connector requires encryption, the preferred one first."""
    # Unverified: the guide speaks of secure RTP with RequireEncryption only.
    srtp_optional: bool = False
    """Whether a PBX may use secure RTP with a connector that does not require encryption."""
    t38: bool = True
    """Whether fax may go on as T.38 over UDPTL (guide p. 80), where encryption is not required."""
    # Unverified: a diagnosis of the emulator; the service only shows it in its media metrics.
    no_media_seconds: float = 5.0
    """Seconds after the answer without a first RTP packet until the user is told."""
    # Unverified: not published.
    media_vanished_seconds: float = 300.0
    """Seconds without RTP from a side that has sent some, until the call is ended."""
    # Unverified: the guide gives a MOS of 1.0 to 4.4 without its formula; ITU-T G.107 for G.711 ends at 4.41.
    packet_loss_robustness: float = 25.1
    """Bpl of G.107: 25.1 for G.711 that conceals loss, 4.3 where it does not (ITU-T G.113 table I.4)."""
    # Unverified: as above; what a usual receiver waits for late packets.
    jitter_buffer_ms: float = 40.0
    """Milliseconds that audio waits for late packets, as far as the MOS is concerned, or twice the jitter."""

    # Call control

    # Unverified: not published; legs of SIP media applications have 30 s by default.
    ring_timeout: float = 60.0
    """Seconds from the INVITE until an unanswered call is cancelled."""
    # Unverified: not published; it keeps a lost call from living for ever.
    maximum_call_duration: float = 43_200.0
    """Seconds after which an answered call is ended."""
    # Unverified: PBXs send 1800 and are accepted; the service's own INVITE carries no Session-Expires.
    session_expires: int | None = None
    """Seconds of the session interval asked for when the PBX supports one and gives none (RFC 4028); None: none."""
    # Unverified: PBXs send 90 and are accepted; it is the least that RFC 4028 allows.
    session_expires_min: int = 90
    """Seconds; a shorter session interval is refused with 422 and this Min-SE (RFC 4028 5)."""

    # DNS of the outbound host names

    # Unverified: the guide asks not to cache beyond the TTL; its length is not published.
    dns_ttl: int = 60
    """Seconds that an answer may be cached, one that something is not there too (RFC 2308)."""
    # Unverified: no SRV or NAPTR record of the service is published; a PBX that asks for none sees no difference.
    dns_service_records: bool = True
    """Whether the names have SRV and NAPTR records (RFC 3263) besides their addresses."""
    # Unverified: addresses change as hosts go out of service; what is left when a whole Region is out is not known.
    dns_withdraws_region: bool = True
    """Whether names of a Region that is down have no records until it is back; they keep existing."""
    # Unverified: an IPV4_ONLY connector never uses IPv6; that its name has no AAAA record follows from it.
    dns_ipv6_for_ipv4_only: bool = False
    """Whether the name of a connector of NetworkType IPV4_ONLY has the Region's IPv6 addresses too."""
    # Groups

    # Unverified: a group is for incoming calls; whether its connectors may call out with its numbers is not said.
    group_numbers_call_out: bool = True
    """Whether a connector may present the numbers of a group that it is in as its caller's."""

    # Emergency calls

    emergency_number: str = "911"
    """What a PBX dials, without +, for emergency services."""
    # Unverified: no public page of the service names it; it is what other providers in North America use.
    emergency_test_number: str = "933"
    """What a PBX dials, without +, to test that."""
    # Unverified: the guide asks for "a United States emergency number"; how it is enforced is not published.
    emergency_routing_countries: tuple[str, ...] = ("US",)
    """Where the numbers that emergency calls are routed to must be, ISO 3166-1 alpha-2."""
    # Unverified: no public text says so; a limit that holds up a call for help would be a strange one.
    emergency_calls_exempt: bool = True
    """Whether emergency calls pass the calls per second, the quota of active calls and the calling plan."""

    # Phone numbers

    # Unverified: not published; an example of AWS's CLI has an order that was settled after ten seconds.
    phone_number_order_seconds: float = 10.0
    """Seconds from an order of numbers until it is settled."""
    orders_beyond_search: bool = False
    """Whether any number of a country that has some can be ordered, or only those that a search finds."""
    identity_documents_required: bool = True
    """Whether orders in countries that ask for papers wait for them (guide p. 40), or go through."""
    calling_name_seconds: float = 259_200.0
    """Seconds until a new calling name is seen; the guide allows 72 hours (p. 58)."""
    calling_name_interval: float = 604_800.0
    """Seconds between updates of the default calling name; the guide has 7 days (p. 58)."""

    # Limits of settings; None: no limit

    private_addresses_allowed: bool = False
    """Whether private, loopback and link-local networks may stand in an allowlist or a route."""
    allowed_prefix_min: int = 27
    """Shortest prefix of an IPv4 network in an allowlist, in bits."""
    cidr_allowed_list_max: int | None = 10
    """Networks in an allowlist."""
    credentials_max: int | None = 10
    """Digest users of a connector."""
    # Unverified: Amazon's CDK constructs stop at 256; the quota of an account starts at 1.
    cps_limit_max: int | None = 256
    """Highest CpsLimit that can be set."""
    # Unverified: the API's texts say 10 in one place and 20 in another.
    routes_max: int | None = 10
    """Origination routes of a connector."""
    voice_connectors_max: int | None = 3
    """Voice Connectors in a Region."""
    phone_numbers_max: int | None = 5
    """Phone numbers in the account."""
    # Unverified: no guide has a limit; one request has to end somewhere.
    phone_numbers_per_order_max: int | None = 50
    """Phone numbers in one order."""
    voice_connector_groups_max: int | None = 3
    """Voice Connector groups in the account."""
    group_members_max: int | None = 3
    """Voice Connectors in a group."""
    # Unverified: the API's texts call it required, its model does not.
    calling_regions_required: bool = True
    """Whether a termination must say which countries may be called."""
    # Unverified: the guide (p. 62) has the caller ID selected from a list.
    default_phone_number_owned: bool = True
    """Whether Termination.DefaultPhoneNumber must be in the account's inventory."""
    # Unverified: Terraform's documentation says so, the API's does not.
    termination_before_credentials: bool = True
    """Whether digest users can be put only where there is a termination."""

    # Records

    cdr_bucket: str | None = None
    """Bucket for call detail records as long as the global settings name none; None: there are no records."""
    sip_media_applications_max: int | None = 30
    """SIP media applications in the account."""
    # Unverified: the guide has rules disabled first; Terraform deletes them as they are, and expects success.
    enabled_sip_rules_deletable: bool = False
    """Whether a SIP rule can be deleted without being disabled first (guide p. 75)."""

    @classmethod
    def named(cls, name: str) -> "Profile":
        """The profile of this name. Raises ValueError, with the names there are, for any other."""
        for profile in (AWS, LAB):
            if profile.name == name:
                return profile
        raise ValueError(f'there is no profile "{name}"; the profiles are {AWS.name} and {LAB.name}')


AWS = Profile(name="aws")
"""As close to the real service as the public record allows."""

LAB = replace(
    AWS,
    name="lab",
    methods=(*AWS.methods, "UPDATE", "INFO"),
    address_as_host=True,
    default_cps_limit=None,
    active_calls_quota=None,
    caller_headers=("P-Asserted-Identity", "From"),
    private_contact=False,
    verify_tls_certificates=False,
    codecs=("PCMU", "PCMA"),
    # Unverified: AEAD suites (RFC 7714) are not in the documented list.
    srtp_suites=(*AWS.srtp_suites, "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"),
    srtp_optional=True,
    dns_ipv6_for_ipv4_only=True,
    phone_number_order_seconds=1.0,
    orders_beyond_search=True,
    identity_documents_required=False,
    calling_name_seconds=1.0,
    calling_name_interval=0.0,
    private_addresses_allowed=True,
    allowed_prefix_min=0,
    cidr_allowed_list_max=None,
    credentials_max=None,
    cps_limit_max=None,
    routes_max=None,
    voice_connectors_max=None,
    phone_numbers_max=None,
    phone_numbers_per_order_max=None,
    voice_connector_groups_max=None,
    group_members_max=None,
    calling_regions_required=False,
    default_phone_number_owned=False,
    termination_before_credentials=False,
    cdr_bucket="voiceconnector-cdrs",
    sip_media_applications_max=None,
)
"""For a laboratory: private addresses, a PBX that sends to an IP address, no quotas."""
