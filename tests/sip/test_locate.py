"""Where SIP requests for a host name are sent: RFC 3263 section 4 and RFC 2782, over answers given by the test."""

from collections import Counter
from random import Random

import pytest

from voiceconnector.sip.locate import SERVERS, TARGETS, Answer, Located, Naptr, Question, Record, Srv, locate

HOST = "example.com"
NAPTRS = (
    Naptr(50, 50, "s", "SIPS+D2T", "_sips._tcp.example.com"),
    Naptr(90, 50, "s", "SIP+D2T", "_sip._tcp.example.com"),
    Naptr(100, 50, "s", "SIP+D2U", "_sip._udp.example.com"),
)
"""The records of the example in RFC 3263 4.1."""

Zone = dict[tuple[str, str], tuple[Record, ...] | Answer]


def find(
    zone: Zone,
    port: int = 0,
    transport: str = "",
    host: str = HOST,
    seed: int = 0,
    chance: Random | None = None,
) -> tuple[Located, list[tuple[Question, ...]]]:
    """The outcome, and what was asked, round by round."""
    procedure = locate(host, port, transport, chance or Random(seed))
    rounds: list[tuple[Question, ...]] = []
    try:
        questions = next(procedure)
        while True:
            rounds.append(questions)
            questions = procedure.send(tuple(answer(zone, question) for question in questions))
    except StopIteration as end:
        located: Located = end.value
    return located, rounds


def answer(zone: Zone, question: Question) -> Answer:
    known = zone.get((question.name, question.type), ())
    return known if isinstance(known, Answer) else Answer(known)


def targets(zone: Zone, port: int = 0, transport: str = "", seed: int = 0) -> list[tuple[str, str, int]]:
    return list(find(zone, port, transport, seed=seed)[0].targets)


@pytest.mark.parametrize(
    ("host", "port", "transport", "target"),
    [
        ("192.0.2.1", 0, "", ("UDP", "192.0.2.1", 5060)),
        ("192.0.2.1", 5080, "TCP", ("TCP", "192.0.2.1", 5080)),
        ("2001:db8::1", 0, "TLS", ("TLS", "2001:db8::1", 5061)),
        ("[2001:db8::1]", 0, "UDP", ("UDP", "2001:db8::1", 5060)),
    ],
)
def test_an_ip_address_needs_no_dns(host: str, port: int, transport: str, target: tuple[str, str, int]) -> None:
    """RFC 3263 4.1, 4.2: numeric addresses; the default is 5060, for TLS 5061."""
    assert find({}, port, transport, host) == (Located((target,)), [])


def test_a_port_leaves_only_addresses_to_be_looked_up() -> None:
    """RFC 3263 4.2: if a port is present, an A or AAAA lookup of the domain name; each address is tried."""
    zone: Zone = {
        (HOST, "A"): ("192.0.2.2", "192.0.2.1"),
        (HOST, "AAAA"): ("2001:db8::1",),
        ("_sip._udp.example.com", "SRV"): (Srv(1, 1, 5090, "other.example.com"),),
    }
    located, rounds = find(zone, 5080, "UDP")
    assert located == Located((("UDP", "192.0.2.2", 5080), ("UDP", "192.0.2.1", 5080), ("UDP", "2001:db8::1", 5080)))
    assert rounds == [(Question(HOST, "A"), Question(HOST, "AAAA"))]


def test_a_port_without_a_transport_means_udp() -> None:
    """RFC 3263 4.1: a numeric IP or a port selects UDP for a SIP URI."""
    assert targets({(HOST, "A"): ("192.0.2.1",)}, 5080) == [("UDP", "192.0.2.1", 5080)]


@pytest.mark.parametrize(
    ("transport", "service", "port"),
    [("UDP", "_sip._udp", 5060), ("TCP", "_sip._tcp", 5060), ("TLS", "_sips._tcp", 5061)],
)
def test_a_fixed_transport_asks_for_its_own_srv_records_only(transport: str, service: str, port: int) -> None:
    """RFC 3263 4.2: SRV of the chosen transport; without records, addresses and the default port."""
    zone: Zone = {(HOST, "A"): ("192.0.2.1",)}
    located, rounds = find(zone, 0, transport)
    assert located.targets == ((transport, "192.0.2.1", port),)
    asked = [question for questions in rounds for question in questions]
    assert [question for question in asked if question.type in ("SRV", "NAPTR")] == [
        Question(f"{service}.{HOST}", "SRV")
    ]


