"""The default model's training: 24 kHz mono, on free audio from Debian packages."""

import dataclasses

from recodec import presets
from recodec.spectral import SpectralConfig
from recodec.training.adversarial import AdversarialTraining
from recodec.training.config import TrainConfig
from recodec.training.spectral import SpectralTraining


def recipe() -> TrainConfig:
    """The paper's recipe (sections 3.4 and 4.1) on shards in `shards/`, for a GPU; 300 epochs of 1,000 updates."""
    return TrainConfig(
        model=presets.recodec_24khz(),
        data="shards",
        group_weights={"speech": 0.5, "music": 0.3, "sfx": 0.2},
        mixing=(0.32, 0.32, 0.24, 0.12),
        reverb_probability=0.2,
        updates=300_000,
        cooldown_updates=30_000,
        batch_size=64,
        average_decay=0.999,
        time_weight=0.1,
        adversarial=AdversarialTraining(generator_weight=3.0, feature_weight=3.0),
        workers=4,
        board=True,
    )


def without_adversary() -> TrainConfig:
    """An ablation: the same run on the reconstruction losses alone."""
    return dataclasses.replace(recipe(), adversarial=AdversarialTraining())


def first_level_commitment() -> TrainConfig:
    """An ablation: commitment at the first level only, as in Meta's released code."""
    return dataclasses.replace(recipe(), commitment_levels="first")


def starter() -> TrainConfig:
    """The first half of what the shipped model was trained with: 92 minutes on one core of a CPU.

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


def longer() -> TrainConfig:
    """The second half, in the same folder: it goes on where `starter` has ended. Another 93 minutes.

    Speech, which was the weakest, comes more often, and the waveform's share is near the paper's: it is the
    spectrum that was wrong.
    """
    return dataclasses.replace(
        starter(),
        updates=11_200,
        cooldown_updates=1400,
        time_weight=0.15,
        group_weights={"speech": 0.6, "music": 0.25, "sfx": 0.15},
    )


def decoder() -> TrainConfig:
    """The last part, for `recodec finetune`: EnCodec's decoder alone, 48 minutes on one core of a CPU.

    Codes stay as they are, and with them files and the language model.
    """
    return dataclasses.replace(
        longer(),
        train_encoder=False,
        updates=3600,
        cooldown_updates=1200,
        learning_rate=4e-4,
        average_decay=0.995,
        time_weight=0.1,
    )


def decoder_spectral_losses() -> TrainConfig:
    """What trained the shipped EnCodec's decoder: alone, on the finished codes, by the losses of the spectral one.

    By those of `decoder` its levels stay 7 to 9 dB too low where the phase cannot be known.
    """
    return dataclasses.replace(
        decoder(),
        losses="spectral",
        spectral=SpectralTraining(phase_weight=0.4),
        updates=12_600,
        cooldown_updates=5000,
        learning_rate=6e-4,
        betas=(0.8, 0.99),
        clip_norm=1.0,
    )


def sharpen() -> TrainConfig:
    """The same with a light discriminator, two hours; `docs/training.md` has what each gave.

    Three of the paper's five scales with a quarter of the channels cost more time than the generator. So few updates
    want loud audio, a fast discriminator that leads, and small shares for its losses.
    """
    return dataclasses.replace(
        decoder(),
        adversarial=AdversarialTraining(
            generator_weight=0.3,
            feature_weight=1.0,
            update_probability=0.5,
            width=8,
            windows=(1024, 512, 256),
            gain=40.0,
            lead=120,
            learning_rate=2e-3,
        ),
    )


def spectral() -> TrainConfig:
    """What trained the shipped encoder, codebooks and spectral decoder together, on one core; for `recodec finetune`.

    Over the last 0.4 of the updates the learning rates fall to 0.
    """
    updates = 21_500
    return TrainConfig(
        model=presets.recodec_24khz(),
        data="shards",
        group_weights={"speech": 0.55, "music": 0.28, "sfx": 0.17},
        gain_db=(-8.0, 6.0),
        decoder="spectral",
        spectral_model=SpectralConfig(norm_eps=1e-5, max_magnitude=90.0171313),
        spectral=SpectralTraining(learning_rate=8e-4, windows_drawn=3),
        commitment_weight=0.05,
        batch_size=8,
        updates=updates,
        warmup_updates=50,
        cooldown_updates=round(0.4 * updates),
        learning_rate=5e-4,
        betas=(0.8, 0.99),
        clip_norm=1.0,
        average_decay=0.999,
    )


def spectral_decoder() -> TrainConfig:
    """The spectral decoder alone, for `recodec finetune`: codes stay, and with them files and the language model."""
    return dataclasses.replace(
        spectral(),
        train_encoder=False,
        updates=6000,
        cooldown_updates=2400,
        spectral=SpectralTraining(learning_rate=5e-4),
    )


def spectral_stored() -> TrainConfig:
    """`spectral_decoder` on the codes that `recodec tokenize` made of the shards: the encoder does not run."""
    return dataclasses.replace(spectral_decoder(), codes="codes", gain_db=(0.0, 0.0))


def spectral_sharpen() -> TrainConfig:
    """The same with the light discriminator of `sharpen`, which begins where reconstruction has settled."""
    return dataclasses.replace(spectral_decoder(), adversarial=dataclasses.replace(sharpen().adversarial, start=500))
