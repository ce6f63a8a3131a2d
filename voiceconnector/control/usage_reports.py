"""The usage and feedback report of an account, week by week (2018 guide p. 15).

There are no meetings here: that users have held one, or sent messages, is told (`Activity`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from ..trunk.account_model import Activity, User

_DAY_SECONDS = 86_400.0
_WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class WeekReport:
    """One line of the report, Monday to Sunday, in UTC."""

    monday: date
    registered_users: int
    """Those of the account's users who had registered by the end of the week."""
    active_users: int
    """Those who attended a meeting or sent a message."""
    meetings_held: int
    meeting_satisfaction: float | None
    """Per cent of positive responses to the survey; None: there was no response."""


def week_reports(
    users: Iterable[User], activities: Iterable[Activity], since: float, now: float
) -> tuple[WeekReport, ...]:
    """The weeks from the one of a time to now, as of last midnight: reports are updated daily.

    Users who have left the account are not counted. Times are Unix times in seconds.
    """
    midnight = now - now % _DAY_SECONDS
    registered = sorted(user.registered_on for user in users if user.registered_on is not None)
    known = [activity for activity in activities if activity.time < midnight]
    monday, reports = _monday_of(since), []
    while _start_of(monday) < midnight:
        end = min(_start_of(monday + _WEEK), midnight)
        of_week = [activity for activity in known if _start_of(monday) <= activity.time < end]
        reports.append(_report(monday, sum(time < end for time in registered), of_week))
        monday += _WEEK
    return tuple(reports)


def _report(monday: date, registered_users: int, activities: list[Activity]) -> WeekReport:
    positive = sum(activity.positive_responses for activity in activities)
    responses = positive + sum(activity.negative_responses for activity in activities)
    return WeekReport(
        monday,
        registered_users,
        len({user_id for activity in activities for user_id in activity.user_ids}),
        sum(activity.meeting for activity in activities),
        100 * positive / responses if responses else None,
    )


def _monday_of(time: float) -> date:
    day = datetime.fromtimestamp(time, UTC).date()
    return day - timedelta(days=day.weekday())


def _start_of(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
