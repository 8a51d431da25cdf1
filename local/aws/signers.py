"""The holders of access keys: the local cloud's own user, and roles that were assumed through its STS."""

from __future__ import annotations

from datetime import UTC, datetime

from local.aws.server import CREDENTIALS, AwsServer
from local.aws.signatures import Identity

USER = "local"


def identity_of(server: AwsServer, access_key: str) -> Identity | None:
    """Whoever holds the key; None for one that nobody holds, or that has expired."""
    if access_key == CREDENTIALS["AWS_ACCESS_KEY_ID"]:
        arn = f"arn:aws:iam::{server.account}:user/{USER}"
        return Identity(arn, access_key, CREDENTIALS["AWS_SECRET_ACCESS_KEY"], user_id="AIDALOCALCLOUD")
    session = server.backend("sts").get_assumed_role_from_access_key(access_key)
    if session is None or session.expiration.replace(tzinfo=UTC) < datetime.now(UTC):
        return None
    return Identity(
        session.arn, access_key, session.secret_access_key, token=session.session_token, user_id=session.user_id
    )
