"""What happens during a case, in files: the log and the gates are shared with worker processes that get killed."""

import json
import os
from pathlib import Path
from typing import Any, Literal

Kind = Literal["calls", "notes", "callbacks"]


class CaseLog:
    """The folder of one case: an append-only log, one JSON line per entry, and an empty file per open gate."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "log.jsonl"
        self._file.touch()

    def add(self, kind: Kind, value: Any) -> None:
        line = json.dumps([kind, value]).encode() + b"\n"
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def size(self) -> int:
        return self._file.stat().st_size

    def since(self, start: int = 0) -> dict[Kind, list[Any]]:
        """The entries from a byte position on, by kind; kinds without entries are left out."""
        found: dict[Kind, list[Any]] = {}
        with self._file.open("rb") as file:
            file.seek(start)
            for line in file:
                kind, value = json.loads(line)
                found.setdefault(kind, []).append(value)
        return found

    def calls(self) -> list[str]:
        return self.since().get("calls", [])

    def open_gate(self, gate: str) -> None:
        (self.folder / f"{gate}.gate").touch()

    def gate_is_open(self, gate: str) -> bool:
        return (self.folder / f"{gate}.gate").exists()
