import dask.threaded
import pytest

from flowbook.executors import DaskExecutor, LocalDaskExecutor
from flowbook.executors.dask_cluster import LastingCluster
from tests.homes import home

__all__ = ["home"]


@pytest.fixture(scope="module")
def cluster():
    """Two workers with one thread each, in processes of their own."""
    with LastingCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50) as found:
        yield found


@pytest.fixture(params=["dask", "processes", "waves"])
def executor(request):
    """Return an executor whose workers are not this process, or as if they were not."""
    if request.param == "dask":
        return DaskExecutor(request.getfixturevalue("cluster").scheduler_address)
    if request.param == "processes":
        return LocalDaskExecutor("processes", num_workers=2)
    return LocalDaskExecutor(dask.threaded.get, num_workers=2)


@pytest.fixture
def ran(tmp_path):
    """Return a file in which tasks leave a line each time they run, see `tests.notes`."""
    file = tmp_path / "ran"
    file.touch()
    return file
