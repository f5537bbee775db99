"""Turns the options of ``mastra-temporal worker`` into those of the SDK's worker."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from enum import Enum

import typer
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import PollerBehaviorAutoscaling, ResourceBasedSlotConfig, WorkerDeploymentConfig, WorkerTuner

from mastra_temporal.worker import WorkerOptions

__all__ = ["Versioning", "polling", "slots", "threads", "versioning"]

TARGET_USAGE = 0.8
"""The target of the resource-based tuner that is not given, if the other one is."""
INITIAL_POLLS = 5
"""The number of polls with which autoscaling begins, as in the SDK."""


class Versioning(str, Enum):
    """What open runs do when a new build becomes current."""

    AUTO_UPGRADE = "auto-upgrade"
    PINNED = "pinned"


def slots(
    *,
    activities: int | None,
    workflow_tasks: int | None,
    local_activities: int | None,
    target_memory_usage: float | None,
    target_cpu_usage: float | None,
) -> WorkerOptions:
    """Return fixed numbers of slots, or a resource-based tuner if a target is given.

    Args:
        activities: The maximum number of steps that run at the same time. Default: the SDK's.
        workflow_tasks: The maximum number of concurrent workflow tasks. Default: the SDK's.
        local_activities: The maximum number of concurrent conditions, mappings and schemas. Default: the SDK's.
        target_memory_usage: From 0 to 1. New tasks are taken while less of the machine's memory is in use.
        target_cpu_usage: From 0 to 1. New tasks are taken while less of the CPU is in use.
    """
    if target_memory_usage is None and target_cpu_usage is None:
        return {
            "max_concurrent_activities": activities,
            "max_concurrent_workflow_tasks": workflow_tasks,
            "max_concurrent_local_activities": local_activities,
        }
    return {
        "tuner": WorkerTuner.create_resource_based(
            target_memory_usage=TARGET_USAGE if target_memory_usage is None else target_memory_usage,
            target_cpu_usage=TARGET_USAGE if target_cpu_usage is None else target_cpu_usage,
            activity_config=ResourceBasedSlotConfig(maximum_slots=activities),
            workflow_config=ResourceBasedSlotConfig(maximum_slots=workflow_tasks),
            local_activity_config=ResourceBasedSlotConfig(maximum_slots=local_activities),
        )
    }


def polling(*, activity_tasks: int | None, workflow_tasks: int | None, autoscaling: bool) -> WorkerOptions:
    """Return how many polls are open: a fixed number, or as many as the server asks for.

    Args:
        activity_tasks: The maximum number of open polls for steps. Default: the SDK's.
        workflow_tasks: The maximum number of open polls for workflow tasks. Default: the SDK's.
        autoscaling: Whether the number changes with the load, up to the maximum.
    """
    if not autoscaling:
        return {
            "max_concurrent_activity_task_polls": activity_tasks,
            "max_concurrent_workflow_task_polls": workflow_tasks,
        }
    return {
        "activity_task_poller_behavior": _autoscaling(activity_tasks),
        "workflow_task_poller_behavior": _autoscaling(workflow_tasks),
    }


def threads(size: int | None, graceful_shutdown_timeout: float) -> WorkerOptions:
    """Return the thread pool for steps that are not async, if it has a size, and the time that steps get at the end."""
    options: WorkerOptions = {"graceful_shutdown_timeout": timedelta(seconds=graceful_shutdown_timeout)}
    if size is not None:
        options["activity_executor"] = ThreadPoolExecutor(size, thread_name_prefix="mastra-step")
    return options


def versioning(deployment_name: str | None, build_id: str | None, behavior: Versioning) -> WorkerOptions:
    """Return the worker's version if it has one.

    Raises:
        typer.BadParameter: Only one of the two names is given.
    """
    if deployment_name is None and build_id is None:
        return {}
    if deployment_name is None or build_id is None:
        raise typer.BadParameter("Worker Versioning needs both --deployment-name and --build-id")
    pinned = VersioningBehavior.PINNED if behavior is Versioning.PINNED else VersioningBehavior.UNSPECIFIED
    return {
        "deployment_config": WorkerDeploymentConfig(
            version=WorkerDeploymentVersion(deployment_name, build_id),
            use_worker_versioning=True,
            default_versioning_behavior=pinned,  # the plugin makes workflows AUTO_UPGRADE if it is unspecified
        )
    }


def _autoscaling(maximum: int | None) -> PollerBehaviorAutoscaling:
    if maximum is None:
        return PollerBehaviorAutoscaling()
    return PollerBehaviorAutoscaling(maximum=maximum, initial=min(maximum, INITIAL_POLLS))
