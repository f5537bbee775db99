"""What steps really did: an append-only file outside Temporal, which outlives every process."""

import contextlib
import json
import os
import time
import uuid
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Journal:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "journal"

    def write(self, **line: Any) -> None:
        # One write of one line to a file opened for appending: lines of many processes do not mix.
        descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, (json.dumps({**line, "at": time.time(), "pid": os.getpid()}) + "\n").encode())
        os.close(descriptor)

    @contextlib.contextmanager
    def attempt(self, ctx: Any) -> Generator["Note", None, None]:
        note = Note(self, ctx.idempotency_key, uuid.uuid4().hex)
        note.note("start")
        try:
            yield note
        except BaseException as error:
            note.note("stop", why=type(error).__name__)
            raise
        note.note("end")

    async def callback(self, info: Any) -> None:
        self.write(callback=info.run_id)

    def attempts(self) -> dict[str, list["Attempt"]]:
        """The attempts of all steps, by idempotency key, in the order of their beginning."""
        found: dict[str, dict[str, Attempt]] = {}
        for line in map(json.loads, self.file.read_text().splitlines() if self.file.exists() else ()):
            if "attempt" in line:
                known = found.setdefault(line["key"], {})
                known.setdefault(line["attempt"], Attempt(line["pid"], line["at"])).events[line["what"]] = line["at"]
        return {key: sorted(attempts.values(), key=lambda item: item.began) for key, attempts in found.items()}


@dataclass
class Note:
    journal: Journal
    key: str
    attempt: str

    def note(self, what: str, **more: Any) -> None:
        self.journal.write(key=self.key, attempt=self.attempt, what=what, **more)


@dataclass
class Attempt:
    """One execution of a step's body."""

    pid: int
    began: float
    events: dict[str, float] = field(default_factory=dict)
    """When it heard of an abort, ended or was stopped."""

    def over_at(self, killed: dict[int, float]) -> float:
        """When it was over, or at least had been told to be."""
        ends = [at for what, at in self.events.items() if what != "start"]
        return min([*ends, killed.get(self.pid, float("inf"))])
