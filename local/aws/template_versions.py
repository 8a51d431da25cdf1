"""Versions of launch templates that are made from others: what a new one doesn't say it has from its source."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from moto.core.responses import ActionResult
from moto.ec2.responses.launch_templates import LaunchTemplates

from local.aws.patching import Patches, Request, as_action

Original = Callable[[LaunchTemplates], ActionResult]


def install(patches: Patches) -> None:
    """Serve CreateLaunchTemplateVersion with SourceVersion, which moto leaves out of account."""
    made = _made_from_source(LaunchTemplates.create_launch_template_version)
    patches.replace(LaunchTemplates, "create_launch_template_version", as_action(made))


def _made_from_source(original: Original) -> Callable[[Request], object]:
    def create(request: Request) -> object:
        response = cast(LaunchTemplates, request.response)
        answer = original(response)
        source = request.text("SourceVersion")
        if source:
            name, id_ = request.text("LaunchTemplateName"), request.text("LaunchTemplateId")
            ec2 = response.ec2_backend
            template = ec2.get_launch_template(id_) if id_ else ec2.get_launch_template_by_name(name)
            made = template.versions[-1]
            # In place: the answer shows the same object.
            given = dict(made.data)
            made.data.update(template.get_version(source).data)
            made.data.update(given)
        return answer

    return create
