"""A fleet's HTTP API as the commands use it: signed requests, answers as plain values, refusals as errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode

from swarmkeeper.cli.fleet import ContainerView, NodeView

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

SERVICE = "execute-api"
PAGE = 500
CONNECT_S = 5.0

Query = Sequence[tuple[str, str]]


class ApiError(Exception):
    """The API could not be reached, or did not answer as it should."""


class Refused(ApiError):
    """The API said no; `field` is what is wrong in the request, "" when no single part is."""

    def __init__(self, status: int, detail: str, field: str = "") -> None:
        place = f"{field}: " if field else ""
        super().__init__(f"{place}{detail} ({status})")
        self.status = status


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that is no refusal."""

    headers: Mapping[str, str]
    content: bytes

    @property
    def value(self) -> Any:
        return json.loads(self.content)


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose credentials sign requests, and for which region."""

    credentials: Credentials
    region: str

    def sign(self, request: AWSRequest) -> None:
        from botocore.auth import SigV4Auth  # here, so that help and completion don't wait for it

        SigV4Auth(self.credentials, SERVICE, self.region).add_auth(request)


Send = Callable[["AWSRequest"], tuple[int, Mapping[str, str], bytes]]


@dataclass(frozen=True, slots=True)
class Api:
    """The API at one address."""

    url: str
    send: Send

    def create(self, body: Mapping[str, object], *, token: str = "") -> ContainerView:
        """Ask for a container; it runs, or waits with a reason. Raises Refused."""
        headers = {"Idempotency-Key": token} if token else {}
        return cast(ContainerView, self._ask("POST", "/containers", body=body, headers=headers).value)

    def containers(self, query: Query = ()) -> Iterator[ContainerView]:
        """All containers that the query's filters let through, page by page."""
        position: str | None = ""
        while position is not None:
            more = [("next", position)] if position else []
            page = self._ask("GET", "/containers", query=[*query, ("limit", str(PAGE)), *more]).value
            yield from page["containers"]
            position = page["next"]

    def container(self, name: str) -> ContainerView:
        return cast(ContainerView, self._ask("GET", f"/containers/{quote(name, safe='')}").value)

    def remove(self, name: str) -> ContainerView:
        return cast(ContainerView, self._ask("DELETE", f"/containers/{quote(name, safe='')}").value)

    def logs(self, name: str, *, tail: int) -> tuple[bytes, bool]:
        """The end of its output, and whether that is less than was asked for."""
        found = self._ask("GET", f"/containers/{quote(name, safe='')}/logs", query=[("tail", str(tail))])
        return found.content, found.headers.get("swarmkeeper-cut") == "true"

    def explain(self, body: Mapping[str, object]) -> dict[str, Any]:
        return cast(dict[str, Any], self._ask("POST", "/explain", body=body).value)

    def explain_container(self, name: str) -> dict[str, Any]:
        """Where a container would go if it were placed now."""
        return cast(dict[str, Any], self._ask("GET", f"/containers/{quote(name, safe='')}/explain").value)

    def nodes(self) -> list[NodeView]:
        return cast(list[NodeView], self._ask("GET", "/nodes").value["nodes"])

    def protect(self, node: str) -> NodeView:
        """Let scale-in leave the node alone."""
        return cast(NodeView, self._ask("PUT", f"/nodes/{quote(node, safe='')}/protection").value)

    def unprotect(self, node: str) -> NodeView:
        return cast(NodeView, self._ask("DELETE", f"/nodes/{quote(node, safe='')}/protection").value)

    def drain(self, node: str) -> NodeView:
        """Have the node leave."""
        return cast(NodeView, self._ask("PUT", f"/nodes/{quote(node, safe='')}/drain").value)

    def undrain(self, node: str) -> NodeView:
        return cast(NodeView, self._ask("DELETE", f"/nodes/{quote(node, safe='')}/drain").value)

    def tokens(self) -> dict[str, Any]:
        """When the join tokens were rotated."""
        return cast(dict[str, Any], self._ask("GET", "/tokens").value)

    def rotate_tokens(self) -> dict[str, Any]:
        """Ask for new join tokens."""
        return cast(dict[str, Any], self._ask("POST", "/tokens/rotation").value)

    def decisions(self, *, pool: str | None, since: float, most: int) -> Iterator[dict[str, Any]]:
        """The newest scaling decisions since a time, page by page; of all pools where none is named."""
        position: str | None = ""
        while position is not None and most > 0:
            query = [("since", f"{since:.3f}"), ("limit", str(min(most, PAGE)))]
            query += [("pool", pool)] if pool else []
            query += [("next", position)] if position else []
            page = self._ask("GET", "/scaling/decisions", query=query).value
            yield from page["decisions"]
            most -= len(page["decisions"])
            position = page["next"]

    def decision(self, decision_id: str) -> dict[str, Any]:
        """One scaling decision with what it was made from."""
        found = self._ask("GET", f"/scaling/decisions/{quote(decision_id, safe='')}").value
        return cast(dict[str, Any], found)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        from botocore.awsrequest import AWSRequest

        # Spaces as %20: a plus sign would be signed as itself.
        asked = f"{self.url.rstrip('/')}{path}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        data = b"" if body is None else json.dumps(body).encode()
        given = {"Content-Type": "application/json"} if data else {}
        status, answered, content = self.send(
            AWSRequest(method=method, url=asked, data=data, headers={**given, **(headers or {})})
        )
        if status >= 300:
            raise _refusal(status, content)
        return Answered(answered, content)


def _refusal(status: int, content: bytes) -> Refused:
    """API Gateway's own refusals have a `message`, ours are problem details."""
    try:
        problem = json.loads(content)
        detail = problem.get("detail") or problem.get("message") or "refused"
        return Refused(status, str(detail), str(problem.get("field") or ""))
    except (ValueError, AttributeError):
        return Refused(status, content.decode(errors="replace")[:500] or "refused")


def over_http(signer: Signer, *, timeout_s: float = 60.0) -> Send:
    """Sends signed requests, each once: a create that was carried out and answered late must not be sent again."""
    from botocore.httpsession import URLLib3Session

    session = URLLib3Session(timeout=(CONNECT_S, timeout_s))  # type: ignore[arg-type]  # its stub knows one time only

    def send(request: AWSRequest) -> tuple[int, Mapping[str, str], bytes]:
        from botocore.exceptions import BotoCoreError

        try:
            signer.sign(request)
            answer = session.send(request.prepare())
        except BotoCoreError as error:
            raise ApiError(f"{request.url} does not answer: {error}") from error
        return answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, answer.content

    return send
