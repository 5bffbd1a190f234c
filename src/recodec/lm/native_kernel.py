"""Packets coded by the compiled kernel of `lm/native/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import CheckpointError, RecodecError
from .config import CodeLMConfig
from .native_library import Library
from .weights import check_bounds, check_shapes

_ALIGNMENT = 64
_ENCODE_ROWS = 64  # frames of one pass through the network
_DECODE_STREAMS = 8  # they share what is loaded of the weights; each takes 2 MB for its past
_CALL_ROWS = 512  # frames of one call, so that Ctrl-C is heeded

_MODEL_TENSORS = (
    "embed", "embed.shift", "condition", "condition.shift", "logits", "logits.shift", "start", "bias", "score_shift",
    "hidden", "hidden.shift",
)  # fmt: skip
_LAYER_TENSORS = (
    "query_key_value", "query_key_value.shift", "out", "out.shift", "up", "up.shift", "down", "down.shift", "distance",
    "score_shift",
)  # fmt: skip


class NativeKernel:
    """See `kernel.Kernel`. It keeps no tensor: the integers are laid out anew, as the kernel reads them.

    Args:
        library: the compiled functions.
        config: shape of the language model.
        tensors: its integers (`weights.tensor_specs`).

    Raises:
        CheckpointError: if the tensors do not fit, or could leave the range of exact arithmetic.
    """

    def __init__(self, library: Library, config: CodeLMConfig, tensors: Mapping[str, np.ndarray]) -> None:
        check_shapes(config, tensors)
        self.name = f"compiled C ({library.level})"
        self.config = config
        self._call = library.call
        sizes = sizes_of(config)
        size = self._call("model_bytes", _address(sizes))
        held = [_array(tensors, name) for name in _names(config)]
        pointers = np.array([0 if array is None else array.ctypes.data for array in held], np.uintp)
        # A network beyond the kernel's limits of size has none of its bytes, and is refused like one beyond its bounds.
        self._model = _memory(size)
        if not size or self._call("load", _address(sizes), _address(pointers), _address(self._model)):
            check_bounds(config, tensors)  # says what is wrong
            raise CheckpointError("the language model is larger than any that the compiled kernel takes")

    def encode_limit(self, frames: int) -> int:
        return max(1, _ENCODE_ROWS // frames)

    def encode(self, codes: np.ndarray) -> list[bytes]:
        starts, freqs = self.intervals(codes)
        # A symbol settles 16 bits at most, and the last number has 48 (docs/bitstream.md, Range coder).
        payload = np.empty(2 * starts[0].size + 6, np.uint8)
        payloads = []
        for row, row_freqs in zip(starts, freqs, strict=True):
            size = self._call("range_encode", _address(row), _address(row_freqs), row.size, _address(payload))
            payloads.append(payload[:size].tobytes())
        return payloads

    def decode_limit(self, frames: int) -> int:
        return _DECODE_STREAMS

    def decode(self, payloads: Sequence[bytes], num_codebooks: int, lengths: Sequence[int]) -> np.ndarray:
        codes = np.zeros((len(payloads), num_codebooks, lengths[0]), np.int64)
        # Held until all is decoded, because the state points into them; NumPy takes no empty buffer.
        held = [np.frombuffer(payload or b"\0", np.uint8) for payload in payloads]
        state = self._start(len(payloads), lengths[0])
        for p, payload in enumerate(held):
            self._check(self._call("payload", _address(state), p, _address(payload), len(payloads[p])))
        first = 0
        for streams, last in _stretches(lengths):
            while first < last:
                count = min(max(1, _CALL_ROWS // streams), last - first)
                found = np.empty((streams, count, num_codebooks), np.int32)
                self._check(
                    self._call(
                        "decode", _address(self._model), _address(state), streams, num_codebooks, count, _address(found)
                    )
                )
                codes[:streams, :, first : first + count] = found.swapaxes(1, 2)
                first += count
        return codes

    def intervals(self, codes: np.ndarray, scores: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(P, K, F) codes to their starts and frequencies, each (P, F, K) int32.

        Args:
            codes: of packets of one length.
            scores: (P, F, K, N) float32, to be filled with the scores of all codes.
        """
        packets, num_codebooks, frames = codes.shape
        state = self._start(packets, frames)
        rows = np.ascontiguousarray(codes.swapaxes(1, 2), np.int32)
        found = np.empty((2, *rows.shape), np.int32)
        step = max(1, _CALL_ROWS // packets)
        for first in range(0, frames, step):
            part = np.ascontiguousarray(rows[:, first : first + step])
            pair = np.empty((2, *part.shape), np.int32)
            dump = None if scores is None else np.empty((*part.shape, scores.shape[-1]), np.float32)
            self._check(
                self._call(
                    "intervals", _address(self._model), _address(state), packets, num_codebooks, part.shape[1],
                    _address(part), _address(pair[0]), _address(pair[1]), None if dump is None else _address(dump),
                )
            )  # fmt: skip
            found[:, :, first : first + step] = pair
            if scores is not None:
                scores[:, first : first + step] = dump
        return found[0], found[1]

    def _start(self, streams: int, frames: int) -> np.ndarray:
        state = _memory(self._call("state_bytes", _address(self._model), streams, frames))
        self._check(self._call("start", _address(self._model), _address(state), streams, frames))
        return state

    @staticmethod
    def _check(code: int) -> None:
        if code:
            raise RecodecError(
                f"the compiled language model refuses its arguments ({code}): this is a fault of Recodec"
            )


def sizes_of(config: CodeLMConfig) -> np.ndarray:
    """What `model.h` names `Sizes`."""
    return np.array(list(named_sizes(config).values()), np.int32)


def named_sizes(config: CodeLMConfig) -> dict[str, int]:
    """The members of `Sizes` in `model.h`, in their order."""
    return {
        "codebooks": config.num_codebooks,
        "symbols": config.codebook_size,
        "width": config.width,
        "layers": config.num_layers,
        "heads": config.num_heads,
        "feed_forward": config.feed_forward,
        "past": config.past_context,
        "head_width": config.head_width,
        "conditioned": int(config.conditioned),
    }


def _names(config: CodeLMConfig) -> list[str]:
    return [*_MODEL_TENSORS, *(f"layers.{i}.{name}" for i in range(config.num_layers) for name in _LAYER_TENSORS)]


def _array(tensors: Mapping[str, np.ndarray], name: str) -> np.ndarray | None:
    return np.ascontiguousarray(tensors[name]) if name in tensors else None


def _address(array: np.ndarray) -> int:
    return array.ctypes.data


def _memory(size: int) -> np.ndarray:
    """Bytes that begin at a multiple of what the kernel wants."""
    whole = np.empty(size + _ALIGNMENT, np.uint8)
    return whole[-whole.ctypes.data % _ALIGNMENT :][:size]


def _stretches(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """How many of the packets, the longest first, go on up to which frame."""
    return [(p + 1, lengths[p]) for p in range(len(lengths) - 1, -1, -1)]