def test_a_host_without_srv_records_takes_one_round_of_questions() -> None:
    assert len(find({(HOST, "A"): ("192.0.2.1",)}, 0, "UDP")[1]) == 1
    assert len(find({(HOST, "A"): ("192.0.2.1",)})[1]) == 1


def test_the_example_of_rfc_3263_leads_to_its_servers_in_order() -> None:
    """RFC 3263 4.1, 4.2: NAPTR prefers TLS; without that record, TCP over UDP."""
    zone: Zone = {
        (HOST, "NAPTR"): NAPTRS,
        ("_sips._tcp.example.com", "SRV"): (Srv(0, 1, 5061, "server1.example.com"),),
        ("_sip._tcp.example.com", "SRV"): (
            Srv(1, 1, 5060, "server2.example.com"),
            Srv(0, 1, 5060, "server1.example.com"),
        ),
        ("_sip._udp.example.com", "SRV"): (Srv(0, 1, 5060, "server3.example.com"),),
        ("server1.example.com", "A"): ("192.0.2.1",),
        ("server2.example.com", "A"): ("192.0.2.2", "192.0.2.3"),
    }
    assert targets(zone) == [("TLS", "192.0.2.1", 5061)]
    zone[HOST, "NAPTR"] = tuple(record for record in NAPTRS if record.service != "SIPS+D2T")
    assert targets(zone) == [("TCP", "192.0.2.1", 5060), ("TCP", "192.0.2.2", 5060), ("TCP", "192.0.2.3", 5060)]


def test_naptr_records_may_lead_to_another_domain() -> None:
    """RFC 3263 4.1: the replacement need not be in the domain that was asked for."""
    zone: Zone = {
        (HOST, "NAPTR"): (Naptr(10, 1, "S", "sip+d2u", "_sip._udp.carrier.example"),),
        ("_sip._udp.carrier.example", "SRV"): (Srv(0, 0, 5070, "edge.carrier.example"),),
        ("edge.carrier.example", "AAAA"): ("2001:db8::5",),
    }
    assert targets(zone) == [("UDP", "2001:db8::5", 5070)]


def test_naptr_records_of_one_order_are_taken_by_preference_and_higher_orders_not_at_all() -> None:
    """RFC 3403 4.1: once a match is found, records of a higher order are not considered."""
    zone: Zone = {
        (HOST, "NAPTR"): (
            Naptr(20, 1, "s", "SIP+D2U", "third.example"),
            Naptr(10, 2, "s", "SIP+D2U", "second.example"),
            Naptr(10, 1, "s", "SIP+D2T", "first.example"),
            Naptr(5, 1, "u", "E2U+sip", ""),
        ),
        **{(f"{name}.example", "SRV"): (Srv(0, 0, 5060, f"{name}.host"),) for name in ("first", "second", "third")},
        ("first.host", "A"): ("192.0.2.1",),
        ("second.host", "A"): ("192.0.2.2",),
        ("third.host", "A"): ("192.0.2.3",),
    }
    assert targets(zone) == [("TCP", "192.0.2.1", 5060), ("UDP", "192.0.2.2", 5060)]


def test_without_naptr_records_the_srv_records_say_which_transports_there_are() -> None:
    """RFC 3263 4.1: SRV queries for those transport protocols the client supports."""
    zone: Zone = {
        ("_sip._tcp.example.com", "SRV"): (Srv(0, 0, 5062, "tcp.example.com"),),
        ("tcp.example.com", "A"): ("192.0.2.9",),
        (HOST, "A"): ("192.0.2.1",),
    }
    assert targets(zone) == [("TCP", "192.0.2.9", 5062)]


def test_srv_records_are_taken_by_priority() -> None:
    """RFC 2782, "Priority": the lowest-numbered first."""
    zone: Zone = {
        ("_sip._udp.example.com", "SRV"): tuple(Srv(priority, 1, 5060, f"p{priority}") for priority in (30, 10, 20)),
        **{(f"p{priority}", "A"): (f"192.0.2.{priority}",) for priority in (10, 20, 30)},
    }
    assert [address for _, address, _ in targets(zone, transport="UDP")] == ["192.0.2.10", "192.0.2.20", "192.0.2.30"]


