"""The default model's training: 24 kHz mono, on free audio from Debian packages."""

from recodec import presets
from recodec.training.config import TrainConfig


def recipe() -> TrainConfig:
    """The paper's settings on shards in `shards/`, for a GPU: large batches, many updates."""
    return TrainConfig(model=presets.recodec_24khz(), data="shards", updates=300_000, cooldown_updates=30_000)


def starter() -> TrainConfig:
    """What the shipped starter model was trained with: an evening on a CPU.

    Small batches buy many updates. So few of them want a higher learning rate than the paper's 3e-4,
    and a larger share for the waveform (its weight is 0.1 where a discriminator does the rest).
    """
    return TrainConfig(
        model=presets.recodec_24khz(),
        data="shards",
        batch_size=4,
        updates=5500,
        quantizer_start=500,
        cooldown_updates=1200,
        learning_rate=6e-4,
        time_weight=0.5,
    )
