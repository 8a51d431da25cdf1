"""Docker engines and the Swarm, over the Engine API with mutual TLS."""

from swarmkeeper.adapters.engine.clients import EngineClients
from swarmkeeper.adapters.engine.engines import DockerEngines
from swarmkeeper.adapters.engine.identity import ClientIdentity
from swarmkeeper.adapters.engine.swarm import DockerSwarm
from swarmkeeper.adapters.engine.timeouts import Timeouts

__all__ = ["ClientIdentity", "DockerEngines", "DockerSwarm", "EngineClients", "Timeouts"]
