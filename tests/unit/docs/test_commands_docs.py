"""Every command that the documents show is one that there is: its options and arguments too."""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import Any

import pytest
import typer
from awscli.customizations.argrename import ARGUMENT_RENAMES  # type: ignore[import-untyped]  # it has no types
from botocore import xform_name
from botocore.model import ServiceModel
from botocore.session import Session

from swarmkeeper.cli.bench import Measurements
from swarmkeeper.cli.main import app
from tests.unit.docs.shell import CHECKED, NOT_RUN, PAGES, ROOT, Command, all_commands, blocks, commands, marked, split

USAGE: type[Exception] = typer.BadParameter.__base__  # type: ignore[assignment]  # typer carries click inside
UNFINISHED = frozenset({"MissingParameter", "MissingArgument", "NoArgsIsHelpError", "BadOptionUsage"})
"""What is only named, inside a sentence, needs no arguments."""
ANSWERS = frozenset({"--help", "--install-completion", "--show-completion"})
"""Options of every command, or of the program, that answer at once."""
GENERAL = frozenset({"--output", "--profile", "--query", "--region"})
"""Options of the AWS command line itself."""
OWN_OPERATIONS = frozenset({("ecr", "get-login-password")})
"""What the AWS command line adds to the models."""
STANDING_FOR = {"C": "1", "FILE": "README.md", "FILE.jsonl.gz": "README.md", "N": "1", "S": "plain", "T": "spread"}
"""What is typed for a word that stands for a number, a file that there is, a scenario or a strategy."""


def of(program: str) -> list[Command]:
    return [each for each in all_commands() if each.program == program]


def ids(command: Command) -> str:
    return str(command)


def wrong_with(command: Command) -> str:
    """What the command line would refuse of it, without doing it; empty when nothing."""
    words = [STANDING_FOR.get(word, word) for word in command.arguments if word not in ANSWERS]
    if not words:
        return ""
    try:
        parse(words)
    except USAGE as error:
        is_named = not command.is_whole or "--help" in command.arguments
        return "" if is_named and type(error).__name__ in UNFINISHED else f"{type(error).__name__}: {error}"
    return ""


def listed_only(group: Any, context: Any) -> list[str]:
    """Commands that are imported only when they are asked for: without options their names are enough."""
    return group.list_commands(context) if isinstance(group, Measurements) else []


