"""What operations may be asked, made up from their shapes, for tests that ask them anything."""

import re
from collections import defaultdict
from random import Random
from typing import Any

from voiceconnector.control.service import Shape

TEXTS = (
    "lab", "both coasts", "a", "US", "CA", "us-east-1", "us-west-2", "206", "800", "8", "123456789012", "KEY",
    "+12065550100", "+12065550123", "+13125550199", "192.0.2.0/28", "127.0.0.1", "192.0.2.7", "sbc.example.com",
    "pbx@example.com", "0f9fd2ab-5ff4-4f0b-a6a2-1b9ab7b0cd2c", "arn:aws:chime:us-east-1:111122223333:vc/abcdef1ghij",
    "arn:aws:lambda:us-east-1:111122223333:function:dial", "amzn1.application-oa2-client." + "0" * 32,
)  # fmt: skip
"""Each pattern and length of the models permits one of them at least."""
SECRET = "7355608-hunter2"
"""The one password."""


class Inputs:
    """Chooses at random, ids among those that it was told of."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._ids: defaultdict[str, list[str]] = defaultdict(list)

    def of(self, shape: Shape, name: str = "") -> Any:
        """A value that the shape permits, of a member with this name."""
        match shape.kind:
            case "structure":
                return {
                    key: self.of(member.shape, key)
                    for key, member in shape.members.items()
                    if key in shape.required or member.place == "uri" or self._chance.random() < 0.6
                }
            case "list":
                assert shape.item
                return [self.of(shape.item, name.removesuffix("s")) for _ in range(self._count(shape))]
            case "map":
                assert shape.item
                assert shape.key
                return {self.of(shape.key): self.of(shape.item) for _ in range(self._count(shape))}
            case "integer":
                return self._chance.randint(shape.least or 0, shape.most or (shape.least or 0) + 5)
            case "boolean":
                return self._chance.random() < 0.5
        return self._text(shape, name)

    def learn(self, answer: object) -> None:
        """Remember the ids that an answer gives."""
        if isinstance(answer, list):
            for item in answer:
                self.learn(item)
        elif isinstance(answer, dict):
            for name, value in answer.items():
                self.learn(value)
                for text in value if isinstance(value, list) else [value]:
                    if isinstance(text, str) and (key := _key(name)):
                        self._ids[key].append(text)

    def _count(self, shape: Shape) -> int:
        least = shape.least or 0
        return self._chance.randint(least, min(shape.most or least + 3, least + 3))

    def _text(self, shape: Shape, name: str) -> str:
        if name == "Password":
            return SECRET
        if name.startswith("PhoneNumberId"):
            return self._chance.choice(self._ids["PhoneNumber"][-20:] or ["+12065550100"])
        if shape.choices:
            return self._chance.choice(shape.choices)
        known = [text for text in self._ids.get(_key(name), ())[-20:] if permits(shape, text)]
        if known and self._chance.random() < 0.8:
            return self._chance.choice(known)
        fitting = [text for text in TEXTS if permits(shape, text)]
        numbers = [text for text in fitting if text[0] == "+"] if r"\+?[1-9]" in shape.pattern else []
        return self._chance.choice(numbers or fitting)


def permits(shape: Shape, text: str) -> bool:
    """Whether a shape permits a text."""
    if len(text) < (shape.least or 0) or (shape.most is not None and len(text) > shape.most):
        return False
    return not shape.pattern or re.fullmatch(shape.pattern, text, re.ASCII) is not None


def _key(name: str) -> str:
    """What the names of one thing have in common: PhoneNumberId, E164PhoneNumbers; empty where it is no id."""
    name = name.removesuffix("s")
    if "PhoneNumber" in name and not name.endswith("OrderId"):
        return "PhoneNumber"
    if name.lower().endswith("arn"):
        return "Arn"
    return name if name.endswith(("Id", "Username")) else ""
