"""How much do the codebooks lose? Speech decoded from more and more of them, and from the encoder's latents themselves.

    python benchmarks/without_codebooks.py CLIP [CLIP ...]     # recordings of speech

The default model with its spectral decoder. More bits cannot bring back what differs without codebooks: encoder and
decoder lose it. Takes `pip install 'recodec[torch,eval]'`.
"""

from __future__ import annotations

import numpy as np
import torch
from common import argument_parser

from recodec import EncodecModel
from recodec.audio import read_audio
from recodec.codec.loading import ModelChoice, read_spectral
from recodec.evaluation.metrics.base import Pair
from recodec.evaluation.metrics.perceptual import pesq_wideband, visqol
from recodec.nn.spectral import SpectralDecoder
from recodec.training.branches import codebooks_of_model


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("clips", nargs="+", metavar="CLIP")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = EncodecModel.from_pretrained().eval()
    decoder = decoder_of(model)
    counts = [model.config.quantizers_for(bandwidth) for bandwidth in model.config.target_bandwidths]
    found: dict[int | None, list[tuple[float, float, float]]] = {count: [] for count in (*counts, None)}
    for path in options.clips:
        audio, _ = read_audio(path, rate_hz=model.config.sampling_rate, channels=1)
        for count, results in found.items():
            results.append(judged(model, decoder, audio, count))
    print(f"{len(options.clips)} clips\n")
    print("| codebooks | kbps | SNR of the latents, dB | PESQ | ViSQOL |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for count, results in found.items():
        snr, pesq, mos = np.mean(results, axis=0)
        kbps = "" if count is None else f"{model.config.bandwidth_of(count):g}"
        print(f"| {count or 'none: the latents'} | {kbps} | {snr if count else np.inf:.1f} | {pesq:.2f} | {mos:.2f} |")


def decoder_of(model: EncodecModel) -> SpectralDecoder:
    """The spectral decoder beside the default model."""
    found = read_spectral(ModelChoice(), model.config, codebooks_of_model(model))
    if found is None:
        raise SystemExit("the default model has no spectral decoder here")
    config, tensors = found
    decoder = SpectralDecoder(config)
    decoder.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
    return decoder.eval()


@torch.inference_mode()
def judged(
    model: EncodecModel, decoder: SpectralDecoder, audio: np.ndarray, count: int | None
) -> tuple[float, float, float]:
    """SNR of the latents in dB, PESQ and ViSQOL of (1, T) audio decoded from so many codebooks; from none if `None`."""
    latents = model.encoder(torch.from_numpy(audio)[None])
    kept = latents if count is None else model.quantizer.dequantize(model.quantizer.quantize(latents, count))
    error = ((latents - kept) ** 2).sum().clamp(min=1e-12)
    decoded = decoder(kept)[0, :, : audio.shape[1]].numpy()
    pair = Pair(audio, decoded, model.config.sampling_rate, "speech")
    return 10 * float(torch.log10((latents**2).sum() / error)), pesq_wideband(pair), visqol(pair)


if __name__ == "__main__":
    main()
