"""`WorkflowSettings`: the arguments of `create_workflow`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mastra_temporal._data.schema import Schema
from mastra_temporal._definition.options import RetryConfig, StepOptions, WorkflowOptions
from mastra_temporal._definition.schedule import ScheduleConfig

__all__ = ["WorkflowSettings"]


@dataclass(frozen=True)
class WorkflowSettings:
    """The checked arguments of `create_workflow`."""

    id: str
    input_schema: Schema | None = None
    output_schema: Schema | None = None
    state_schema: Schema | None = None
    request_context_schema: Schema | None = None
    description: str | None = None
    metadata: dict[str, Any] | None = None
    retry_config: RetryConfig = field(default_factory=RetryConfig)
    step_options: StepOptions | None = None
    options: WorkflowOptions = field(default_factory=WorkflowOptions)
    schedules: tuple[ScheduleConfig, ...] = ()
