"""Who we are to the engines: a client certificate, its key, and the authority that signs the engines'."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from swarmkeeper.errors import Unavailable


@dataclass(frozen=True, slots=True)
class ClientIdentity:
    """PEM texts; `authority_pem` may hold two certificates while the authority is rolled over."""

    authority_pem: str
    certificate_pem: str
    key_pem: str = field(repr=False)


def tls_context(identity: ClientIdentity) -> ssl.SSLContext:
    """A client's TLS settings: trusts the fleet's authority alone, checks the engine's address, shows our certificate.

    Raises Unavailable when the PEM texts can't be used: a secret half written is read again later.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cadata=identity.authority_pem)
        with _pem_files(identity) as (certificate, key):
            context.load_cert_chain(certificate, key)
    except (ssl.SSLError, ValueError) as error:
        raise Unavailable("the client identity for the engines can't be used") from error
    return context


@contextmanager
def _pem_files(identity: ClientIdentity) -> Iterator[tuple[Path, Path]]:
    """The certificate and the key as files of mode 0600 that live only as long as OpenSSL reads them.

    OpenSSL takes a chain from files only. The directory is ours alone (0700), the files are created private.
    """
    with TemporaryDirectory(prefix="swarmkeeper-") as directory:
        paths = Path(directory, "certificate.pem"), Path(directory, "key.pem")
        for path, text in zip(paths, (identity.certificate_pem, identity.key_pem), strict=True):
            path.touch(mode=0o600)
            path.write_text(text)
        yield paths
