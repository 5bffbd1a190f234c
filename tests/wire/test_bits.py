import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.wire import bits


@given(st.integers(1, 32).flatmap(lambda w: st.tuples(st.just(w), st.lists(st.integers(0, 2**w - 1), max_size=40))))
@settings(deadline=None, max_examples=100, derandomize=True)
def test_packing_is_one_number_lowest_bits_first(case):
    width, values = case
    number = sum(value << (i * width) for i, value in enumerate(values))
    packed = bits.pack(np.array(values, np.int64), width)
    assert packed == number.to_bytes(bits.packed_bytes(len(values), width), "little")
    assert bits.unpack(packed, len(values), width).tolist() == values


@pytest.mark.parametrize("values", [[-1], [1024], [3, 5000]])
def test_values_outside_the_width_are_refused(values):
    with pytest.raises(ValueError, match="values must be"):
        bits.pack(np.array(values), 10)


def test_too_few_bytes_are_refused():
    with pytest.raises(ValueError, match="need 4 bytes"):
        bits.unpack(b"abc", 3, 10)


@pytest.mark.parametrize("width", [0, 33])
def test_impossible_widths_are_refused(width):
    with pytest.raises(ValueError, match="width"):
        bits.pack(np.array([0]), width)
