"""Turn a finished run into the default model: half-precision weights, configurations, model card.

python recipes/debian_24khz/ship.py runs/starter/model src/recodec/weights
"""

from __future__ import annotations

import argparse
from pathlib import Path

from recodec import EncodecFeatureExtractor, EncodecModel


def main() -> None:
    """Read the model of a run, and write what the package carries; the card is written by hand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder `model` of a run")
    parser.add_argument("out", type=Path, help="the package's folder `weights`")
    args = parser.parse_args()
    model = EncodecModel.from_pretrained(args.model).half()
    model.save_pretrained(args.out)
    config = model.config
    EncodecFeatureExtractor(config.audio_channels, config.sampling_rate).save_pretrained(args.out)
    print(f"{model.num_parameters():,} parameters, fingerprint {model.fingerprint()}")


if __name__ == "__main__":
    main()
