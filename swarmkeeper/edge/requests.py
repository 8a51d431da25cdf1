"""A container request as Docker's own create body, admitted and converted to the domain's `Request`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from swarmkeeper.domain.model import SNAPSHOT_LABEL, TENANT_NETWORK, ContainerName, Request, Resources, Rules
from swarmkeeper.domain.placement.wish import dependencies_of
from swarmkeeper.edge.admission import admitting_pools
from swarmkeeper.edge.container_names import NAME, check_name
from swarmkeeper.edge.create_body import CreateBody
from swarmkeeper.edge.engine_body import engine_body
from swarmkeeper.edge.patterns import compile_re2
from swarmkeeper.edge.rules import (
    CONTAINER_MODE,
    EXPIRES_LABEL,
    HOST_MODE,
    IDLE_LABEL,
    MOVABLE_LABEL,
    TTL_LABEL,
    TakenOut,
    lifetime_of,
    take_out,
)
from swarmkeeper.edge.runnable import check_runnable
from swarmkeeper.edge.settings_admission import AdmissionSettings
from swarmkeeper.edge.snapshots import check_image, wants_snapshots
from swarmkeeper.edge.tenants import EVERYONE, TENANT_LABEL, Scope
from swarmkeeper.edge.volumes import check_volumes, is_shared, writes_of
from swarmkeeper.edge.windows import check_windows, pools_for, wants_windows, windows_body
from swarmkeeper.errors import InvalidInput

OWN_LABELS = frozenset({MOVABLE_LABEL, SNAPSHOT_LABEL, TENANT_LABEL, EXPIRES_LABEL, TTL_LABEL, IDLE_LABEL})
"""Of the labels that begin as ours do, those that a tenant may set; the others are written by the engines' adapter."""
LABELS_BYTES_MAX = 16 * 1024
"""Of all labels together: every view of the fleet carries them."""
BODY_BYTES_MAX = 256 * 1024
"""What one record of the table holds beside the rest."""
GPU = "gpu"
LINK = re.compile(r"([^:]+)(:[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62})?")
VOLUMES_FROM = re.compile(r"([^:]+)(:(ro|rw))?")


@dataclass(frozen=True, slots=True)
class Admission:
    """What a fleet takes.

    `pools` are the pools of workers with what each allows: a request that needs leave goes to those that give it.
    """

    network: str
    default_memory_bytes: int
    pools: Mapping[str, AdmissionSettings] = field(default_factory=lambda: {"": AdmissionSettings()})
    has_shared_volumes: bool = False
    windows: frozenset[str] = frozenset()
    """Which of the pools have Windows nodes."""
    has_tenant_networks: bool = False
    """Whether each tenant's containers are on a network of their own instead of `network`."""
    registry: str | None = None
    """The fleet's own registry, which may hold snapshots of containers."""

    def admit(self, body: object, *, scope: Scope = EVERYONE, request_id: str = "") -> Request:
        """The admitted request. Raises InvalidInput that names the field.

        A container without a memory limit could take its node's memory from all others, so it gets the default one.
        """
        parsed = _parsed(body)
        _check(parsed, self.network)
        check_volumes(parsed, offered=self.has_shared_volumes)
        taken = take_out(parsed, compile_re2)
        admitting = self._admitting(parsed, taken.rules)
        _check_references(parsed, taken.rules)
        movable = taken.wants_to_move and not _is_bound_to_its_node(parsed, taken)
        self._check_snapshots(parsed, taken.rules, movable=movable)
        tenant = scope.tenant_of(parsed.Labels)
        memory_bytes = parsed.HostConfig.Memory or self.default_memory_bytes
        network = self._network_of(tenant) if taken.rules.network_mode == "bridge" else ""
        text = engine_body(parsed, taken, tenant=tenant, network=network, memory_bytes=memory_bytes)
        return Request(
            name=ContainerName(parsed.Name),
            image=parsed.Image,
            reservation=Resources.of(parsed.HostConfig.NanoCpus, memory_bytes, {GPU: _gpus(parsed)}),
            rules=self._kept_to(admitting, taken.rules),
            labels=dict(sorted({**parsed.Labels, TENANT_LABEL: tenant}.items())),
            network=network,
            tenant=tenant,
            movable=movable,
            lifetime=lifetime_of(parsed.Labels),
            writes=writes_of(parsed, tenant),
            body=windows_body(text) if self._is_for_windows(taken.rules) else text,
            id=request_id,
        )

    def _check_snapshots(self, body: CreateBody, rules: Rules, *, movable: bool) -> None:
        if self.registry is not None:
            check_image(body.Image, self.registry)
        if not wants_snapshots(body.Labels):
            return
        field = f"Labels.{SNAPSHOT_LABEL}"
        if not movable:
            raise InvalidInput(field, "is for what may be moved: no local volume, no hard constraint to one node")
        if self.registry is None:
            raise InvalidInput(field, "needs a registry of the fleet's own (images.registry)")
        if self._is_for_windows(rules):
            raise InvalidInput(field, "is not for Windows")

    def _network_of(self, tenant: str) -> str:
        return f"{TENANT_NETWORK}{tenant}" if self.has_tenant_networks else self.network

    def _admitting(self, body: CreateBody, rules: Rules) -> frozenset[str]:
        """The pools that run what it is and allow what it asks for. Raises InvalidInput that names the field."""
        if self._is_for_windows(rules):
            check_windows(body)
        pools = pools_for(rules.constraints, self.pools, self.windows) if self.windows else self.pools
        if not pools:
            raise InvalidInput("constraint", "every pool has Windows nodes: say constraint:ostype==windows")
        return admitting_pools(body, pools)

    def _is_for_windows(self, rules: Rules) -> bool:
        return bool(self.windows) and wants_windows(rules.constraints)

    def _kept_to(self, admitting: frozenset[str], rules: Rules) -> Rules:
        """The rules with a constraint to the pools that allow what is asked for, unless all do."""
        if admitting == self.pools.keys():
            return rules
        names = sorted(admitting)
        allowed = f"pool=={names[0]}" if len(names) == 1 else f"pool==/^({'|'.join(names)})$/"
        return replace(rules, constraints=(*rules.constraints, allowed))


