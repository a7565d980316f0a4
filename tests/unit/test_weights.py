"""The header of a safetensors file: what is true is read, what lies is refused with a sentence."""

from __future__ import annotations

import json
import math
import os
import struct
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

from sdcore.weights import BITS, MAX_HEADER, HeaderError, check_weights, read_header


def write(path: Path, members: object, data: int = 0) -> Path:
    """A file with this header and so many bytes of data."""
    raw = members if isinstance(members, bytes) else json.dumps(members).encode()
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + bytes(data))
    return path


def tensor(begin: int, end: int, *shape: int, dtype: str = "U8") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": (begin, end)}


def test_what_safetensors_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    arrays = {
        "a": np.zeros((2, 3), np.float32), "b.0": np.ones(5, np.float16), "none": np.zeros((0, 4)),
        "scalar": np.array(1.0),
    }  # fmt: skip
    save_file(arrays, path, {"format": "np", "日本": "x"})
    header = read_header(path)
    assert header.metadata == {"format": "np", "日本": "x"}
    assert header.file_bytes == path.stat().st_size
    assert {name: info.shape for name, info in header.tensors.items()} == {
        name: array.shape for name, array in arrays.items()
    }
    assert {name: info.dtype for name, info in header.tensors.items()} == {
        "a": "F32", "b.0": "F16", "none": "F64", "scalar": "F64",
    }  # fmt: skip
    info = header.tensors["b.0"]
    stored = path.read_bytes()[header.data_start + info.begin : header.data_start + info.end]
    assert np.array_equal(np.frombuffer(stored, np.float16), arrays["b.0"])
    check_weights(path)


@pytest.mark.parametrize("dtype", sorted(BITS))
def test_every_dtype_has_its_size(dtype: str, tmp_path: Path) -> None:
    size = BITS[dtype]
    path = write(tmp_path / "a.safetensors", {"a": tensor(0, size, 8, dtype=dtype)}, size)
    assert read_header(path).tensors["a"].elements == 8
    with pytest.raises(HeaderError, match="lies about the size"):
        read_header(write(path, {"a": tensor(0, size + 1, 8, dtype=dtype)}, size + 1))
    with safe_open(write(path, {"a": tensor(0, size, 8, dtype=dtype)}, size), "np") as official:
        assert official.get_slice("a").get_shape() == [8]


_LIES = {
    "overlap": ({"a": tensor(0, 8, 8), "b": tensor(4, 12, 8)}, 12),
    "leave gaps": ({"a": tensor(0, 8, 8), "b": tensor(9, 17, 8)}, 17),
    "cut off: 5 bytes are missing": ({"a": tensor(0, 8, 8)}, 3),
    "has 2 bytes more": ({"a": tensor(0, 8, 8)}, 10),
    "lies about the size of its tensor 'a'": ({"a": tensor(8, 0, 8)}, 8),
    "unknown type 'U9'": ({"a": tensor(0, 8, 8, dtype="U9")}, 8),
    "damaged header": ({"a": tensor(0, 0, -1)}, 0),
    r"damaged header \(Expected `int` <=": ({"a": tensor(0, 0, 0, 2**49)}, 0),
    r"damaged header \(Expected `array` of length <=": ({"a": tensor(0, 1, *[1] * 17)}, 1),
    r"damaged header \(Object missing": ({"a": {"dtype": "U8", "shape": []}}, 0),
    r"damaged header \(Expected `object`, got `int`": ({"a": 3}, 0),
    r"damaged header \(Expected `str`": ({"__metadata__": {"a": 1}}, 0),
    r"damaged header \(Expected `object`, got `array`": ([], 0),
    "damaged header ": (b"{1: 2}", 0),
    "damaged header  ": (b'{"a": ', 0),
    "damaged header .maximum": (b'{"a":' * 20_000, 0),
    "damaged header .'utf-8'": (b'{"\xff": {}}', 0),
}  # fmt: skip


@pytest.mark.parametrize("says", _LIES)
def test_a_header_that_lies_is_refused(says: str, tmp_path: Path) -> None:
    members, data = _LIES[says]
    path = write(tmp_path / "a\x1b[31m.safetensors", members, data)
    with pytest.raises(HeaderError, match=says.rstrip()) as caught:
        read_header(path)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 500
    with pytest.raises(HeaderError):
        check_weights(path)


