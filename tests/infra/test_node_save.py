"""What the document that saves a layer does on its node: the shell's own script, with the engine in miniature."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from infra.documents import DOCUMENTS, SCRIPTS
from infra.names import SAVE

CONTAINER = "c" * 64
REPOSITORY = "registry.example.com/snapshots/demo/acme/web-1"
DIGEST = f"sha256:{'a' * 64}"
DOCKER = f"""#!/bin/bash
echo "docker $*" >>"$SAID"
case "$1 $2" in
    "inspect --type") echo "$STANDS" ;;
    "image ls") printf '%s\\n' $TAGS ;;
    "image inspect") echo "elsewhere@sha256:00 {REPOSITORY}@{DIGEST}" ;;
esac
"""
TIMEOUT = """#!/bin/bash
echo "timeout $1 $2" >>"$SAID"
[ "$4" != "$TOO_LONG" ] || exit 124
exec "${@:3}"
"""
PREPARED = 'log_in_for() { DOCKER_CONFIG=$RUN/log-in; mkdir "$DOCKER_CONFIG"; }'


def save(folder: Path, *, stands: str = "false demo", tags: str = "", too_long: str = "") -> tuple[int, str, list[str]]:
    """The exit code, what was printed, and what was called."""
    for name, text in (("docker", DOCKER), ("timeout", TIMEOUT)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    script = (SCRIPTS / f"{SAVE}.sh").read_text().replace("/run/", f"{folder}/")
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{PREPARED}\n{script}"],
        env={
            "PATH": f"{folder}:/usr/bin:/bin",
            "RUN": str(folder),
            "SAID": str(folder / "said"),
            "STANDS": stands,
            "TAGS": tags,
            "TOO_LONG": too_long,
            "REGISTRY": "registry.example.com",
            "FLEET": "demo",
            "container": CONTAINER,
            "image": f"{REPOSITORY}:00000000000000aa",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, (folder / "said").read_text().splitlines()


def test_it_commits_pushes_and_leaves_neither_image_nor_log_in(tmp_path: Path) -> None:
    code, printed, said = save(tmp_path)
    assert (code, printed) == (0, f"{DIGEST}\n")
    did = [each for each in said if each.startswith(("docker commit", "docker push", "docker image rm"))]
    assert did == [
        f"docker commit --pause=false {CONTAINER} {REPOSITORY}:00000000000000aa",
        f"docker push --quiet {REPOSITORY}:00000000000000aa",
        f"docker image rm {REPOSITORY}:00000000000000aa",
    ]
    assert not (tmp_path / "log-in").exists()


def test_what_runs_is_not_saved(tmp_path: Path) -> None:
    code, printed, said = save(tmp_path, stands="true demo")
    assert (code, printed) == (1, "")
    assert not [each for each in said if "commit" in each]


@pytest.mark.parametrize("step", ["commit", "push"])
def test_what_takes_too_long_ends_before_the_agent_kills_it_and_is_cleaned_up(tmp_path: Path, step: str) -> None:
    code, printed, said = save(tmp_path, too_long=step)
    assert (code, printed) == (124, "")
    assert said[-1] == f"docker image rm {REPOSITORY}:00000000000000aa"
    assert not (tmp_path / "log-in").exists()
    limits = [int(each) for each in re.findall(r"^timeout --kill-after=10 (\d+)$", "\n".join(said), re.MULTILINE)]
    assert len(limits) == (1 if step == "commit" else 2)
    assert all(0 < limit < DOCUMENTS[SAVE].timeout_s - 30 for limit in limits)


def test_what_an_earlier_save_left_goes_and_pulled_snapshots_stay(tmp_path: Path) -> None:
    _, _, said = save(tmp_path, tags="<none> 00000000000000bb")
    removed = [each for each in said if each.startswith("docker image rm")]
    assert removed == [f"docker image rm {REPOSITORY}:{tag}" for tag in ("00000000000000bb", "00000000000000aa")]
