"""How the API says no: the exceptions of the service models, with their status and the code in the body."""

from collections.abc import Mapping
from types import MappingProxyType

ERRORS: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "BadRequestException": (400, "BadRequest"),
        "ResourceLimitExceededException": (400, "ResourceLimitExceeded"),
        "UnauthorizedClientException": (401, "Unauthorized"),
        "AccessDeniedException": (403, "AccessDenied"),
        "ForbiddenException": (403, "Forbidden"),
        "NotFoundException": (404, "NotFound"),
        "ConflictException": (409, "Conflict"),
        "GoneException": (410, "Gone"),
        "UnprocessableEntityException": (422, "Unprocessable"),
        "ThrottledClientException": (429, "Throttled"),
        "ServiceFailureException": (500, "ServiceFailure"),
        "ServiceUnavailableException": (503, "ServiceUnavailable"),
        # What stands in front of every service of AWS, and is in no model.
        "UnknownOperationException": (404, "NotFound"),
        "MissingAuthenticationTokenException": (403, "Forbidden"),
        "IncompleteSignatureException": (403, "Forbidden"),
        "InvalidSignatureException": (403, "Forbidden"),
        "UnrecognizedClientException": (403, "Forbidden"),
        "ExpiredTokenException": (403, "Forbidden"),
    }
)
"""The HTTP status of each exception, and its value of the models' ErrorCode."""


class ApiError(Exception):
    """A request is refused: with which exception, and why in words for the one who asked."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        """As in `x-amzn-ErrorType`; a key of ERRORS."""
        self.message = message

    @property
    def status(self) -> int:
        """The HTTP status."""
        return ERRORS[self.name][0]

    @property
    def code(self) -> str:
        """The value of ErrorCode, which the body carries."""
        return ERRORS[self.name][1]
