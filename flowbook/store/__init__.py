"""What was: runs as events, values, and the cache. `open_store()` opens it, `MemoryStore()` is its twin in memory."""

from flowbook.store.cache import NEVER, Cache, CacheEntry, CacheScope
from flowbook.store.memory import MemoryStore
from flowbook.store.recorder import Recorder
from flowbook.store.records import RunRecord, RunSummary, graph_record
from flowbook.store.runs import Runs
from flowbook.store.store import Store, open_store
from flowbook.store.values import Values

__all__ = [
    "NEVER",
    "Cache",
    "CacheEntry",
    "CacheScope",
    "MemoryStore",
    "Recorder",
    "RunRecord",
    "RunSummary",
    "Runs",
    "Store",
    "Values",
    "graph_record",
    "open_store",
]
