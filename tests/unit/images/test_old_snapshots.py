"""`swarmkeeper images snapshots`: which saved layers no container needs, asked of a registry and of the fleet."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from swarmkeeper.cli.fleet import Fleet
from swarmkeeper.cli.images import command, snapshots
from swarmkeeper.cli.images.snapshots import LEAST_AGE_S, Stored, unused
from swarmkeeper.cli.main import app
from swarmkeeper.services.layers import FOLDER

LOG_IN = base64.b64encode(b"ci:secret").decode()
WEB, DB = "snapshots/demo/acme/web-1", "snapshots/demo/acme/db"
OLD, YOUNG = "2026-01-02T03:04:05.123456789Z", "2999-01-02T03:04:05Z"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class FakeRegistry:
    """Answers as the official one does, two repositories a page, to its log-in alone."""

    address: str = ""
    manifests: dict[tuple[str, str], bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)

    def push(self, repository: str, tag: str, created: str) -> str:
        """Keep an image of that moment; returns its path with the digest."""
        config = json.dumps({"created": created, "tag": tag}).encode()
        self.blobs[digest_of(config)] = config
        manifest = json.dumps({"config": {"digest": digest_of(config)}}).encode()
        self.manifests[repository, tag] = manifest
        return f"{repository}@{digest_of(manifest)}"

    @property
    def held(self) -> set[str]:
        return {f"{repository}@{digest_of(content)}" for (repository, _), content in self.manifests.items()}

    def answer(self, method: str, target: str) -> tuple[int, dict[str, str], bytes]:
        path, _, query = target.partition("?")
        if path == "/v2/_catalog":
            return self._catalog(query.partition("last=")[2].partition("&")[0])
        if tags := re.fullmatch("/v2/(.+)/tags/list", path):
            found = [tag for repository, tag in self.manifests if repository == tags[1]]
            return 200, {}, json.dumps({"tags": found or None}).encode()
        if blob := re.fullmatch("/v2/.+/blobs/(.+)", path):
            return 200, {}, self.blobs[blob[1]]
        named = re.fullmatch("/v2/(.+)/manifests/(.+)", path)
        assert named is not None
        for (repository, tag), content in list(self.manifests.items()):
            if repository == named[1] and named[2] in (tag, digest_of(content)):
                if method == "DELETE":
                    del self.manifests[repository, tag]
                    return 202, {}, b""
                return 200, {"Docker-Content-Digest": digest_of(content)}, content
        return 404, {}, b"{}"

    def _catalog(self, last: str) -> tuple[int, dict[str, str], bytes]:
        following = sorted({repository for repository, _ in self.manifests if repository > last})
        link = {"Link": f'</v2/_catalog?last={following[1]}&n=2>; rel="next"'} if len(following) > 2 else {}
        return 200, link, json.dumps({"repositories": following[:2]}).encode()


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    made = FakeRegistry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers["Authorization"] == f"Basic {LOG_IN}"
            status, headers, body = made.answer(self.command, self.path) if known else (401, {}, b"")
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_DELETE = do_GET  # noqa: N815  # http.server's name

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.address = f"127.0.0.1:{server.server_port}"
    (tmp_path / "config.json").write_text(json.dumps({"auths": {made.address: {"auth": LOG_IN}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


def with_fleet(monkeypatch: pytest.MonkeyPatch, *images: str, answer: dict[str, Any] | None = None) -> None:
    """A fleet called demo, whose containers were made from these snapshots; one has none."""
    listed = [{"name": f"web-{each}", "snapshot": {"image": each, "taken_at": 1.0}} for each in images]
    told = answer or {"status": 200, "containers": [*listed, {"name": "plain", "snapshot": None}], "nodes": []}
    monkeypatch.setattr(Fleet, "list", lambda _: told)
    monkeypatch.setattr(command, "find_fleet", lambda _: Fleet("demo", None))  # type: ignore[arg-type]  # never invoked


def run(registry: FakeRegistry, *options: str) -> Result:
    return CliRunner().invoke(app, ["images", "snapshots", registry.address, "--plain", *options])


def test_what_no_container_needs_is_shown_and_deleted_only_when_asked(
    registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, old = registry.push(WEB, "a", OLD), registry.push(WEB, "b", OLD)
    gone, young = registry.push(DB, "c", OLD), registry.push(DB, "d", YOUNG)
    others = {registry.push("snapshots/another/acme/web-1", "e", OLD), registry.push("base/python", "latest", OLD)}
    with_fleet(monkeypatch, f"registry.example:5000/{used}")
    shown = run(registry, "--json")
    assert json.loads(shown.stdout) == {"unused": sorted([gone, old]), "stored": 4, "deleted": False}
    assert registry.held == {used, old, gone, young, *others}
    assert run(registry, "--delete").stdout.split() == sorted([gone, old])
    assert registry.held == {used, young, *others}
    assert json.loads(run(registry, "--json").stdout)["unused"] == []


def test_a_fleet_that_lists_nothing_has_nothing_deleted(
    registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = registry.push(WEB, "a", OLD)
    with_fleet(monkeypatch, answer={"status": 503, "error": {"message": "no answer"}})
    done = run(registry, "--delete")
    assert (done.exit_code, "no answer" in done.stderr) == (1, True)
    assert registry.held == {kept}


def test_a_log_in_that_is_not_taken_is_told(
    registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config.json").unlink()
    with_fleet(monkeypatch)
    done = run(registry)
    assert (done.exit_code, "answers 401 to GET /v2/_catalog" in done.stderr) == (1, True)


def test_a_registry_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with_fleet(monkeypatch)
    done = CliRunner().invoke(app, ["images", "snapshots", "127.0.0.1:1", "--plain"])
    assert (done.exit_code, "can't be reached" in done.stderr) == (1, True)


def test_a_snapshot_is_left_for_a_day_and_known_by_any_name_of_the_registry() -> None:
    stored = Stored(WEB, "sha256:1", created_at=100.0)
    assert unused([stored], [], now=100.0 + LEAST_AGE_S - 1) == []
    assert unused([stored], [], now=100.0 + LEAST_AGE_S) == [stored]
    assert unused([stored], [f"10.0.0.1:5000/{WEB}@sha256:1"], now=100.0 + LEAST_AGE_S) == []


def test_it_looks_where_layers_are_saved() -> None:
    assert snapshots.FOLDER == FOLDER
