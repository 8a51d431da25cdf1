"""Texts by how they begin, without keeping them sorted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from swarmkeeper.domain.placement.index.holders import Held

MANY = 2048
"""So many texts are still looked at one by one; more are divided."""
STEP = 4
"""Characters after what all have in common by which they are then told apart."""

Texts = Mapping[str, Held]
"""Texts, and who has each."""


class Group:
    """Texts that begin alike: texts of its own until it is divided, then parts by their first `length` characters.

    All texts begin with `shared`; perhaps with more, since those that shortened it may have gone.
    """

    __slots__ = ("length", "parts", "shared", "texts")

    def __init__(self, shared: str) -> None:
        self.shared = shared
        self.texts: dict[str, Held] = {}
        self.parts: dict[str, Group] | None = None
        self.length = 0

    def put(self, text: str, held: Held) -> None:
        """Add a text to one that is not divided."""
        self.texts[text] = held
        if not text.startswith(self.shared):
            self.shared = common(self.shared, text)

    def divide(self) -> None:
        """Put the texts into parts."""
        parts: dict[str, Group] = {}
        self.length = len(self.shared) + STEP
        for text, held in self.texts.items():
            key = text[: self.length]
            part = parts.get(key)
            if part is None:
                part = parts[key] = Group(text)
            part.put(text, held)
        self.parts, self.texts = parts, {}


class Beginnings:
    """Distinct texts in groups that begin alike, with who has each.

    A prefix then leads to the texts that have it past few others, be it an id's first characters or a tenant's
    part of all its names; and where the prefix is the beginning of a whole group, none of them is looked at. Adding
    and removing cost about as much as a few dictionaries'.
    """

    __slots__ = ("_all", "_broken")

    def __init__(self, texts: Texts) -> None:
        self._all = Group("")
        self._broken = 0
        for text, held in texts.items():
            self.put(text, held)

    @property
    def all_in_one_line(self) -> bool:
        """Whether no text has a line break, which `.` doesn't match."""
        return not self._broken

    def put(self, text: str, held: Held) -> None:
        """A text has come, or others than before have it."""
        group = self._all
        while group.parts is not None:
            key = text[: group.length]
            part = group.parts.get(key)
            if part is None:
                part = group.parts[key] = Group(text)
            group = part
        if "\n" in text and text not in group.texts:
            self._broken += 1
        group.put(text, held)
        if len(group.texts) > MANY:
            group.divide()

    def remove(self, text: str) -> None:
        """A text has gone."""
        group, above = self._all, []
        while group.parts is not None:
            key = text[: group.length]
            above.append((group.parts, key))
            group = group.parts[key]
        del group.texts[text]
        self._broken -= "\n" in text
        empty = not group.texts
        while empty and above:  # a group without texts is no group
            parts, key = above.pop()
            del parts[key]
            empty = not parts

    def having(self, prefix: str) -> Iterator[Texts]:
        """The texts that begin with the prefix, in some mappings and in no particular order."""
        groups = [self._all]
        while groups:
            group = groups.pop()
            if group.parts is None:
                covered = group.shared.startswith(prefix)
                yield (
                    group.texts
                    if covered
                    else {text: held for text, held in group.texts.items() if text.startswith(prefix)}
                )
            elif len(prefix) < group.length:
                groups += [part for key, part in group.parts.items() if key.startswith(prefix)]
            elif prefix[: group.length] in group.parts:
                groups.append(group.parts[prefix[: group.length]])


def common(one: str, other: str) -> str:
    """The beginning that both have."""
    alike = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:alike]
