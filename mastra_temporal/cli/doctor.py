"""``mastra-temporal doctor``: looks for faults of the connection, the server, the workers and open runs."""

from __future__ import annotations

import typer
from rich.text import Text

from mastra_temporal.cli.checks import Finding, Patient, examine
from mastra_temporal.cli.exit_status import NegativeAnswerError
from mastra_temporal.cli.output import line, print_json, styled
from mastra_temporal.cli.running import run
from mastra_temporal.cli.target import Address, App, AsJson, Namespace, Target, TaskQueue
from mastra_temporal.errors import ConfigurationError, MastraError, ServerUnreachableError

__all__ = ["commands"]

commands = typer.Typer()


@commands.command()
def doctor(
    app: App = None,
    address: Address = None,
    namespace: Namespace = None,
    task_queue: TaskQueue = None,
    as_json: AsJson = False,
) -> None:
    """Look for faults of the connection, the server, the workers and open runs. Works with the server alone.

    Each fault has its remedy. The exit status is 3 if there are any.
    """
    target = Target(app, address, namespace, task_queue)

    async def command() -> None:
        findings = await _examine(target)
        if as_json:
            print_json({"findings": findings})
        else:
            for finding in findings:
                _print(finding)
        faults = sum(finding.status == "fault" for finding in findings)
        if faults:
            raise NegativeAnswerError(f"found {faults} {'fault' if faults == 1 else 'faults'} {target}")

    raise typer.Exit(run(command(), target))


async def _examine(target: Target) -> list[Finding]:
    try:
        mastra = await target.connect()
    except ServerUnreachableError as error:
        return [Finding(check="connection", status="fault", what=str(error), remedy=_CONNECTION)]
    except ConfigurationError as error:
        return [Finding(check="configuration", status="fault", what=str(error), remedy=_CONFIGURATION)]
    except MastraError as error:
        return [Finding(check="app", status="fault", what=str(error), remedy=_CONFIGURATION)]
    return await examine(Patient(mastra.client, target.task_queue))


_CONNECTION = (
    "Check that the server is up and that the address is right. A server with TLS needs TEMPORAL_TLS=true, and its "
    "certificate must be valid for the address; see `temporal operator cluster health`."
)
_CONFIGURATION = "Correct the setting that the message names."


def _print(finding: Finding) -> None:
    line(Text.assemble(styled(f"{finding.status:8}"), f"{finding.check:18} {' '.join(finding.what.split())}"))
    if finding.remedy:
        line(f"{'':8}{'':18} {finding.remedy}")
