"""The schedules that a workflow declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, available_timezones

from pydantic import field_validator

from mastra_temporal._data.gate import json_metadata, to_json
from mastra_temporal._data.options import Options, parse_options
from mastra_temporal._data.schema import Schema, SchemaError
from mastra_temporal._data.suggest import did_you_mean
from mastra_temporal._definition.cron import temporal_crons
from mastra_temporal.errors import DefinitionError, SerializationError

__all__ = ["ScheduleConfig", "ScheduleInput", "check_timezone", "declared_id", "parse_schedules", "slug"]


class ScheduleConfig(Options):
    """A schedule of a workflow. Mastra's ``schedule``: https://mastra.ai/docs/workflows/scheduled-workflows."""

    id: str | None = None
    """The id of the schedule. Required if a workflow has several schedules."""
    cron: str
    """Five fields (minute, hour, day of month, month, day of week), six with seconds first, seven with years last as
    well, or a nickname such as ``@daily``."""
    timezone: str = "UTC"
    """The IANA name of the time zone, such as ``Europe/Berlin``."""
    input_data: Any = None
    """The input of every run."""
    initial_state: dict[str, Any] | None = None
    request_context: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    """JSON-able data that are stored with the schedule. Runs do not see them."""

    @field_validator("cron")
    @classmethod
    def _check_cron(cls, value: str) -> str:
        temporal_crons(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, value: str) -> str:
        return check_timezone(value)


ScheduleInput = ScheduleConfig | Mapping[str, Any]
"""A schedule as users write it, with snake_case keys or Mastra's camelCase keys."""


def check_timezone(name: str) -> str:
    """Check that the time zone database has this name, and return it.

    Raises:
        DefinitionError: The time zone is unknown.
    """
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        known = available_timezones()
        if not known:
            raise DefinitionError(
                f'Invalid timezone "{name}": this system has no time zone database. Install the package tzdata.'
            ) from error
        hint = did_you_mean(name, known) if len(name) > 2 else ""
        hint = hint if hint.startswith(" Did") else " Use an IANA name such as Europe/Berlin."
        raise DefinitionError(f'Invalid timezone "{name}": the time zone database has no such zone.{hint}') from None
    return name


def parse_schedules(
    value: ScheduleInput | Sequence[ScheduleInput] | None,
    *,
    workflow_id: str,
    input_schema: Schema | None,
    state_schema: Schema | None,
    request_context_schema: Schema | None,
) -> tuple[ScheduleConfig, ...]:
    """Parse and check the schedules that a workflow declares.

    Raises:
        DefinitionError: A cron expression or time zone is not valid, an id is missing or used twice, or the data do not
            match the workflow's schemas, so that every run would be refused.
    """
    if value is None:
        return ()
    owner = f"workflow `{workflow_id}`, schedule"
    if isinstance(value, (ScheduleConfig, Mapping)):
        schedules = [_parsed(value, owner)]
    else:
        schedules = [_parsed(item, owner) for item in value]
        _check_ids(schedules, workflow_id)
    for schedule in schedules:
        where = f"{owner} `{schedule.id}`" if schedule.id else owner
        _check_data(input_schema, schedule.input_data, f"{where}: Invalid input data")
        _check_data(state_schema, schedule.initial_state or {}, f"{where}: Invalid initial data")
        _check_data(
            request_context_schema, schedule.request_context or {}, f"{where}: Request context validation failed"
        )
        json_metadata(schedule.metadata, owner=where)
    return tuple(schedules)


def declared_id(workflow_id: str, schedule: ScheduleConfig) -> str:
    """Return the Temporal id of a declared schedule: Mastra's ``wf_<workflow>`` or ``wf_<workflow>__<id>``."""
    parts = [workflow_id] if schedule.id is None else [workflow_id, schedule.id]
    return "wf_" + "__".join(slug(part) for part in parts)


def slug(text: str) -> str:
    """Return text as a part of an id, encoded as by JavaScript's ``encodeURIComponent``."""
    return quote(text, safe="!'()*~")


def _parsed(value: ScheduleInput, owner: str) -> ScheduleConfig:
    return parse_options(ScheduleConfig, value if isinstance(value, ScheduleConfig) else dict(value), owner=owner)


def _check_ids(schedules: list[ScheduleConfig], workflow_id: str) -> None:
    seen: set[str] = set()
    for schedule in schedules:
        if not schedule.id:
            raise DefinitionError(
                f'Workflow "{workflow_id}" declares an array of schedules but one entry is missing the required `id` '
                "field. Give each entry an id that stays the same from deploy to deploy."
            )
        if schedule.id in seen:
            raise DefinitionError(f'Workflow "{workflow_id}" declares duplicate schedule id "{schedule.id}".')
        seen.add(schedule.id)


def _check_data(schema: Schema | None, data: Any, message: str) -> None:
    try:
        data = to_json(data, what="It")
        if schema is not None:
            schema.validate(data)
    except (SchemaError, SerializationError) as error:
        raise DefinitionError(f"{message}: \n{error}") from None
