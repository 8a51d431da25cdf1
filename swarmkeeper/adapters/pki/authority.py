"""The fleet's authority: made once, its key in a secret that only the registrar may read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from secrets import token_hex
from typing import Protocol

from swarmkeeper.adapters.pki import x509
from swarmkeeper.adapters.pki.x509 import KeyPair, at
from swarmkeeper.domain.model import NodeId
from swarmkeeper.errors import Conflict, Unavailable
from swarmkeeper.ports import Clock, StateStore

FACT = "certificate-authority"
"""`making:<until>:<nonce>` while one caller makes it, `ready` afterwards."""
CLIENTS_FACT = "clients-valid-until"
"""When the first of the clients' certificates ends, in seconds since the epoch: so that a look costs one read."""
RENEWED_BEFORE_S = 30 * 24 * 3600.0
"""Both certificates are good for as long, which no warm function lives, so that nobody has to be told."""
LEASE_S = 60.0
"""A maker that died is replaced after this time; longer than a function may run, so that no two makers write."""


class Secrets(Protocol):
    """JSON secrets of the fleet by name, e.g. `ca`, `client/placement`."""

    def find(self, name: str) -> Mapping[str, str] | None:
        """The secret's value, None while it has none."""

    def get(self, name: str) -> Mapping[str, str]:
        """Raises Unavailable while the secret has no value."""

    def put(self, name: str, value: Mapping[str, str]) -> None: ...


class FleetAuthority:
    """Fills the Certificates port. One conditional write elects the maker; the others ask again later."""

    def __init__(
        self, *, fleet: str, store: StateStore, secrets: Secrets, clock: Clock, clients: Sequence[str]
    ) -> None:
        self._fleet = fleet
        self._store = store
        self._secrets = secrets
        self._clock = clock
        self._clients = tuple(clients)
        self._authority: KeyPair | None = None

    def ensure(self) -> None:
        """Make authority and client certificates unless they are there. Raises Unavailable while another does."""
        if self._authority is not None or self._store.fact(FACT) == "ready":
            return
        lease = f"making:{self._clock.now() + LEASE_S}:{token_hex(8)}"  # two makers may begin at the same moment
        stored = self._store.set_fact_once(FACT, lease)
        if stored == "ready":
            return
        if stored != lease:
            self._take_over(stored, lease)
        self._make()
        try:
            self._store.replace_fact(FACT, expected=lease, value="ready")
        except Conflict as error:
            raise Unavailable("another registrar took over making the authority") from error

    def renew_clients(self) -> bool:
        """Give each client whose certificate ends within a month another one; True when one was due.

        May be called at any time, by several at once: what two of them make is good alike, and the later one stays.
        """
        if self._store.fact(FACT) != "ready":
            return False
        due = self._clock.now() + RENEWED_BEFORE_S
        known = self._store.fact(CLIENTS_FACT)
        if known is not None and float(known) > due:
            return False
        ends = {client: self._ends_at(client) for client in self._clients}
        for client in (client for client, end in ends.items() if end <= due):
            self._issue(client, self._loaded())
            ends[client] = self._ends_at(client)
        try:
            self._store.replace_fact(CLIENTS_FACT, expected=known, value=str(min(ends.values())))
        except Conflict as error:
            raise Unavailable("another registrar is renewing the clients' certificates") from error
        return known is not None and float(known) <= due

    def authority(self) -> str:
        return self._loaded().certificate

    def sign(self, signing_request: str, *, node_id: NodeId, address: str) -> str:
        now = at(self._clock.now())
        return x509.sign_node(self._loaded(), signing_request, node_id=node_id, address=address, now=now)

    def _take_over(self, stored: str, lease: str) -> None:
        until = float(stored.split(":")[1])
        if self._clock.now() < until:
            raise Unavailable("another registrar is making the fleet's authority")
        try:
            self._store.replace_fact(FACT, expected=stored, value=lease)
        except Conflict as error:
            raise Unavailable("another registrar is making the fleet's authority") from error

    def _make(self) -> None:
        """Make what has no value yet: an authority that the table has forgotten is still the engines' own."""
        kept = self._secrets.find("ca")
        if kept is None:
            authority = x509.make_authority(self._fleet, at(self._clock.now()))
            self._secrets.put("ca", {"key": authority.key, "certificate": authority.certificate})
        else:
            authority = KeyPair(key=kept["key"], certificate=kept["certificate"])
        for client in self._clients:
            self._certify(client, authority)

    def _certify(self, client: str, authority: KeyPair) -> None:
        """Give the client a certificate of this authority, unless it has one."""
        held = self._secrets.find(f"client/{client}")
        if held is not None and held["authority"] == authority.certificate:
            return
        self._issue(client, authority)

    def _ends_at(self, client: str) -> float:
        return x509.ends_at(self._secrets.get(f"client/{client}")["certificate"])

    def _issue(self, client: str, authority: KeyPair) -> None:
        pair = x509.make_client(authority, f"{self._fleet}-{client}", at(self._clock.now()))
        value = {"key": pair.key, "certificate": pair.certificate, "authority": authority.certificate}
        self._secrets.put(f"client/{client}", value)

    def _loaded(self) -> KeyPair:
        if self._authority is None:
            if self._store.fact(FACT) != "ready":
                raise Unavailable("the fleet's authority is not made yet")
            value = self._secrets.get("ca")
            self._authority = KeyPair(key=value["key"], certificate=value["certificate"])
        return self._authority
