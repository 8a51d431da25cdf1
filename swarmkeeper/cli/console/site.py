"""What the console answers. It acts with the user's credentials, so it answers nobody but the user's own browser.

Three things are asked of every request: the host name it was sent to is this machine's (a page of the internet whose
name was made to point here has another), the cookie that the address with the key has set (other users of this machine
don't have it), and, where something is changed, a header that a page of another origin may not send.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, unquote, urlsplit

from swarmkeeper.cli.api import Api, ApiError, Refused
from swarmkeeper.cli.console.feed import Feed
from swarmkeeper.cli.console.pages import page

CHANGING = "swarmkeeper-console"
"""The header of requests that change something."""
NODE = re.compile(r"/api/nodes/([^/]+)/(drain|protection)")
DECISION = re.compile(r"/api/decisions/([^/]+)")
WHY = re.compile(r"/api/containers/([^/]+)/why")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ALWAYS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: the target as it was sent, header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to a request."""

    status: int
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Site:
    """The console of one fleet, at one port of this machine, for who has the key."""

    api: Api
    feed: Feed
    key: str
    port: int

    @property
    def url(self) -> str:
        """The address that lets a browser in."""
        return f"http://127.0.0.1:{self.port}/?key={self.key}"

    def reply(self, asked: Asked) -> Reply:
        """The answer; what the fleet refuses, or that it can't be reached, is one too."""
        try:
            answered = self._answered(asked)
        except Refused as refusal:
            answered = told(refusal.status, str(refusal))
        except ApiError as error:
            answered = told(502, str(error))
        return Reply(answered.status, answered.content, {**ALWAYS, **answered.headers})

    def _answered(self, asked: Asked) -> Reply:
        target = urlsplit(asked.target)
        if asked.headers.get("host") not in (f"127.0.0.1:{self.port}", f"localhost:{self.port}"):
            return told(421, "this console answers at 127.0.0.1 only")
        if asked.method == "GET" and target.path == "/" and self._is_key(parse_qs(target.query).get("key", [""])[0]):
            return Reply(303, headers={"Location": "/", "Set-Cookie": self._cookie()})
        if not self._is_known(asked):
            return told(403, "open the address that `swarmkeeper console` has printed")
        if asked.method == "GET":
            return self._read(target.path)
        if asked.method in ("PUT", "DELETE"):
            if CHANGING not in asked.headers:
                return told(403, f"the header {CHANGING} is missing")
            return self._changed(asked.method, target.path)
        return told(405, f"{asked.method} is not served")

    def _read(self, path: str) -> Reply:
        if (found := page(path)) is not None:
            return Reply(200, found.content, {"Content-Type": found.media_type})
        if path == "/api/fleet":
            return as_json(200, self.feed.fleet())
        if (decision := DECISION.fullmatch(path)) is not None:
            return as_json(200, self.api.decision(unquote(decision[1])))
        if (container := WHY.fullmatch(path)) is not None:
            return as_json(200, self.api.explain_container(unquote(container[1])))
        return told(404, "there is no such page")

    def _changed(self, method: str, path: str) -> Reply:
        named = NODE.fullmatch(path)
        if named is None:
            return told(404, "there is no such page")
        acts: dict[tuple[str, str], Callable[[str], object]] = {
            ("PUT", "drain"): self.api.drain,
            ("DELETE", "drain"): self.api.undrain,
            ("PUT", "protection"): self.api.protect,
            ("DELETE", "protection"): self.api.unprotect,
        }
        changed = acts[method, named[2]](unquote(named[1]))
        self.feed.forget()
        return as_json(200, changed)

    # Who asks.
    def _is_key(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.key.encode())

    def _is_known(self, asked: Asked) -> bool:
        try:
            cookies = SimpleCookie(asked.headers.get("cookie", ""))
        except CookieError:
            return False
        given = cookies.get(self._cookie_name)
        return given is not None and self._is_key(given.value)

    @property
    def _cookie_name(self) -> str:
        return f"swarmkeeper-{self.port}"  # all ports of a host share their cookies

    def _cookie(self) -> str:
        return f"{self._cookie_name}={self.key}; HttpOnly; SameSite=Strict; Path=/"


def as_json(status: int, value: object) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def told(status: int, detail: str) -> Reply:
    """An answer in words, for the page or for who has opened the wrong address."""
    return as_json(status, {"detail": detail})
