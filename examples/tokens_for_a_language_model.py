"""A recording as the tokens of a language model, and tokens as a recording.

    python examples/tokens_for_a_language_model.py examples/speech.wav again.wav [--codebooks 4]

A frame of codes becomes one token for each codebook, the coarsest first. Each codebook has a range of the vocabulary to
itself, so that a token says by itself which codebook it is of. Between steps, codes are best kept as `.ecdc` files:
`Codec.pack` makes them of codes and `Codec.unpack` gives the codes back, without running the network.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from recodec import Codec
from recodec.audio import read_audio, write_audio


def to_tokens(codes: np.ndarray, codebook_size: int) -> np.ndarray:
    """Codes (K, F) to tokens (F * K,) from 0 to K * codebook_size - 1, frame after frame."""
    first_of_codebook = codebook_size * np.arange(len(codes))
    return (codes + first_of_codebook[:, None]).T.reshape(-1)


def to_codes(tokens: np.ndarray, num_codebooks: int, codebook_size: int) -> np.ndarray:
    """Tokens (F * K,) back to codes (K, F).

    Raises:
        ValueError: for a token that is not of the codebook whose turn it is, as a model that is still learning makes.
    """
    first_of_codebook = codebook_size * np.arange(num_codebooks)
    codes = tokens.reshape(-1, num_codebooks).T - first_of_codebook[:, None]
    if codes.min() < 0 or codes.max() >= codebook_size:
        raise ValueError("a token is not of the codebook whose turn it is")
    return codes


def main() -> None:
    """Go all the way there and back, and print how much there is of everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path)
    parser.add_argument("decoded", type=Path)
    parser.add_argument("--codebooks", type=int, default=4, help="K: more sound better, and make more tokens")
    args = parser.parse_args()

    codec = Codec.from_pretrained()
    size = codec.config.codebook_size
    audio, rate = read_audio(args.recording, rate_hz=codec.sampling_rate, channels=codec.config.audio_channels)
    codes, scales = codec.encode(audio, num_quantizers=args.codebooks)
    tokens = to_tokens(codes, size)
    print(f"{tokens.size} tokens of a vocabulary of {len(codes) * size}, {len(codes) * codec.frame_rate} a second")
    print(f"the first frame: {tokens[: len(codes)].tolist()}")

    data = codec.pack(codes, scales, audio.shape[1])
    kept, scales, num_samples = codec.unpack(data)
    print(f"{len(data)} bytes as .ecdc, {8 * len(data) / tokens.size:.2f} bits a token")

    # A language model stands here: it goes on with `tokens`, or makes others.
    made = to_tokens(kept, size)

    write_audio(args.decoded, codec.decode(to_codes(made, len(codes), size), scales, num_samples), rate)
    print(f"{args.decoded}: {num_samples / rate:.2f} s")


if __name__ == "__main__":
    main()
