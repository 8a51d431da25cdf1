"""The options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmkeeper.cli.completion import container_names, decision_names, node_names, pool_names

FleetOption = Annotated[
    str | None, typer.Option("--fleet", help="The fleet's name; the local cloud's when it is left out.")
]
ApiOption = Annotated[
    str | None, typer.Option("--api", help="The API's address; by default what the fleet's stack tells.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

NewNameArgument = Annotated[str, typer.Argument(help="The container's name, unique in the fleet.")]
NameArgument = Annotated[str, typer.Argument(help="The container's name.", autocompletion=container_names)]
NamesArgument = Annotated[list[str], typer.Argument(help="The containers' names.", autocompletion=container_names)]
NodeArgument = Annotated[str, typer.Argument(help="The node's id.", autocompletion=node_names)]
DecisionArgument = Annotated[
    str | None,
    typer.Argument(
        help="The decision's id, as history shows it; the newest's if left out.", autocompletion=decision_names
    ),
]
PoolOption = Annotated[str | None, typer.Option("--pool", help="Only this pool's.", autocompletion=pool_names)]
ImageArgument = Annotated[str, typer.Argument(help="The image's reference.")]
CommandArgument = Annotated[list[str] | None, typer.Argument(help="Its command, instead of the image's own.")]

CpusOption = Annotated[str, typer.Option(help="CPUs to reserve, e.g. 0.5 or 500m.")]
MemoryOption = Annotated[str, typer.Option("--memory", "-m", help="Memory to reserve, e.g. 256MiB.")]
GpusOption = Annotated[int, typer.Option(min=0, help="GPUs to reserve.")]
EnvOption = Annotated[list[str] | None, typer.Option("--env", "-e", help="KEY=VALUE; may be repeated.")]
LabelOption = Annotated[list[str] | None, typer.Option("--label", "-l", help="KEY=VALUE; may be repeated.")]
ConstraintOption = Annotated[
    list[str] | None,
    typer.Option("--constraint", help="Which nodes, e.g. pool==workers or zone!=~a; may be repeated."),
]
AffinityOption = Annotated[
    list[str] | None,
    typer.Option("--affinity", help="Beside which containers or images, e.g. container!=web-*; may be repeated."),
]
PublishOption = Annotated[
    list[str] | None,
    typer.Option("--publish", "-p", help=r"\[\[IP:]HOST:]CONTAINER\[/udp], where the fleet allows host ports."),
]
VolumeOption = Annotated[
    list[str] | None,
    typer.Option("--volume", "-v", help=r"NAME:/PATH\[:ro], a named volume on the container's node; may be repeated."),
]
SharedVolumeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--shared-volume",
        help=r"NAME:/PATH\[:ro], a volume that follows the container, who is its one writer; may be repeated.",
    ),
]
VolumesFromOption = Annotated[
    list[str] | None,
    typer.Option("--volumes-from", help=r"NAME\[:ro], on whose node it is placed; may be repeated."),
]
LinkOption = Annotated[
    list[str] | None,
    typer.Option("--link", help=r"NAME\[:ALIAS], a container on whose node it is placed; may be repeated."),
]
NetworkOption = Annotated[
    str, typer.Option(help="container:NAME, to share another's network, instead of the fleet's; host, where allowed.")
]
TenantOption = Annotated[str | None, typer.Option(help="The tenant it is for.")]
MovableOption = Annotated[bool, typer.Option("--movable", help="May be moved to another node when its node leaves.")]
ExpiresOption = Annotated[str | None, typer.Option(help="Give up when it still waits after this time, e.g. 30m.")]
TtlOption = Annotated[str | None, typer.Option(help="Remove it this long after its start, e.g. 12h.")]
IdleOption = Annotated[str | None, typer.Option(help="Remove it after this time without network traffic, e.g. 2h.")]
