"""How a decision reads on the wire."""

import re

from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.trunk.decisions import WARNING_TEXT_MAX, Decision, Outcome, listed, shown


def decision(because: str, setting: str = "Termination.CallingRegions") -> Decision:
    return Decision(Outcome.REJECT, check="calling plan", because=because, setting=setting, source="guide p. 61")


def test_a_warning_says_what_was_decided_and_by_which_setting() -> None:
    """RFC 3261 20.43: code, agent, quoted text."""
    assert (
        decision("+14165550100 is in CA").warning("edge.example.com:5060")
        == '399 edge.example.com:5060 "+14165550100 is in CA (Termination.CallingRegions)"'
    )


def test_quotes_and_backslashes_in_a_warning_are_escaped() -> None:
    """RFC 3261 25.1: quoted-pair."""
    assert decision('user "a\\b"', setting="").warning("edge") == r'399 edge "user \"a\\b\""'


@given(st.text())
def test_no_text_breaks_out_of_a_warning(text: str) -> None:
    """RFC 3261 25.1: quoted-string; CR and LF would start a header of the peer's choice."""
    warning = decision(text).warning("edge")
    assert re.fullmatch(r'399 edge "(?:[^"\\\x00-\x1f\x7f]|\\["\\])*"', warning)
    assert len(warning) <= len('399 edge ""') + 2 * WARNING_TEXT_MAX


@given(st.text())
def test_what_a_peer_sent_is_shown_within_the_grammar_of_a_reason_phrase(text: str) -> None:
    """RFC 3261 25.1: Reason-Phrase."""
    assert re.fullmatch(r"[^\x00-\x1f\x7f\"<>\[\]\\^`{|}]*", shown(text))
    assert len(shown(text)) <= 64


def test_bytes_that_are_no_utf8_are_shown_as_question_marks() -> None:
    """They may come as lone surrogates, which no answer could carry."""
    assert shown("caf\udce9") == "caf?"
    assert decision("caf\udce9", setting="").warning("edge") == '399 edge "caf?"'


def test_long_lists_are_counted_instead_of_shown() -> None:
    assert listed(("US", "CA")) == "US, CA"
    assert listed(("US", "CA", "MX", "DE"), limit=2) == "US, CA and 2 more"
    assert listed(()) == ""
