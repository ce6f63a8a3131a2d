"""The events of the API that are kept under `data_dir/cloudtrail`, for `voiceconnector trail`.

Reads the files, so that no emulator needs to run.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from rich.table import Table

Event = dict[str, Any]


class Trail:
    """The files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.damaged = 0
        """Lines that were passed over: the emulator was killed as it wrote them."""

    def latest(self, most: int, event_name: str = "", user: str = "") -> list[Event]:
        """Events, the latest first; of one operation, of one user, or of all. Raises OSError."""
        wanted = (
            event
            for event in self._events()
            if event_name.lower() in ("", event["eventName"].lower()) and (not user or user in users_of(event))
        )
        return list(islice(wanted, most))

    def _events(self) -> Iterator[Event]:
        for path in sorted(self._folder.glob("[0-9]*.jsonl"), reverse=True):
            for line in reversed(path.read_bytes().splitlines()):
                try:
                    event = json.loads(line)
                except ValueError:
                    self.damaged += 1
                else:
                    yield event


def users_of(event: Event) -> tuple[str, ...]:
    """The names that whoever made a call is known by, the plainest first."""
    identity = event["userIdentity"]
    role = identity.get("sessionContext", {}).get("sessionIssuer", {}).get("userName")
    root = "root" if identity["type"] == "Root" else None
    names = (identity.get("userName"), role, root, identity.get("accessKeyId"), identity.get("arn"))
    return tuple(name for name in names if name)


def table(events: Iterable[Event]) -> Table:
    """Events for a terminal."""
    shown = Table(box=None, pad_edge=False)
    for title in ("Time", "Event", "User", "Source", "Region", "Result"):
        shown.add_column(title, no_wrap=title != "Result")
    for event in events:
        error = event.get("errorCode")
        shown.add_row(
            event["eventTime"],
            event["eventName"],
            next(iter(users_of(event)), "unsigned"),
            event["sourceIPAddress"],
            event["awsRegion"],
            f"[red]{error}[/]" if error else "[green]ok[/]",
        )
    return shown
