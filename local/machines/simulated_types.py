"""vCPUs and memory of EC2's instance types, by the families' regular sizes."""

from __future__ import annotations

import re

from local.machines import MachineError
from swarmkeeper.domain.model import NANO_CPUS_PER_CPU, Resources

GIB = 2**30
BURSTABLE = {"nano": (2, 0.5), "micro": (2, 1), "small": (2, 2), "medium": (2, 4), "large": (2, 8)}
"""vCPUs and GiB of t3, t3a and t4g; their larger sizes are like those of the general family."""
GIB_A_CPU = {"c": 2, "m": 4, "r": 8, "t": 4}
CPUS = {"medium": 1, "large": 2, "xlarge": 4}
INSTANCE_TYPE = re.compile(r"(?P<family>[cmrt])\d[a-z]*\.(?:(?P<times>\d+)xlarge|(?P<size>[a-z]+))")


def capacity_of_type(instance_type: str) -> Resources:
    """What an instance of the type has, before anything is set aside. Raises MachineError for a type not known here."""
    match = INSTANCE_TYPE.fullmatch(instance_type)
    if match is None:
        raise MachineError(f"the capacity of instance type {instance_type!r} is not known")
    size = match["size"]
    if match["family"] == "t" and size in BURSTABLE:
        cpus, gib = BURSTABLE[size]
        return Resources(cpus * NANO_CPUS_PER_CPU, int(gib * GIB))
    if size is not None and size not in CPUS:
        raise MachineError(f"the capacity of instance type {instance_type!r} is not known")
    cpus = CPUS[size] if size else 4 * int(match["times"])
    return Resources(cpus * NANO_CPUS_PER_CPU, cpus * GIB_A_CPU[match["family"]] * GIB)
