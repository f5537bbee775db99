"""The built wheel is complete: a workflow runs from it alone."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from mastra_temporal.devserver import DevServer
from tests.integration.commands import APP, ROOT

pytestmark = [pytest.mark.any_cache, pytest.mark.timeout(180)]

PROGRAM = (
    APP
    + """

async def main() -> None:
    import sys
    import mastra_temporal
    from mastra_temporal.testing import worker_for
    from temporalio.client import Client

    print(mastra_temporal.__file__)
    async with worker_for(mastra, await Client.connect(sys.argv[1])):
        run = await mastra.get_workflow("greeting").create_run()
        print((await run.start(input_data="Ada")).result)
    await asyncio.sleep(0.05)  # lets the SDK's threads finish before the interpreter exits


asyncio.run(main())
"""
)


def check_output(*command: str | Path, folder: Path) -> str:
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    check_output(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT, folder=folder)
    (path,) = folder.glob("mastra_temporal-*.whl")
    return path


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"mastra_temporal"}
    assert "mastra_temporal/py.typed" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_a_workflow_runs_from_the_wheel(wheel: Path, mastra_server: DevServer, tmp_path: Path):
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python)
    check_output(*pip, "install", "--no-deps", "--no-index", wheel, folder=tmp_path)
    # The dependencies are those of this environment; of ours it sees only the wheel, which comes first.
    (site_packages,) = environment.glob("lib/python*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    (tmp_path / "program.py").write_text(PROGRAM)
    origin, greeting = check_output(python, "program.py", mastra_server.address, folder=tmp_path).splitlines()
    assert Path(origin).is_relative_to(environment)
    assert greeting == "Hello Ada"
    assert "worker" in check_output(environment / "bin" / "mastra-temporal", "--help", folder=tmp_path)
    check_output(environment / "bin" / "mastra-temporal", "init", "shop", folder=tmp_path)
    assert {"orders.py", "test_orders.py", "compose.yaml"} <= {file.name for file in (tmp_path / "shop").iterdir()}
