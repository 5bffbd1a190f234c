"""The compiled kernel against NumPy, on shapes, codes and payloads at random: `make sanitize MINUTES=2`.

The library of `--library` is meant to be one with sanitizers (`src/recodec/lm/native/build.py --sanitize DIR`). They
end the process at the first byte read out of bounds and at the first sum that overflows. A difference ends it as
well, with the seed that brings it back (`--seed N --count 1`).
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from recodec.errors import CheckpointError
from recodec.lm import native_probe
from recodec.lm.config import CodeLMConfig
from recodec.lm.native_kernel import NativeKernel
from recodec.lm.native_library import Library, usable_levels
from recodec.lm.network import ExactLM
from recodec.lm.numpy_kernel import NumpyKernel
from support.tiny_lm import tiny_tensors


def some_config(generator: random.Random) -> CodeLMConfig:
    """A small shape."""
    heads, head_size = generator.randint(1, 4), generator.choice([1, 2, 3, 7, 16, 17, 25, 33])
    return CodeLMConfig(
        num_codebooks=generator.randint(1, 4), codebook_size=generator.choice([2, 3, 31, 64, 65, 1025]),
        width=heads * head_size, num_heads=heads, num_layers=generator.randint(1, 2),
        feed_forward=generator.randint(1, 70), context_s=generator.choice([0, 0.02, 0.3, 1.0]),
        conditioned=generator.random() < 0.7, head_width=generator.choice([0, 1, 8, 31]),
    )  # fmt: skip


def try_one(seed: int, libraries: list[Library]) -> None:
    """One shape, with its weights as they are, or damaged: then both refuse them, or take them alike.

    Raises:
        AssertionError: if a kernel differs from NumPy.
    """
    generator = random.Random(seed)
    config = some_config(generator)
    tensors = {name: tensor.copy() for name, tensor in tiny_tensors(config).items()}
    for _ in range(generator.choice([0, 0, 1, 2])):
        tensor = tensors[generator.choice(sorted(tensors))]
        limits = np.iinfo(tensor.dtype)
        tensor.flat[generator.randrange(tensor.size)] = generator.randint(limits.min, limits.max)
    try:
        theirs = NumpyKernel(ExactLM(config, tensors))
    except CheckpointError as error:
        for library in libraries:
            try:
                NativeKernel(library, config, tensors)
            except CheckpointError as ours:
                if str(ours) != str(error):
                    raise AssertionError(f"seed {seed}: {ours}, and not {error}") from error
            else:
                raise AssertionError(
                    f"seed {seed}: {library.level} takes weights that NumPy refuses: {error}"
                ) from error
        return
    kernels = [NativeKernel(library, config, tensors) for library in libraries]
    packets, books, frames = (
        generator.randint(1, 5),
        generator.randint(1, config.num_codebooks),
        generator.randint(1, 150),
    )
    codes = np.random.default_rng(seed).integers(0, config.codebook_size, (packets, books, frames))
    payloads = theirs.encode(codes)
    bad = [generator.randbytes(generator.randint(0, 60)) for _ in range(packets)]
    lengths = sorted((generator.randint(1, frames) for _ in range(packets)), reverse=True)
    damaged = theirs.decode(bad, books, lengths)
    for kernel in kernels:
        assert kernel.encode(codes) == payloads, f"seed {seed}: {kernel.name} encodes otherwise"
        assert np.array_equal(kernel.decode(payloads, books, [frames] * packets), codes), f"seed {seed}: {kernel.name}"
        assert np.array_equal(kernel.decode(bad, books, lengths), damaged), f"seed {seed}: {kernel.name}, damaged"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=sys.maxsize)
    options = parser.parse_args()
    libraries = [Library(options.library, level) for level in usable_levels(options.library)]
    for library in libraries:
        kernel = NativeKernel(library, native_probe.CONFIG, native_probe.toy_tensors())
        assert native_probe.digest(kernel) == native_probe.DIGEST, f"{library.level} counts wrongly"
    end, done = time.monotonic() + 60 * options.minutes, 0
    while done < options.count and (done == 0 or time.monotonic() < end):
        try_one(options.seed + done, libraries)
        done += 1
    print(f"{done} shapes, {', '.join(library.level for library in libraries)}: all as NumPy has them")


if __name__ == "__main__":
    main()
