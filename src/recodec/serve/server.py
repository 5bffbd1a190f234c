"""The server: binds, says where it is, and runs until it is stopped."""

from __future__ import annotations

import errno
import logging
import signal
import socket
import ssl
import sys
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from ..errors import ConfigError
from .limits import Limits


@dataclass(frozen=True)
class Address:
    """Where a server listens.

    Attributes:
        host: a name or an address.
        port: 0 for any that is free.
        certificate, key: files in PEM form, for HTTPS; both or none.

    Raises:
        ConfigError: for one of certificate and key alone.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("HTTPS takes both a certificate and its key")

    def bind(self) -> socket.socket:
        """A socket that listens there.

        Raises:
            ConfigError: if the port is taken, or the address is not of this machine.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        found = socket.socket(family, socket.SOCK_STREAM)
        try:
            if sys.platform != "win32":  # there it would let two servers share the port
                found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind((self.host.strip("[]"), self.port))
            found.listen()  # now, so that whoever reads the address may connect at once
        except OSError as error:
            found.close()
            taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
            advice = (
                "--port names another, --port 0 takes any that is free" if taken
                else "--host takes an address of this machine, 127.0.0.1 by default"
            )  # fmt: skip
            raise ConfigError(f"{self.host} port {self.port} cannot be used ({error.strerror}): {advice}") from error
        return found

    def url(self, port: int) -> str:
        """What to open in a browser on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"{'http' if self.certificate is None else 'https'}://{host}:{port}/"


def run(
    app: Starlette, address: Address, limits: Limits, *, browser: bool, say: Callable[[str], object] = print
) -> None:
    """Serve until the process is interrupted; requests that are being coded are stopped then.

    Args:
        app: of `create_app`.
        address: where.
        limits: of messages and connections.
        browser: whether to open the page.
        say: prints a line.

    Raises:
        ConfigError: as `Address.bind`; or for a certificate and a key that do not go together.
    """
    logging.basicConfig(format="recodec: %(message)s", level=logging.WARNING)
    # A connection that ends within an answer has a line of ours already, which says why.
    logging.getLogger("uvicorn.error").addFilter(lambda record: "without completing" not in record.getMessage())
    with address.bind() as listener:
        url = address.url(listener.getsockname()[1])
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws_max_size=4 * limits.message_bytes,
            ws_max_queue=8,
            limit_concurrency=2 * limits.requests + 4 * limits.rooms,
            timeout_graceful_shutdown=3,
            ssl_certfile=address.certificate,
            ssl_keyfile=address.key,
        )
        _load(config, address)
        say(f"Recodec serves {url} (Ctrl+C stops it)")
        if browser:
            threading.Timer(0.5, webbrowser.open, [url]).start()
        with suppress(KeyboardInterrupt):  # uvicorn raises it again once all has ended
            server = _Server(config, app.state.stop)
            if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
                signal.signal(signal.SIGHUP, server.handle_exit)  # uvicorn takes SIGINT and SIGTERM only
            server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """Stops the work that uvicorn would wait for, once: a second Ctrl-C would cancel what is about to end."""

    def __init__(self, config: uvicorn.Config, stop: Callable[[], object]) -> None:
        super().__init__(config)
        self._stop = stop

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            super().handle_exit(signal.SIGTERM if sig == getattr(signal, "SIGHUP", None) else sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stop()
        await super().shutdown(sockets)


def _load(config: uvicorn.Config, address: Address) -> None:
    """Read certificate and key."""

    def no_password() -> str:
        raise ConfigError(
            f"the key {address.key} is encrypted; take one without a password: openssl pkey -in KEY -out PLAIN_KEY"
        )

    try:
        if address.certificate is not None:  # before uvicorn, with which OpenSSL would ask the terminal for a password
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(address.certificate, address.key, no_password)
        config.load()
    except (ssl.SSLError, OSError) as error:
        both = f"{address.certificate} and {address.key}"
        raise ConfigError(
            f"{both} are not a certificate and its key, both as PEM ({error.strerror or error})"
        ) from error
