"""The graph of a workflow as data: what is recorded in a run's history and what the interpreter walks.

The shape is Mastra's ``serializedStepGraph``. What only execution needs (retries, timeouts, structured mappings) is
kept apart under the key ``temporal`` of an entry and left out of the public ``serialized_step_graph``.

User functions are not data. The graph refers to them (``temporal``) by id: ``<step>-condition``, ``<map>``,
``<map>.<key>``, ``<sleep>``, ``<step>-concurrency``. Where the user gave the entry no ``id``, the fingerprint of the
function stands beside it: the worker runs that function, and no other that has the same id by now.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from mastra_temporal._protocol.model import CamelModel

__all__ = [
    "Body",
    "CallbackName",
    "ConditionalEntry",
    "Display",
    "Entry",
    "ForeachEntry",
    "FunctionInfo",
    "FunctionRef",
    "LoopEntry",
    "MapSource",
    "MappingEntry",
    "NestedEntry",
    "ParallelEntry",
    "SleepEntry",
    "SleepUntilEntry",
    "StepEntry",
    "StepInfo",
    "StepPlan",
    "WorkflowGraph",
    "WorkflowPlan",
]


CallbackName = Literal["on_start", "on_finish", "on_error"]
"""The callbacks that a workflow may have."""


class GraphModel(CamelModel):
    """Base of the graph's models: never changed once made."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)


class Display(GraphModel):
    """What an entry may carry for its readers; no effect on execution."""

    description: str | None = None
    metadata: dict[str, Any] | None = None


class BaseEntry(Display):
    """What can be asked of every kind of entry."""

    @property
    def bodies(self) -> list[StepEntry | NestedEntry]:
        """The steps and nested workflows that the entry runs."""
        return []

    @property
    def result_ids(self) -> list[str]:
        """The ids under which the results of the entry are kept."""
        return [body.body_id for body in self.bodies]


class StepPlan(GraphModel):
    """How a step is executed. Times are milliseconds; what is None takes the default."""

    retries: int | None = None
    start_to_close_timeout: int | None = None
    schedule_to_close_timeout: int | None = None
    heartbeat_timeout: int | None = None
    task_queue: str | None = None
    backoff_coefficient: float | None = None
    maximum_interval: int | None = None
    non_retryable_error_types: list[str] | None = None
    max_lost_attempts: int | None = None
    """0 for any number."""


class StepInfo(Display):
    """A step as the graph shows it."""

    id: str
    component: str | None = None
    component_id: str | None = None
    """The id of the agent or tool that the step was made of."""
    can_suspend: bool = False


class StepEntry(GraphModel):
    """A single step."""

    type: Literal["step"] = "step"
    step: StepInfo
    plan: StepPlan = Field(default=StepPlan(), validation_alias="temporal", serialization_alias="temporal")

    @property
    def body_id(self) -> str:
        """The id under which the step's results are kept."""
        return self.step.id

    @property
    def bodies(self) -> list[StepEntry | NestedEntry]:
        """See base class."""
        return [self]

    @property
    def result_ids(self) -> list[str]:
        """See `BaseEntry.result_ids`."""
        return [self.body_id]


class WorkflowPlan(GraphModel):
    """How a workflow is executed. Times are milliseconds."""

    retries: int = 0
    retry_delay: int = 0
    cancel_grace: int = 30_000
    validate_inputs: bool = True
    validate_outputs: bool = True
    callbacks: list[CallbackName] = []
    checks_entry: bool = False
    """Whether input, state or request context have a schema."""
    checks_output: bool = False
    """Whether the result must be checked apart from the outputs of the steps."""
    max_lost_attempts: int | None = None
    """Of its functions and callbacks; 0 for any number."""


class NestedEntry(BaseEntry):
    """A workflow as a step of another one, executed inline."""

    type: Literal["workflow"] = "workflow"
    id: str
    workflow_id: str
    serialized_step_flow: list[Entry]
    plan: WorkflowPlan = Field(default=WorkflowPlan(), validation_alias="temporal", serialization_alias="temporal")

    @property
    def body_id(self) -> str:
        """The id under which the workflow's results are kept."""
        return self.id

    @property
    def bodies(self) -> list[StepEntry | NestedEntry]:
        """See base class."""
        return [self]


Body = Annotated[StepEntry | NestedEntry, Field(discriminator="type")]
"""What a control-flow entry may hold: a step or a nested workflow."""


class FunctionRef(GraphModel):
    """How a worker finds a user function."""

    id: str
    fingerprint: str | None = None
    """None when the user named the function: then it is found by that name, whatever it does by now."""


