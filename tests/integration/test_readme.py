"""What the README shows works as it stands there."""

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from mastra_temporal.testing import worker_for

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.parity("new Mastra({workflows})")
async def test_the_program_of_the_readme(mastra_client: Client, capsys: Any):
    definition, use = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    names: dict[str, Any] = {"__name__": "readme"}
    exec(definition, names)
    exec(
        "async def use():\n" + textwrap.indent(use.replace("mastra.connect()", "mastra.connect(client)"), "    "), names
    )
    names["client"] = mastra_client
    async with worker_for(names["mastra"], mastra_client):
        await names["use"]()
    said = capsys.readouterr().out
    assert re.fullmatch(
        r"success \{'receipt': 'receipt for .*/charge', 'shelf': 'shelf 7 for A1'\} receipt for .*\n", said
    )
