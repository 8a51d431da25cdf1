"""What callers may have done, whichever way they call: directly or over HTTP."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable

from functions.placement.needs import Needs
from swarmkeeper.domain.model import Container, ContainerName, ContainerState, Node, Request
from swarmkeeper.domain.placement.scheduler import Decision
from swarmkeeper.edge.container_names import NAME
from swarmkeeper.edge.requests import Admission
from swarmkeeper.edge.settings_admission import TenantSettings
from swarmkeeper.edge.states import State
from swarmkeeper.edge.tenants import EVERYONE, Scope, scope_of
from swarmkeeper.errors import Conflict
from swarmkeeper.ports import Clock, Engines, LogTail, StateStore
from swarmkeeper.services.acceptance import Acceptance
from swarmkeeper.services.listing import Listing, Page, Selection
from swarmkeeper.services.placer import Placer
from swarmkeeper.services.writers import Writers

LOG_BYTES_MAX = 4 * 2**20
"""As base64 within a function's answer of 6 MB."""


class Operations:
    """Admission, then the use cases. A container outside the caller's scope is one that isn't there."""

    def __init__(
        self,
        *,
        placer: Placer,
        acceptance: Acceptance,
        store: StateStore,
        clock: Clock,
        engines: Engines,
        admission: Admission,
        tenants: TenantSettings,
        needs: Needs,
        tell_pending: Callable[[int], None],
        tell_placement: Callable[[float], None],
    ) -> None:
        self._placer = placer
        self._acceptance = acceptance
        self._store = store
        self._writers = Writers(store=store, clock=clock)
        self._listing = Listing(store)
        self._engines = engines
        self._admission = admission
        self._tenants = tenants
        self._needs = needs
        self._tell_pending = tell_pending
        self._tell_placement = tell_placement

    def scope_of(self, caller_arn: str) -> Scope:
        return scope_of(caller_arn, self._tenants)

    def create(self, body: object, *, scope: Scope = EVERYONE, token: str = "") -> Container:
        """Place and start; tells how long it took, and the scaler when it has to wait. Raises SwarmkeeperError."""
        request = self._admission.admit(body, scope=scope, request_id=token)
        self._acceptance.check(request, meaning_of(body) if token else "")
        with self._writers.claimed(request):
            begun = time.perf_counter()
            container = self._placer.create(request)
            self._tell_placement(time.perf_counter() - begun)
        if container.state is ContainerState.PENDING:
            self._tell_pending(self._placer.pending_count())
        self._needs.after(container.state)
        return container

    def explain(self, body: object, *, scope: Scope = EVERYONE) -> Decision:
        """Where it would go now; nothing is reserved. Raises InvalidInput."""
        request: Request = self._admission.admit(body, scope=scope)
        self._acceptance.check_references(request)
        return self._placer.explain(request)

    def explain_anew(self, name: str, *, scope: Scope = EVERYONE) -> Decision | None:
        """Where a container would go if it were placed now; None for an unknown name."""
        found = self.container(name, scope=scope)
        return None if found is None else self._placer.explain_anew(found)

    def container(self, name: str, *, scope: Scope = EVERYONE) -> Container | None:
        found = self._store.container(ContainerName(name)) if NAME.fullmatch(name) else None
        return found if found is not None and scope.holds(found.request.tenant) else None

    def remove(self, name: str, *, scope: Scope = EVERYONE) -> Container | None:
        """Remove wherever it stands; returns its last record, None for an unknown name. Raises Conflict."""
        if not NAME.fullmatch(name) or (not scope.is_whole and self.container(name, scope=scope) is None):
            return None
        return self._placer.remove(ContainerName(name))

    def logs(self, name: str, *, tail: int, scope: Scope = EVERYONE) -> LogTail | None:
        """The end of its output; None for an unknown name. Raises Conflict when it is on no engine (yet)."""
        found = self.container(name, scope=scope)
        if found is None:
            return None
        node = None if found.node is None else self._store.node(found.node)
        text = None
        if node is not None:
            text = self._engines.logs(node, found.name, tail=tail, most_bytes=LOG_BYTES_MAX)
        if text is None:
            raise Conflict(
                f"{name} is {State.of(found.state)} and has no output yet: {found.reason or 'it is being made'}"
            )
        return text

    def page(self, selection: Selection, *, limit: int, after: str) -> Page:
        """Raises InvalidInput."""
        return self._listing.page(selection, limit=limit, after=after)

    def everything(self) -> tuple[tuple[Container, ...], tuple[Node, ...]]:
        """All containers and nodes, for the fleet's own programs."""
        return self._placer.listing()


def meaning_of(body: object) -> str:
    """What a token stands for: the body, however its members are ordered."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
