"""Record the session of docs/cli.md: ``python -m docs.cli_session`` runs the commands and writes what they print.

What differs between two recordings is replaced: times, process ids, hosts and ports.
"""

import asyncio
import os
import re
import shlex
import sys
import tempfile
import time
from pathlib import Path

from mastra_temporal.devserver import DevServer, start_dev_server
from tests.integration.commands import CLI, Command, in_terminal, run, running

PAGE = Path(__file__).parent / "cli.md"
APP = "examples.shop:mastra"


class Session:
    """A terminal whose screen is kept."""

    def __init__(self, server: DevServer, folder: Path) -> None:
        self.screen: list[str] = []
        self.environment = {"TEMPORAL_ADDRESS": server.address, "TEMPORAL_NAMESPACE": server.namespace}
        self.folder = folder

    def say(self, text: str) -> None:
        """Write a sentence between two blocks of the session."""
        self.screen.append(f"```\n\n{text}\n\n```console" if self.screen else f"{text}\n\n```console")

    def type(self, command: str) -> None:
        """Run a command and keep what it prints, with its exit status if that is not 0."""
        done = run("-m", CLI, *shlex.split(command), folder=self.folder, **self.environment)
        status = f"\n$ echo $?\n{done.returncode}" if done.returncode else ""
        printed = "\n".join(part.rstrip() for part in (done.stdout, done.stderr) if part.strip())
        self.screen.append(f"$ mastra-temporal {command}\n{printed}{status}")

    def answer(self, command: str, answers: dict[str, str]) -> None:
        """Run a command in a terminal and answer its questions."""
        told = in_terminal(shlex.split(command), answers, self.folder, self.environment)
        self.screen.append(f"$ mastra-temporal {command}\n" + told.replace("\r\n", "\n").rstrip())

    def text(self) -> str:
        """Return the session without what differs between two recordings."""
        text = "\n".join(self.screen) + "\n```"
        for pattern, shown in (
            (r"127\.0\.0\.1:\d+", "127.0.0.1:7233"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "2026-01-31 12:00:00 UTC"),
            (r"\d\d:\d\d:\d\d UTC", "12:00:00 UTC"),
            (r"\d+@[\w.-]+", "12@worker-1"),
            (r"\b\d+\.\d s\b", "0.1 s"),
            (r"(\d+/\d+) \d:\d\d:\d\d$", r"\1 0:00:01"),
            (r'"stepCallId": "[^"]+"', '"stepCallId": "c0ffee"'),
            (r"\b\d{13}\b", "1769860800000"),
            (r"[ \t]+$", ""),
        ):
            text = re.sub(pattern, shown, text, flags=re.M)
        return text


def record(session: Session, worker: Command) -> None:
    """Play the session."""
    session.say("A run waits for a person. Its steps, and what they wait for, are read from the server alone.")
    session.type(
        f"""start orders --app {APP} --run-id order-1 --resource ann --data '{{"item": "tea", "total": 0.1}}'"""
    )
    session.type("show order-1")
    session.say("By hand, `resume` asks for what the step's resume schema wants.")
    session.answer(
        f"resume order-1 --app {APP}",
        {"approved (": "perhaps", "Answer y or n": "y", "priority (": "high", "note (": ""},
    )
    session.say("The text that steps write comes as it is written.")
    session.type(f"""start letters --app {APP} --run-id letter-1 --data '{{"prompt": "thank you."}}' --no-wait""")
    session.type("show letter-1 --follow")
    session.say("A wrong answer is refused and changes nothing. Every error is one line.")
    session.type(f"""start orders --app {APP} --run-id order-2 --data '{{"item": "coffee", "total": 0}}'""")
    session.type("""resume order-2 --data '{"approved": "perhaps"}'""")
    session.type("show order-3")
    session.say("Programs read JSON, and the graph is text or Mermaid.")
    session.type("events order-2 --from 4 --json")
    session.type(f"graph orders --app {APP} --format mermaid")
    session.say("A worker is killed in the middle of a step (`kill -9`). `doctor` finds it, and what else is wrong.")
    session.type(f"""start orders --app {APP} --run-id order-4 --data '{{"item": "cake", "total": 2}}' --no-wait""")
    time.sleep(1)  # the step has begun
    worker.process.kill()
    worker.process.wait()
    session.type("doctor")


def record_recovery(session: Session) -> None:
    """Play what happens with the next worker."""
    session.say(
        "With another worker up, one command continues all such runs. Before a deploy, `replay` checks the code."
    )
    session.type(f"restart --all --app {APP}")
    session.type("show order-4")
    session.type(f"replay --app {APP} --newest 4")
    session.say("The rest is tidied up.")
    session.type("time-travel order-1 approve")
    session.type("cancel order-2")
    session.type("terminate order-4")
    session.type("delete letter-1 --yes")


async def main() -> None:
    """Record the session and write it into the page."""
    os.environ["COLUMNS"] = "120"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with start_dev_server() as server:
            session = Session(server, folder)
            await asyncio.to_thread(play, session, folder)
    before, _, rest = PAGE.read_text().partition("<!-- session -->\n")
    after = rest.partition("<!-- /session -->")[2]
    PAGE.write_text(f"{before}<!-- session -->\n{session.text()}\n<!-- /session -->{after}")


def play(session: Session, folder: Path) -> None:
    """Play the whole session with two workers, one after the other."""
    with running(CLI, "worker", "--app", APP, folder=folder, **session.environment) as worker:
        worker.wait_for_output("task queue mastra")
        record(session, worker)
    with running(CLI, "worker", "--app", APP, folder=folder, **session.environment) as worker:
        worker.wait_for_output("task queue mastra")
        record_recovery(session)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
