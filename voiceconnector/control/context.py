"""What the operations of the API work on."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from ..trunk.profile import Profile
from ..trunk.store import Store
from .errors import ApiError

Fields = dict[str, Any]
"""Members of a structure by AWS's names: what an operation is asked, and what it answers."""

T = TypeVar("T")
_ID_LENGTH = 22
_ID_CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Control:
    """The emulated service as its API sees it."""

    store: Store
    profile: Profile
    account_id: str
    """12 digits."""
    regions: tuple[str, ...]
    """The Regions that are served."""
    chance: random.Random
    """Where ids come from."""
    clock: Callable[[], float]
    """Unix time, seconds."""

    def arn(self, region: str, resource: str) -> str:
        """The Amazon Resource Name of a resource such as `vc/abcdef1ghij2klmno3pqr4`."""
        return f"arn:aws:chime:{region}:{self.account_id}:{resource}"

    def known(self, kind: type[T], id_: str) -> T:
        """The resource of a kind with this id. Raises ApiError."""
        resource = self.store.snapshot.all(kind).get(id_)
        if resource is None:
            raise not_found(kind, id_)
        return resource

    def check_quota(self, most: int | None, there: int, what: str, way_out: str) -> None:
        """Raise ApiError where there are as many of something as the profile allows; None: it has no limit."""
        if most is not None and there >= most:
            raise ApiError(
                "ResourceLimitExceededException",
                f"There are {there} {what}, and profile {self.profile.name} allows {most}; {way_out}",
            )

    def new_id(self) -> str:
        """An id as Voice Connectors and groups have it."""
        return "".join(self.chance.choices(_ID_CHARACTERS, k=_ID_LENGTH))

    def new_uuid(self) -> str:
        """An id as SIP media applications, orders, accounts and requests have it."""
        return str(UUID(int=self.chance.getrandbits(128), version=4))


def not_found(kind: type, id_: str) -> ApiError:
    """What is said of an id that nothing of this kind has."""
    return ApiError("NotFoundException", f"Could not find {kind.__name__} with Id '{id_}'")
