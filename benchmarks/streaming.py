"""Pushes into the ONNX engine and into eager torch, turn by turn in one process on one core; and memory.

    taskset -c 0 python benchmarks/streaming.py [--clock cpu] [--models 32-filters 16-filters]

Random weights, 8 codebooks (6 kbps at 24 kHz). With `--clock cpu` medians are of the process's own time, for a
machine that others use too; 95th percentiles, which waiting belongs to, are always by the clock on the
wall. Peak memory (not on Windows) is that of a fresh process that pushes a stream through both.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable

import numpy as np
import torch
from common import Clock, add_clock, argument_parser, random_pair, run_command, take_turns

import recodec
from recodec import presets
from recodec.onnx_engine import OnnxEngine

MODELS = {"32-filters": presets.encodec_24khz, "16-filters": presets.recodec_24khz}
PUSHES = (1, 4, 15, 75)
CODEBOOKS = 8
START = 8  # frames of the first push, more than a mirrored start waits for
Coder = Callable[[np.ndarray], np.ndarray]

MEMORY = """
import sys
import numpy as np
from recodec.onnx_engine import OnnxEngine
folder, frames, pushes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
engine = OnnxEngine.from_pretrained(folder, threads=1)
encoder, decoder = engine.encoder_state(1), engine.decoder_state(1)
audio = np.zeros((1, 1, frames * engine.config.hop_length), np.float32)
for _ in range(pushes):
    codes, encoder = engine.encode_step(audio, encoder, last=False, num_quantizers=8)
    _, decoder = engine.decode_step(codes, decoder, last=False)
"""


def percentile_95(seconds: list[float]) -> float:
    return float(np.percentile(seconds, 95))


def onnx_coders(engine: OnnxEngine) -> tuple[Coder, Coder]:
    """Functions that push audio and codes (1, K, F), each into a stream of its own."""
    encoder, decoder = engine.encoder_state(1), engine.decoder_state(1)

    def encode(audio: np.ndarray) -> np.ndarray:
        nonlocal encoder
        codes, encoder = engine.encode_step(audio, encoder, last=False, num_quantizers=CODEBOOKS)
        return codes

    def decode(codes: np.ndarray) -> np.ndarray:
        nonlocal decoder
        audio, decoder = engine.decode_step(codes, decoder, last=False)
        return audio

    return encode, decode


def torch_coders(model: recodec.EncodecModel) -> tuple[Coder, Coder]:
    """The same with torch."""
    encoder, decoder = model.encoder.init_state(1), model.decoder.init_state(1)

    def encode(audio: np.ndarray) -> np.ndarray:
        nonlocal encoder
        latents, encoder = model.encoder.step(torch.from_numpy(audio), encoder)
        return model.quantizer.quantize(latents, CODEBOOKS).numpy()

    def decode(codes: np.ndarray) -> np.ndarray:
        nonlocal decoder
        audio, decoder = model.decoder.step(model.quantizer.dequantize(torch.from_numpy(codes)), decoder)
        return audio.numpy()

    return encode, decode


def measure(coders: dict[str, Coder], x: np.ndarray, unit: int, pushes: int, clock: Clock) -> None:
    """Print one line: pushes of x into each coder, turn by turn."""
    for coder in coders.values():
        coder(np.repeat(x[..., :unit], START, axis=-1))
    turns = take_turns({name: lambda c=coder: c(x) for name, coder in coders.items()}, pushes, warm_up=0)
    for name in coders:
        median, late = turns.median(name, clock), turns.figure(name, percentile_95)
        print(f" {1000 * median:8.2f} {1000 * late:8.2f} {x.shape[-1] / unit / 75 / median:6.1f}x |", end="")
    print(f" {turns.ratio('torch', 'onnx', statistics.median, clock):5.2f}")


def round_trip(engine: OnnxEngine, frames: int = 1500) -> None:
    """Print what a live loop sees: one frame encoded and decoded, by the clock on the wall."""
    encode, decode = onnx_coders(engine)
    hop = engine.config.hop_length
    audio = 0.1 * np.random.default_rng(0).standard_normal((1, 1, START * hop), np.float32)
    decode(encode(audio))
    turns = take_turns({"both": lambda: decode(encode(audio[..., :hop]))}, frames, warm_up=0)
    print(f"a frame (13.3 ms) there and back: median {1000 * turns.median('both'):.2f} ms, "
          f"95th percentile {1000 * turns.figure('both', percentile_95):.2f} ms")  # fmt: skip


def compare(name: str, pushes: int, clock: Clock) -> None:
    """Print the table of one model."""
    model = random_pair(MODELS[name]())[0].fold_weight_norm()
    config = model.config
    engine = OnnxEngine(config, {key: value.numpy() for key, value in model.state_dict().items()}, threads=1)
    rng = np.random.default_rng(0)
    print(f"\n{name}: milliseconds a push (median, 95th percentile), times real time")
    print("frames  verb   |          onnx            |          torch           | torch / onnx")
    for frames in PUSHES:
        audio = 0.1 * rng.standard_normal((1, 1, frames * config.hop_length), np.float32)
        codes = rng.integers(0, config.codebook_size, (1, CODEBOOKS, frames))
        onnx, eager = onnx_coders(engine), torch_coders(model)
        for index, (verb, x, unit) in enumerate([("encode", audio, config.hop_length), ("decode", codes, 1)]):
            print(f"{frames:6d}  {verb} |", end="", flush=True)
            coders = {"onnx": onnx[index], "torch": eager[index]}
            measure(coders, x, unit, max(10, pushes // frames), clock)
    round_trip(engine)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        for frames in (1, 75):
            for seconds in (10, 60):
                arguments = [folder, str(frames), str(75 * seconds // frames)]
                peak_mb = run_command([sys.executable, "-c", MEMORY, *arguments]).peak_mb
                print(f"peak memory, {seconds} s in pushes of {frames}: {peak_mb:.0f} MB")


def main() -> None:
    """Print a table for each model."""
    parser = argument_parser(__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    add_clock(parser)
    parser.add_argument("--pushes", type=int, default=300, help="single-frame pushes; fewer of the larger ones")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    for name in args.models:
        compare(name, args.pushes, args.clock)


if __name__ == "__main__":
    main()
