"""The cluster kept in structures that answer a placement without looking at each node or container."""

from swarmkeeper.domain.placement.index.choice import Choice
from swarmkeeper.domain.placement.index.cluster import ClusterIndex, UnknownNode

__all__ = ["Choice", "ClusterIndex", "UnknownNode"]
