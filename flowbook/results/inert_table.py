"""Makes a frame, series or array of what a pickle says of it, see `inert_pickle`: from its bytes, by pandas and numpy themselves.

Only layouts that are known here are read: numbers, texts, times, categories and masks, in frames of pandas 2.2 and later. A
class of the user's, or a layout that isn't known, is refused; cells that are objects of other classes are told by their class.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from flowbook.exceptions import DamagedValueError
from flowbook.results.inert_pickle import Noted, read_cells, read_inert

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["read_table"]

#: What a cell may hold that is shown as text, and how many columns a table may have.
_MOST_CELL_PARTS, _MOST_COLUMNS = 100_000, 100_000
_PLAIN = (str, bytes, int, float, complex, bool, type(None))


def read_table(stored: memoryview) -> Any:  # noqa: ANN401  # a frame, series or array
    """Return the frame, series or array of at least one dimension in a stored pickle; nothing of the pickle's is run.

    Raises:
        DamagedValueError: if it is something else, or has a layout that isn't known here.
    """
    noted = read_inert(stored)
    if isinstance(noted, Noted) and (noted.name in {"DataFrame", "Series"} or noted.name in _ARRAYS):
        try:
            return _made(noted)
        except DamagedValueError:
            raise
        except Exception as error:
            msg = f"This table has a layout that can't be read here: {type(error).__name__}: {error}"
            raise DamagedValueError(msg) from error
    msg = "This value is no table of a kind that can be read here."
    raise DamagedValueError(msg)


def _made(noted: Any) -> Any:  # noqa: ANN401  # what it says
    """Return what stands for a value: itself if it is plain, else what its maker makes."""
    if not isinstance(noted, Noted):
        return noted
    package = noted.module.partition(".")[0]
    make = _MAKERS.get(noted.name) if package in {"pandas", "numpy", "pyarrow", "builtins", "flowbook"} else None
    if make is None:
        msg = f"This table holds a {noted.module}.{noted.name}, which can't be read here without running it."
        raise DamagedValueError(msg)
    return make(noted)


# numpy


def _dtype(noted: Noted) -> Any:  # noqa: ANN401  # numpy's
    import numpy as np  # noqa: PLC0415  # heavy

    kind = str(noted.given[0])
    state: Any = noted.state or (3, "|", None, None, None, -1, -1, 0)
    if state[2] is not None or state[3] is not None:
        msg = "This array has fields, which can't be read here."
        raise DamagedValueError(msg)
    if kind[:1] in "mM" and len(state) > 8:  # noqa: PLR2004  # the unit of times stands behind the usual fields
        unit, count = state[8][1][:2]
        return np.dtype(f"{kind[:1]}8[{count if count != 1 else ''}{unit.decode()}]")
    found = np.dtype(kind)
    return found.newbyteorder(">" if state[1] == ">" else "<") if state[1] in "<>" else found


def _from_buffer(noted: Noted) -> Any:  # noqa: ANN401  # an array
    import numpy as np  # noqa: PLC0415  # heavy

    buffer, dtype, shape, order = noted.given
    return np.frombuffer(buffer, dtype=_without_objects(_made(dtype))).reshape(shape, order=order)


def _restored_array(noted: Noted) -> Any:  # noqa: ANN401  # an array
    import numpy as np  # noqa: PLC0415  # heavy

    buffer, dtype, shape = noted.given
    return np.frombuffer(buffer, dtype=_without_objects(_made(dtype))).reshape(shape)


def _reconstructed(noted: Noted) -> Any:  # noqa: ANN401  # an array
    import numpy as np  # noqa: PLC0415  # heavy

    _, shape, dtype, is_turned, content = noted.state
    order: Any = "F" if is_turned else "C"
    made = _made(dtype)
    if isinstance(content, list):
        return _of_cells(content, shape, order)
    return np.frombuffer(content, dtype=_without_objects(made)).reshape(shape, order=order)


def _restored_cells(noted: Noted) -> Any:  # noqa: ANN401  # an array
    buffer, shape, is_turned = noted.given
    cells = read_cells(memoryview(buffer))
    return _of_cells(cells, shape[::-1], "C").T if is_turned else _of_cells(cells, shape, "C")


def _of_cells(cells: list[Any], shape: Any, order: Any) -> Any:  # noqa: ANN401  # an array
    import numpy as np  # noqa: PLC0415  # heavy

    flat = np.empty(len(cells), dtype=object)
    for place, cell in enumerate(cells):
        flat[place] = _cell(cell)
    return flat.reshape(shape, order=order)


def _cell(cell: Any) -> Any:  # noqa: ANN401  # as it is shown
    if isinstance(cell, _PLAIN):
        return cell
    if isinstance(cell, Noted):
        moment = _moment(cell)
        return f"<{cell.name}>" if moment is None else moment
    is_short = isinstance(cell, (list, tuple, dict)) and _is_short(cell)
    return str(cell)[:200] if is_short else f"<{type(cell).__name__}>"


def _is_short(cell: Any) -> bool:  # noqa: ANN401  # a list, tuple or dictionary
    """Return whether a cell's text is short enough to be made; parts that hold one another count each time."""
    parts, left = [cell], _MOST_CELL_PARTS
    while parts and left > 0:
        part = parts.pop()
        left -= 1 + (len(part) if isinstance(part, (str, bytes)) else 0)
        if isinstance(part, (list, tuple, dict)):
            left -= len(part)
            if left > 0:
                parts += [*part, *part.values()] if isinstance(part, dict) else part
    return left > 0


