"""Arrays, frames, series and indexes as bytes that say all of their content, for content hashes.

Counted besides the cells: dtypes with their fields, names of all axes, `attrs`, `flags`, what a subclass declares in
`_metadata` or keeps as attributes, an index's `freq`, a sparse array's fill value, a mask. Not counted: how it lies in
memory. Reads a large array by parts, so that it takes little memory beside it. Loads neither numpy nor pandas.
"""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING, Any

from flowbook._utils.loaded import LoadedClasses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Encode = Callable[[object], bytes]

__all__ = ["encode_table"]

_PART_BYTES = 1 << 22
_PART_CELLS = 100_000
_OF_NUMPY = LoadedClasses("numpy", "ndarray", "generic")
_OF_PANDAS = LoadedClasses("pandas", "DataFrame", "Series", "Index")
_COLUMN = LoadedClasses("pandas.api.extensions", "ExtensionArray")
#: Attributes of a masked array that are encoded separately, or aren't part of its content.
_MASKED_NOISE = frozenset(
    {"_mask", "_fill_value", "_hardmask", "_sharedmask", "_isfield", "_baseclass", "_basedict", "_optinfo"}
)


def encode_table(value: object, encode: Encode) -> bytes | None:
    """Return the content of an array, frame, series or index of numpy's or pandas'; None of anything else.

    Args:
        value: anything.
        encode: encodes cells that are objects, names and attributes.
    """
    found = None
    if isinstance(value, _OF_NUMPY.now()):
        found = _of_numpy(value, sys.modules["numpy"], encode)
    if found is None and isinstance(value, (_OF_PANDAS.now(), _COLUMN.now())):
        found = _of_pandas(value, sys.modules["pandas"], encode)
    return found


def _of_numpy(value: Any, numpy: Any, encode: Encode) -> bytes | None:  # noqa: ANN401
    if isinstance(value, numpy.ndarray):
        return _array(value, encode) if _is_pickled_as_array(value, numpy) else None
    if isinstance(value, numpy.generic) and not isinstance(value, numpy.void):
        return encode((_dtype(value.dtype), value.tobytes()))
    return None


def _of_pandas(value: Any, pandas: Any, encode: Encode) -> bytes | None:  # noqa: ANN401
    if isinstance(value, pandas.DataFrame):
        return _frame(value, encode)
    if isinstance(value, pandas.Series):
        return encode(value.name) + _column(value.array, encode) + _index(value.index, encode) + _labels(value, encode)
    if isinstance(value, pandas.Index):
        return _index(value, encode)
    if isinstance(value, pandas.api.extensions.ExtensionArray) and type(value).__module__.startswith("pandas."):
        return _column(value, encode)
    return None


# Arrays -------------------------------------------------------------------------------------------------------------


def _is_pickled_as_array(value: Any, numpy: Any) -> bool:  # noqa: ANN401
    """Return whether its class says no other way than numpy's of what its content is."""
    kind = type(value)
    known: tuple[Any, ...] = (numpy.ndarray, numpy.ma.MaskedArray)
    return any(kind.__reduce__ is base.__reduce__ for base in known)


def _array(array: Any, encode: Encode) -> bytes:  # noqa: ANN401  # numpy's, or a subclass's
    numpy = sys.modules["numpy"]
    about: list[object] = [_dtype(array.dtype), array.shape]
    plain = array
    if isinstance(array, numpy.ma.MaskedArray):
        plain = array.data
        about += [array.hardmask, array.fill_value, array._optinfo, _digest(numpy.ma.getmaskarray(array), encode)]  # noqa: SLF001
    if not isinstance(array, numpy.memmap) and (own := getattr(array, "__dict__", None)):
        about.append({name: own[name] for name in sorted(own) if name not in _MASKED_NOISE or plain is array})
    return encode(tuple(about)) + _digest(plain.view(numpy.ndarray), encode)


def _dtype(dtype: Any) -> object:  # noqa: ANN401  # numpy's
    """Return a dtype as plain data; `str` would leave out the names of fields."""
    if dtype.fields is not None:
        fields = [(name, dtype.fields[name][1], _dtype(dtype.fields[name][0])) for name in dtype.names]
        return (dtype.itemsize, fields)
    if dtype.subdtype is not None:
        return (_dtype(dtype.subdtype[0]), dtype.subdtype[1])
    return dtype.str


def _digest(array: Any, encode: Encode) -> bytes:  # noqa: ANN401  # numpy's own
    """Return a digest of the cells, in the order of the rows however they lie in memory."""
    if array.dtype.names:
        #: Field by field, since the padding between fields has no meaning.
        return b"".join(_digest(array[name], encode) for name in array.dtype.names)
    found = hashlib.sha256()
    for part in _parts(array):
        if part.dtype.hasobject or part.dtype.kind == "T":
            _add_objects(found, part.ravel().tolist(), encode)
        else:
            found.update(memoryview(sys.modules["numpy"].ascontiguousarray(part).view("u1").reshape(-1)))
    return found.digest()


