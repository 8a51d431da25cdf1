#!/usr/bin/env python3
"""Join what was pushed for each architecture to one image a name, and print the references by digest.

    join_architectures.py --to registry.example.com:5000/base --tag 20261127-7 pushed-python-amd64.json ...

Each file holds what `swarmkeeper images push --json` printed: {name: reference by digest}.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
Docker = Callable[[list[str]], str]


def joined(pushed: Iterable[Mapping[str, str]], to: str, tag: str, docker: Docker) -> dict[str, str]:
    """The reference by digest of each name's image for all its architectures, pushed under the tag."""
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for each in pushed:
        for name, reference in each.items():
            parts[name].append(reference)
    return {name: _join(f"{to.rstrip('/')}/{name}", tag, references, docker) for name, references in parts.items()}


def _join(repository: str, tag: str, references: list[str], docker: Docker) -> str:
    manifest = f"{repository}:{tag}"
    docker(["manifest", "create", "--amend", manifest, *sorted(references)])
    said = docker(["manifest", "push", "--purge", manifest])
    found = DIGEST.search(said)
    if found is None:
        raise SystemExit(f"docker told no digest of {manifest}: {said.strip()}")
    return f"{repository}@{found[0]}"


def _docker(arguments: list[str]) -> str:
    return subprocess.run(["docker", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", required=True)
    parser.add_argument("--tag", required=True)
    parser.add_argument("pushed", nargs="+", type=Path)
    wanted = parser.parse_args(arguments)
    pushed = [json.loads(path.read_text(encoding="utf-8")) for path in wanted.pushed]
    json.dump(joined(pushed, wanted.to, wanted.tag, _docker), sys.stdout, indent=2)


if __name__ == "__main__":
    main(sys.argv[1:])