def _moment(cell: Noted) -> object:
    """Return a date or time of Python's own, of a whole number of bytes; None of anything else."""
    kinds: Mapping[str, type] = {"date": dt.date, "datetime": dt.datetime, "time": dt.time}
    kind = kinds.get(cell.name) if cell.module == "datetime" else None
    is_bare = len(cell.given) == 1 and isinstance(cell.given[0], bytes)
    return kind(*cell.given) if kind is not None and is_bare else None


def _without_objects(dtype: Any) -> Any:  # noqa: ANN401  # numpy's
    """Return the dtype; refuse one whose bytes are addresses in memory."""
    if dtype.hasobject:
        msg = "This array's bytes are addresses of objects."
        raise DamagedValueError(msg)
    return dtype


# Arrow


def _arrow_array(noted: Noted) -> Any:  # noqa: ANN401  # Arrow's
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415  # heavy, and only where there are such columns

    kind, length, nulls, offset, buffers, children, dictionary = noted.given[0]
    if children or dictionary is not None:
        msg = "This column is nested, which can't be read here."
        raise DamagedValueError(msg)
    held = [None if each is None else pa.py_buffer(each.given[0]) for each in buffers]
    found = pa.Array.from_buffers(_made(kind), length, held, nulls, offset)
    found.validate(full=True)  # its offsets come from the store
    return found


def _arrow_chunks(noted: Noted) -> Any:  # noqa: ANN401  # Arrow's
    import pyarrow as pa  # noqa: PLC0415  # heavy

    return pa.chunked_array([_made(each) for each in noted.given[0]], type=_made(noted.given[1]))


def _arrow_type(noted: Noted) -> Any:  # noqa: ANN401  # Arrow's
    import pyarrow as pa  # noqa: PLC0415  # heavy

    return pa.type_for_alias(str(noted.given[0]))


def _arrow_texts(noted: Noted) -> Any:  # noqa: ANN401  # an array
    return _made(noted.state["_pa_array"]).to_pandas()


# pandas


def _frame(noted: Noted) -> Any:  # noqa: ANN401  # pandas'
    import pandas as pd  # noqa: PLC0415  # heavy

    blocks, (columns, index) = noted.state["_mgr"].given
    names, rows = _made(columns), _made(index)
    if len(names) > _MOST_COLUMNS:
        msg = f"This table has {len(names):,} columns. At most {_MOST_COLUMNS:,} can be shown here."
        raise DamagedValueError(msg)
    found: dict[int, Any] = {}
    for block in blocks:
        values, places, dimensions = block.given[0], _places(block.given[1], len(names)), block.given[2]
        made = _made(values)
        for number, place in enumerate(places):
            is_flat = dimensions == 1 or (not isinstance(made, list) and made.ndim == 1)
            found[place] = made if is_flat else made[number]
    frame = pd.DataFrame({place: _column(found[place], rows) for place in range(len(names))}, index=rows)
    frame.columns = names
    return frame


def _series(noted: Noted) -> Any:  # noqa: ANN401  # pandas'
    import pandas as pd  # noqa: PLC0415  # heavy

    held = noted.state["_mgr"].state[3]["0.14.1"]  # a form of its own, that pandas has kept since then
    rows, name = _made(held["axes"][0]), noted.state.get("_name")
    return pd.Series(_column(_made(held["blocks"][0]["values"]), rows), index=rows, name=_cell(name))


def _column(values: Any, rows: Any) -> Any:  # noqa: ANN401  # what a frame takes for a column
    import pandas as pd  # noqa: PLC0415  # heavy

    found = getattr(values, "array", values)
    if getattr(found, "shape", None) != (len(rows),):  # pandas would repeat a single value for each row
        msg = f"This table has a column that isn't as long as its {len(rows):,} rows."
        raise DamagedValueError(msg)
    is_of_objects = getattr(getattr(found, "dtype", None), "kind", "") == "O" and not hasattr(found, "_dtype")
    # Otherwise pandas would take texts for its own kind.
    return pd.Series(found, index=rows, copy=False, dtype=object) if is_of_objects else pd.Series(found, index=rows)


