"""The graph of a workflow as data. It is recorded in the history of each run, and the interpreter walks it.

The shape is Mastra's ``serializedStepGraph``. Data that only the execution needs (retries, timeouts, structured
mappings) are under the key ``temporal`` of an entry, and are left out of the public ``serialized_step_graph``.

User functions are not data. The graph refers to them (``temporal``) by ID: ``<step>-condition``, ``<map>``,
``<map>.<key>``, ``<sleep>``, ``<step>-concurrency``. If the user gave the entry no ``id``, the reference also has the
fingerprint of the function. A worker then runs only that function, not another one that has the same ID after a deploy.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from mastra_temporal._protocol.model import CamelModel, LeanModel

__all__ = [
    "CANCEL_GRACE",
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


CANCEL_GRACE = 30_000
"""How long the steps of a canceled run may take to end by default, in milliseconds."""

CallbackName = Literal["on_start", "on_finish", "on_error"]
"""The callbacks that a workflow may have."""


class GraphModel(CamelModel):
    """Base class of the models of a graph. They are immutable."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)


class LeanGraphModel(LeanModel):
    """A `GraphModel` whose defaults are not written."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)


class Display(GraphModel):
    """The description and metadata of an entry. They have no effect on the execution."""

    description: str | None = None
    metadata: dict[str, Any] | None = None


class BaseEntry(Display):
    """Base class of the entries."""

    @property
    def bodies(self) -> list[StepEntry | NestedEntry]:
        """The steps and nested workflows that the entry runs."""
        return []

    @property
    def result_ids(self) -> list[str]:
        """The IDs under which the results of the entry are kept."""
        return [body.body_id for body in self.bodies]


class StepPlan(LeanGraphModel):
    """The execution options of a step. Times are in milliseconds, and None means the default."""

    retries: int | None = None
    start_to_close_timeout: int | None = None
    schedule_to_close_timeout: int | None = None
    heartbeat_timeout: int | None = None
    task_queue: str | None = None
    local: bool | None = None
    """Whether the step is a local activity."""
    backoff_coefficient: float | None = None
    maximum_interval: int | None = None
    non_retryable_error_types: list[str] | None = None
    max_lost_attempts: int | None = None
    """How many attempts in a row may be lost. 0 for any number."""


class StepInfo(Display):
    """The public data of a step."""

    id: str
    component: str | None = None
    component_id: str | None = None
    """The ID of the agent or tool from which the step was made."""
    can_suspend: bool = False


class StepEntry(GraphModel):
    """A single step."""

    type: Literal["step"] = "step"
    step: StepInfo
    plan: StepPlan = Field(default=StepPlan(), validation_alias="temporal", serialization_alias="temporal")

    @property
    def body_id(self) -> str:
        """The ID under which the results of the step are kept."""
        return self.step.id

    @property
    def bodies(self) -> list[StepEntry | NestedEntry]:
        """See base class."""
        return [self]

    @property
    def result_ids(self) -> list[str]:
        """See `BaseEntry.result_ids`."""
        return [self.body_id]


class WorkflowPlan(LeanGraphModel):
    """The execution options of a workflow. Times are in milliseconds."""

    retries: int = 0
    retry_delay: int = 0
    cancel_grace: int = CANCEL_GRACE
    validate_inputs: bool = True
    validate_outputs: bool = True
    callbacks: list[CallbackName] = []
    checks_entry: bool = False
    """Whether the input, the state or the request context has a schema."""
    checks_output: bool = False
    """Whether the result must be validated in addition to the outputs of the steps."""
    max_lost_attempts: int | None = None
    """How many attempts of a function or callback in a row may be lost. 0 for any number."""


class NestedEntry(BaseEntry):
    """A workflow that is a step of another workflow. It is executed inline."""

    type: Literal["workflow"] = "workflow"
    id: str
    workflow_id: str
    serialized_step_flow: list[Entry]
    plan: WorkflowPlan = Field(default=WorkflowPlan(), validation_alias="temporal", serialization_alias="temporal")

    @property
    def body_id(self) -> str:
        """The ID under which the results of the workflow are kept."""
        return self.id

    @property
    def bodies(self) -> list[StepEntry | NestedEntry]:
        """See base class."""
        return [self]


Body = Annotated[StepEntry | NestedEntry, Field(discriminator="type")]
"""A step or a nested workflow inside a control-flow entry."""


class FunctionRef(GraphModel):
    """The reference by which a worker finds a user function."""

    id: str
    fingerprint: str | None = None
    """None if the user gave the entry an ID. Then the function is found by ID alone, also if a deploy changed it."""


class FunctionInfo(GraphModel):
    """A condition, with its source code for display."""

    id: str
    fn: str
    function: FunctionRef | None = Field(default=None, validation_alias="temporal", serialization_alias="temporal")
    """None if the condition is a predicate."""


class MapSource(GraphModel):
    """The source of the value of one key of a ``.map()`` object: exactly one kind of source is set."""

    value: Any = None
    fn: FunctionRef | None = None
    template: str | None = None
    request_context_path: str | None = None
    init_data: bool | None = None
    step: list[str] | None = None
    path: str | None = None

    @property
    def named_steps(self) -> list[str]:
        """The IDs of the steps to which the source or its template refers."""
        return self.step or re.findall(r"\$\{stepResults\.([^.}]+)", self.template or "")


class MappingPlan(GraphModel):
    """The execution data of a mapping: one function, or a source for each key."""

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
    """A ``.branch()``. The condition of each branch is either a predicate (data) or a function."""

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
    """The number of items of a ``.foreach()`` that run at once, or a function that returns it."""

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
