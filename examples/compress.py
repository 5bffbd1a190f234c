"""Compress a recording with the model that comes with the package, and decompress it again.

    python examples/compress.py examples/speech.wav speech.ecdc again.wav [--bandwidth 6]

The input may be any audio file: it is resampled and mixed to what the model takes. No torch is needed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from recodec import Codec


def main() -> None:
    """Write both files, and print their sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path)
    parser.add_argument("compressed", type=Path, help="ends in .ecdc")
    parser.add_argument("decompressed", type=Path, help="ends in .wav, .flac or another suffix of audio")
    parser.add_argument("--bandwidth", type=float, default=6.0, help="in kbps: 1.5, 3, 6 or 12")
    args = parser.parse_args()

    codec = Codec.from_pretrained()
    made = codec.compress_file(args.recording, args.compressed, args.bandwidth)
    size = args.recording.stat().st_size
    print(f"{args.recording}: {made.duration_s:.2f} s, {size} bytes")
    print(f"{args.compressed}: {made.num_bytes} bytes, {made.bandwidth_kbps:.2f} kbps")

    codec.decompress_file(args.compressed, args.decompressed)
    print(f"{args.decompressed}: {codec.sampling_rate} Hz, as long as the recording")


if __name__ == "__main__":
    main()