_FOREIGN = {
    "pickle": b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.",
    "holds a pickle": b"PK\x03\x04" + bytes(40),
    "GGUF": b"GGUF\x03\0\0\0" + bytes(40),
    "git lfs pull": b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\n",
    "web page": b"<!DOCTYPE html><html>",
    "text file": b'{"error": "Access to model is restricted"}',
    "header of [0-9,]+ bytes": (MAX_HEADER + 1).to_bytes(8, "little") + bytes(16),
    "after 3 bytes": b"abc",
    "after 0 bytes": b"",
    "in its header": (64).to_bytes(8, "little") + b"{}",
}


@pytest.mark.parametrize("says", _FOREIGN)
def test_what_is_no_safetensors_is_told_by_its_content(says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(_FOREIGN[says])
    with pytest.raises(HeaderError, match=says):
        read_header(path)


@pytest.mark.parametrize("suffix", [".ckpt", ".bin", ".PT", ".pth"])
def test_a_pickle_is_refused_by_its_name(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a{suffix}", {})
    with pytest.raises(HeaderError, match="safetensors"):
        read_header(path)


def test_a_length_that_looks_like_a_pickle_is_no_pickle(tmp_path: Path) -> None:
    raw = b"{}".ljust(0x280)
    assert struct.pack("<Q", len(raw)).startswith(b"\x80\x02")
    assert read_header(write(tmp_path / "a.safetensors", raw)).tensors == {}


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")
    for name, says in {
        "pipe.safetensors": "not a file", ".": "not a file|directory", "absent": "No such file", "a\0b": "null",
    }.items():  # fmt: skip
        with pytest.raises(HeaderError, match=says):
            read_header(tmp_path / name)


def test_a_folder_is_checked_by_the_weights_that_would_be_opened(tmp_path: Path) -> None:
    good, bad = tmp_path / "unet" / "a.safetensors", tmp_path / "unet" / "b.safetensors"
    good.parent.mkdir()
    write(good, {})
    (good.parent / "old.bin").write_bytes(b"\x80\x02")
    check_weights(good.parent)
    bad.write_bytes(b"PK")
    with pytest.raises(HeaderError, match=r"b\.safetensors"):
        check_weights(good.parent)
    bad.unlink()
    good.unlink()
    with pytest.raises(HeaderError, match=r"old\.bin .*pickle"):
        check_weights(tmp_path / "unet")
    with pytest.raises(HeaderError, match="cannot be read"):
        check_weights(tmp_path / "absent")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_TENSOR = st.fixed_dictionaries({
    "dtype": st.sampled_from(["U8", "F16", "F8_E4M3", "F4", "X", ""]) | _JSON,
    "shape": st.lists(st.integers(-1, 5), max_size=4) | _JSON,
    "data_offsets": st.tuples(st.integers(-1, 40), st.integers(-1, 40)) | _JSON,
})  # fmt: skip
_HEADERS = st.dictionaries(st.text(max_size=6) | st.just("__metadata__"), _TENSOR | _JSON, max_size=4)


@given(
    raw=_HEADERS.map(lambda members: json.dumps(members).encode()) | st.binary(max_size=64),
    length=st.none() | st.integers(0, 2**64 - 1),
    data=st.integers(0, 60),
)
@example(raw=b"{}", length=2**64 - 1, data=0)
def test_reading_raises_nothing_else_and_believes_nothing_that_safetensors_does_not(
    raw: bytes, length: int | None, data: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.safetensors"
    path.write_bytes((len(raw) if length is None else length).to_bytes(8, "little") + raw + bytes(data))
    try:
        header = read_header(path)
    except HeaderError:
        return
    assert sum(info.end - info.begin for info in header.tensors.values()) == data
    if raw.startswith(b"{"):  # safetensors takes no space before it
        with safe_open(path, "np") as official:
            assert set(official.keys()) == set(header.tensors)


_SHAPES = st.lists(
    st.tuples(st.sampled_from(["U8", "F16", "F32"]), st.lists(st.integers(0, 3), max_size=3)), max_size=5
)


@given(tensors=_SHAPES, order=st.randoms(use_true_random=False), shift=st.integers(-2, 2))
def test_any_order_is_read_and_any_shift_refused(
    tensors: list[tuple[str, list[int]]], order: Random, shift: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    end, members = 0, []
    for number, (dtype, shape) in enumerate(tensors):
        size = math.prod(shape) * BITS[dtype] // 8
        members.append((str(number), tensor(end, end + size, *shape, dtype=dtype)))
        end += size
    order.shuffle(members)
    data = max(0, end + shift)
    path = write(tmp_path_factory.getbasetemp() / "order.safetensors", dict(members), data)
    if data != end:
        with pytest.raises(HeaderError):
            read_header(path)
    else:
        shapes = {name: list(info.shape) for name, info in read_header(path).tensors.items()}
        assert shapes == {str(number): shape for number, (_, shape) in enumerate(tensors)}
