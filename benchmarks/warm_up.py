"""What is left of a decoder's memory after a warm-up: error of audio decoded from the middle.

    python benchmarks/warm_up.py [AUDIO ...]

The default model at 6 kbps, on the example clips by default, repeated to 20 s. The error is that of the first
second that is wanted, against the whole decoded from its start.
"""

from __future__ import annotations

import numpy as np
from common import EXAMPLES, argument_parser

from recodec import Codec
from recodec.audio import convert_channels, read_audio, resample

WARM_UPS_S = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
PLACES_S = range(6, 18)


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("audio", nargs="*", default=sorted(map(str, EXAMPLES.glob("*.wav"))))
    options = parser.parse_args()
    codec = Codec.from_pretrained(threads=1)
    rate, frame_rate, hop = codec.sampling_rate, codec.frame_rate, codec.config.hop_length
    print("| warm-up | worst error of a sample, in full scale | SNR of the first second |\n| ---: | ---: | ---: |")
    for warm_up_s in WARM_UPS_S:
        worst, ratios = 0.0, []
        for path in options.audio:
            audio = resample(convert_channels(read_audio(path)[0], 1), read_audio(path)[1], rate)
            codes, _ = codec.encode(np.tile(audio, 1 + 20 * rate // audio.shape[1])[:, : 20 * rate], 6.0)
            whole = codec.decode(codes)
            for place_s in PLACES_S:
                first = round((place_s - warm_up_s) * frame_rate)
                part = codec.decode(codes[:, first : (place_s + 1) * frame_rate])[:, place_s * rate - first * hop :]
                wanted = whole[:, place_s * rate : (place_s + 1) * rate]
                worst = max(worst, float(np.abs(part - wanted).max()))
                ratios.append(np.sum(wanted**2) / max(float(np.sum((part - wanted) ** 2)), 1e-20))
        print(f"| {warm_up_s:g} s | {worst:.1e} | {10 * np.log10(min(ratios)):.0f} dB or more |", flush=True)


if __name__ == "__main__":
    main()
