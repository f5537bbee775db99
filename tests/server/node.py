"""Programs in Node: their packages are installed once, from the lock file. Without Node or network they are skipped."""

import asyncio
import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "client_js"
INSTALL = ("npm", "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund")


def installed_packages() -> None:
    """Install the packages that the programs use, unless they are there."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("there is no Node here")
    lock, done = FOLDER / "package-lock.json", FOLDER / "node_modules" / ".installed"
    with (FOLDER / ".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # several test processes may want it at once
        if done.exists() and done.read_bytes() == lock.read_bytes():
            return
        try:
            subprocess.run(INSTALL, cwd=FOLDER, check=True, capture_output=True, text=True, timeout=240)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            words = str(error.stderr or error).strip().splitlines()
            pytest.skip(f"npm could not install the packages: {words[0] if words else error}")
        shutil.copyfile(lock, done)


async def node(program: str, *arguments: str, **environment: str) -> str:
    """Run a program to its end, and give what it wrote. It fails with the test."""
    process = await asyncio.create_subprocess_exec(
        *("node", program, *arguments),
        cwd=FOLDER,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 100)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()
    return output.decode()
