"""The INVITE that a PBX gets for a call from the PSTN, as public traces of the real service show it.

The service's own user agent has a private address, and a proxy of the Region, the edge, stands in front of it:
two Vias, a Record-Route, From and Contact with the private address. One stack plays both here. Who sends ACK and
BYE along the route set (RFC 3261 12.2.1.1) finds the edge; who sends them to the Contact finds nobody, unless the
profile has a Contact that can be reached.
"""

from voiceconnector.sip.hop import Hop, bracketed
from voiceconnector.sip.ids import Ids
from voiceconnector.sip.message import MAGIC_COOKIE
from voiceconnector.sip.session import Edge
from voiceconnector.trunk.model import OriginationRoute
from voiceconnector.trunk.profile import Profile

from .call import Invite, contact_of
from .in_call import SDP

INNER_PORT = 5060
_FIRST_CSEQ = 10_000_000
"""The service counts from some number of eight digits."""


def invite(
    route: OriginationRoute,
    hop: Hop,
    *,
    called: str,
    caller: str,
    display_name: str,
    voice_connector_id: str,
    max_forwards: int,
    body: bytes,
    call_id: str,
    profile: Profile,
    ids: Ids,
) -> Invite:
    """An INVITE along a route to `hop`. `display_name` is "" or ends in a blank."""
    transport, private = hop.local.transport, profile.private_hop
    inner = f"{bracketed(private)}:{INNER_PORT}"
    host = f"{called}@{bracketed(route.host)}:{route.port or hop.address[1]}"
    tag, token = ids.token(), ids.token()
    contact = contact_of(caller, hop.local.uri)
    if profile.private_contact:
        contact = f"sip:{caller}@{inner};alias={private}~{INNER_PORT}~1"
    return Invite(
        hop,
        f"sip:{host};transport={transport}",
        f"{display_name}<sip:{caller}@{inner}>",
        # Outside of the brackets, where it is a parameter of the header and means nothing: so it is seen.
        f"<sip:{host}>;transport={transport}",
        contact,
        f"Max-Forwards: {max_forwards}\r\nX-VoiceConnector-ID: {voice_connector_id}\r\n{SDP if body else ''}",
        body,
        call_id,
        tag,
        _FIRST_CSEQ + ids.number(26),
        Edge(
            f"SIP/2.0/UDP {inner};received={private};rport={INNER_PORT};branch={MAGIC_COOKIE}{ids.token()}",
            f"{hop.local.uri};lr;ftag={tag};did={token[:4]}.{token[4:8]};nat=yes",
        ),
    )