def _parts(array: Any) -> Iterator[Any]:  # noqa: ANN401  # numpy's own
    """Yield the array in parts that are small enough to be copied."""
    numpy = sys.modules["numpy"]
    is_plain = not (array.dtype.hasobject or array.dtype.kind == "T")
    if not array.size or not array.itemsize:
        return
    if array.ndim == 0:
        array = array.reshape(1)
    if is_plain and array.flags.c_contiguous:
        yield array.reshape(-1)
        return
    row_bytes = max(1, array.nbytes // len(array)) if is_plain else max(1, array.size // len(array))
    if row_bytes > _PART_BYTES and array.ndim > 1:
        for row in array:
            yield from _parts(row)
        return
    rows = max(1, (_PART_BYTES if is_plain else _PART_CELLS) // row_bytes)
    for start in range(0, len(array), rows):
        yield numpy.asarray(array[start : start + rows])


def _add_objects(found: Any, cells: list[object], encode: Encode) -> None:  # noqa: ANN401  # a hash
    if set(map(type, cells)) == {str}:
        #: Texts in one go, with their lengths: `["a", "bc"]` and `["ab", "c"]` differ.
        lengths = ",".join(map(str, map(len, cells)))  # type: ignore[arg-type]  # texts
        found.update(f"s{lengths};".encode() + "".join(cells).encode("utf-8", "surrogatepass"))  # type: ignore[arg-type]
        return
    found.update(b"o%d;" % len(cells))
    for cell in cells:
        found.update(encode(cell))


# Frames -------------------------------------------------------------------------------------------------------------


def _frame(frame: Any, encode: Encode) -> bytes:  # noqa: ANN401  # pandas'
    columns = [_column(frame.iloc[:, position].array, encode) for position in range(frame.shape[1])]
    axes = [_index(frame.columns, encode), _index(frame.index, encode)]
    return encode(frame.shape) + b"".join(axes + columns) + _labels(frame, encode)


def _labels(value: Any, encode: Encode) -> bytes:  # noqa: ANN401  # a frame or series
    """Return the data of a frame or series besides its cells and axes."""
    own = {name: getattr(value, name, None) for name in value._metadata if name != "name"}  # noqa: SLF001  # pandas' way
    return encode((value.attrs, value.flags.allows_duplicate_labels, own))


def _index(index: Any, encode: Encode) -> bytes:  # noqa: ANN401  # pandas'
    pandas = sys.modules["pandas"]
    about = encode((type(index).__qualname__, tuple(index.names)))
    if isinstance(index, pandas.RangeIndex):
        return about + encode((index.start, index.stop, index.step))
    if isinstance(index, pandas.MultiIndex):
        levels = [_index(level, encode) for level in index.levels]
        return about + b"".join(levels + [_digest(codes, encode) for codes in map(_plain_array, index.codes)])
    return about + encode(getattr(index, "freqstr", None)) + _column(index.array, encode)


def _plain_array(values: object) -> Any:  # noqa: ANN401  # numpy's
    return sys.modules["numpy"].asarray(values)


def _column(array: Any, encode: Encode) -> bytes:  # noqa: ANN401  # an extension array
    pandas = sys.modules["pandas"]
    if type(array) is pandas.arrays.NumpyExtensionArray:
        return _array(array.to_numpy(), encode)
    about = encode((type(array).__qualname__, repr(array.dtype), len(array)))
    if not type(array).__module__.startswith("pandas."):
        return about + encode(array)
    for kinds, parts in (
        ((pandas.Categorical,), _categories),
        ((pandas.arrays.DatetimeArray, pandas.arrays.TimedeltaArray, pandas.arrays.PeriodArray), _moments),
        ((pandas.arrays.SparseArray,), _sparse),
        ((pandas.arrays.IntervalArray,), _intervals),
    ):
        if isinstance(array, kinds):
            return about + parts(array, encode)
    return about + _cells(array, encode)


def _categories(array: Any, encode: Encode) -> bytes:  # noqa: ANN401
    return encode(array.ordered) + _index(array.categories, encode) + _digest(array.codes, encode)


def _moments(array: Any, encode: Encode) -> bytes:  # noqa: ANN401
    return encode(getattr(array, "freqstr", None)) + _digest(array.asi8, encode)


def _sparse(array: Any, encode: Encode) -> bytes:  # noqa: ANN401
    positions = array.sp_index.to_int_index().indices
    return encode(array.fill_value) + _digest(positions, encode) + _array(array.sp_values, encode)


def _intervals(array: Any, encode: Encode) -> bytes:  # noqa: ANN401
    return encode(array.closed) + _index(array.left, encode) + _index(array.right, encode)


def _cells(array: Any, encode: Encode) -> bytes:  # noqa: ANN401
    found = hashlib.sha256()
    for start in range(0, len(array), _PART_CELLS):
        _add_objects(found, array[start : start + _PART_CELLS].to_numpy(dtype=object).tolist(), encode)
    return found.digest()