class FunctionInfo(GraphModel):
    """A condition: its id, and its source for the reader."""

    id: str
    fn: str
    function: FunctionRef | None = Field(default=None, validation_alias="temporal", serialization_alias="temporal")
    """None where the condition is a predicate."""


class MapSource(GraphModel):
    """Where one key of a ``.map()`` object takes its value from. Exactly one is set."""

    value: Any = None
    fn: FunctionRef | None = None
    template: str | None = None
    request_context_path: str | None = None
    init_data: bool | None = None
    step: list[str] | None = None
    path: str | None = None

    @property
    def named_steps(self) -> list[str]:
        """The steps that the source, or a template, refers to."""
        return self.step or re.findall(r"\$\{stepResults\.([^.}]+)", self.template or "")


class MappingPlan(GraphModel):
    """What a mapping does: one function, or a source for each key."""

    function: FunctionRef | None = None
    sources: dict[str, MapSource] = {}


class MappingEntry(BaseEntry):
    """A ``.map()``."""

    type: Literal["mapping"] = "mapping"
    id: str
    map_config: str
    plan: MappingPlan = Field(default=MappingPlan(), validation_alias="temporal", serialization_alias="temporal")

    @property
    def result_ids(self) -> list[str]:
        """See base class."""
        return [self.id]


class SleepEntry(BaseEntry):
    """A ``.sleep()``: a fixed duration in milliseconds, or a function."""

    type: Literal["sleep"] = "sleep"
    id: str
    duration: int | None = None
    fn: str | None = None
    function: FunctionRef | None = Field(default=None, validation_alias="temporal", serialization_alias="temporal")

    @property
    def result_ids(self) -> list[str]:
        """See base class."""
        return [self.id]


class SleepUntilEntry(BaseEntry):
    """A ``.sleep_until()``: an ISO date, or a function."""

    type: Literal["sleepUntil"] = "sleepUntil"
    id: str
    date: str | None = None
    fn: str | None = None
    function: FunctionRef | None = Field(default=None, validation_alias="temporal", serialization_alias="temporal")

    @property
    def result_ids(self) -> list[str]:
        """See base class."""
        return [self.id]


class ParallelEntry(BaseEntry):
    """A ``.parallel()``."""

    type: Literal["parallel"] = "parallel"
    id: str | None = None
    steps: list[Body]

    @property
    def bodies(self) -> list[StepEntry | NestedEntry]:
        """See base class."""
        return list(self.steps)


class ConditionalEntry(BaseEntry):
    """A ``.branch()``. A branch has a predicate (data) or a function, never both."""

    type: Literal["conditional"] = "conditional"
    id: str | None = None
    steps: list[Body]
    serialized_conditions: list[FunctionInfo]
    predicates: list[dict[str, Any] | None] | None = None

    @property
    def bodies(self) -> list[StepEntry | NestedEntry]:
        """See base class."""
        return list(self.steps)


class LoopEntry(BaseEntry):
    """A ``.dowhile()`` or ``.dountil()``."""

    type: Literal["loop"] = "loop"
    id: str | None = None
    step: Body
    serialized_condition: FunctionInfo
    loop_type: Literal["dowhile", "dountil"]
    predicate: dict[str, Any] | None = None

    @property
    def bodies(self) -> list[StepEntry | NestedEntry]:
        """See base class."""
        return [self.step]


class ForeachOptions(GraphModel):
    """How many items of a ``.foreach()`` run at once: a number, or a function."""

    concurrency: int | None = None
    fn: str | None = None
    function: FunctionRef | None = Field(default=None, validation_alias="temporal", serialization_alias="temporal")


class ForeachEntry(BaseEntry):
    """A ``.foreach()``."""

    type: Literal["foreach"] = "foreach"
    id: str | None = None
    step: Body
    opts: ForeachOptions

    @property
    def bodies(self) -> list[StepEntry | NestedEntry]:
        """See base class."""
        return [self.step]


Entry = Annotated[
    StepEntry
    | NestedEntry
    | MappingEntry
    | SleepEntry
    | SleepUntilEntry
    | ParallelEntry
    | ConditionalEntry
    | LoopEntry
    | ForeachEntry,
    Field(discriminator="type"),
]
"""One entry of a workflow's graph."""

NestedEntry.model_rebuild()


class WorkflowGraph(GraphModel):
    """A whole workflow as data."""

    id: str
    entries: list[Entry]
    plan: WorkflowPlan = Field(default=WorkflowPlan(), validation_alias="temporal", serialization_alias="temporal")
