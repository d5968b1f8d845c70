"""Ready-made tasks, under the names promised to users."""

from flowbook.tasks import control_flow

__all__ = ["control_flow"]
