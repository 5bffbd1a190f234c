"""Turn finished runs into the default model: half-precision weights, configurations, and its second decoder.

python recipes/debian_24khz/ship.py runs/decoder/model src/recodec/weights --spectral runs/spectral/model
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from recodec import EncodecFeatureExtractor, EncodecModel
from recodec.checkpoint import check_fit, codebook_digest, codebooks_of, read_model, read_safetensors, write_spectral
from recodec.spectral import SPECTRAL_CONFIG_NAME, SPECTRAL_WEIGHTS_NAME, SpectralConfig


def main() -> None:
    """Read the model of a run, and write what the package carries; the card is written by hand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder `model` of a run")
    parser.add_argument("out", type=Path, help="the package's folder `weights`")
    parser.add_argument("--spectral", type=Path, help="folder with the spectral decoder of the same codes")
    parser.add_argument("--first", action="store_true", help="its codes were never shipped: no older files to read")
    args = parser.parse_args()
    model = EncodecModel.from_pretrained(args.model).half()
    if args.first:
        others = {key: value for key, value in model.config.extra.items() if key != "decodes"}
        model.config = dataclasses.replace(model.config, extra=others)
    model.save_pretrained(args.out)
    config = model.config
    EncodecFeatureExtractor(config.audio_channels, config.sampling_rate).save_pretrained(args.out)
    print(f"{model.num_parameters():,} parameters, fingerprint {model.fingerprint()}")
    if args.spectral is not None:
        ship_spectral(args.spectral, args.out)


def ship_spectral(source: Path, out: Path) -> None:
    """Write a spectral decoder beside a model whose codes it decodes.

    Raises:
        CheckpointError: if it was made for other codes.
    """
    shape = SpectralConfig.from_json_file(source / SPECTRAL_CONFIG_NAME)
    config, tensors = read_model(out)
    books = codebooks_of(tensors, config)
    check_fit(shape, config, books)
    weights = read_safetensors(source / SPECTRAL_WEIGHTS_NAME)
    write_spectral(out, dataclasses.replace(shape, codebooks=codebook_digest(books)), weights, "float16")
    print(f"{sum(tensor.size for tensor in weights.values()):,} parameters of the spectral decoder")


if __name__ == "__main__":
    main()
