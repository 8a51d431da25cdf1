"""The reconciler function: on its schedule it emits the fleet's metrics and has lost events made good.

Called with `{"rebuild": true}` it records a shard of the fleet anew from what lives; nothing else makes it do so. With
`{"reconcile": true}` it looks at once, at every engine too, and answers what it has found. With `{"recover": POOL}` it
orders the recovery of a Swarm whose managers are all lost.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.reconciler.answering import answered
from functions.reconciler.calls import direct_call
from functions.reconciler.ticking import tick
from functions.reconciler.wiring import Wired, build
from swarmkeeper.adapters.aws.snapshots import on_snapshots

logger = Logger()


@cache
def wired() -> Wired:  # built on the first event, kept while the environment is warm
    return build(os.environ)


on_snapshots(os.environ, prime=wired, forget=wired.cache_clear)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any] | None:
    """Serve the schedule, or who asks for a look, a rebuild or a recovery."""
    call = direct_call(event)
    if call is None:
        tick(wired())
        return None
    return answered(call, wired())
