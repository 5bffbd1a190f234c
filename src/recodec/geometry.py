"""The numbers that follow from an EnCodec configuration: each is derived here, and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .errors import ConfigError

USUAL_BANDWIDTH_KBPS = 6.0


class SegmentGeometry:
    """Where the segments of a recording lie (the 48 kHz model, paper section 3.4).

    A base class: what inherits it has the attributes below.
    """

    sampling_rate: int
    chunk_length_s: float | None
    overlap: float | None

    @property
    def chunk_length(self) -> int | None:
        """Samples per segment, or `None` where there are no segments."""
        if self.chunk_length_s is None:
            return None
        return int(self.chunk_length_s * self.sampling_rate)

    @property
    def chunk_stride(self) -> int | None:
        """Samples from the start of one segment to the start of the next."""
        if self.chunk_length is None or self.overlap is None:
            return None
        return max(1, int((1.0 - self.overlap) * self.chunk_length))

    @property
    def segment_stride(self) -> int | None:
        """Samples between the starts of segments, or `None` where there are none; no overlap unless configured."""
        return self.chunk_stride or self.chunk_length

    def segment_starts(self, num_samples: int) -> range:
        """First samples of the segments of a recording; a single 0 for a model that takes a recording whole."""
        return range(0, num_samples, self.segment_stride or max(num_samples, 1))

    def num_segments(self, num_samples: int) -> int:
        """Segments of a recording of that many samples; 1 for a model that takes a recording whole."""
        return 1 if self.segment_stride is None else -(-num_samples // self.segment_stride)


class CodecGeometry(SegmentGeometry):
    """Frames, codebooks and bandwidths of a model (paper section 3.1 and 3.2)."""

    target_bandwidths: Sequence[float]
    upsampling_ratios: Sequence[int]
    codebook_size: int
    normalize: bool
    use_causal_conv: bool

    @property
    def hop_length(self) -> int:
        """Samples per latent frame: the product of the strides."""
        return math.prod(self.upsampling_ratios)

    @property
    def is_streamable(self) -> bool:
        """Whether frames can be coded as they come: no look-ahead, no scale over the whole, no segments."""
        return self.use_causal_conv and not self.normalize and self.chunk_length is None

    @property
    def frame_rate(self) -> int:
        """Latent frames per second, rounded up, in Hz."""
        return math.ceil(self.sampling_rate / self.hop_length)

    @property
    def codebook_nbits(self) -> int:
        """Bits per code."""
        return math.ceil(math.log2(self.codebook_size))

    @property
    def num_quantizers(self) -> int:
        """Number K of codebooks at the highest bandwidth."""
        bits_per_s = self.frame_rate * self.codebook_nbits
        return int(1000 * self.target_bandwidths[-1] // bits_per_s)

    def frames_for(self, num_samples: int) -> int:
        """Latent frames F that the encoder makes of a segment of that many samples."""
        return -(-num_samples // self.hop_length)

    def segment_frames(self, num_samples: int, segment: int) -> int:
        """Latent frames F of one segment, counted from 0, of a recording of that many samples."""
        if self.chunk_length is None or self.segment_stride is None:
            return self.frames_for(num_samples)
        return self.frames_for(min(num_samples - segment * self.segment_stride, self.chunk_length))

    @property
    def default_bandwidth(self) -> float:
        """In kbps: the highest of `target_bandwidths` up to 6, or the lowest of all."""
        fitting = [bandwidth for bandwidth in self.target_bandwidths if bandwidth <= USUAL_BANDWIDTH_KBPS]
        return max(fitting, default=self.target_bandwidths[0])

    def choose_quantizers(self, bandwidth: float, num_quantizers: int | None = None) -> int:
        """Codebooks K for one of the model's bandwidths in kbps, or for a number of codebooks in its place.

        Raises:
            ConfigError: if the model does not have that bandwidth or number.
        """
        if num_quantizers is not None:
            if not 1 <= num_quantizers <= self.num_quantizers:
                raise ConfigError(f"num_quantizers must be from 1 to {self.num_quantizers}, got {num_quantizers}")
            return num_quantizers
        if isinstance(bandwidth, str):
            raise ConfigError(f"a bandwidth is a number of kbps, got the text {bandwidth!r}")
        if bandwidth not in self.target_bandwidths:
            choices = list(self.target_bandwidths)
            raise ConfigError(f"This model doesn't support the bandwidth {bandwidth}. Select one of {choices}.")
        return self.quantizers_for(bandwidth)

    def quantizers_for(self, bandwidth_kbps: float | None) -> int:
        """Codebooks used at a bandwidth in kbps (all of them for `None`), at least one."""
        if bandwidth_kbps is None or bandwidth_kbps <= 0:
            return self.num_quantizers
        bits_per_s = math.log2(self.codebook_size) * self.frame_rate
        wanted = max(1, math.floor(bandwidth_kbps * 1000 / bits_per_s))
        return min(wanted, self.num_quantizers)

    @property
    def quantizer_counts(self) -> tuple[int, ...]:
        """Numbers of codebooks of the bandwidths, each once, the smallest first."""
        return tuple(sorted({self.quantizers_for(bandwidth) for bandwidth in self.target_bandwidths}))

    def bandwidth_of(self, num_quantizers: int) -> float:
        """Bandwidth in kbps of that many codebooks, without entropy coding."""
        return num_quantizers * self.codebook_nbits * self.frame_rate / 1000