def parse_request(body: object, *, network: str, default_memory_bytes: int) -> Request:
    """The request as a fleet takes it whose settings allow nothing beyond the default. Raises InvalidInput."""
    return Admission(network, default_memory_bytes).admit(body)


def _parsed(body: object) -> CreateBody:
    try:
        return CreateBody.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "request"
        raise InvalidInput(place, str(first["msg"])) from error


def _check(body: CreateBody, network: str) -> None:
    check_name(body.Name)
    _check_size(body)
    for label in body.Labels:
        if label.startswith("swarmkeeper.") and label not in OWN_LABELS:
            raise InvalidInput(f"Labels.{label}", "is set by the fleet itself")
    if body.Hostname not in ("", body.Name):
        raise InvalidInput("Hostname", "must be empty or the container's name: engines answer to it in the network")
    _check_network(body, network)
    check_runnable(body)
    if any(GPU not in capabilities for each in body.HostConfig.DeviceRequests for capabilities in each.Capabilities):
        raise InvalidInput("HostConfig.DeviceRequests.0.Capabilities", "only GPUs may be requested")


def _check_size(body: CreateBody) -> None:
    labels = sum(len(text.encode()) for pair in body.Labels.items() for text in pair)
    if labels > LABELS_BYTES_MAX:
        raise InvalidInput("Labels", f"are {labels} bytes in all, more than {LABELS_BYTES_MAX}")
    if len(body.model_dump_json(exclude_defaults=True).encode()) > BODY_BYTES_MAX:
        raise InvalidInput("request", f"is larger than {BODY_BYTES_MAX} bytes")


def _check_network(body: CreateBody, network: str) -> None:
    mode = body.HostConfig.NetworkMode
    of_its_own = mode == HOST_MODE or mode.startswith(CONTAINER_MODE)
    if mode not in ("", "default", network) and not of_its_own:
        raise InvalidInput("HostConfig.NetworkMode", f"must be empty, {network}, host or container:NAME")
    for other, endpoint in body.NetworkingConfig.EndpointsConfig.items():
        place = f"NetworkingConfig.EndpointsConfig.{other}"
        if other != network or of_its_own:
            raise InvalidInput(place, f"only {network} may be attached, and nothing in mode {mode or 'default'}")
        if set(endpoint.Aliases) - {body.Name}:
            raise InvalidInput(f"{place}.Aliases", "may hold the container's own name only: others could be taken")
    if mode.startswith(CONTAINER_MODE) and (body.Hostname or body.ExposedPorts or body.HostConfig.Links):
        raise InvalidInput("HostConfig.NetworkMode", "another's network takes no host name, exposed ports or links")


def _check_references(body: CreateBody, rules: Rules) -> None:
    """Other containers are referred to by their fleet names, never by ids: those are not ours to know."""
    for link in rules.links:
        if not LINK.fullmatch(link):
            raise InvalidInput("HostConfig.Links", f"{link!r} is not NAME or NAME:ALIAS")
    for volumes in rules.volumes_from:
        if not VOLUMES_FROM.fullmatch(volumes):
            raise InvalidInput("HostConfig.VolumesFrom", f"{volumes!r} is not NAME, NAME:ro or NAME:rw")
    for reference in dependencies_of(rules):
        if not NAME.fullmatch(reference) or reference == body.Name:
            raise InvalidInput("HostConfig", f"{reference!r} is not the name of another container")


def _gpus(body: CreateBody) -> int:
    return sum(each.Count for each in body.HostConfig.DeviceRequests)


def _is_bound_to_its_node(body: CreateBody, taken: TakenOut) -> bool:
    """Whether node-local state, another container or a hard rule on one node keeps the container where it is."""
    local = (each for each in body.HostConfig.Mounts if each.Type != "tmpfs" and not is_shared(each))
    mounts = body.Volumes or body.HostConfig.Binds or any(local)
    return bool(mounts or dependencies_of(taken.rules) or taken.is_tied)
