"""Session timers against the words and Table 2 of RFC 4028."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.sip.grammar import ParseError
from voiceconnector.sip.session_timer import (
    Accepted,
    Refresher,
    SessionExpires,
    SessionTimer,
    TooSmall,
    decide_as_uac,
    decide_as_uas,
    parse_min_se,
    raise_to,
)

UAC, UAS = Refresher.UAC, Refresher.UAS


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("4000", SessionExpires(4000)),
        ("1800;refresher=uac", SessionExpires(1800, UAC)),
        ("1800 ; Refresher = UAS ; x=\"y;z\" ", SessionExpires(1800, UAS)),
        ("0090", SessionExpires(90)),
        ("9" * 100, SessionExpires(2**32 - 1)),
    ],
)  # fmt: skip
def test_session_expires_is_read(value: str, expected: SessionExpires) -> None:
    """RFC 4028 4."""
    assert SessionExpires.parse(value) == expected
    assert SessionExpires.parse(str(expected)) == expected


@pytest.mark.parametrize("value", ["", "x", "-1", "90s", "1800,90", "1800;refresher=me", "1800;;", "²"])
def test_a_session_expires_that_cannot_be_read_is_a_bad_request(value: str) -> None:
    with pytest.raises(ParseError) as refusal:
        SessionExpires.parse(value)
    assert refusal.value.status_code == 400
    assert refusal.value.where == "Session-Expires"


def test_min_se_is_read() -> None:
    """RFC 4028 5: delta-seconds, then generic parameters."""
    assert parse_min_se("120") == 120
    assert parse_min_se("120 ;x=y") == 120
    with pytest.raises(ParseError):
        parse_min_se("soon")


@pytest.mark.parametrize("we_refresh", [False, True])
@pytest.mark.parametrize(
    ("supported", "asked", "answered"),
    [
        (False, None, {UAS}),
        (True, None, {UAS, UAC}),
        (True, UAC, {UAC}),
        (True, UAS, {UAS}),
    ],
)
def test_the_refresher_is_as_in_table_2(
    supported: bool, asked: Refresher | None, answered: set[Refresher], we_refresh: bool
) -> None:
    """RFC 4028 9, Table 2; Require: timer for a UAC that knows it."""
    decision = decide_as_uas(supported, SessionExpires(1800, asked), we_refresh=we_refresh)
    assert isinstance(decision, Accepted)
    assert decision.session_expires is not None
    assert decision.session_expires.interval == 1800
    refresher = decision.session_expires.refresher
    assert refresher in answered
    if len(answered) > 1:
        assert refresher is (UAS if we_refresh else UAC)
    assert decision.require_timer is supported
    assert decision.timer == SessionTimer(1800, we_refresh=refresher is UAS)


def test_an_interval_below_ours_is_too_small_for_a_peer_that_knows_session_timers() -> None:
    """RFC 4028 9: 422 with Min-SE, which is at least 90. Others never asked and get no timer."""
    assert decide_as_uas(True, SessionExpires(89)) == TooSmall(90)
    assert decide_as_uas(True, SessionExpires(299), shortest=300) == TooSmall(300)
    assert decide_as_uas(True, SessionExpires(60), shortest=30) == TooSmall(90)
    assert decide_as_uas(False, SessionExpires(89)) == Accepted()
    assert isinstance(decide_as_uas(True, SessionExpires(90)), Accepted)


def test_a_request_without_session_expires_starts_a_timer_only_where_we_want_one() -> None:
    """RFC 4028 9: the UAS may ask, not below the Min-SE of the request, and only who supports it."""
    assert decide_as_uas(True, None) == Accepted()
    assert decide_as_uas(False, None, wanted=1800) == Accepted()
    assert decide_as_uas(True, None, 3600, wanted=1800) == Accepted(
        SessionExpires(3600, UAC), True, SessionTimer(3600, False)
    )


@pytest.mark.parametrize(
    ("asked", "answered", "timer"),
    [
        (None, None, None),
        (SessionExpires(1800), SessionExpires(900, UAC), SessionTimer(900, True)),
        (SessionExpires(1800), SessionExpires(1800, UAS), SessionTimer(1800, False)),
        (None, SessionExpires(1800, UAS), SessionTimer(1800, False)),
        (SessionExpires(1800, UAS), None, SessionTimer(1800, True)),
        (None, SessionExpires(1800), SessionTimer(1800, True)),
        (None, SessionExpires(30, UAC), SessionTimer(90, True)),
    ],
    ids=[
        "nobody asked", "shorter, ours", "theirs", "only they asked", "peer without timers: ours",
        "refresher forgotten: ours", "never below 90",
    ],
)  # fmt: skip
def test_the_uac_follows_the_2xx(
    asked: SessionExpires | None, answered: SessionExpires | None, timer: SessionTimer | None
) -> None:
    """RFC 4028 7.2."""
    assert decide_as_uac(asked, answered) == timer


def test_refreshes_go_out_at_half_and_the_end_comes_a_little_early() -> None:
    """RFC 4028 10: BYE min(32 s, a third of the interval) before the session expires."""
    assert SessionTimer(1800, True).refresh_at(100.0) == 1000.0
    assert SessionTimer(1800, False).expires_at(100.0) == 1868.0
    assert SessionTimer(90, False).expires_at(0.0) == 60.0
    assert SessionTimer(96, False).expires_at(0.0) == 64.0


def test_a_refresh_keeps_the_parts_as_they_are() -> None:
    """RFC 4028 7.4: uac and uas are the parts in the refresh request, where we are the UAC."""
    assert str(SessionTimer(1800, True).offer()) == "1800;refresher=uac"
    assert str(SessionTimer(1800, False).offer()) == "1800;refresher=uas"


def test_after_422_the_interval_is_raised_to_its_min_se() -> None:
    """RFC 4028 7.3."""
    assert raise_to(SessionExpires(90, UAC), 3600) == SessionExpires(3600, UAC)
    assert raise_to(SessionExpires(7200), 3600) == SessionExpires(7200)


@given(st.binary().map(lambda data: data.decode("latin-1")) | st.text('0123456789;=refsuac \t"', max_size=20))
def test_any_text_is_read_or_refused(value: str) -> None:
    with suppress(ParseError):
        assert 0 <= SessionExpires.parse(value).interval < 2**32


AN_INTERVAL = st.integers(90, 1_000_000)
A_SESSION_EXPIRES = st.builds(SessionExpires, AN_INTERVAL, st.none() | st.sampled_from(Refresher))


@given(
    st.booleans(),
    st.none() | A_SESSION_EXPIRES,
    st.none() | AN_INTERVAL,
    st.none() | AN_INTERVAL,
    st.booleans(),
)
def test_both_sides_agree_on_who_refreshes_and_how_often(
    supported: bool, asked: SessionExpires | None, min_se: int | None, wanted: int | None, we_refresh: bool
) -> None:
    decision = decide_as_uas(supported, asked, min_se, wanted=wanted, we_refresh=we_refresh)
    assert isinstance(decision, Accepted)
    theirs = decide_as_uac(asked, decision.session_expires)
    if decision.timer is None:
        assert asked is None
        assert theirs is None
    else:
        assert theirs == SessionTimer(decision.timer.interval, not decision.timer.we_refresh)
        assert asked is None or decision.timer.interval <= asked.interval
        assert min_se is None or asked is not None or decision.timer.interval >= min_se
