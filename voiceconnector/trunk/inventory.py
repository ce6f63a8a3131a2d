"""Phone numbers: who has them, and the queue of those that were deleted (guide p. 39, 56-59, 63-66).

Rules as functions of a snapshot: each says what is to be committed, and changes nothing itself. Times are Unix
times in seconds.
"""

from collections.abc import Iterable

from .model import PhoneNumber, Resource, Snapshot, VoiceConnector, VoiceConnectorGroup, identity

DELETION_QUEUE_SECONDS = 7 * 86_400.0
"""How long a deleted number can be restored (guide p. 58)."""

Holder = VoiceConnector | VoiceConnectorGroup


def configured(
    snapshot: Snapshot, holders: Iterable[Holder], deletion_queue: Iterable[str], now: float
) -> tuple[Resource, ...]:
    """What is to be committed for holders and deleted numbers of a configuration, where they are not there yet."""
    absent = [holder for holder in holders if identity(holder) not in snapshot.all(type(holder))]
    known = snapshot.all(PhoneNumber)
    numbers = {
        number: PhoneNumber(number, associated=now)
        for holder in absent
        for number in holder.phone_numbers
        if number not in known
    }
    due = now + DELETION_QUEUE_SECONDS
    deleted = [PhoneNumber(number, deletion_due=due) for number in deletion_queue if number not in known]
    return (*absent, *numbers.values(), *deleted)
