"""A certificate authority that signs with words."""

from __future__ import annotations

from swarmkeeper.domain.model import NodeId
from swarmkeeper.errors import InvalidInput, Unavailable
from tests.fakes.faults import Fallible, can_fail

SIGNING_REQUEST = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n"
"""What this authority takes for a valid signing request."""


class FakeCertificates(Fallible):
    """`signed` holds (node, address) of each signature; nothing is signed before `ensure`."""

    def __init__(self) -> None:
        super().__init__()
        self.ensured = 0
        self.signed: list[tuple[NodeId, str]] = []

    @can_fail
    def ensure(self) -> None:
        self.ensured += 1

    @can_fail
    def authority(self) -> str:
        self._require_authority()
        return "-----BEGIN CERTIFICATE-----\nauthority\n-----END CERTIFICATE-----\n"

    @can_fail
    def sign(self, signing_request: str, *, node_id: NodeId, address: str) -> str:
        self._require_authority()
        if not signing_request.startswith("-----BEGIN CERTIFICATE REQUEST-----"):
            raise InvalidInput("signing_request", "is not a PEM signing request")
        self.signed.append((node_id, address))
        return f"-----BEGIN CERTIFICATE-----\n{node_id} {address}\n-----END CERTIFICATE-----\n"

    def _require_authority(self) -> None:
        if not self.ensured:
            raise Unavailable("the certificate authority has not been made yet")
