"""What stands on the nodes: containers and images."""

from __future__ import annotations

from collections.abc import Mapping

from swarmkeeper.domain.model import Image, NodeId, Occupant
from swarmkeeper.domain.placement.expressions import Expression, Operator, is_plain
from swarmkeeper.domain.placement.filters import affinity_texts
from swarmkeeper.domain.placement.images import full_reference, image_texts, names_of
from swarmkeeper.domain.placement.index.bindings import Bindings
from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.holders import Order
from swarmkeeper.domain.placement.index.masks import mask_of
from swarmkeeper.domain.placement.index.parts import Containers, Labels, Part, References
from swarmkeeper.domain.placement.index.texts import TextIndex
from swarmkeeper.domain.placement.options import PlacementOptions

LABELS_INDEXED = 64
"""Labels that are indexed at once; beyond it, the one that was unused for longest is dropped."""
KEYS_KEPT = 4096
"""Label keys remembered before those that no container has any more are forgotten."""


class Contents:
    """Containers and images of all nodes, in the structures that affinities, ports and references ask.

    Names, references and each label are indexed when a request asks for them for the first time, which looks at
    every container once, and kept current from then on: a fleet pays for the rules that it uses.
    """

    __slots__ = (
        "_containers",
        "_entries",
        "_images",
        "_keys",
        "_keys_kept",
        "_labels",
        "_local",
        "_order",
        "_parts",
        "_references",
        "bindings",
    )

    def __init__(self, options: PlacementOptions, order: Order, entries: Mapping[NodeId, NodeEntry]) -> None:
        self._order = order
        self._entries = entries
        self._images = TextIndex(order)
        self._local = TextIndex(order) if options.prefer_local_images else None
        self._containers: Containers | None = None
        self._references: References | None = None
        self._labels: dict[str, Labels] = {}
        self._parts: list[Part] = []
        """All of the above three that there are."""
        self._keys: set[str] = set()
        """Label keys of containers, some perhaps of containers that have gone."""
        self._keys_kept = KEYS_KEPT
        self.bindings = Bindings(options, order)

    def add(self, entry: NodeEntry, occupant: Occupant) -> None:
        """A container has come to a node, whose entry lists it."""
        for part in self._parts:
            part.add(entry, occupant)
        if occupant.ports or occupant.exposed:
            self.bindings.add(entry, occupant)
        if not self._keys.issuperset(occupant.labels):
            self._learn(occupant)

    def remove(self, entry: NodeEntry, occupant: Occupant) -> None:
        """A container has left a node."""
        for part in self._parts:
            part.remove(entry, occupant)
        if occupant.ports or occupant.exposed:
            self.bindings.remove(entry, occupant)

    def set_images(self, entry: NodeEntry, images: tuple[Image, ...]) -> None:
        """These are the node's images now."""
        if images == entry.images:
            return
        before, entry.images = entry.images, images
        for text in image_texts(before):
            self._images.remove(text, entry)
        for text in image_texts(images):
            self._images.add(text, entry)
        if self._local is None:
            return
        for image in before:
            for reference in names_of(image):
                self._local.remove(reference, entry)
        for image in images:
            for reference in names_of(image):
                self._local.add(reference, entry)

    def suiting(self, expression: Expression, among: int) -> int:
        """Those of `among` that the affinity accepts."""
        if expression.key == "container":
            found = self._matching(self._named(), expression, among)
        elif expression.key == "image":
            found = self._images.matching(expression)
        else:
            found = self._labelled(expression, among)
        return among & found if expression.op is Operator.EQUAL else among & ~found

    def resolving(self, reference: str, among: int) -> int:
        """Those of `among` on which the reference means one container."""
        if self._references is None:
            self._references = References(self._order)
            self._index(self._references)
        return self._references.resolving(reference, among)

    def holding_image(self, reference: str) -> int:
        """The nodes that hold the image which a request's reference names; only known where it is a preference."""
        wanted = full_reference(reference)
        return self._local.mask(wanted) if wanted and self._local else 0

    def prepare(self) -> None:
        """Index the containers' names, so that the first request which asks for them doesn't have to wait."""
        self._named().prepare()

    def _named(self) -> TextIndex:
        if self._containers is None:
            self._containers = Containers(self._order)
            self._index(self._containers)
        return self._containers.texts

    def _matching(self, texts: TextIndex, expression: Expression, among: int) -> int:
        """Those of `among`, and perhaps others, that have a text which the value matches.

        Where each text would have to be tried, a node's are left with the first that matches.
        """
        if is_plain(expression.value):
            return texts.mask(expression.value)
        if not texts.must_try_all(expression):
            return texts.matching(expression)
        key, matches = expression.key, expression.matcher
        return mask_of(
            [
                entry.position
                for entry in self._entries.values()
                if entry.bit & among and any(map(matches, affinity_texts(entry.occupants.values(), key)))
            ]
        )

    def _labelled(self, expression: Expression, among: int) -> int:
        key = expression.key
        label = self._labels.pop(key, None)
        if label is None and key not in self._keys:  # made-up keys must not cost an index each
            return self._populated() if expression.matcher("") else 0
        if label is None:
            if len(self._labels) >= LABELS_INDEXED:
                self._parts.remove(self._labels.pop(next(iter(self._labels))))
            label = Labels(key, self._order)
            self._index(label)
        self._labels[key] = label  # last in the dictionary is last used
        return self._matching(label.texts, expression, among)

    def _index(self, part: Part) -> None:
        """Show a new part every container."""
        for entry in self._entries.values():
            for occupant in entry.occupants.values():
                part.add(entry, occupant)
        self._parts.append(part)

    def _populated(self) -> int:
        mask = 0
        for entry in self._entries.values():
            if entry.occupants:
                mask |= entry.bit
        return mask

    def _learn(self, occupant: Occupant) -> None:
        self._keys.update(occupant.labels)
        if len(self._keys) > self._keys_kept:
            every = (each.labels for entry in self._entries.values() for each in entry.occupants.values())
            self._keys = set(occupant.labels).union(*every)
            self._keys_kept = max(KEYS_KEPT, 2 * len(self._keys))
