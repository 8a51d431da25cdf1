"""Several images in one archive, as `docker save` writes it; layers that they share stand in it once."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping
from pathlib import Path

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def write_archive(archive: Path, images: Mapping[str, tuple[Path, ...]]) -> None:
    """Write images of layers (plain tars, the lowest first) under their references."""
    digests = {layer: _digest(layer) for layers in images.values() for layer in layers}
    with tarfile.open(archive, "w") as tar:
        for layer, digest in digests.items():
            tar.add(layer, f"{digest}/layer.tar")
        manifest = []
        for reference, layers in images.items():
            config = _config([digests[layer] for layer in layers])
            name = f"{hashlib.sha256(config).hexdigest()}.json"
            _put(tar, name, config)
            places = [f"{digests[layer]}/layer.tar" for layer in layers]
            manifest.append({"Config": name, "RepoTags": [reference], "Layers": places})
        _put(tar, "manifest.json", json.dumps(manifest).encode())


def _config(digests: list[str]) -> bytes:
    document = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Env": [_PATH], "Cmd": ["/bin/bash"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
    }
    return json.dumps(document, sort_keys=True).encode()


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _put(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    header = tarfile.TarInfo(name)
    header.size = len(content)
    tar.addfile(header, io.BytesIO(content))
