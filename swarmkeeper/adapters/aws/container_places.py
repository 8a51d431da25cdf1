"""Where containers are, by name: all that a locator may see of their records, which hold tenants' environments too."""

from __future__ import annotations

from dataclasses import dataclass

from swarmkeeper.adapters.aws.dynamo import DynamoTable
from swarmkeeper.adapters.aws.items import container_key, node_in
from swarmkeeper.domain.model import ContainerName, NodeId


@dataclass(frozen=True, slots=True)
class ContainerPlaces:
    """Reads one attribute of one record."""

    table: DynamoTable

    def node_of(self, name: ContainerName) -> NodeId | None:
        """The node that holds the container's reservation; None while it is pending, and where there is none.

        While the container is moved, it is the node that it is moved from.
        """
        return node_in(self.table.get_attribute(container_key(name), "node"))
