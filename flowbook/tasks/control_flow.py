"""Control flow. Re-exported from `flowbook.core`."""

from flowbook.core.branches import case, ifelse, merge, switch

__all__ = ["case", "ifelse", "merge", "switch"]
