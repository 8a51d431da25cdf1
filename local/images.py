"""The images of the local account, made on the spot: no engine builds them and nothing is pulled."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.image_layers import Entry, Layer
from local.machines import MachineError
from local.registry import push_blob, push_manifest
from local.starter import project_root

REPOSITORY_PREFIX = "swarmkeeper"
CADVISOR = Path("build/cadvisor/cadvisor")
"""Below the project's folder."""
USUAL = ("join", "router", "web")
_TAG = "latest"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_NGINX_CONF = """events {}
http {
    include /etc/nginx/mime.types;
    include /etc/nginx/conf.d/*.conf;
}
"""
# Two servers because users' containers listen on either port; the trap because process 1 ignores TERM otherwise.
_WEB_SCRIPT = """#!/bin/sh
mkdir -p /www
echo "${NAME:-$(hostname)}" >/www/index.html
trap 'exit 0' TERM INT
httpd -f -p 8080 -h /www &
httpd -f -p 80 -h /www &
wait
"""


@dataclass(frozen=True, slots=True)
class Image:
    """A layer and what its containers run."""

    layer: Layer
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


def join_image(join_script: Path | None) -> Image:
    """The engine's client and a shell; runs the join script when there is one, else the client."""
    layer = Layer()
    docker = layer.add_program("docker")
    layer.add_busybox()
    if join_script is None or not join_script.exists():
        return Image(layer, entrypoint=(docker,))
    layer.entries["/usr/local/bin/join.sh"] = Entry(join_script.read_bytes(), mode=0o755)
    return Image(layer, entrypoint=("/bin/sh", "/usr/local/bin/join.sh"))


def router_image() -> Image:
    """Nginx with the folders and files that it expects; its configuration is mounted over /etc/nginx."""
    layer = Layer()
    nginx = layer.add_program("nginx")
    layer.add_busybox()
    for name in ("mime.types", "fastcgi_params", "proxy_params", "uwsgi_params", "scgi_params"):
        source = Path("/etc/nginx") / name
        if source.exists():
            layer.entries[str(source)] = Entry(source.read_bytes())
    layer.add_text("/etc/nginx/nginx.conf", _NGINX_CONF)
    layer.entries["/var/log/nginx/access.log"] = Entry(target="/dev/stdout")
    layer.entries["/var/log/nginx/error.log"] = Entry(target="/dev/stderr")
    for folder in ("/etc/nginx/conf.d", "/var/lib/nginx", "/var/lock", "/var/cache/nginx", "/usr/share/nginx"):
        layer.folders[folder] = 0o755
    return Image(layer, command=(nginx, "-g", "daemon off;"), ports=(8080,))


def cadvisor_image() -> Image:
    """cAdvisor as scripts/setup.sh has built it from the distribution's source."""
    program = project_root() / CADVISOR
    if not program.exists():
        raise MachineError(f"{CADVISOR} isn't there: scripts/setup.sh --monitoring builds it")
    layer = Layer()
    layer.entries["/usr/bin/cadvisor"] = Entry(program.read_bytes(), mode=0o755)
    return Image(layer, entrypoint=("/usr/bin/cadvisor",))


def web_image() -> Image:
    """The demo's web container: answers ports 80 and 8080 with the name in its NAME, or its host name."""
    layer = Layer()
    layer.add_busybox()
    layer.add_text("/usr/local/bin/web", _WEB_SCRIPT, mode=0o755)
    return Image(layer, command=("/usr/local/bin/web",), ports=(80, 8080))


def registry_image() -> Image:
    """Debian's registry under the official image's name of the program, for compose/registry."""
    layer = Layer()
    program = layer.add_program("docker-registry")
    layer.add_busybox()
    layer.entries["/bin/registry"] = Entry(target=program)
    authorities = Path("/etc/ssl/certs/ca-certificates.crt")
    if authorities.exists():
        layer.entries[str(authorities)] = Entry(authorities.read_bytes())
    return Image(layer, entrypoint=("/bin/registry",))


def terminal_image() -> Image:
    """A shell on a terminal of its own for each WebSocket at port 80, for tests."""
    layer = Layer()
    server, terminal = layer.add_program("websocketd"), layer.add_program("script")
    layer.add_busybox()
    shell = (terminal, "--quiet", "--flush", "--command", "/bin/sh", "/dev/null")
    return Image(layer, command=(server, "--port=80", "--binary", *shell), ports=(80,))


def push_images(registry_address: str, *names: str, join_script: Path | None = None) -> Mapping[str, str]:
    """Make the named images (join, router and web when none is named) and put them into the registry.

    Gives name -> "host:port/repository@sha256:..."; the same content has the same digest each time.
    Raises MachineError when a name is unknown, a program isn't installed, or the registry refuses.
    """
    recipes: dict[str, Callable[[], Image]] = {
        "join": lambda: join_image(join_script),
        "router": router_image,
        "web": web_image,
        "registry": registry_image,
        "terminal": terminal_image,
        "cadvisor": cadvisor_image,
    }
    if unknown := set(names) - set(recipes):
        raise MachineError(f"no such image: {', '.join(sorted(unknown))}")
    return {name: _push(registry_address, name, recipes[name]()) for name in names or USUAL}


def _push(address: str, name: str, image: Image) -> str:
    repository = f"{REPOSITORY_PREFIX}/{name}"
    tar = image.layer.to_tar()
    layer = {"mediaType": _LAYER, "size": len(tar), "digest": push_blob(address, repository, tar)}
    config = _canonical(_config(image, layer["digest"]))
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {"mediaType": _CONFIG, "size": len(config), "digest": push_blob(address, repository, config)},
        "layers": [layer],
    }
    digest = push_manifest(address, repository, _TAG, _canonical(manifest), _MANIFEST)
    return f"{address}/{repository}@{digest}"


def _config(image: Image, diff_id: object) -> dict[str, object]:
    return {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Env": [_PATH],
            "Entrypoint": list(image.entrypoint) or None,
            "Cmd": list(image.command) or None,
            "ExposedPorts": {f"{port}/tcp": {} for port in image.ports},
            "Labels": dict(image.labels),
        },
        # The layer isn't compressed, so its digest is also the digest of its content.
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    }


def _canonical(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
