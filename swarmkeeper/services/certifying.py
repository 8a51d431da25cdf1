"""A joining node's certificate: its signing request and what was signed are kept until it has joined."""

from __future__ import annotations

import base64

from swarmkeeper.domain.model import Node, NodeId
from swarmkeeper.errors import InvariantBroken
from swarmkeeper.ports import Certificates, StateStore


class Certifying:
    """Signs each node's request once: a join that is repeated, or sent twice, must change nothing there."""

    def __init__(self, *, store: StateStore, certificates: Certificates) -> None:
        self._store = store
        self._certificates = certificates

    def prepare(self) -> None:
        """Make the authority unless it is there."""
        self._certificates.ensure()

    def keep_request(self, node: Node, signing_request: str) -> None:
        """Remember what the node has asked to be signed; the first one counts."""
        self._store.set_fact_once(_request_fact(node.id), signing_request)

    def has_request(self, node: Node) -> bool:
        return self._store.fact(_request_fact(node.id)) is not None

    def parameters(self, node: Node) -> dict[str, str]:
        """The certificate and its authority, as the join command takes them. Raises InvalidInput for a bad request."""
        return {
            "certificate": base64.b64encode(self._certificate(node).encode()).decode(),
            "authority": base64.b64encode(self._certificates.authority().encode()).decode(),
        }

    def forget(self, node: Node) -> None:
        """Nothing of it is needed any more; harmless to repeat."""
        for name in (_request_fact(node.id), _certificate_fact(node.id)):
            stored = self._store.fact(name)
            if stored is not None:
                self._store.replace_fact(name, expected=stored, value=None)

    def _certificate(self, node: Node) -> str:
        kept = self._store.fact(_certificate_fact(node.id))
        if kept is not None:
            return kept
        request = self._store.fact(_request_fact(node.id))
        if request is None:
            raise InvariantBroken(f"the signing request of {node.id} is not stored")
        signed = self._certificates.sign(request, node_id=node.id, address=node.address)
        return self._store.set_fact_once(_certificate_fact(node.id), signed)


def _request_fact(node_id: NodeId) -> str:
    return f"signing-request/{node_id}"


def _certificate_fact(node_id: NodeId) -> str:
    return f"certificate/{node_id}"
