"""Fixtures that several rooms use."""

import pytest

from recodec.codec.torch_engine import TorchEngine
from support.codecs import CONFIGS, FINGERPRINT
from support.peers import random_model


@pytest.fixture(scope="session")
def models():
    return {kind: random_model(config) for kind, config in CONFIGS.items()}


@pytest.fixture(scope="session")
def engines():
    return {kind: TorchEngine(random_model(config), "test", FINGERPRINT, threads=1) for kind, config in CONFIGS.items()}