def test_srv_records_of_one_priority_share_by_weight_and_a_seed_repeats_the_choice() -> None:
    """RFC 2782, "Weight": a number from 0 to the sum, inclusive, so 10 and 90 share 11/101 and 90/101.

    99.9 % of binomial outcomes of 1,000 choices lie within 3.29 standard deviations.
    """
    zone: Zone = {
        ("_sip._udp.example.com", "SRV"): (Srv(0, 90, 5060, "heavy"), Srv(0, 10, 5060, "light")),
        ("heavy", "A"): ("192.0.2.90",),
        ("light", "A"): ("192.0.2.10",),
    }
    chosen = [targets(zone, transport="UDP", seed=seed) for seed in range(1000)]
    assert chosen == [targets(zone, transport="UDP", seed=seed) for seed in range(1000)]
    assert {len(each) for each in chosen} == {2}
    first = Counter(each[0][1] for each in chosen)
    share = 11 / 101
    assert abs(first["192.0.2.10"] - 1000 * share) <= 3.29 * (1000 * share * (1 - share)) ** 0.5


def test_weight_0_has_a_very_small_chance() -> None:
    """RFC 2782, "Weight": 0 among others is selected when the number drawn is 0: 1 of 101."""
    zone: Zone = {
        ("_sip._udp.example.com", "SRV"): (Srv(0, 100, 5060, "heavy"), Srv(0, 0, 5060, "none")),
        ("heavy", "A"): ("192.0.2.100",),
        ("none", "A"): ("192.0.2.1",),
    }
    first = Counter(targets(zone, transport="UDP", seed=seed)[0][1] for seed in range(1000))
    assert 0 < first["192.0.2.1"] <= 10 + 3.29 * 10**0.5


def test_a_target_that_does_not_resolve_leaves_the_others() -> None:
    zone: Zone = {
        ("_sip._udp.example.com", "SRV"): (Srv(1, 0, 5060, "gone"), Srv(2, 0, 5060, "there")),
        ("gone", "A"): Answer(because="gone does not exist (NXDOMAIN)"),
        ("there", "A"): ("192.0.2.1",),
    }
    assert targets(zone, transport="UDP") == [("UDP", "192.0.2.1", 5060)]


def test_the_target_dot_says_that_there_is_no_service() -> None:
    """RFC 2782, "Target": a target of "." means that the service is decidedly not available."""
    zone: Zone = {("_sip._udp.example.com", "SRV"): (Srv(0, 0, 0, "."),), (HOST, "A"): ("192.0.2.1",)}
    located, _ = find(zone, transport="UDP")
    assert not located.targets
    assert located.because == 'the SRV records of example.com say that it takes no such calls (target ".")'


def test_an_address_is_tried_once() -> None:
    zone: Zone = {(HOST, "A"): ("192.0.2.1", "192.0.2.2", "192.0.2.1")}
    assert [address for _, address, _ in targets(zone, 5060, "UDP")] == ["192.0.2.1", "192.0.2.2"]


def test_why_a_name_does_not_resolve_is_told_once() -> None:
    absent = Answer(because="example.com does not exist (NXDOMAIN)")
    assert find({(HOST, "A"): absent, (HOST, "AAAA"): absent}, 5060)[0].because == absent.because
    assert find({}, 5060)[0] == Located((), "example.com has no A and no AAAA record")
    zone: Zone = {("_sip._udp.example.com", "SRV"): (Srv(0, 0, 5060, "pbx.example"),)}
    assert find(zone, 0, "UDP")[0].because == (
        "the SRV records of example.com lead nowhere: pbx.example has no A and no AAAA record"
    )


def test_a_name_server_without_an_answer_for_srv_does_not_hide_the_addresses() -> None:
    zone: Zone = {
        ("_sip._udp.example.com", "SRV"): Answer(because="127.0.0.1:53 answers SERVFAIL"),
        (HOST, "A"): ("192.0.2.1",),
    }
    assert targets(zone, transport="UDP") == [("UDP", "192.0.2.1", 5060)]


def test_the_number_of_questions_is_bounded() -> None:
    many = tuple(Srv(0, 0, 5060, f"host{number}") for number in range(500))
    _, rounds = find({("_sip._udp.example.com", "SRV"): many}, transport="UDP")
    assert len(rounds[1]) == 2 * SERVERS


def test_a_name_server_that_sends_thousands_of_records_does_not_keep_us_busy() -> None:
    draws = 0

    class Counting(Random):
        def randint(self, a: int, b: int) -> int:
            nonlocal draws
            draws += 1
            return super().randint(a, b)

    servers = tuple(Srv(1, 1, 5060, f"host{number}") for number in range(3_000))
    addresses = tuple(f"192.0.{number >> 8}.{number & 255}" for number in range(4_000))
    zone: Zone = {(f"host{number}", "A"): addresses for number in range(3_000)}
    zone["_sip._udp.example.com", "SRV"] = servers
    located, _ = find(zone, transport="UDP", chance=Counting(1))
    assert len(located.targets) == TARGETS
    assert draws == SERVERS
