"""Numbers and how they behave."""

import pytest

from voiceconnector.media.plan import Digits, Echo, Play, Tone
from voiceconnector.pstn.behaviours import NAMES, REASON_PHRASES, Behaviour, Route, Routing, behaviour


def test_a_number_without_a_route_rings_a_second_answers_and_echoes() -> None:
    assert Routing([]).route("+12065550123") == Route("*", Behaviour())
    assert (Behaviour().ring_seconds, Behaviour().sinks, Behaviour().sources) == (1.0, (Echo(),), ())


def test_the_first_match_wins() -> None:
    busy, no_answer = behaviour("busy"), behaviour("no-answer")
    routing = Routing([Route("+1206555*", busy), Route("+1*", no_answer), Route("+12065550199", behaviour("tone"))])
    assert routing.route("+12065550199").behaviour is busy
    assert routing.route("+13125550199").behaviour is no_answer
    assert routing.route("+442079460123").behaviour == Behaviour()


@pytest.mark.parametrize(
    ("match", "number", "matches"),
    [
        ("+12065550123", "+12065550123", True),
        ("+12065550123", "+120655501234", False),
        ("+1206555*", "+1206555", True),
        ("+1206555010?", "+12065550101", True),
        ("+1206555010[0-4]", "+12065550105", False),
        ("*", "", True),
        ("+1.*", "+12065550123", False),
    ],
)
def test_a_pattern_is_a_glob_over_the_whole_number(match: str, number: str, matches: bool) -> None:
    found = Routing([Route(match, behaviour("busy"))]).route(number)
    assert (found.behaviour.name == "busy") is matches


@pytest.mark.parametrize(
    "name", ["answer", "echo", "tone", "play", "early-media", "fax", "busy", "no-answer", "reject-404"]
)
def test_every_name_makes_a_behaviour_of_that_name(name: str) -> None:
    assert behaviour(name).name == name


@pytest.mark.parametrize(
    "name", ["", "Answer", "reject", "reject-", "reject-200", "reject-99", "reject-700", "reject-4040"]
)
def test_a_name_there_is_not_is_an_error_that_lists_those_there_are(name: str) -> None:
    with pytest.raises(ValueError, match="is no behaviour; there are answer, echo") as error:
        behaviour(name)
    assert all(known in str(error.value) for known in NAMES)


@pytest.mark.parametrize(("name", "status_code"), [("busy", 486), ("reject-302", 302), ("reject-603", 603)])
def test_a_refusal_comes_at_once_unless_it_is_to_ring_first(name: str, status_code: int) -> None:
    assert (behaviour(name).refuse_with, behaviour(name).ring_seconds) == (status_code, 0.0)
    assert behaviour(name, ring_seconds=3).ring_seconds == 3


def test_a_fax_machine_echoes_until_it_is_fax() -> None:
    assert behaviour("fax").fax
    assert behaviour("fax").sinks == (Echo(),)
    assert not behaviour("answer").fax


def test_no_answer_never_answers() -> None:
    assert not behaviour("no-answer").answers
    assert behaviour("no-answer").refuse_with is None


def test_early_media_takes_the_place_of_ringing() -> None:
    assert behaviour("early-media").early_media
    assert not behaviour("answer").early_media


def test_what_is_played_takes_the_place_of_the_echo() -> None:
    assert (behaviour("tone").sinks, behaviour("tone", tone_hz=1000).sources) == ((), (Tone(1000),))
    assert (behaviour("play", play="hello.wav").sinks, behaviour("play", play="hello.wav").sources) == (
        (),
        (Play("hello.wav"),),
    )


def test_digits_come_before_what_is_played_and_leave_the_echo() -> None:
    """RFC 4733."""
    assert behaviour("answer", digits="123#").sources == (Digits("123#"),)
    assert behaviour("answer", digits="123#").sinks == (Echo(),)
    assert behaviour("tone", digits="1").sources == (Digits("1"), Tone(440))


def test_how_long_is_kept() -> None:
    long = behaviour("answer", ring_seconds=0, hang_up_after=2.5)
    assert (long.ring_seconds, long.hang_up_after) == (0, 2.5)


def test_the_usual_refusals_have_their_reason_phrases() -> None:
    """RFC 3261 21."""
    assert REASON_PHRASES[486] == "Busy Here"
    assert REASON_PHRASES[404] == "Not Found"
    assert REASON_PHRASES[603] == "Decline"
    assert all(300 <= status_code < 700 for status_code in REASON_PHRASES)
