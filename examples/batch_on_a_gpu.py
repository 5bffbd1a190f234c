"""Many recordings to codes at once, on a GPU where there is one, else on the CPU.

    python examples/batch_on_a_gpu.py recordings/ codes/ [--bandwidth 6] [--batch 16]

Recordings of similar length go together, and each gets the codes that it gets alone. Each file of codes is an `.npz`
with `codes` (K, F) and the number of samples. For whole data sets there is `recodec tokenize`, which goes on after a
stop and writes Parquet; for the last bit of speed `recodec.model.bulk.BulkEncoder`, which compiles: see docs/gpu.md.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from recodec import Codec
from recodec.audio import read_audio
from recodec.corpus import list_input


def main() -> None:
    """Encode a folder, and print how fast it was."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path, help="a folder of audio files, searched through")
    parser.add_argument("out", type=Path, help="folder for the codes")
    parser.add_argument("--bandwidth", type=float, default=6.0, help="in kbps")
    parser.add_argument("--batch", type=int, default=16, help="the most recordings to take at once")
    args = parser.parse_args()

    device = "cuda" if torch.cuda.is_available() else "cpu"
    codec = Codec.from_pretrained(engine="torch", device=device)
    rate, channels = codec.sampling_rate, codec.config.audio_channels
    files = list_input(str(args.recordings)).entries
    recordings = [read_audio(file.path, rate_hz=rate, channels=channels)[0] for file in files]

    start_s = time.perf_counter()
    encoded = codec.encode_many(recordings, args.bandwidth, batch=args.batch)
    took_s = time.perf_counter() - start_s

    for file, audio, (codes, _) in zip(files, recordings, encoded, strict=True):
        target = args.out / f"{file.id}.npz"  # ids are paths below the input, made fit for file names
        target.parent.mkdir(parents=True, exist_ok=True)
        np.savez(target, codes=codes.astype(np.int16), num_samples=audio.shape[1])
    seconds = sum(audio.shape[1] for audio in recordings) / rate
    print(f"{len(files)} recordings, {seconds:.1f} s of audio, in {took_s:.2f} s on {device}")


if __name__ == "__main__":
    main()
