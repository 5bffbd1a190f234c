"""What is left of a decoder's memory after a warm-up: error of audio decoded from the middle.

    python benchmarks/warm_up.py [AUDIO ...]

The default model at 6 kbps, with both of its decoders, on the example clips by default, repeated to 20 s. The error is
that of the first second that is wanted, against the whole decoded from its start.
"""

from __future__ import annotations

import numpy as np
from common import EXAMPLES, argument_parser

from recodec import Codec
from recodec.audio import convert_channels, read_audio, resample

WARM_UPS_S = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
PLACES_S = range(6, 18)
AHEAD_FRAMES = 15  # more than either decoder hears of what follows


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("audio", nargs="*", default=sorted(map(str, EXAMPLES.glob("*.wav"))))
    options = parser.parse_args()
    codec = Codec.from_pretrained(threads=1)
    rate = codec.sampling_rate
    print("| decoder | warm-up | worst error of a sample, in full scale | SNR of the first second |")
    print("| --- | ---: | ---: | ---: |")
    recordings = []
    for path in options.audio:
        audio = resample(convert_channels(read_audio(path)[0], 1), read_audio(path)[1], rate)
        recordings.append(codec.encode(np.tile(audio, 1 + 20 * rate // audio.shape[1])[:, : 20 * rate], 6.0)[0])
    for decoder in ("encodec", "spectral"):
        for warm_up_s in WARM_UPS_S:
            errors = [error for codes in recordings for error in errors_of(codec, codes, decoder, warm_up_s)]
            worst, ratio = max(error for error, _ in errors), min(ratio for _, ratio in errors)
            print(f"| {decoder} | {warm_up_s:g} s | {worst:.1e} | {10 * np.log10(ratio):.0f} dB or more |", flush=True)


def errors_of(codec: Codec, codes: np.ndarray, decoder: str, warm_up_s: float) -> list[tuple[float, float]]:
    """The worst error and the SNR of the first second that is wanted, at several places."""
    rate, frame_rate, hop = codec.sampling_rate, codec.frame_rate, codec.config.hop_length
    whole = codec.decode(codes, decoder=decoder)
    found = []
    for place_s in PLACES_S:
        first = round((place_s - warm_up_s) * frame_rate)
        part = codec.decode(codes[:, first : (place_s + 1) * frame_rate + AHEAD_FRAMES], decoder=decoder)
        begin = place_s * rate - first * hop
        part, wanted = part[:, begin : begin + rate], whole[:, place_s * rate : (place_s + 1) * rate]
        ratio = np.sum(wanted**2) / max(float(np.sum((part - wanted) ** 2)), 1e-20)
        found.append((float(np.abs(part - wanted).max()), float(ratio)))
    return found


if __name__ == "__main__":
    main()
