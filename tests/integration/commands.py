"""Running our commands as a user does: a process of its own, in a folder that holds an app."""

import os
import pty
import runpy
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mastra_temporal import Mastra

ROOT = Path(__file__).parents[2]
CLI = "mastra_temporal.cli"
WORKER = "workers.main"

APP = """
import asyncio
from pathlib import Path

from mastra_temporal import Mastra, create_workflow, step


@step
async def greet(name: str) -> str:
    return f"Hello {name}"


@step
async def linger(seconds: float) -> str:
    Path("lingering").touch()
    await asyncio.sleep(seconds)
    return "finished"


greeting = create_workflow(id="greeting", input_schema=str, output_schema=str).then(greet).commit()
lingering = create_workflow(id="lingering", input_schema=float, output_schema=str).then(linger).commit()
mastra = Mastra(workflows=[greeting, lingering])
"""


def write_app(folder: Path) -> Mastra:
    """Write the app `app:mastra` into a folder, and load it as a client would."""
    (folder / "app.py").write_text(APP)
    return runpy.run_path(str(folder / "app.py"))["mastra"]


@dataclass
class Command:
    """A running command."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def output(self) -> str:
        """Everything it has written so far."""
        return self.log.read_text()

    def wait_for_output(self, text: str) -> None:
        wait_until(lambda: text in self.output or self.process.poll() is not None)
        assert text in self.output, self.output

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


@contextmanager
def running(module: str, *arguments: str, folder: Path, **environment: str) -> Generator[Command]:
    """A command that runs during the block, in a process group of its own."""
    log = folder / f"{module}-{time.monotonic_ns()}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            env=_environment(environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Command(process, log)
    finally:
        process.terminate()  # and not killed: it has processes of its own to end
        process.wait(timeout=30)


def run(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments to its end."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=_environment(environment),
        capture_output=True,
        text=True,
        timeout=230,  # the test has a bound of its own
    )


def in_terminal(arguments: list[str], answers: dict[str, str], folder: Path, environment: dict[str, str]) -> str:
    """Run a command in a terminal. Answer when the words appear, in this order. Return what was on the screen."""
    screen, keyboard = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", CLI, *arguments],
        cwd=folder,
        env=_environment({"TERM": "dumb", **environment}),
        stdin=keyboard,
        stdout=keyboard,
        stderr=keyboard,
        start_new_session=True,
    )
    os.close(keyboard)
    told, read = "", 0
    for words, text in answers.items():
        while words not in told[read:]:
            told += _read(screen, told)
        read = told.index(words, read) + len(words)
        os.write(screen, f"{text}\n".encode())
    with suppress(OSError):  # the command has closed its terminal
        while part := _read(screen, told):
            told += part
    assert process.wait(20) == 0, told
    os.close(screen)
    return told


def _read(screen: int, told: str) -> str:
    assert select.select([screen], [], [], 20)[0], told
    return os.read(screen, 4096).decode()


def assert_mistake(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """The command told a mistake: exit status 1 and one line on standard error."""
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert all(word in line for word in words), line


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def _environment(changes: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
    return {**kept, "PYTHONPATH": str(ROOT), "TEMPORAL_CONFIG_FILE": os.devnull, **changes}
