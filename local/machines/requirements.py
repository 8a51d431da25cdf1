"""Whether this host can run real engines."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from local.machines import MachineError, cgroups, filesystem
from local.machines.processes import SYSTEM_PATH, call

COMMANDS = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "tini": "tini",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "pivot_root": "util-linux",
    "bash": "bash",
}
"""Command -> the Debian package that has it."""

# Everything is tried in namespaces that vanish with the command.
_TRIAL = """set -e
ip link add swkbr type bridge
ip link add swka type veth peer name swkb
ip link add swkvx type vxlan id 42 dstport 4789
mount -t tmpfs trial /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay trial -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
"""


def available() -> str | None:
    """None where real engines can run here, else the reason in a few words."""
    return _lacks_system() or _lacks_command() or _lacks_package() or _lacks_kernel_feature()


def _lacks_system() -> str | None:
    if sys.platform != "linux":
        return "this is not Linux"
    if os.geteuid() != 0:
        return "this program does not run as root"
    return None


def _lacks_command() -> str | None:
    missing = [command for command in COMMANDS if not shutil.which(command, path=SYSTEM_PATH)]
    if not missing:
        return None
    packages = sorted({COMMANDS[command] for command in missing})
    return f"missing: {', '.join(missing)} (apt-get install {' '.join(packages)})"


def _lacks_package() -> str | None:
    try:
        filesystem.compose_binary()
        filesystem.refuse_odd_path(Path(sys.prefix))
    except MachineError as error:
        return str(error)
    return None if filesystem.aws_cli().exists() else "the package awscli isn't installed"


def _lacks_kernel_feature() -> str | None:
    try:
        home = cgroups.home_hierarchy()
        if not os.access(home, os.W_OK) or subprocess.run(["mountpoint", "-q", str(home)], check=False).returncode:
            return f"control groups can't be made in {home}"
        call(["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--", "/bin/sh", "-c", _TRIAL])
    except (MachineError, OSError) as error:
        reason = str(error).splitlines()[-1]
        return f"namespaces, links or overlays can't be made here: {reason}"
    return None
