"""What an INVITE says about where its caller is (RFC 6442), for the call's notes. It is passed on as it came."""

from voiceconnector.media.multipart import MultipartError, is_multipart, split_multipart
from voiceconnector.sip.grammar import ParseError
from voiceconnector.sip.message import Request
from voiceconnector.trunk.emergency import LocationBody, is_emergency, review_location
from voiceconnector.trunk.profile import Profile


def location_notes(request: Request, profile: Profile) -> list[str]:
    """Sentences about the location: of emergency calls, and of all that have a Geolocation header."""
    headers = request.headers
    emergency = is_emergency(request.request_uri.user, profile)
    if not emergency and "geolocation" not in headers:
        return []
    try:
        values = request.values("geolocation")
    except ParseError as error:
        return [f"Geolocation cannot be read: {error}."]
    return review_location(values, request.header("geolocation-routing"), _bodies(request), emergency=emergency)


def _bodies(request: Request) -> list[LocationBody]:
    content_type = request.header("content-type") or ""
    if not request.body:
        return []
    if not is_multipart(content_type):
        return [LocationBody(content_type, request.header("content-id") or "", "", request.body)]
    try:
        parts = split_multipart(content_type, request.body)
    except MultipartError:
        return []  # The offer cannot be found either, which refuses the call.
    return [
        LocationBody(part.content_type, part.header("Content-ID"), part.header("Content-Transfer-Encoding"), part.body)
        for part in parts
    ]
