"""The body that the engine gets: what was admitted, hardened, as canonical JSON."""

from __future__ import annotations

import json
from typing import Any

from swarmkeeper.edge.admission import VOLUME_BIND
from swarmkeeper.edge.create_body import CreateBody
from swarmkeeper.edge.rules import CONTAINER_MODE, HOST_MODE, TakenOut
from swarmkeeper.edge.tenants import TENANT_LABEL

TAKEN_OUT = {"Name", "Env", "Labels", "NetworkingConfig", "HostConfig"}
LEFT_OUT_OF_HOST = {"NetworkMode", "Links"}


def engine_body(body: CreateBody, taken: TakenOut, *, tenant: str, network: str, memory_bytes: int) -> str:
    """Docker's body: rules taken out, no privilege gains, processes limited, no swap beyond the reservation.

    Equal bodies give equal texts. Volumes are the tenant's own: `data` of `acme` is `acme.data` on the engine.
    """
    plain: dict[str, Any] = body.model_dump(exclude=TAKEN_OUT, exclude_defaults=True)
    plain["Env"] = list(taken.environment)
    plain["Labels"] = {**body.Labels, TENANT_LABEL: tenant}
    plain["HostConfig"] = _host_config(body, tenant, memory_bytes)
    if taken.rules.links and network:
        # Engines ignore a host configuration's links on networks that users make.
        plain["NetworkingConfig"] = {"EndpointsConfig": {network: {"Links": list(taken.rules.links)}}}
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def _host_config(body: CreateBody, tenant: str, memory_bytes: int) -> dict[str, Any]:
    given = body.HostConfig
    host: dict[str, Any] = given.model_dump(exclude=LEFT_OUT_OF_HOST, exclude_defaults=True)
    host["SecurityOpt"] = ["no-new-privileges"]
    host["PidsLimit"] = given.PidsLimit
    host["Init"] = given.Init
    host["RestartPolicy"] = {"Name": "no"}
    host["Memory"] = host["MemorySwap"] = memory_bytes
    if given.Binds:
        host["Binds"] = [f"{tenant}.{bind}" if VOLUME_BIND.fullmatch(bind) else bind for bind in given.Binds]
    if given.Mounts:
        host["Mounts"] = [_mount(each.model_dump(exclude_defaults=True), tenant) for each in given.Mounts]
    if given.Devices:
        host["Devices"] = [
            each.model_dump() | {"PathInContainer": each.PathInContainer or each.PathOnHost} for each in given.Devices
        ]
    if given.NetworkMode == HOST_MODE or given.NetworkMode.startswith(CONTAINER_MODE):
        host["NetworkMode"] = given.NetworkMode
    return host


def _mount(mount: dict[str, Any], tenant: str) -> dict[str, Any]:
    if mount["Type"] == "volume" and mount.get("Source"):
        return mount | {"Source": f"{tenant}.{mount['Source']}"}  # of shared ones too: where they lie is added last
    return mount
