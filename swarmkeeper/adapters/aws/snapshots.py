"""Lambda SnapStart: what is done before a snapshot of a function is taken, and after it was restored.

A snapshot is restored hours later, and many times: nothing that ages, and nothing that must differ, may be in it. So
all is loaded once, and what was made on the way (clients with their connections and credentials, settings, secrets) is
let go of before the snapshot; each restored environment makes its own, from what is in memory by then.
"""

from __future__ import annotations

import gc
import os
import random
import ssl
from collections.abc import Callable, Mapping

from aws_lambda_powertools import Logger

from swarmkeeper.errors import SwarmkeeperError

VARIABLE, SNAPSHOTS = "AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start"
ENTROPY_BYTES = 64

logger = Logger(child=True)

Renewal = Callable[[], object]


def on_snapshots(
    environ: Mapping[str, str],
    *,
    prime: Callable[[], object],
    forget: Callable[[], None],
    renewals: tuple[Renewal, ...] = (),
) -> None:
    """Have the hooks called where Lambda takes snapshots; elsewhere nothing is done.

    `prime` makes what the first event needs, `forget` lets go of it; `renewals` are called after each restore.
    """
    if environ.get(VARIABLE) != SNAPSHOTS:
        return
    # Lambda's runtime brings it, and nothing else does.
    from snapshot_restore_py import (  # type: ignore[import-untyped]  # it has no types
        register_after_restore,
        register_before_snapshot,
    )

    register_before_snapshot(prepare, prime, forget)
    for renew in (renew_seeds, *renewals):
        register_after_restore(renew)


def prepare(prime: Callable[[], object], forget: Callable[[], None]) -> None:
    """Load all that the first event needs, and keep nothing of it that ages.

    A function that can't be wired while it is published (its network or settings may come later) is published all the
    same: its first event wires it, and tells whoever sent it what is wrong.
    """
    try:
        prime()
    except SwarmkeeperError as error:
        logger.warning("the snapshot is taken unprimed", exc_info=error)
    finally:
        forget()
        gc.collect()  # clients hold each other in circles; with them go connections and credentials


def renew_seeds() -> None:
    """Give this environment random numbers of its own.

    What asks the operating system each time (SystemRandom, uuid4, secrets) needs nothing; the generators of the module
    `random`, by which clients spread their retries, and of OpenSSL keep a state.
    """
    random.seed()
    ssl.RAND_add(os.urandom(ENTROPY_BYTES), ENTROPY_BYTES)
