"""Encoding in bulk on a GPU: `BulkEncoder` against transformers.EncodecModel. It needs a CUDA device.

    python benchmarks/gpu.py [--seconds 10] [--kbps 6] [--batches 8 32 128] [--repeats 5] [--model FOLDER]

For each batch size, all of theirs and ours run turn by turn in one process, and the best time of each counts.
Then each one's best batch size is compared: hours of audio per second, and which codes differ from those of
transformers in float32 without TF32. The audio is `examples/` over and over; the model is the default one unless
another is given. `--released` takes the released 24 kHz geometry with random weights: for speeds, as random
weights tell nothing of codes that differ.

`--cpu` runs the same on a CPU, to try the script: its times say nothing of a GPU.
"""

from __future__ import annotations

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
from recodec.model.bulk import BulkEncoder, mismatch

THEIRS = {"float32": (torch.float32, False), "tf32": (torch.float32, True), "float16": (torch.float16, True),
          "bfloat16": (torch.bfloat16, True)}  # fmt: skip
Encode = Callable[[torch.Tensor], torch.Tensor]


@dataclass
class Candidate:
    """One way to encode, its speeds by batch size, and its codes of the test batch against the expected ones."""

    encode: Encode
    hours_per_s: dict[int, float] = field(default_factory=dict)
    wrong: list[float] = field(default_factory=list)
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


def their_encoder(model: Any, precision: str, kbps: float) -> Encode:
    """transformers.EncodecModel in a precision: its weights converted, its search over the codebooks too."""
    dtype, tf32 = THEIRS[precision]
    with tempfile.TemporaryDirectory() as place:
        model.save_pretrained(place)
        own: Any = transformers.EncodecModel.from_pretrained(place, dtype=dtype).eval()
        own.to(model.device)

    def encode(x: torch.Tensor) -> torch.Tensor:
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=tf32):
            return own.encode(x.to(dtype), bandwidth=kbps).audio_codes[0]

    return encode


def our_encoder(model: recodec.EncodecModel, precision: str, acceleration: str, kbps: float) -> Encode:
    """`BulkEncoder` in a precision; `acceleration="compile"` raises where it cannot compile."""
    encoder = BulkEncoder(model, precision=precision, acceleration=acceleration)
    count = model.config.quantizers_for(kbps)
    return lambda x: encoder.encode(x, count)[0]


def measure(candidates: dict[str, Candidate], x: torch.Tensor, hours: float, repeats: int) -> None:
    """Best of `repeats` turns of every candidate, after two that warm up (compile, capture, choose algorithms)."""

    def failed(name: str, error: Exception) -> None:  # a batch that does not fit, or a precision that the device lacks
        candidates[name].failure = f"{type(error).__name__} at batch {x.shape[0]}: {str(error).splitlines()[0]}"
        torch.cuda.empty_cache()

    encoders = {name: lambda e=c.encode: e(x) for name, c in candidates.items() if not c.failure}
    turns = take_turns(encoders, repeats, warm_up=2, device=x.device, failed=failed)
    for name in turns.seconds:
        candidates[name].hours_per_s[x.shape[0]] = speed = hours / turns.figure(name)
        print(f"batch {x.shape[0]:4d}  {name:34s} {speed:8.3f} hours/s", flush=True)


def compare_codes(candidates: dict[str, Candidate], x: torch.Tensor) -> None:
    """Fractions of codes that are not those of transformers in float32 without TF32."""
    expected = candidates["transformers float32"].encode(x)
    for candidate in candidates.values():
        if candidate.hours_per_s:
            candidate.wrong = mismatch(candidate.encode(x), expected)


def report(candidates: dict[str, Candidate]) -> None:
    """A table: each at its best batch size, against transformers at its best one in the same precision."""
    print("\n| encoder | hours/s | batch | times transformers | codes that differ | of the first codebook |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, candidate in candidates.items():
        speed, batch = candidate.best
        if not batch:
            print(f"| {name} | failed: {candidate.failure} | | | | |")
            continue
        theirs = candidates[f"transformers {name.split()[1]}"].best[0]
        ratio = f"{speed / theirs:.2f}" if theirs else "-"
        wrong = sum(candidate.wrong) / len(candidate.wrong)
        print(f"| {name} | {speed:.3f} | {batch} | {ratio} | {wrong:.3%} | {candidate.wrong[0]:.3%} |")
        if candidate.failure:
            print(f"\n{name} stopped: {candidate.failure}\n")


def main() -> None:
    """Measure and print."""
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each recording")
    parser.add_argument("--kbps", type=float, default=6.0)
    parser.add_argument("--batches", nargs="+", type=int, default=[8, 32, 128], help="at most 8 sizes")
    parser.add_argument("--precisions", nargs="+", choices=THEIRS, default=list(THEIRS))
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
    candidates: dict[str, Candidate] = {}
    for precision in dict.fromkeys(["float32", *args.precisions]):  # float32 always: the others are held against it
        candidates[f"transformers {precision}"] = Candidate(their_encoder(theirs, precision, args.kbps))
        for acceleration in ("none",) if args.cpu else ("none", "compile"):
            encode = our_encoder(ours, precision, acceleration, args.kbps)
            candidates[f"recodec {precision} {acceleration}"] = Candidate(encode)
    machine = "a CPU (a trial: not to be quoted)" if args.cpu else torch.cuda.get_device_name()
    print(f"{machine}, torch {torch.__version__}, transformers {transformers.__version__}, {args.kbps:g} kbps")
    for batch in sorted(args.batches):
        x = recordings(ours.config, batch, args.seconds).to(device)
        measure(candidates, x, batch * args.seconds / 3600, args.repeats)
    compare_codes(candidates, recordings(ours.config, min(args.batches), args.seconds).to(device))
    report(candidates)


if __name__ == "__main__":
    main()
