"""What a type checker says about programs that use the package."""

import json
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def test_right_programs_are_accepted_and_mistakes_are_seen():
    """The comments of `wrong.py` state the errors; one that the checker does not find is reported as unnecessary."""
    files = [str(FOLDER / name) for name in ("right.py", "wrong.py")]
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", *files]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=55).stdout)
    assert report["summary"]["filesAnalyzed"] == len(files)
    assert [
        f"{Path(item['file']).name}, line {item['range']['start']['line'] + 1}: {item['message']}"
        for item in report["generalDiagnostics"]
    ] == []
