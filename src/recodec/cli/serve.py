"""`recodec serve`: the codec in a page, and over HTTP."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from .options import FileName, Number, need, options, say


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="NAME",
              help="Address to listen on. 127.0.0.1 is reached from this machine only; 0.0.0.0 from all.")  # fmt: skip
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="Port to listen on; 0 takes any that is free.",
)
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open the page in the browser.")
@options("model", "threads", "jobs", threads="Threads for each request; 1 by default.", jobs="How many requests are "
         "coded at once; 2 by default.")  # fmt: skip
@click.option("--max-mb", type=Number(0.001, 1e9), default=100.0, show_default=True,
              help="How many megabytes one request may send.")  # fmt: skip
@click.option("--max-audio", "max_audio_s", type=Number(0, min_open=True), default=3600.0,
              show_default=True, metavar="SECONDS", help="How much audio one request may code or decode.")  # fmt: skip
@click.option("--max-time", "max_job_s", type=Number(0, min_open=True), default=600.0, show_default=True,
              metavar="SECONDS", help="How many seconds one request may take.")  # fmt: skip
@click.option(
    "--rooms",
    type=click.IntRange(min=0),
    default=16,
    show_default=True,
    help="How many live calls there may be at once.",
)
@click.option("--runtime", "runtime_dir", type=FileName(file_okay=False, exists=True, path_type=Path), metavar="DIR",
              help="Folder with ort-wasm-simd-threaded.wasm of onnxruntime-web, which live calls need. Without it, the "
              "file is fetched from the npm registry once, when it is first needed.")  # fmt: skip
@click.option("--offline", is_flag=True, help="Fetch nothing from the network.")
@click.option("--certificate", type=FileName(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="A certificate for HTTPS (PEM). Without HTTPS, browsers give no microphone to a page that another "
              "machine serves.")  # fmt: skip
@click.option("--certificate-key", "key", type=FileName(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="The key of the certificate.")  # fmt: skip
def serve(
    host: str, port: int, browser: bool, model: str | None, threads: int | None, jobs: int | None, max_mb: float,
    runtime_dir: Path | None, offline: bool, certificate: Path | None, key: Path | None, **limited: Any,
) -> None:  # fmt: skip
    """Open a page to hear the codec with your own recordings and in a live call; and serve programs over HTTP.

    POST /api/compress?bandwidth=6 takes an audio file and gives the .ecdc file, POST /api/decompress gives a WAV back,
    POST /api/info says what a file holds. Nothing that is sent is kept. docs/serve.md says more.
    """
    need("serve", "anyio", "onnx", "starlette", "uvicorn", "websockets")
    from ..codec import Codec, ModelChoice
    from ..serve import Address, Limits, Runtime, create_app, run
    from .export import write_web

    limits = Limits(max_bytes=round(max_mb * 1e6), jobs=jobs or 2, **limited)
    address = Address(host, port, certificate, key)
    runtime = Runtime(runtime_dir, offline=offline)
    codec = Codec.of_choice(ModelChoice.of(model, "onnx", "cpu", None, threads or 1))
    app = create_app(codec, write_model=partial(write_web, model), runtime=runtime, limits=limits, host=host)
    run(app, address, limits, browser=browser, say=say)
