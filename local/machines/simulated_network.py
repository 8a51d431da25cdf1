"""An attachable overlay network: who is attached, with which address and names."""

from __future__ import annotations

import heapq
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv4Address, IPv4Network
from types import MappingProxyType

FIRST_HOST = 2
"""The network's address is its first, the gateway's the second."""


class Refusal(Exception):
    """What an engine answers instead of doing what it was asked; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Attachment:
    """One container's place on the network."""

    address: str
    names: tuple[str, ...]
    host_name: str


class OverlayNetwork:
    """A Swarm-scoped network. Each node with a container on it takes one address more, as on real engines."""

    def __init__(
        self, name: str, subnet: IPv4Network, *, attachable: bool, options: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.id = secrets.token_hex(13)[:25]
        self.name = name
        self.subnet = subnet
        self.attachable = attachable
        self.options = options
        self._attached: dict[str, Attachment] = {}
        self._node_addresses: dict[str, str] = {}
        self._given_back: list[int] = []
        self._next = FIRST_HOST

    def attach(self, container_id: str, host_name: str, names: tuple[str, ...]) -> str:
        """Give the container an address. Raises Refusal when none is left, or nobody may attach."""
        if not self.attachable:
            raise Refusal(
                HTTPStatus.FORBIDDEN,
                f"Could not attach to network {self.name}: rpc error: code = PermissionDenied "
                f"desc = network {self.name} not manually attachable",
            )
        if host_name not in self._node_addresses:
            self._node_addresses[host_name] = self._address()
        address = self._address()
        self._attached[container_id] = Attachment(address, names, host_name)
        return address

    def detach(self, container_id: str) -> None:
        """Take the address back, the node's own too with its last container; harmless when not attached."""
        attachment = self._attached.pop(container_id, None)
        if attachment is None:
            return
        self._give_back(attachment.address)
        host_name = attachment.host_name
        if all(other.host_name != host_name for other in self._attached.values()):
            self._give_back(self._node_addresses.pop(host_name))

    def address_of(self, container_id: str) -> str:
        """The container's address, empty when it is not attached."""
        attachment = self._attached.get(container_id)
        return attachment.address if attachment else ""

    def resolve(self, name: str) -> list[str]:
        """The addresses that Docker's DNS answers for a name, in the order of attaching."""
        return [attachment.address for attachment in self._attached.values() if name in attachment.names]

    def require_unused(self) -> None:
        """Raise Refusal, as managers word it, while a container is attached."""
        if task := next(iter(self._attached), ""):
            text = f"rpc error: code = FailedPrecondition desc = network {self.id} is in use by task {task[:25]}"
            raise Refusal(HTTPStatus.BAD_REQUEST, text)

    def described(self) -> dict[str, object]:
        """The network as `GET /networks` lists it on a manager."""
        gateway = str(self.subnet[1])
        return {
            "Name": self.name,
            "Id": self.id,
            "Scope": "swarm",
            "Driver": "overlay",
            "Attachable": self.attachable,
            "Options": {"com.docker.network.driver.overlay.vxlanid_list": "4097", **self.options},
            "IPAM": {"Driver": "default", "Config": [{"Subnet": str(self.subnet), "Gateway": gateway}]},
        }

    def _address(self) -> str:
        if self._given_back:
            return str(self.subnet[heapq.heappop(self._given_back)])
        if self._next >= self.subnet.num_addresses - 1:  # the last one is for broadcasts
            raise Refusal(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                f"Could not attach to network {self.name}: no available IPv4 addresses on this network's address pools",
            )
        self._next += 1
        return str(self.subnet[self._next - 1])

    def _give_back(self, address: str) -> None:
        heapq.heappush(self._given_back, int(IPv4Address(address)) - int(self.subnet.network_address))
