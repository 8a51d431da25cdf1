"""Machines with a real engine each: an instance is a set of namespaces on this host, joined by a bridge."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from pathlib import Path

from local.machines import CommandOutput, Instance, MachineError, NodeCommand, cgroups, filesystem, volumes
from local.machines.imds import MetadataService
from local.machines.network import METADATA_ADDRESS, Network
from local.machines.node import Node, boot
from local.machines.processes import SYSTEM_PATH
from local.machines.resolver import Resolver
from local.machines.volumes import Volumes

_INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,17}")
NODES_DIR = "nodes"


class RealMachines:
    """The machines of one local cloud on real engines. Thread-safe; at most one at a time on a host."""

    kind = "real"

    def __init__(
        self, state_dir: Path, vpc_cidr: str, endpoint_port: int, region: str, insecure_registry: str = ""
    ) -> None:
        """Build the VPC's network; raises MachineError when its range is in use or the host's firewall is in the way.

        endpoint_port: where AWS's APIs listen on the host. insecure_registry: "host:port" that speaks plain HTTP.
        """
        state_dir = state_dir.resolve()
        filesystem.refuse_odd_path(state_dir)
        (state_dir / NODES_DIR).mkdir(parents=True, exist_ok=True)
        self._state_dir = state_dir
        self._store = filesystem.store_for(state_dir)
        self._network = Network(state_dir, vpc_cidr)
        try:
            self._network.check_host_reachable(endpoint_port)
            self._resolver = Resolver(self._network.listen(socket.SOCK_DGRAM, self._network.resolver, 53))
            self._metadata = MetadataService(self._network.listen(socket.SOCK_STREAM, METADATA_ADDRESS, 80), region)
        except BaseException:
            self._network.close()
            raise
        self.router = self._network.router
        """The host's address inside the VPC: where nodes find AWS's APIs and the registry."""
        endpoint_url = f"http://{self.router}:{endpoint_port}"
        self._image = filesystem.NodeImage(endpoint_url, region, insecure_registry, state_dir)
        self._volumes = Volumes(state_dir)
        self._nodes: dict[str, Node] = {}
        self._gates: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._addresses: set[str] = set()
        self._lock = threading.Lock()
        self._closed = False

    def start(self, instance: Instance) -> None:
        """Boot the instance: when this returns commands can run, and the user data has begun.

        Raises MachineError when it is there already, its id or address can't be, or it doesn't boot.
        """
        self._refuse_impossible(instance)
        with self._gate(instance.id):
            if self._closed:
                raise MachineError("the machines are closed")
            if instance.id in self._nodes:
                raise MachineError(f"{instance.id} is running already")
            self._take_address(instance)
            try:
                self._nodes[instance.id] = self._boot(instance)
            except BaseException:
                self._tidy(instance)
                raise

    def stop(self, instance_id: str) -> None:
        """End the instance at once and remove all that was its own; harmless when it is not there."""
        with self._gate(instance_id):
            node = self._nodes.pop(instance_id, None)
            if node is not None:
                node.end()
                self._volumes.detach_from(instance_id)
                self._tidy(node.instance)

    def run(self, instance_id: str, command: NodeCommand) -> CommandOutput:
        """Run a script under bash as root on the instance; exit code 137 when it was ended for its time.

        Raises MachineError when the instance is gone.
        """
        node = self._nodes.get(instance_id)
        if node is None or not node.alive():
            raise MachineError(f"{instance_id} is not running")
        return node.run(command)

    def capture(self, instance_id: str, image_id: str) -> None:
        """Stop the engine and keep what the instance's disk has of a node's own, as CreateImage does that reboots."""
        node = self._nodes.get(instance_id)
        if node is None or not node.alive():
            raise MachineError(f"{instance_id} is not running")
        captured = filesystem.captured_image(self._state_dir, image_id)
        captured.parent.mkdir(exist_ok=True)
        done = node.run(NodeCommand(image_id, "capture", filesystem.CAPTURE, timeout_s=300.0))
        if done.exit_code:
            raise MachineError(f"{instance_id} can't be captured: {done.stderr.strip()[-500:]}")
        shutil.move(self._folder(instance_id) / "commands" / filesystem.CAPTURED, captured)

    def attach(self, instance_id: str, volume_id: str, gigabytes: int) -> None:
        """Give the instance a volume, a device in its /dev, until it is stopped. Raises MachineError."""
        with self._gate(instance_id):
            if instance_id not in self._nodes:
                raise MachineError(f"{instance_id} is not running")
            self._volumes.attach(instance_id, volume_id, gigabytes)

    def listener(self, name: str, port: int) -> socket.socket:
        """A socket in the VPC, bound to a port of the address that the name leads to from now on."""
        bound = self._network.listen(socket.SOCK_STREAM, self._network.resolver, port)
        self._resolver.add(name, self._network.resolver)
        return bound

    def running(self) -> tuple[str, ...]:
        """Ids of the instances whose first process lives."""
        return tuple(name for name, node in list(self._nodes.items()) if node.alive())

    def log_dir(self, instance_id: str) -> Path:
        """The node's /var/log as the host sees it."""
        return self._folder(instance_id) / "log"

    def close(self) -> None:
        """End every machine and remove everything of ours; safe to repeat."""
        self._closed = True
        with contextlib.ExitStack() as all_of_it:  # in reverse order, each even when another fails
            for own in (NODES_DIR, filesystem.IMAGES_DIR, volumes.FOLDER):
                all_of_it.callback(shutil.rmtree, self._state_dir / own, ignore_errors=True)  # gone the second time
            all_of_it.callback(self._network.close)
            all_of_it.callback(self._metadata.close)
            all_of_it.callback(self._resolver.close)
            all_of_it.callback(self._stop_all)

    def _stop_all(self) -> None:
        with self._lock:
            ever_started = tuple(self._gates)  # one that is booting now is stopped when it has booted
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(self.stop, ever_started))

    def _refuse_impossible(self, instance: Instance) -> None:
        if not _INSTANCE_ID.fullmatch(instance.id):
            raise MachineError(f"{instance.id!r} is no instance id")
        if IPv4Address(instance.private_ip) not in self._network.cidr:
            raise MachineError(f"{instance.id}: {instance.private_ip} is outside the VPC's range {self._network.cidr}")
        if instance.private_ip in {self._network.router, self._network.resolver}:
            raise MachineError(f"{instance.id}: {instance.private_ip} is reserved in every VPC")

    def _take_address(self, instance: Instance) -> None:
        with self._lock:
            if instance.private_ip in self._addresses:
                raise MachineError(f"{instance.id}: another machine has {instance.private_ip}")
            self._addresses.add(instance.private_ip)

    def _boot(self, instance: Instance) -> Node:
        name = f"{cgroups.PREFIX}{instance.id}"
        folder = self._folder(instance.id)
        filesystem.lay_out(folder, instance, self._image, f"/{name}")
        filesystem.write_resolver(folder, self._network.resolver)
        image = filesystem.captured_image(self._state_dir, instance.image_id)
        environment = {
            "SWK_DIR": str(folder),
            "SWK_NAME": instance.id,
            "SWK_STORE": self._store,
            "SWK_CGROUP": str(cgroups.make_home(name)),
            "SWK_ADDRESS": f"{instance.private_ip}/{self._network.cidr.prefixlen}",
            "SWK_IMAGE": str(image) if image.exists() else "",
            "SWK_TINI": str(shutil.which("tini", path=SYSTEM_PATH)),
        }
        self._metadata.add(instance)
        return boot(
            instance,
            folder,
            environment,
            self._image.region,
            lambda pid: self._network.attach(pid, instance.private_ip),
        )

    def _tidy(self, instance: Instance) -> None:
        """Remove what an ended (or half-born) instance leaves."""
        self._metadata.remove(instance)
        self._network.detach(instance.private_ip)
        cgroups.remove(f"{cgroups.PREFIX}{instance.id}")
        filesystem.remove(self._folder(instance.id))
        with self._lock:
            self._addresses.discard(instance.private_ip)

    def _folder(self, instance_id: str) -> Path:
        return self._state_dir / NODES_DIR / instance_id

    def _gate(self, instance_id: str) -> threading.Lock:
        """What start and stop of one instance hold, so that a stop in mid-boot waits and then ends it."""
        with self._lock:
            return self._gates[instance_id]
