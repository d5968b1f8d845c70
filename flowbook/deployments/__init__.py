"""Deployments: which flow runs where, when and with which parameters, and the schedules that say when."""

from flowbook.deployments.creation import deploy
from flowbook.deployments.cron_schedule import CronSchedule
from flowbook.deployments.deployment_spec import DeploymentSpec
from flowbook.deployments.interval_schedule import IntervalSchedule
from flowbook.deployments.rrule_schedule import RRuleSchedule
from flowbook.deployments.schedule import Schedule
from flowbook.deployments.schedule_settings import read_schedule

__all__ = [
    "CronSchedule",
    "DeploymentSpec",
    "IntervalSchedule",
    "RRuleSchedule",
    "Schedule",
    "deploy",
    "read_schedule",
]
