"""Encoding and decoding in bulk on a GPU against transformers.EncodecModel. It needs a CUDA device.

    python benchmarks/gpu.py [--ways encode decode] [--seconds 10] [--kbps 6] [--batches 8 32 128] [--repeats 5]

For each batch size, all of theirs and ours run turn by turn in one process, and the best time of each counts.
Then each one's best batch size is compared: hours of audio per second; for encoding, which codes differ from those of
transformers in float32 without TF32, and how many of its own codes change when an item is encoded alone; for decoding,
the error against transformers in float32, in dB below the signal. The audio is `examples/` over and over; the model is
the default one unless `--model FOLDER` names another. `--released` takes the released 24 kHz geometry with random
weights: for speeds, as random weights tell nothing of codes that differ.

`--cpu` runs the same on a CPU, to try the script: its times say nothing of a GPU.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import transformers
from common import EXAMPLES, argument_parser, peer_of, random_pair, take_turns

import recodec
from recodec import presets
from recodec.audio.files import read_audio
from recodec.model.bulk import BulkDecoder, BulkEncoder, mismatch

WAYS = ("encode", "decode")
THEIRS = {"float32": (torch.float32, False), "tf32": (torch.float32, True), "float16": (torch.float16, True),
          "bfloat16": (torch.bfloat16, True)}  # fmt: skip
Work = Callable[[torch.Tensor], torch.Tensor]


@dataclass
class Candidate:
    """One way to encode or decode, its speeds by batch size, and how far its results are from those expected.

    Attributes:
        work: (B, C, T) audio to (B, K, F) codes, or back.
        wrong: of codes, the fraction of each codebook's that differ; of audio, the error in dB below the signal.
        by_batch: the fraction of codes that change when an item is encoded alone.
    """

    work: Work
    hours_per_s: dict[int, float] = field(default_factory=dict)
    wrong: list[float] = field(default_factory=list)
    by_batch: float = 0.0
    failure: str = ""

    @property
    def best(self) -> tuple[float, int]:
        """Hours of audio per second, and the batch size that reached them."""
        return max(((speed, batch) for batch, speed in self.hours_per_s.items()), default=(0.0, 0))


def build(folder: str | None, released: bool, device: str) -> tuple[recodec.EncodecModel, Any]:
    """Ours and theirs with the same weights."""
    if released:
        ours, theirs = random_pair(presets.encodec_24khz())
    else:
        ours = recodec.EncodecModel.from_pretrained(folder).eval()
        theirs = peer_of(ours)
    return ours.to(device), theirs.to(device)


def recordings(config: recodec.EncodecConfig, batch: int, seconds: float) -> torch.Tensor:
    """(B, C, T) of the examples, each item from another place on."""
    files = sorted(EXAMPLES.glob("*.wav"))
    rate, channels = config.sampling_rate, config.audio_channels
    audio = np.concatenate([read_audio(path, rate_hz=rate, channels=channels)[0] for path in files], axis=1)
    size = round(seconds * rate)
    place = np.arange(size) + np.arange(batch)[:, None] * (audio.shape[1] // batch)
    return torch.from_numpy(audio[:, place % audio.shape[1]]).transpose(0, 1).contiguous()


def their_work(model: Any, precision: str, kbps: float, way: str) -> Work:
    """transformers.EncodecModel in a precision: its weights converted, its search over the codebooks too."""
    dtype, tf32 = THEIRS[precision]
    with tempfile.TemporaryDirectory() as place:
        model.save_pretrained(place)
        own: Any = transformers.EncodecModel.from_pretrained(place, dtype=dtype).eval()
        own.to(model.device)

    def work(x: torch.Tensor) -> torch.Tensor:
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=tf32):
            if way == "encode":
                return own.encode(x.to(dtype), bandwidth=kbps).audio_codes[0]
            return own.decode(x[None], [None]).audio_values

    return work


def our_work(model: recodec.EncodecModel, precision: str, acceleration: str, kbps: float, way: str) -> Work:
    """`BulkEncoder` or `BulkDecoder` in a precision; `acceleration="compile"` raises where it cannot compile."""
    if way == "decode":
        return BulkDecoder(model, precision=precision, acceleration=acceleration).decode
    encoder = BulkEncoder(model, precision=precision, acceleration=acceleration)
    count = model.config.quantizers_for(kbps)
    return lambda x: encoder.encode(x, count)[0]


def measure(candidates: dict[str, Candidate], x: torch.Tensor, hours: float, repeats: int) -> None:
    """Best of `repeats` turns of every candidate, after two that warm up (compile, capture, choose algorithms)."""

    def failed(name: str, error: Exception) -> None:  # a batch that does not fit, or a precision that the device lacks
        candidates[name].failure = f"{type(error).__name__} at batch {x.shape[0]}: {str(error).splitlines()[0]}"
        torch.cuda.empty_cache()

    left = {name: lambda work=c.work: work(x) for name, c in candidates.items() if not c.failure}
    turns = take_turns(left, repeats, warm_up=2, device=x.device, failed=failed)
    for name in turns.seconds:
        candidates[name].hours_per_s[x.shape[0]] = speed = hours / turns.figure(name)
        print(f"batch {x.shape[0]:4d}  {name:34s} {speed:8.3f} hours/s", flush=True)


def compare(candidates: dict[str, Candidate], x: torch.Tensor, way: str) -> None:
    """How far each one's results are from those of transformers in float32 without TF32."""
    expected = candidates["transformers float32"].work(x)
    for candidate in candidates.values():
        if not candidate.hours_per_s:
            continue
        found = candidate.work(x)
        if way == "encode":
            candidate.wrong = mismatch(found, expected)
            alone = torch.cat([candidate.work(item[None]) for item in x[:2]])
            candidate.by_batch = (alone != found[:2]).double().mean().item()
        else:
            error = (found.double() - expected.double()).square().mean() / expected.double().square().mean()
            candidate.wrong = [-10 * error.clamp(min=1e-30).log10().item()]


