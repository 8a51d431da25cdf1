"""Instances that somebody runs by hand, and the images that are made of them: how an AMI is baked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from moto.core.responses import ActionResult
from moto.ec2.models.amis import Ami
from moto.ec2.models.instances import Reservation
from moto.ec2.responses.amis import AmisResponse
from moto.ec2.responses.instances import InstanceResponse

from local.aws.instances import Ec2Machines
from local.aws.patching import Patches, Request, as_action
from local.machines import MachineError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Builders:
    """RunInstances and CreateImage with machines behind them."""

    machines: Ec2Machines

    def install(self, patches: Patches) -> None:
        """Serve the actions from moto's response classes."""
        patches.replace(InstanceResponse, "run_instances", as_action(self._run(InstanceResponse.run_instances)))
        patches.replace(AmisResponse, "create_image", as_action(self._create(AmisResponse.create_image)))

    def _run(self, original: Callable[[InstanceResponse], ActionResult]) -> Callable[[Request], object]:
        """RunInstances: pending until the machine has started."""

        def run_instances(request: Request) -> object:
            response = cast(InstanceResponse, request.response)
            answer = original(response)
            if response.ec2_backend is self.machines.ec2:
                made = cast(Reservation, answer.result)
                for instance in made.instances:
                    self.machines.boot(instance)
            return answer

        return run_instances

    def _create(self, original: Callable[[AmisResponse], ActionResult]) -> Callable[[Request], object]:
        """CreateImage: pending until the disk has been read; failed where it can't be."""

        def create_image(request: Request) -> object:
            response = cast(AmisResponse, request.response)
            answer = original(response)
            if response.ec2_backend is self.machines.ec2:
                image = self.machines.ec2.amis[cast(dict[str, Any], answer.result)["ImageId"]]
                image.state = "pending"
                self.machines.submit(lambda: self._capture(image))
            return answer

        return create_image

    def _capture(self, image: Ami) -> None:
        try:
            self.machines.machines.capture(str(image.instance_id), image.id)
        except MachineError as error:
            logger.warning("no image was made: %s", error)
            image.state = "failed"
        else:
            image.state = "available"
