"""Conditions of policies hold as "IAM JSON policy elements: Condition operators" says, and nothing else is read."""

import pytest

from voiceconnector.control.conditions import OPERATORS, Context, conditions
from voiceconnector.trunk.tables import ShapeError

PATH = "http.access_keys[0].Policies[0].Statement.Condition"
HERE: Context = {"aws:sourceip": ("203.0.113.7",), "aws:username": ("alice",)}


def holds(operator: str, key: str, wanted: object, *given: str) -> bool:
    """Whether a condition holds for a request that has these values under its key."""
    found = conditions({operator: {key: wanted}}, PATH)
    return all(condition.holds({key.lower(): given} if given else {}) for condition in found)


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "expected"),
    [
        ("StringEquals", "alice", "alice", True),
        ("StringEquals", "alice", "Alice", False),
        ("StringEquals", ["bob", "alice"], "alice", True),
        ("StringNotEquals", "alice", "bob", True),
        ("StringNotEquals", ["bob", "alice"], "alice", False),
        ("StringEqualsIgnoreCase", "ALICE", "alice", True),
        ("StringNotEqualsIgnoreCase", "ALICE", "alice", False),
        ("StringLike", "al*", "alice", True),
        ("StringLike", "al?ce", "alice", True),
        ("StringLike", "al?", "alice", False),
        ("StringLike", "a.*", "alice", False),
        ("StringNotLike", "al*", "bob", True),
        ("NumericEquals", "5", "5.0", True),
        ("NumericNotEquals", 5, "6", True),
        ("NumericLessThan", "5", "5", False),
        ("NumericLessThanEquals", "5", "5", True),
        ("NumericGreaterThan", "5", "6", True),
        ("NumericGreaterThanEquals", "5", "4", False),
        ("NumericEquals", "5", "five", False),
        ("DateEquals", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", True),
        ("DateLessThan", "2026-01-01", "2025-12-31T23:59:59Z", True),
        ("DateLessThan", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", False),
        ("DateGreaterThan", "1767225600", "2026-01-01T00:00:01Z", True),
        ("DateGreaterThanEquals", 1767225600, "2026-01-01T00:00:00Z", True),
        ("Bool", "true", "true", True),
        ("Bool", True, "false", False),
        ("IpAddress", "203.0.113.0/24", "203.0.113.7", True),
        ("IpAddress", "203.0.113.7", "203.0.113.7", True),
        ("IpAddress", ["198.51.100.0/24", "2001:db8::/32"], "2001:db8::1", True),
        ("IpAddress", "0.0.0.0/0", "2001:db8::1", False),
        ("NotIpAddress", "203.0.113.0/24", "203.0.113.7", False),
        ("NotIpAddress", "203.0.113.0/24", "198.51.100.1", True),
        ("ArnLike", "arn:aws:iam::111122223333:user/*", "arn:aws:iam::111122223333:user/alice", True),
        ("ArnEquals", "arn:aws:iam::*:user/alice", "arn:aws:iam::111122223333:user/alice", True),
        ("ArnLike", "arn:*:*:*:*:user", "arn:aws:iam::111122223333:user/alice", False),
        ("ArnNotLike", "arn:aws:iam::*:user/bob", "arn:aws:iam::111122223333:user/alice", True),
        ("ArnLike", "arn:aws:iam::*:user/alice", "alice", False),
    ],
)
def test_a_value_is_compared(operator: str, wanted: object, given: str, expected: bool) -> None:
    assert holds(operator, "aws:Some", wanted, given) is expected


@pytest.mark.parametrize("operator", sorted(set(OPERATORS) - {"Null"}))
def test_a_key_that_the_request_has_not_makes_a_condition_false_and_a_negated_one_true(operator: str) -> None:
    """ "If the key … is not present in the request context, the values do not match and the condition is false. If
    the policy condition requires that the key is not matched …, the condition is true."
    """
    wanted = {"I": "203.0.113.0/24", "N": "5", "D": "2026-01-01", "B": "true", "A": "arn:aws:iam::1:user/a"}
    value = "203.0.113.0/24" if "Ip" in operator else wanted.get(operator[0], "text")
    assert holds(operator, "aws:Some", value) is ("Not" in operator)
    assert holds(f"{operator}IfExists", "aws:Some", value)


@pytest.mark.parametrize(
    ("wanted", "given", "expected"), [("true", "", True), ("false", "", False), (True, "x", False)]
)
def test_null_asks_whether_a_key_is_there(wanted: object, given: str, expected: bool) -> None:
    assert holds("Null", "aws:Some", wanted, *([given] if given else [])) is expected
    assert holds("Null", "aws:Some", "false", "x")


@pytest.mark.parametrize(
    ("operator", "given", "expected"),
    [
        ("ForAllValues:StringEquals", ("a", "b"), True),
        ("ForAllValues:StringEquals", ("a", "c"), False),
        ("ForAllValues:StringEquals", (), True),
        ("ForAnyValue:StringEquals", ("c", "a"), True),
        ("ForAnyValue:StringEquals", ("c",), False),
        ("ForAnyValue:StringEquals", (), False),
        ("ForAllValues:StringNotEquals", ("c", "d"), True),
        ("ForAllValues:StringNotEquals", ("c", "a"), False),
        ("ForAnyValue:StringNotEquals", ("c", "a"), True),
        ("ForAnyValue:StringNotEquals", ("a", "b"), False),
        ("ForAnyValue:StringLikeIfExists", (), True),
    ],
)
def test_several_values_are_quantified(operator: str, given: tuple[str, ...], expected: bool) -> None:
    assert holds(operator, "aws:TagKeys", ["a", "b"], *given) is expected


def test_all_keys_and_all_operators_have_to_hold() -> None:
    both = {"StringEquals": {"aws:username": "alice"}, "IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
    assert all(one.holds(HERE) for one in conditions(both, PATH))
    both["StringEquals"] = {"aws:username": "bob"}
    assert not all(one.holds(HERE) for one in conditions(both, PATH))


def test_keys_are_found_in_any_case() -> None:
    (found,) = conditions({"IpAddress": {"AWS:SOURCEIP": "203.0.113.0/24"}}, PATH)
    assert found.holds(HERE)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"StringMatches": {"aws:username": "a"}}, f"{PATH}.StringMatches is no condition operator that is emulated"),
        ({"BinaryEquals": {"aws:x": "aGk="}}, f"{PATH}.BinaryEquals is no condition operator"),
        ({"NullIfExists": {"aws:x": "true"}}, f"{PATH}.NullIfExists is no condition operator"),
        ({"ForSomeValues:StringLike": {"aws:x": "a"}}, f"{PATH}.ForSomeValues:StringLike is no condition operator"),
        ({"stringequals": {"aws:x": "a"}}, f"{PATH}.stringequals is no condition operator"),
        ({"StringEquals": {"username": "a"}}, f"{PATH}.StringEquals.'username' is no condition key"),
        ({"StringEquals": {"aws:username": []}}, f"{PATH}.StringEquals.'aws:username' must have a value"),
        ({"StringEquals": {"aws:username": [None]}}, f"{PATH}.StringEquals.'aws:username'[0] = None: must be text"),
        ({"StringLike": {"aws:username": "${aws:userid}"}}, "must not have a policy variable"),
        ({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "a"]}}, f"{PATH}.IpAddress.'aws:SourceIp'[1] = 'a': must be"),
        ({"DateLessThan": {"aws:CurrentTime": "soon"}}, "= 'soon': must be a date"),
        ({"Bool": {"aws:SecureTransport": "yes"}}, "= 'yes': must be true or false"),
        ({"NumericEquals": {"aws:x": "many"}}, "= 'many': must be a number"),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:*:user/a"}}, "= 'arn:aws:*:user/a': must be an ARN"),
        ({"ArnLike": {"aws:PrincipalArn": "alice"}}, "= 'alice': must be an ARN"),
        ({"StringEquals": "alice"}, f"{PATH}.StringEquals = 'alice': must be a table"),
        ("alice", f"{PATH} = 'alice': must be a table"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_with_its_path(entries: object, message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        conditions(entries, PATH)
    assert message in str(caught.value)