def report(candidates: dict[str, Candidate], way: str) -> None:
    """A table: each at its best batch size, against transformers at its best one in the same precision."""
    last = "codes that differ | of the first codebook | by batch size |" if way == "encode" else "error, dB below |"
    print(f"\n| {way} with | hours/s | batch | times transformers | {last}")
    print("| --- |" + " ---: |" * (3 + last.count("|")))
    for name, candidate in candidates.items():
        speed, batch = candidate.best
        if not batch:
            print(f"| {name} | failed: {candidate.failure} |" + " |" * (2 + last.count("|")))
            continue
        theirs = candidates[f"transformers {name.split()[1]}"].best[0]
        ratio = f"{speed / theirs:.2f}" if theirs else "-"
        row = f"| {name} | {speed:.3f} | {batch} | {ratio} |"
        if way == "encode":
            wrong = sum(candidate.wrong) / len(candidate.wrong)
            print(f"{row} {wrong:.3%} | {candidate.wrong[0]:.3%} | {candidate.by_batch:.3%} |")
        else:
            print(f"{row} {candidate.wrong[0]:.0f} |")
        if candidate.failure:
            print(f"\n{name} stopped: {candidate.failure}\n")


def run(way: str, ours: recodec.EncodecModel, theirs: Any, args: argparse.Namespace, device: str) -> None:
    """Measure one way, and print its table."""
    candidates: dict[str, Candidate] = {}
    for precision in dict.fromkeys(["float32", *args.precisions]):  # float32 always: the others are held against it
        candidates[f"transformers {precision}"] = Candidate(their_work(theirs, precision, args.kbps, way))
        for acceleration in ("none",) if args.cpu else ("none", "compile"):
            work = our_work(ours, precision, acceleration, args.kbps, way)
            candidates[f"recodec {precision} {acceleration}"] = Candidate(work)

    def inputs(batch: int) -> torch.Tensor:
        x = recordings(ours.config, batch, args.seconds).to(device)
        if way == "encode":
            return x
        return BulkEncoder(ours, acceleration="none").encode(x, ours.config.quantizers_for(args.kbps))[0]

    for batch in sorted(args.batches):
        measure(candidates, inputs(batch), batch * args.seconds / 3600, args.repeats)
    compare(candidates, inputs(min(args.batches)), way)
    report(candidates, way)


def main() -> None:
    """Measure and print."""
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each recording")
    parser.add_argument("--kbps", type=float, default=6.0)
    parser.add_argument("--batches", nargs="+", type=int, default=[8, 32, 128], help="at most 8 sizes")
    parser.add_argument("--precisions", nargs="+", choices=THEIRS, default=list(THEIRS))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="both by default")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--model", help="folder of a checkpoint; the default model if left out")
    parser.add_argument("--released", action="store_true", help="the released geometry with random weights instead")
    parser.add_argument("--cpu", action="store_true", help="try the script on a CPU, without compiling")
    args = parser.parse_args()
    if not args.cpu and not torch.cuda.is_available():
        parser.error("this benchmark needs a CUDA device, and torch finds none (--cpu only tries the script)")
    device = "cpu" if args.cpu else "cuda"
    torch.set_grad_enabled(False)
    ours, theirs = build(args.model, args.released, device)
    machine = "a CPU (a trial: not to be quoted)" if args.cpu else torch.cuda.get_device_name()
    print(f"{machine}, torch {torch.__version__}, transformers {transformers.__version__}, {args.kbps:g} kbps")
    for way in args.ways:
        run(way, ours, theirs, args, device)


if __name__ == "__main__":
    main()
