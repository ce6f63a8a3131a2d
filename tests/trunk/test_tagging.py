"""Tags: keys are unique, 50 at most, and aws: is AWS's own (the rules of tags on all of AWS's services)."""

import pytest

from voiceconnector.trunk.shapes import shape_of
from voiceconnector.trunk.tables import ShapeError
from voiceconnector.trunk.tagging import TAGS_MAX, Tag, Tags, TooManyTags, tagged, tags, untagged

ID = "abcdef1ghij2klmno3pqr4"
KNOWN = Tags(ID, (Tag("Owner", "Jane Doe"), Tag("Stage", "test")))


def test_tags_are_read_field_for_field() -> None:
    table = {"ResourceId": ID, "Tags": [{"Key": "Owner", "Value": "Jane Doe"}, {"Key": "Stage", "Value": "test"}]}
    assert tags(table, "") == KNOWN
    assert shape_of(KNOWN) == table


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"Tags": []}, "T.ResourceId is missing"),
        ({"ResourceId": ID, "Tags": [{"Key": "", "Value": ""}]}, r"T.Tags\[0\].Key = '': must be 1 to 128"),
        ({"ResourceId": ID, "Tags": [{"Key": "k", "Value": "v" * 257}]}, r"T.Tags\[0\].Value = .*: must be up to 256"),
    ],
)
def test_a_table_that_is_none_is_refused(table: object, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        tags(table, "T")


def test_a_key_that_is_there_gets_another_value_and_keeps_its_place() -> None:
    more = tagged(KNOWN, [Tag("Stage", ""), Tag("owner", "somebody else")])
    assert more.tags == (Tag("Owner", "Jane Doe"), Tag("Stage", ""), Tag("owner", "somebody else"))


def test_a_key_that_is_not_there_may_be_taken_away_too() -> None:
    assert untagged(KNOWN, ["Stage", "Colour"]).tags == (Tag("Owner", "Jane Doe"),)
    assert untagged(KNOWN, ["Stage", "Owner"]).tags == ()


def test_a_resource_has_fifty_tags_at_most() -> None:
    full = tagged(Tags(ID), [Tag(str(number), "") for number in range(TAGS_MAX)])
    assert len(full.tags) == 50
    assert tagged(full, [Tag("7", "another value")]).tags[7].value == "another value"
    with pytest.raises(TooManyTags, match="51 tags, and a resource has at most 50"):
        tagged(full, [Tag("one more", "")])


@pytest.mark.parametrize("key", ["aws:cloudformation:stack-name", "AWS:x", "aws:"])
def test_the_prefix_of_aws_is_reserved(key: str) -> None:
    with pytest.raises(ValueError, match="must not begin with aws:") as caught:
        tagged(KNOWN, [Tag(key, "value")])
    assert "stack" not in str(caught.value)
    assert tagged(KNOWN, [Tag("awsome:", "value")])


def test_the_same_key_may_not_be_given_twice() -> None:
    with pytest.raises(ValueError, match="Two of the tags have the same key"):
        tagged(KNOWN, [Tag("a", "1"), Tag("a", "2")])
