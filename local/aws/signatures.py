"""Who signed a request: AWS Signature Version 4 in the Authorization header, worked out again and compared.

https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SKEW = timedelta(minutes=5)
"""How far a request's date may be from the clock."""
DATE_FORMAT = "%Y%m%dT%H%M%SZ"
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request,"
    r"\s*SignedHeaders=(?P<headers>[a-z0-9;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)


class NotSignedError(Exception):
    """The request isn't signed, or not by whom and for what it says."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whoever holds an access key; `token` is that of temporary credentials."""

    arn: str
    access_key: str
    secret_key: str
    token: str = ""
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as it came; header names in lower case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """As it was sent, with its escapes."""
        return urlsplit(self.url).path or "/"


def verified(
    request: Signed, *, service: str, region: str, identity_of: Callable[[str], Identity | None], now: datetime
) -> Identity:
    """Whoever signed the request for this service and region. Raises NotSignedError."""
    said = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if said is None:
        raise NotSignedError("no Authorization header with a signature of version 4")
    if (said["service"], said["region"]) != (service, region):
        raise NotSignedError(f"signed for {said['service']} in {said['region']}")
    identity = identity_of(said["key"])
    if identity is None or request.headers.get("x-amz-security-token", "") != identity.token:
        raise NotSignedError(f"unknown access key {said['key']}, or not its token")
    date = _date(request, said["date"], now)
    _check_headers(request, said["headers"].split(";"))
    if not hmac.compare_digest(_signature(request, said, identity, date), said["signature"]):
        raise NotSignedError("the signature is another's, or the request has been changed")
    return identity


def _date(request: Signed, day: str, now: datetime) -> str:
    text = request.headers.get("x-amz-date", "")
    try:
        date = datetime.strptime(text, DATE_FORMAT).replace(tzinfo=UTC)
    except ValueError as error:
        raise NotSignedError("no x-amz-date") from error
    if abs(now - date) > SKEW or not text.startswith(day):
        raise NotSignedError(f"signed at {text}, which is too far from now")
    return text


def _check_headers(request: Signed, names: list[str]) -> None:
    """The host, the date and the token are signed, and the body is the one that was signed."""
    needed = {"host", "x-amz-date"} | ({"x-amz-security-token"} & request.headers.keys())
    if not needed <= set(names):
        raise NotSignedError(f"not all of {', '.join(sorted(needed))} are signed")
    digest = request.headers.get("x-amz-content-sha256")
    if digest is not None and digest != hashlib.sha256(request.body).hexdigest():
        raise NotSignedError("the body is not the one that was signed")


def _signature(request: Signed, said: re.Match[str], identity: Identity, date: str) -> str:
    auth = SigV4Auth(Credentials(identity.access_key, identity.secret_key), said["service"], said["region"])
    headers = {name: request.headers.get(name, "") for name in said["headers"].split(";")}
    again = AWSRequest(method=request.method, url=request.url, data=request.body, headers=headers)
    again.context["timestamp"] = date
    signature: str = auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again)
    return signature
