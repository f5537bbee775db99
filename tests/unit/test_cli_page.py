"""docs/cli.md names every command and every exit status."""

import re
from pathlib import Path

from mastra_temporal.cli.commands import application
from mastra_temporal.cli.exit_status import ExitStatus

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()


def test_every_exit_status_is_in_the_table():
    rows = {int(number) for number in re.findall(r"^\| (\d+) \|", PAGE, flags=re.M)}
    assert rows == {int(status) for status in ExitStatus}


def test_every_command_is_on_the_page():
    families = [group.typer_instance for group in application.registered_groups if group.typer_instance]
    commands = [command for family in (application, *families) for command in family.registered_commands]
    names = [
        command.name or str(command.callback and command.callback.__name__).replace("_", "-") for command in commands
    ]
    assert len(names) > 15
    assert [name for name in names if f"`{name}" not in PAGE and f", `{name}`" not in PAGE] == []
