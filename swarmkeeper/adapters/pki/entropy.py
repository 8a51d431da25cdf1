"""Random numbers for keys: the cryptography package carries an OpenSSL of its own, whose generator keeps a state."""

from __future__ import annotations

import os

from cryptography.hazmat.bindings.openssl.binding import Binding

ENTROPY_BYTES = 64


def renew_key_seed() -> None:
    """Mix in what the operating system gives: two environments from one snapshot must never make the same key."""
    Binding().lib.RAND_add(os.urandom(ENTROPY_BYTES), ENTROPY_BYTES, float(ENTROPY_BYTES))
