"""Conditional writes as values: what DynamoDB is to do with one item, and under which condition."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from swarmkeeper.adapters.aws.items import Item, number

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Kind = Literal["Put", "Update", "Delete"]
NOT_IN_PLACEHOLDERS = re.compile("[^A-Za-z0-9_]")


@dataclass(slots=True)
class Terms:
    """Conditions that must all hold, with the placeholders that they use.

    Every attribute goes by a placeholder, because many of ours (`state`, `order`, `role`) are reserved words.
    """

    conditions: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    values: Item = field(default_factory=dict)

    def name(self, attribute: str) -> str:
        placeholder = f"#{NOT_IN_PLACEHOLDERS.sub('_', attribute)}"
        if self.names.setdefault(placeholder, attribute) != attribute:
            placeholder = f"#n{len(self.names)}"
            self.names[placeholder] = attribute
        return placeholder

    def value(self, value: AttributeValueTypeDef) -> str:
        placeholder = f":v{len(self.values)}"
        self.values[placeholder] = value
        return placeholder

    def absent(self, attribute: str = "pk") -> Terms:
        """The attribute is missing; `pk`: the item is."""
        self.conditions.append(f"attribute_not_exists({self.name(attribute)})")
        return self

    def equal(self, attribute: str, value: AttributeValueTypeDef) -> Terms:
        self.conditions.append(f"{self.name(attribute)} = {self.value(value)}")
        return self

    def at_most(self, attribute: str, most: int) -> Terms:
        self.conditions.append(f"{self.name(attribute)} <= {self.value(number(most))}")
        return self

    def at_most_or_absent(self, attribute: str, most: int) -> Terms:
        """An attribute that is missing counts as 0."""
        if most < 0:
            return self.at_most(attribute, most)
        name = self.name(attribute)
        self.conditions.append(f"(attribute_not_exists({name}) OR {name} <= {self.value(number(most))})")
        return self

    def differ(self, attribute: str, value: AttributeValueTypeDef) -> Terms:
        self.conditions.append(f"{self.name(attribute)} <> {self.value(value)}")
        return self

    def at_least(self, attribute: str, least: int) -> Terms:
        self.conditions.append(f"{self.name(attribute)} >= {self.value(number(least))}")
        return self


@dataclass(frozen=True, slots=True)
class Write:
    """One item's part of a write; `expression` is the update, `""` for a put or a delete."""

    kind: Kind
    item: Item
    terms: Terms
    expression: str = ""


def put(item: Item, terms: Terms) -> Write:
    """Store the item in place of what is there."""
    return Write("Put", item, terms)


def delete(key: Item, terms: Terms) -> Write:
    return Write("Delete", key, terms)


def set_attributes(key: Item, attributes: Item, terms: Terms, *, remove: tuple[str, ...] = ()) -> Write:
    """Set these attributes, remove those, leave all others."""
    assignments = ", ".join(f"{terms.name(name)} = {terms.value(value)}" for name, value in attributes.items())
    removals = f" REMOVE {', '.join(terms.name(name) for name in remove)}" if remove else ""
    return Write("Update", key, terms, f"SET {assignments}{removals}")


def add_to(key: Item, amounts: dict[str, int], terms: Terms, *, attributes: Item | None = None) -> Write:
    """Add to number attributes, a missing one is 0; amounts may be negative. `attributes` are set besides."""
    additions = ", ".join(f"{terms.name(name)} {terms.value(number(amount))}" for name, amount in amounts.items())
    if not attributes:
        return Write("Update", key, terms, f"ADD {additions}")
    changed = set_attributes(key, attributes, terms)
    return Write("Update", key, terms, f"{changed.expression} ADD {additions}")
