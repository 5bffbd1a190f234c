"""How much one client, and all of them, may ask for."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """What a server takes.

    Attributes:
        max_bytes: of a body that is sent to it.
        max_audio_s: seconds of audio that one request codes or decodes.
        max_job_s: seconds that one request may take, waiting not counted; to send a file it has as many.
        stall_s: seconds that it waits for the next bytes of a body, or for the client to take the next of an answer.
        jobs: requests that are coded at once.
        waiting: requests that are here and may wait for their turn.
        requests: that there may be at once, those whose bodies are still on their way among them.
        rooms: live calls at once.
        message_bytes: of one message of a call.
        messages_per_s, bytes_per_s: that a member of a call may send, on average over some seconds.

    Raises:
        ConfigError: for one that is not positive; only `waiting` and `rooms` may be 0.
    """

    max_bytes: int = 100_000_000
    max_audio_s: float = 3600.0
    max_job_s: float = 600.0
    stall_s: float = 30.0
    jobs: int = 2
    waiting: int = 8
    requests: int = 64
    rooms: int = 16
    message_bytes: int = 4096
    messages_per_s: float = 200.0
    bytes_per_s: float = 32_000.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (value > 0 or (value == 0 and name in ("waiting", "rooms"))):
                raise ConfigError(f"the limit {name} must be positive, got {value}")
