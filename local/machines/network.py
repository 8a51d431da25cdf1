"""The VPC's network on this machine: a bridge in a namespace of its own, and the host's cable to it.

The host holds the VPC router's address (the first of the range) on `swk0`; the second answers DNS, as on AWS; a
node's only ways out are the VPC's range and the metadata service's address, both on the link.
"""

from __future__ import annotations

import ctypes
import ipaddress
import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from local.machines import MachineError, cgroups
from local.machines.processes import SYSTEM_PATH, Process, call, piped

HOST_LINK = "swk0"
NAME = "swk-vpc"
PID_FILE = "vpc.pid"
METADATA_ADDRESS = "169.254.169.254"
_SCRIPT = Path(__file__).parent / "guest" / "vpc.sh"
_CLONE_NEWNET = 0x40000000
_PROBE_TIMEOUT_S = 1.5


def overlaps(vpc_cidr: str) -> str | None:
    """What on this host already uses addresses of the range: "route 10.0.0.0/8 by eth1"; None when it is free."""
    vpc = ipaddress.IPv4Network(vpc_cidr)
    for route in json.loads(call(["ip", "-4", "-json", "route", "show", "table", "all"]) or "[]"):
        destination = route["dst"]
        if destination == "default" or route.get("type") in {"broadcast", "multicast"}:
            continue
        if ipaddress.IPv4Network(destination, strict=False).overlaps(vpc):
            return f"route {destination} by {route.get('dev', 'no device')}"
    return None


class Network:
    """One VPC's wires. Made by the constructor, gone after close(); nothing of it is seen by the host's firewall."""

    def __init__(self, state_dir: Path, vpc_cidr: str) -> None:
        """Build the bridge; raises MachineError when the range is in use here or an earlier one is left over."""
        self.cidr = ipaddress.IPv4Network(vpc_cidr)
        self.router = str(self.cidr[1])
        self.resolver = str(self.cidr[2])
        if (Path("/sys/class/net") / HOST_LINK).exists():
            raise MachineError(f"interface {HOST_LINK} is left over from an earlier run; clean up first")
        if user := overlaps(vpc_cidr):
            raise MachineError(f"the VPC's range {vpc_cidr} is in use on this host: {user}; choose another")
        self._pid_file = state_dir / PID_FILE
        self._holder = self._hold()
        try:
            self._namespace = os.open(f"/proc/{self._holder.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            self._plug_in_host()
        except BaseException:
            self.close()
            raise

    def attach(self, pid: int, private_ip: str) -> None:
        """Lay a cable from the bridge to the network namespace of the process; it becomes its eth0 (still down)."""
        cable = _cable(private_ip)
        self._ip(f"link add {cable} type veth peer name eth0 netns {pid}\nlink set {cable} master swkbr up\n")

    def detach(self, private_ip: str) -> None:
        """Cut a node's cable; harmless when it is gone already."""
        try:
            self._ip(f"link delete {_cable(private_ip)}\n")
        except MachineError as error:
            if "Cannot find device" not in str(error):
                raise

    def listen(self, kind: socket.SocketKind, address: str, port: int) -> socket.socket:
        """A socket of this program that is bound inside the VPC."""
        return self._inside(lambda: _bound(kind, address, port))

    def check_host_reachable(self, port: int) -> None:
        """Make sure that nodes reach a port of the host's; whether something listens yet doesn't matter.

        Raises MachineError when the host's firewall is in the way.
        """
        probe = self._inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        with probe:
            probe.settimeout(_PROBE_TIMEOUT_S)
            try:
                probe.connect((self.router, port))
            except ConnectionRefusedError:
                return
            except OSError as error:
                raise MachineError(
                    f"nodes don't reach the host at {self.router}:{port} ({error}): its firewall drops what comes in "
                    f"by {HOST_LINK}; allow it, for example: iptables -I INPUT -i {HOST_LINK} -j ACCEPT"
                ) from error

    def close(self) -> None:
        """Remove the bridge and every cable; safe to repeat."""
        if hasattr(self, "_namespace"):
            os.close(self._namespace)
            del self._namespace
        if process := Process.from_file(self._pid_file):
            process.end()
        self._holder.kill()  # when it never got as far as its pid file
        self._holder.wait()
        remove_host_link()
        cgroups.remove(NAME)
        self._pid_file.unlink(missing_ok=True)

    def _hold(self) -> subprocess.Popen[str]:
        environment = {
            "PATH": SYSTEM_PATH,
            "SWK_PID_FILE": str(self._pid_file),
            "SWK_CGROUP": str(cgroups.make_home(NAME)),
            "SWK_RESOLVER": f"{self.resolver}/{self.cidr.prefixlen}",
        }
        holder = subprocess.Popen(
            ["unshare", "--net", "--", "/bin/sh", str(_SCRIPT)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )
        with piped(holder.stdout) as stdout, piped(holder.stderr) as stderr:
            if stdout.readline() != "ready\n":
                problem = stderr.read().strip()
                holder.kill()
                holder.wait()
                cgroups.remove(NAME)
                raise MachineError(f"the VPC's network can't be built: {problem}")
        return holder

    def _plug_in_host(self) -> None:
        address = f"{self.router}/{self.cidr.prefixlen}"
        call(["ip", "-batch", "-"], f"address add {address} dev {HOST_LINK}\nlink set {HOST_LINK} up\n")

    def _ip(self, batch: str) -> None:
        # By handle, not by pid: when the holder was killed by somebody else its pid may be a stranger's.
        inside = f"--net=/proc/self/fd/{self._namespace}"
        call(["nsenter", inside, "ip", "-batch", "-"], batch, pass_fds=(self._namespace,))

    def _inside(self, make: Callable[[], socket.socket]) -> socket.socket:
        """Make a socket inside the VPC's namespace: it stays there whoever uses it."""
        made: list[socket.socket] = []
        errors: list[OSError] = []

        def enter_and_make() -> None:
            # A namespace is a thread's own; this thread ends right after, so nobody has to come back.
            try:
                _enter(self._namespace)
                made.append(make())
            except OSError as error:
                errors.append(error)

        thread = threading.Thread(target=enter_and_make)
        thread.start()
        thread.join()
        if errors:
            raise MachineError(f"no socket in the VPC: {errors[0]}") from errors[0]
        return made[0]


def remove_host_link() -> None:
    """Remove the host's end of the router's cable; harmless when there is none."""
    if (Path("/sys/class/net") / HOST_LINK).exists():
        try:
            call(["ip", "link", "delete", HOST_LINK])
        except MachineError as error:
            # The kernel may be removing it right now, as the namespace of its other end has gone.
            if "Cannot find device" not in str(error):
                raise


def _cable(private_ip: str) -> str:
    """The name of a node's cable at the bridge: swk and the address in hexadecimal (at most 15 characters)."""
    return f"swk{int(ipaddress.IPv4Address(private_ip)):08x}"


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns is in Python 3.12 and up only
    if libc.setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns: " + os.strerror(ctypes.get_errno()))


def _bound(kind: socket.SocketKind, address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, kind)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
    except OSError:
        made.close()
        raise
    return made
