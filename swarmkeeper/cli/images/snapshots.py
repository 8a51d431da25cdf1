"""The layers of moved containers in the fleet's registry, and which of them no container is made from any more."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import ssl
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

FOLDER = "snapshots"
LEAST_AGE_S = 86_400.0
"""Younger ones are left: a move is about to use them, within the hour at the most."""
TIMEOUT_S = 30.0
MANIFESTS = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')


class RegistryError(Exception):
    """The registry could not be reached, or did not answer as it should."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A snapshot: its repository, digest, and when it was made."""

    repository: str
    digest: str
    created_at: float

    @property
    def path(self) -> str:
        """Its reference without the registry, which may have several names."""
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the registry said."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def value(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry's API, with Docker's own log-in for it, and its own word on whom to trust.

    address: `host:port`. plain: without TLS.
    """

    address: str
    plain: bool = False

    def snapshots(self, fleet: str) -> Iterator[Stored]:
        """All that the fleet has saved there. Raises RegistryError."""
        for repository in self._repositories():
            if repository.startswith(f"{FOLDER}/{fleet}/"):
                yield from self._stored(repository)

    def delete(self, snapshot: Stored) -> None:
        """Delete it; harmless when it is gone. Its layers stay until garbage is collected. Raises RegistryError."""
        target = f"/v2/{snapshot.repository}/manifests/{snapshot.digest}"
        self._ask("DELETE", target, HTTPStatus.ACCEPTED, HTTPStatus.NOT_FOUND)

    def _repositories(self) -> Iterator[str]:
        target = "/v2/_catalog?n=500"
        while target:
            answer = self._ask("GET", target, HTTPStatus.OK)
            yield from answer.value.get("repositories") or ()
            following = NEXT.search(answer.headers.get("Link", ""))
            target = following[1] if following else ""

    def _stored(self, repository: str) -> Iterator[Stored]:
        listed = self._ask("GET", f"/v2/{repository}/tags/list", HTTPStatus.OK, HTTPStatus.NOT_FOUND)
        tags = listed.value.get("tags") if listed.status == HTTPStatus.OK else None
        for tag in tags or ():
            found = self._ask("GET", f"/v2/{repository}/manifests/{tag}", HTTPStatus.OK, HTTPStatus.NOT_FOUND)
            if found.status == HTTPStatus.OK:
                config = self._ask("GET", f"/v2/{repository}/blobs/{found.value['config']['digest']}", HTTPStatus.OK)
                created = datetime.fromisoformat(config.value["created"]).timestamp()
                yield Stored(repository, found.headers["Docker-Content-Digest"], created)

    def _ask(self, method: str, target: str, *expected: HTTPStatus) -> Answer:
        connection = self._connection()
        try:
            connection.request(method, target, headers={"Accept": MANIFESTS, **self._log_in()})
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException) as error:
            raise RegistryError(f"{self.address} can't be reached: {error}") from error
        finally:
            connection.close()
        if answer.status not in expected:
            raise RegistryError(f"{self.address} answers {answer.status} to {method} {target}")
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        if self.plain:
            return http.client.HTTPConnection(self.address, timeout=TIMEOUT_S)
        authority = Path("/etc/docker/certs.d", self.address, "ca.crt")
        trust = ssl.create_default_context(cafile=str(authority) if authority.is_file() else None)
        return http.client.HTTPSConnection(self.address, timeout=TIMEOUT_S, context=trust)

    def _log_in(self) -> dict[str, str]:
        """What `docker login` has kept for it, if anything."""
        folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
        try:
            kept: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise RegistryError(f"{folder / 'config.json'} can't be read: {error}") from error
        secret = kept.get("auths", {}).get(self.address, {}).get("auth", "")
        return {"Authorization": f"Basic {base64.b64encode(base64.b64decode(secret)).decode()}"} if secret else {}


def unused(stored: Collection[Stored], images: Collection[str], *, now: float) -> list[Stored]:
    """Those that none of the containers' snapshots (`images`, whole references) is, and that are old enough to go."""
    paths = {image.partition("/")[2] for image in images}
    old = (each for each in stored if now >= each.created_at + LEAST_AGE_S)
    return sorted((each for each in old if each.path not in paths), key=lambda each: each.path)