def _places(noted: Any, most: int) -> list[int]:  # noqa: ANN401  # a slice, or an array
    if isinstance(noted, Noted) and noted.name == "slice":
        places = range(*noted.given)
        if len(places) > most:
            msg = f"This table has a block for {len(places):,} columns, and only {most:,} columns."
            raise DamagedValueError(msg)
        return list(places)
    if isinstance(noted, Noted) and noted.name == "BlockPlacement":
        return _places(noted.given[0], most)
    return [int(each) for each in _made(noted)]


def _index(noted: Noted) -> Any:  # noqa: ANN401  # pandas'
    import pandas as pd  # noqa: PLC0415  # heavy

    kind, given = noted.given[0].name, noted.given[1]
    name = _cell(given.get("name"))
    if kind == "RangeIndex":
        return pd.RangeIndex(given["start"], given["stop"], given["step"], name=name)
    if kind == "MultiIndex":
        levels = [_made(each) for each in given["levels"]]
        codes = [_made(each) for each in given["codes"]]
        return pd.MultiIndex(levels, codes, names=[_cell(each) for each in given["names"]])
    return pd.Index(_made(given["data"]), name=name)


def _backed(noted: Noted) -> Any:  # noqa: ANN401  # an array
    """Return times, periods excepted, and categories: their dtype and their numbers."""
    import pandas as pd  # noqa: PLC0415  # heavy

    kind, state = noted.given[0].name, noted.state
    if kind == "Categorical":
        fields = state if isinstance(state, dict) else state[2] if len(state) > 2 and isinstance(state[2], dict) else {}  # noqa: PLR2004  # as pandas writes it
        codes = _made(fields["_ndarray"] if "_ndarray" in fields else state[1])
        return pd.Categorical.from_codes(codes, dtype=_made(fields.get("_dtype", state[0])))
    zone, numbers = _zone(state[0]), _made(state[1])
    if not zone:
        return numbers
    columns = [
        pd.Series(each).dt.tz_localize("UTC").dt.tz_convert(zone)
        for each in (numbers if numbers.ndim > 1 else [numbers])
    ]
    return columns if numbers.ndim > 1 else columns[0]


def _zone(dtype: Any) -> str:  # noqa: ANN401  # of times
    """Return the name of the time zone of a dtype; "" if it has none."""
    if not isinstance(dtype, Noted) or dtype.name != "DatetimeTZDtype":
        return ""
    zone = dtype.state["tz"] if dtype.state else next((each for each in dtype.given if isinstance(each, Noted)), None)
    return str(zone.given[0]) if zone is not None and zone.given and isinstance(zone.given[0], str) else "UTC"


def _category_dtype(noted: Noted) -> Any:  # noqa: ANN401  # pandas'
    import pandas as pd  # noqa: PLC0415  # heavy

    fields = noted.state or {}
    categories, ordered = (
        fields.get("categories", noted.given[0] if noted.given else None),
        fields.get("ordered", noted.given[1] if len(noted.given) > 1 else False),
    )
    return pd.CategoricalDtype(_made(categories), ordered=bool(ordered))


def _masked(noted: Noted) -> Any:  # noqa: ANN401  # an array
    import pandas as pd  # noqa: PLC0415  # heavy

    values, mask = _made(noted.state["_data"]), _made(noted.state["_mask"])
    kinds: Mapping[str, Any] = {
        "IntegerArray": pd.arrays.IntegerArray,
        "FloatingArray": pd.arrays.FloatingArray,
        "BooleanArray": pd.arrays.BooleanArray,
    }
    return kinds[noted.name](values.copy(), mask.copy())


_ARRAYS = frozenset({"_frombuffer", "_reconstruct", "restore_array", "restore_cells"})
_MAKERS: Mapping[str, Callable[[Noted], Any]] = {
    "BooleanArray": _masked,
    "ArrowStringArray": _arrow_texts,
    "ArrowExtensionArray": _arrow_texts,
    "CategoricalDtype": _category_dtype,
    "DataFrame": _frame,
    "FloatingArray": _masked,
    "IntegerArray": _masked,
    "Series": _series,
    "__pyx_unpickle_NDArrayBacked": _backed,
    "_frombuffer": _from_buffer,
    "_new_Index": _index,
    "_new_DatetimeIndex": _index,
    "_reconstruct": _reconstructed,
    "_restore_array": _arrow_array,
    "chunked_array": _arrow_chunks,
    "dtype": _dtype,
    "restore_array": _restored_array,
    "restore_cells": _restored_cells,
    "type_for_alias": _arrow_type,
}
