"""What is looked up before a request is placed: that its token is its own, and that what it refers to is there."""

from __future__ import annotations

from swarmkeeper.domain.model import ContainerName, ContainerState, Request
from swarmkeeper.domain.placement.wish import dependencies_of
from swarmkeeper.errors import InvalidInput, TokenReused
from swarmkeeper.ports import Clock, StateStore

TOKEN_KEPT_S = 24 * 3600.0


class Acceptance:
    """Reads and at most one write; a request with neither token nor references costs nothing."""

    def __init__(self, store: StateStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def check(self, request: Request, meaning: str = "") -> None:
        """Raises InvalidInput for a reference to what isn't the tenant's, TokenReused.

        `meaning` is what the request's token (its id) stands for, the same for the same body.
        """
        self.check_references(request)
        if request.id:
            self._check_token(request, meaning)

    def check_references(self, request: Request) -> None:
        """Links, volumes-from and `container:` name containers of the same tenant. Raises InvalidInput.

        One answer for what isn't there and what is another's: nobody learns of other tenants' containers.
        """
        for name in dependencies_of(request.rules):
            found = self._store.container(ContainerName(name))
            if found is None or found.request.tenant != request.tenant or found.state is ContainerState.REMOVING:
                raise InvalidInput("HostConfig", f"tenant {request.tenant} has no container {name} to refer to")

    def _check_token(self, request: Request, meaning: str) -> None:
        """The token stands for this body alone, from its first use on for a day."""
        now = self._clock.now()
        token = f"{request.tenant}/{request.id}"
        if self._store.claim(token, meaning, now=now, expires_at=now + TOKEN_KEPT_S) != meaning:
            raise TokenReused("the idempotency key was given before, with another request")
