"""Conditional writes as values: what DynamoDB is to do with one item, and under which condition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from swarmkeeper.adapters.aws.items import Item, number

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Kind = Literal["Put", "Update", "Delete"]


@dataclass(slots=True)
class Terms:
    """Conditions that must all hold, with the placeholders that they use.

    Every attribute goes by a placeholder, because many of ours (`state`, `order`, `role`) are reserved words.
    """

    conditions: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    values: Item = field(default_factory=dict)

    def name(self, attribute: str) -> str:
        placeholder = f"#{attribute}"
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


def add_to(key: Item, amounts: dict[str, int], terms: Terms) -> Write:
    """Add to number attributes; amounts may be negative."""
    additions = ", ".join(f"{terms.name(name)} {terms.value(number(amount))}" for name, amount in amounts.items())
    return Write("Update", key, terms, f"ADD {additions}")
