"""Whatever happens to the program that made them, machines can be removed without a trace."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.machines import MachineError, cgroups
from local.machines.cleanup import clean_up
from local.machines.processes import Process
from local.machines.real import RealMachines
from local.machines.requirements import available
from local.registry import Registry
from tests.engine.conftest import FIRST_ENGINE, REGION, VPC, an_instance

pytestmark = pytest.mark.engine

PROGRAM = """
import sys
from pathlib import Path
from local.machines import Instance, NodeCommand
from local.machines.real import RealMachines
from local.registry import Registry

machines = RealMachines(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) + 1, "eu-central-1")
Registry(Path(sys.argv[1]), machines.router, int(sys.argv[3])).start()
machines.start(Instance("i-00000000000000abc", machines.router[:-1] + "77", "t3.small", sys.argv[4]))
machines.run("i-00000000000000abc", NodeCommand("c", "d", "cloud-init status --wait"))
print("up", flush=True)
sys.stdin.read()
"""


def traces() -> dict[str, object]:
    """What this host has of ours: links, mounts, control groups, processes of the system's kind, firewall rules."""
    rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    processes = (path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())
    return {
        "links": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "mounts": sorted(Path("/proc/self/mounts").read_text().splitlines()),
        "cgroups": cgroups.names(),
        "processes": sorted(line for line in processes if b"dockerd" in line or b"docker-registry" in line),
        "rules": sorted(line for line in rules.splitlines() if line.startswith("-A")),
    }


def killed_program(state_dir: Path, port: int) -> None:
    """A program with a registry, a node and a running engine that is killed while all of it is up."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(state_dir), VPC, str(port), FIRST_ENGINE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "up\n"
        program.send_signal(signal.SIGKILL)


def test_clean_up_after_a_killed_program_leaves_nothing(state_dir: Path, registry_port: int) -> None:
    before = traces()
    killed_program(state_dir, registry_port)
    assert traces() != before
    with pytest.raises(MachineError, match="left over"):
        RealMachines(state_dir, VPC, registry_port, REGION)
    clean_up(state_dir)
    assert traces() == before
    assert not list(state_dir.glob("*.pid"))
    assert not (state_dir / "nodes").exists()
    clean_up(state_dir)


def test_clean_up_finds_machines_whose_folder_is_lost(state_dir: Path, tmp_path: Path, registry_port: int) -> None:
    before = traces()
    machines = RealMachines(tmp_path / "lost", VPC, registry_port, REGION)
    machines.start(an_instance(1))
    clean_up(state_dir)
    assert traces() == before
    machines.close()


def test_close_leaves_nothing_and_may_be_repeated(state_dir: Path, registry_port: int) -> None:
    before = traces()
    machines = RealMachines(state_dir, VPC, registry_port, REGION)
    for number in (1, 2):
        machines.start(an_instance(number, FIRST_ENGINE))
    machines.close()
    machines.close()
    assert traces() == before
    assert not (state_dir / "nodes").exists()
    with pytest.raises(MachineError, match="closed"):
        machines.start(an_instance(3))


def test_a_pid_file_of_a_reused_pid_harms_nobody(state_dir: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as bystander:
        process = Process.of(bystander.pid)
        assert process is not None
        Process(process.pid, process.started - 1).to_file(state_dir / "old.pid")
        clean_up(state_dir)
        assert process.alive()
        bystander.kill()


def test_a_registry_whose_port_is_taken_says_so(state_dir: Path, registry_port: int) -> None:
    first, second = (Registry(state_dir / name, "127.0.0.1", registry_port) for name in ("first", "second"))
    first.start()
    with pytest.raises(MachineError, match="already"):
        second.start()
    first.stop()
    assert not first.ready()


def test_this_host_can_run_real_engines() -> None:
    assert available() is None
