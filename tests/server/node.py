"""Programs in Node: their packages are installed once, from the lock file. Without Node or network they are skipped."""

import asyncio
import fcntl
import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "client_js"
INSTALL = ("npm", "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund")


def installed_packages() -> None:
    """Install the packages that the programs use, unless they are there."""
    if (hindrance := _install()) is not None:
        pytest.skip(hindrance)


@functools.cache  # a registry that does not answer is asked once, not by each test
def _install() -> str | None:
    """Install the packages; what is in the way, if something is."""
    if not (shutil.which("node") and shutil.which("npm")):
        return "there is no Node here"
    lock, done = FOLDER / "package-lock.json", FOLDER / "node_modules" / ".installed"
    with (FOLDER / ".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # several test processes may want it at once
        if done.exists() and done.read_bytes() == lock.read_bytes():
            return None
        try:
            subprocess.run(INSTALL, cwd=FOLDER, check=True, capture_output=True, text=True, timeout=90)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            lines = str(error.stderr or error).strip().splitlines()
            return f"npm could not install the packages: {next((line for line in lines if 'error' in line), error)}"
        shutil.copyfile(lock, done)
    return None


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
