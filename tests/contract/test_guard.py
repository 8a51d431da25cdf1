"""What a node's guard has its firewall refuse; a stand-in keeps the rules instead of the kernel."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

GUARD = Path(__file__).parents[2] / "compose" / "node" / "guard.sh"
IPTABLES = """#!/bin/bash
# --wait --check|--insert RULE
shift; what=$1; shift
case $what in
    --check) grep --quiet --line-regexp --fixed-strings -- "$*" "$RULES" ;;
    --insert) echo "$*" >>"$RULES" ;;
esac
"""
NFS = "DOCKER-USER --protocol tcp --destination-port 2049 --jump REJECT --reject-with tcp-reset"
METADATA = "DOCKER-USER --destination 169.254.169.254/32 --jump REJECT"


def apart(protocol: str, port: int, target: str) -> set[str]:
    """For what goes to other machines, and for what comes to this one from its engine's bridges."""
    what = f"--protocol {protocol} --destination-port {port} --jump {target}"
    return {f"DOCKER-USER --destination 10.0.0.0/16 {what}", f"INPUT --in-interface docker+ {what}"}


RESET = "REJECT --reject-with tcp-reset"
API, SWARM, GOSSIP = (apart("tcp", port, RESET) for port in (2376, 2377, 7946))
VXLAN, GOSSIP_TOO = apart("udp", 4789, "DROP"), apart("udp", 7946, "DROP")
ENGINES = {METADATA, *API, *SWARM, *GOSSIP, *VXLAN, *GOSSIP_TOO}
ROUTER = apart("tcp", 8080, RESET)


def guarded(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    stand_in = folder / "iptables"
    stand_in.write_text(IPTABLES)
    stand_in.chmod(0o700)
    (folder / "rules").touch()
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "RULES": str(folder / "rules")}
    return subprocess.run(["bash", str(GUARD), *words], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("words", "rules"),
    [
        pytest.param(("nfs",), {NFS}, id="shared volumes"),
        pytest.param(("engine=10.0.0.0/16",), ENGINES, id="tenants' networks"),
        pytest.param(("router=10.0.0.0/16:8080",), ROUTER, id="routers"),
        pytest.param(("nfs", "engine=10.0.0.0/16", "router=10.0.0.0/16:8080"), {NFS} | ENGINES | ROUTER, id="all"),
    ],
)
def test_what_is_named_is_guarded_once(tmp_path: Path, words: tuple[str, ...], rules: set[str]) -> None:
    assert guarded(tmp_path, "once", *words).returncode == 0
    assert guarded(tmp_path, "once", *words).returncode == 0
    assert sorted((tmp_path / "rules").read_text().splitlines()) == sorted(rules)


def test_an_unknown_word_guards_nothing(tmp_path: Path) -> None:
    done = guarded(tmp_path, "once", "nfs", "engines")
    assert (done.returncode, done.stderr) == (2, "nothing is called engines\n")
    assert (tmp_path / "rules").read_text() == ""
