"""Entropy coding of codes on one core: ours in exact arithmetic, Meta's language model in torch with Meta's coder.

    python benchmarks/entropy.py [--lm FOLDER] [--codes FOLDER] [--kbps 6] [--seconds 10] [--packet-s 1]

`--lm` holds `lm.safetensors`; without it weights are random, which changes no speed. `--codes` is a
folder that `recodec tokenize -b 12` wrote with the default model, whose clips are then coded for the figures in bits;
without it codes are random. Times are processor time of one thread, so that other work on the machine does not count.
"""

from __future__ import annotations

import io
import sys
import types
from collections.abc import Callable

import numpy as np
import torch
from common import argument_parser, fastest

from recodec.lm.coder import LanguageModel
from recodec.lm.config import CodeLMConfig
from recodec.lm.float_network import CodeLM
from recodec.lm.quantize import quantize
from recodec.training.codes import CodecShape, read_clips

FRAME_RATE = 75
GROUPS = ("speech", "music", "sfx")
CODE_BITS = 10


def our_model(folder: str | None) -> LanguageModel:
    """The model of a folder, or one of the default shape for 16 codebooks with random weights."""
    if folder is not None:
        return LanguageModel.load(folder)
    torch.manual_seed(0)
    model = CodeLM(CodeLMConfig(16))
    return LanguageModel.of(model.config, quantize(model.config, model.exact_weights()))


class MetaCoder:
    """What Meta's `compress` and `decompress` do with their language model, frame by frame."""

    def __init__(self) -> None:
        sys.modules.setdefault("torchaudio", types.ModuleType("torchaudio"))
        from encodec.model import LMModel
        from encodec.quantization import ac

        self._ac = ac
        torch.manual_seed(0)
        self._lm = LMModel(32, 1 << CODE_BITS, num_layers=5, dim=200, past_context=int(3.5 * FRAME_RATE)).eval()

    def encode(self, codes: np.ndarray) -> bytes:
        """(K, F) codes to bytes."""
        out = io.BytesIO()
        coder = self._ac.ArithmeticCoder(out)
        self._run(codes, lambda k, f, cdf: coder.push(int(codes[k, f]), cdf), coder.total_range_bits)
        coder.flush()
        return out.getvalue()

    def decode(self, payload: bytes, shape: tuple[int, int]) -> np.ndarray:
        """Bytes to (K, F) codes."""
        codes = np.zeros(shape, np.int64)
        decoder = self._ac.ArithmeticDecoder(io.BytesIO(payload))

        def pull(k: int, f: int, cdf: torch.Tensor) -> None:
            code = decoder.pull(cdf)
            assert code is not None
            codes[k, f] = code

        self._run(codes, pull, decoder.total_range_bits)
        return codes

    @torch.no_grad()
    def _run(self, codes: np.ndarray, code: Callable[[int, int, torch.Tensor], None], total_bits: int) -> None:
        before, states, offset = torch.zeros(1, codes.shape[0], 1, dtype=torch.int64), None, 0
        for f in range(codes.shape[1]):
            chances, states, offset = self._lm(before, states, offset)
            for k in range(codes.shape[0]):
                code(k, f, self._ac.build_stable_quantized_cdf(chances[0, :, k, 0], total_bits, check=False))
            before = torch.from_numpy(codes[None, :, f : f + 1] + 1)


def compare_speed(model: LanguageModel, num_codebooks: int, seconds: float, packet_s: float, repeats: int) -> None:
    """Print times real time of each, and the ratios."""
    frames, packet = round(seconds * FRAME_RATE), round(packet_s * FRAME_RATE)
    codes = np.random.default_rng(0).integers(0, 1 << CODE_BITS, (num_codebooks, frames))
    pieces = [codes[:, i : i + packet] for i in range(0, frames, packet)]
    payloads, whole = model.encode(pieces), model.encode([codes])
    meta = MetaCoder()
    short = codes[:, : 2 * FRAME_RATE]  # it takes its time
    their_payload = meta.encode(short)
    times = {
        "encode": fastest(lambda: model.encode(pieces), repeats) / seconds,
        "decode": fastest(lambda: model.decode(payloads, [p.shape for p in pieces]), repeats) / seconds,
        "decode, one packet": fastest(lambda: model.decode(whole, [codes.shape]), repeats) / seconds,
    }
    theirs = {
        "encode": fastest(lambda: meta.encode(short), 1) / 2,
        "decode": fastest(lambda: meta.decode(their_payload, short.shape), 1) / 2,
    }
    print(f"{num_codebooks} codebooks, {seconds:g} s in packets of {packet_s:g} s, one thread; times real time")
    for name, time_s in times.items():
        other = theirs[name.partition(",")[0]]
        print(f"  {name:20} {1 / time_s:6.1f}   Meta's {1 / other:5.2f}   ratio {other / time_s:5.1f}")


def compare_bits(model: LanguageModel, folder: str, kbps: float) -> None:
    """Print bits per frame and the saving, for packets of several lengths, by group."""
    shape = CodecShape.of(None)
    count = shape.counts[kbps]
    clips = list(read_clips(folder, shape, GROUPS))
    raw = count * CODE_BITS
    print(f"{count} codebooks, raw {raw} bits a frame; bits a frame (saving), payloads alone")
    for packet_s in (1, 2, 4, 8, 3600):
        step = packet_s * FRAME_RATE
        bits: dict[str, int] = {}
        frames: dict[str, int] = {}
        for clip in clips:
            codes = clip.codes[:count]
            size = 8 * sum(map(len, model.encode([codes[:, i : i + step] for i in range(0, codes.shape[1], step)])))
            for group in (clip.group, "total"):
                bits[group] = bits.get(group, 0) + size
                frames[group] = frames.get(group, 0) + codes.shape[1]
        cells = "  ".join(f"{g} {bits[g] / frames[g]:.1f} ({1 - bits[g] / frames[g] / raw:.1%})" for g in sorted(bits))
        print(f"  packets of {packet_s if packet_s < 3600 else 'any'} s: {cells}")


def main() -> None:
    """Print both tables."""
    parser = argument_parser(__doc__)
    parser.add_argument("--lm")
    parser.add_argument("--codes")
    parser.add_argument("--kbps", type=float, default=6.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--packet-s", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = our_model(args.lm)
    num_codebooks = int(args.kbps * 1000 / (FRAME_RATE * CODE_BITS))
    compare_speed(model, num_codebooks, args.seconds, args.packet_s, args.repeats)
    if args.codes is not None:
        compare_bits(model, args.codes, args.kbps)


if __name__ == "__main__":
    main()