def parse(words: list[str]) -> None:
    """Read a command line as the program does, down to the command's own options; nothing is called."""
    at: Any = typer.main.get_command(app)
    context = at.make_context("swarmkeeper", words)
    while hasattr(at, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        if not rest or (rest[1:] == [] and rest[0] in listed_only(at, context)):
            return
        name, at, rest = at.resolve_command(context, rest)
        context = at.make_context(name, rest, parent=context)


@cache
def model_of(service: str) -> ServiceModel | None:
    session = Session()
    return session.get_service_model(service) if service in session.get_available_services() else None


def renamed(service: str, operation: str, option: str) -> str:
    """The option's name in the model, where the command line has another for it."""
    for place, shown in ARGUMENT_RENAMES.items():
        *where, name = place.split(".")
        if where in ([service, operation], ["*", operation], [service, "*"]) and option == f"--{shown}":
            return f"--{name}"
    return option


def wrong_with_aws(command: Command) -> str:
    """What of it AWS's models don't know; empty when nothing."""
    service, operation, *rest = command.arguments
    model = model_of(service)
    if model is None:
        return f"no service {service}"
    names = {xform_name(name, "-"): name for name in model.operation_names}
    if (service, operation) in OWN_OPERATIONS:
        return ""
    if operation not in names:
        return f"no operation {operation}"
    shape = model.operation_model(names[operation]).input_shape
    known = {f"--{xform_name(name, '-')}" for name in shape.members} if shape else set()
    needed = {f"--{xform_name(name, '-')}" for name in shape.required_members} if shape else set()
    typed = [renamed(service, operation, each) for each in rest if each.startswith("--")]
    given = {each if each in known else each.replace("--no-", "--", 1) for each in typed}
    unknown, missing = sorted(given - known - GENERAL), sorted(needed - given)
    return f"no options {unknown}" if unknown else f"{missing} are missing" if missing and command.is_whole else ""


@pytest.mark.parametrize("command", of("swarmkeeper"), ids=ids)
def test_a_shown_command_is_one_that_the_command_line_takes(command: Command) -> None:
    assert wrong_with(command) == ""


@pytest.mark.parametrize("command", of("make"), ids=ids)
def test_a_shown_target_is_in_the_makefile(command: Command) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    wanted = [word for word in command.arguments if "=" not in word]
    assert wanted
    assert set(wanted) <= set(targets)


@pytest.mark.parametrize("command", of("aws"), ids=ids)
def test_a_shown_call_of_aws_is_in_its_models(command: Command) -> None:
    assert wrong_with_aws(command) == ""


def test_a_program_is_checked_or_stands_in_the_table_of_those_that_are_not() -> None:
    strange = [str(each) for each in all_commands() if each.program not in CHECKED | NOT_RUN.keys()]
    assert strange == []


def test_a_module_that_is_shown_to_be_run_is_there() -> None:
    found = [each for each in of("python") if "-m" in each.arguments]
    modules = [each.arguments[each.arguments.index("-m") + 1] for each in found]
    ours = [name for name in modules if name not in sys.stdlib_module_names and not name.startswith("http.")]
    missing = [name for name in ours if not (ROOT / f"{name.replace('.', '/')}.py").is_file()]
    assert missing == []


def test_a_mark_gives_a_reason_and_stands_before_a_block() -> None:
    marks = sum(
        line.startswith("<!-- not run") for page in PAGES for line in (ROOT / page).read_text("utf-8").splitlines()
    )
    assert marks == len(marked())
    assert all(len(reason.split()) > 1 for _, _, reason in marked())


PAGE = """
Type `swarmkeeper ps
--json` and then:

    eval "$(swarmkeeper local env)"
    .venv/bin/swarmkeeper run web nginx \\
        --cpus 1    # a comment
    make demo && make test

Another block:

    {"a": "swarmkeeper nonsense"}

<!-- not run: needs an account -->

    swarmkeeper nonsense

```
swarmkeeper local up [--engines real|simulated]   what it does
```
"""


def test_commands_are_found_in_blocks_fences_and_sentences() -> None:
    found = [(each.line, " ".join(each.words), each.is_whole) for each in commands("page", PAGE)]
    assert found == [
        (5, "eval $(swarmkeeper local env)", True),
        (6, ".venv/bin/swarmkeeper run web nginx --cpus 1", True),
        (8, "make demo", True),
        (8, "make test", True),
        (19, "swarmkeeper local up --engines real", True),
        (2, "swarmkeeper ps --json", False),
    ]
    assert [block.reason for block in blocks(PAGE) if block.reason] == ["needs an account"]


def test_a_command_inside_an_assignment_is_found() -> None:
    assert list(split("API=$(aws sts get-caller-identity)")) == [("aws", "sts", "get-caller-identity")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param("swarmkeeper nosuch", "No such command", id="no such command"),
        pytest.param("swarmkeeper local nosuch", "No such command", id="no such command of a group"),
        pytest.param("swarmkeeper run web nginx --nosuch", "No such option", id="no such option"),
        pytest.param("swarmkeeper run web", "MissingParameter", id="an argument is missing"),
        pytest.param("swarmkeeper rm", "MissingParameter", id="all arguments are missing"),
        pytest.param("swarmkeeper ps extra", "extra argument", id="one too many"),
        pytest.param("swarmkeeper run web nginx --gpus two", "BadParameter", id="not a number"),
    ],
)
def test_what_the_command_line_would_refuse_is_found(words: str, said: str) -> None:
    assert said in wrong_with(Command("page", 1, tuple(words.split()), is_whole=True))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param("aws nosuch list", "no service", id="service"),
        pytest.param("aws sqs nosuch", "no operation", id="operation"),
        pytest.param("aws sqs purge-queue --queue-url u --nosuch", "no options", id="option"),
        pytest.param("aws sqs purge-queue", "are missing", id="missing"),
    ],
)
def test_what_aws_does_not_know_is_found(words: str, said: str) -> None:
    assert said in wrong_with_aws(Command("page", 1, tuple(words.split()), is_whole=True))
