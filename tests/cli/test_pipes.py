"""Pipes at both ends: bytes leave while audio comes, and every way of being stopped is a clean one."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from recodec import Codec
from recodec.cli import main
from recodec.cli.stream import until_interrupted
from support.systems import AT_A_TERMINAL, SMALL_FILES, posix
from support.waiting import wait_until

RATE = 24_000
COMMAND = [sys.executable, "-c", "from recodec.cli import main; main()"]


def samples(seconds: float, seed: int = 0) -> np.ndarray:
    """int16 noise."""
    return (3000 * np.random.default_rng(seed).normal(size=round(seconds * RATE))).astype("<i2")


def start(*arguments: object, **options: object) -> subprocess.Popen:
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([*COMMAND, *map(str, arguments)], **{**pipes, **AT_A_TERMINAL, **options})


def run(*arguments: object, data: bytes = b"") -> subprocess.CompletedProcess:
    process = start(*arguments)
    out, err = process.communicate(data, timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err.decode())


@pytest.fixture(scope="module")
def files(model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The same recording as raw samples, as a WAV, compressed, and decompressed, by way of files."""
    from recodec.cli import run as recodec

    folder = tmp_path_factory.mktemp("files")
    raw = samples(1.3)
    soundfile.write(folder / "in.wav", raw, RATE, subtype="PCM_16")
    assert recodec(["compress", str(folder / "in.wav"), "--model", str(model)]) == 0
    assert recodec(["decompress", str(folder / "in.ecdc"), str(folder / "out.wav"), "--model", str(model)]) == 0
    names = {"wav": "in.wav", "ecdc": "in.ecdc", "out": "out.wav"}
    return {"raw": raw.tobytes(), **{key: (folder / name).read_bytes() for key, name in names.items()}}


# ---- the same as with files ----------------------------------------------------------------


def test_raw_samples_and_wav_give_the_bytes_of_the_file(model: Path, files: dict[str, bytes]) -> None:
    raw = run("compress", "-", "-", "--raw", "24000:1:s16le", "--model", model, data=files["raw"])
    assert (raw.returncode, raw.stdout) == (0, files["ecdc"])
    assert raw.stderr.startswith("standard output: ")
    assert run("compress", "-", "--model", model, data=files["wav"]).stdout == files["ecdc"]


def test_the_way_back_is_the_same_too(model: Path, files: dict[str, bytes]) -> None:
    expected, _ = soundfile.read(io.BytesIO(files["out"]), dtype="int16")
    wav = run("decompress", "-", "--model", model, data=files["ecdc"])
    assert wav.returncode == 0
    heard, rate = soundfile.read(io.BytesIO(wav.stdout), dtype="int16")
    assert rate == RATE
    assert np.array_equal(heard, expected)
    raw = run("decompress", "-", "-", "--raw", "24000:1:s16le", "--model", model, data=files["ecdc"])
    assert raw.stdout == expected.tobytes()
    stereo = run("decompress", "-", "--raw", "48000:2:f32le", "--model", model, data=files["ecdc"])
    assert len(stereo.stdout) == 2 * expected.size * 2 * 4


def test_standard_input_may_be_a_file_and_output_a_device(model: Path, files: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "in.wav").write_bytes(files["wav"])
    with open(tmp_path / "in.wav", "rb") as source, open(tmp_path / "a.ecdc", "wb") as target:
        process = start("compress", "-", "--model", model, stdin=source, stdout=target)
        assert process.wait(60) == 0
    assert (tmp_path / "a.ecdc").read_bytes() == files["ecdc"]
    assert run("compress", tmp_path / "in.wav", os.devnull, "--model", model).returncode == 0
    assert sys.platform == "win32" or Path(os.devnull).is_char_device()


def test_raw_samples_from_and_to_files(recodec: Callable, model: Path, files: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "in.pcm").write_bytes(files["raw"])
    form = ["--raw", "24000:1:s16le", "--model", model]
    assert recodec("compress", tmp_path / "in.pcm", *form).code == 0
    assert (tmp_path / "in.ecdc").read_bytes() == files["ecdc"]
    assert recodec("decompress", tmp_path / "in.ecdc", *form).code == 0
    assert len((tmp_path / "in.raw").read_bytes()) == len(files["raw"])
    (tmp_path / "odd.pcm").write_bytes(files["raw"] + b"x")
    odd = recodec("compress", tmp_path / "odd.pcm", *form)
    assert (odd.code, "ends within a sample; --partial" in odd.err) == (1, True)
    assert recodec("compress", tmp_path / "odd.pcm", "--partial", *form).code == 0
    assert (tmp_path / "odd.ecdc").read_bytes() == files["ecdc"]
    wrong = recodec("decompress", tmp_path / "in.ecdc", tmp_path / "out.wav", *form)
    assert (wrong.code, "would not be a wav" in wrong.err) == (2, True)


# ---- while it comes ------------------------------------------------------------------------


def test_bytes_leave_while_audio_comes_in(model: Path) -> None:
    """compress | decompress: after a second of audio, and with both ends open, most of it has come out again."""
    form = ["--raw", "24000:1:s16le", "--model", model]
    first = start("compress", "-", "-", "--packet", "0.02", *form)
    second = start("decompress", "-", "-", *form, stdin=first.stdout)
    assert first.stdin
    assert first.stdout
    assert second.stdout
    first.stdout.close()
    first.stdin.write(samples(1.0).tobytes())
    first.stdin.flush()
    heard = 0
    while heard < 0.9 * RATE * 2:  # a program that waits for more would hang here, and the test time out
        heard += len(os.read(second.stdout.fileno(), 1 << 16))
    first.stdin.write(samples(0.5).tobytes())
    first.stdin.close()
    heard += len(second.stdout.read())
    assert heard == 1.5 * RATE * 2
    assert (first.wait(60), second.wait(60)) == (0, 0)


# ---- stopped -------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("verb", ["compress", "decompress"])
def test_a_reader_that_leaves(model: Path, files: dict[str, bytes], verb: str) -> None:
    form = ["--raw", "24000:1:s16le"]
    process = start(verb, "-", "-", "--model", model, *form, *(["--packet", "0.02"] if verb == "compress" else []))
    assert process.stdin
    assert process.stdout
    process.stdout.close()
    with suppress(BrokenPipeError):
        process.stdin.write((files["raw"] if verb == "compress" else files["ecdc"]) * (20 if verb == "compress" else 1))
        process.stdin.close()
    assert process.wait(60) == 1
    assert process.stderr
    assert process.stderr.read() == b""


@posix
@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_leaves_no_half_file(model: Path, tmp_path: Path, name: str, jobs: int) -> None:
    number = getattr(signal, name)
    process = start("compress", "-", tmp_path / "a.ecdc", "--model", model, "--raw", "24000:1:s16le", "-j", jobs)
    assert process.stdin
    process.stdin.write(samples(3.0).tobytes())
    process.stdin.flush()
    wait_until(lambda: any(tmp_path.iterdir()), process)
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    process.send_signal(number)
    assert process.wait(30) == 128 + number
    assert list(tmp_path.iterdir()) == []
    assert process.stderr
    assert b"Traceback" not in process.stderr.read()


@posix
@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_ends_several_files_at_once(tmp_path: Path, jobs: int) -> None:
    raw, made = np.tile(samples(20.0), 30), tmp_path / "made"
    made.mkdir()
    sources = [tmp_path / name for name in ("a.wav", "b.wav", "c.wav", "d.wav")]
    for source in sources:
        soundfile.write(source, raw, RATE, subtype="PCM_16")
    process = start("compress", *sources, "-d", made, "-j", jobs)
    wait_until(lambda: sum(path.stat().st_size > 1000 for path in made.iterdir()) == jobs, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 128 + signal.SIGINT
    assert list(made.iterdir()) == []


@pytest.mark.usefixtures("_interruptible")
def test_ctrl_c_that_a_library_makes_another_error_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As NumPy and ONNX Runtime do while they are loaded."""

    def load(_: object) -> int:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("initialization failed") from None
        return 0

    monkeypatch.setattr("recodec.cli.run", load)
    with pytest.raises(SystemExit) as ended:
        main(["compress"])
    assert ended.value.code == 130
    assert capsys.readouterr().err == "recodec: error: interrupted\n"


@posix
@pytest.mark.parametrize("verb", ["compress", "decompress"])
def test_ctrl_c_ends_the_work_of_threads(tmp_path: Path, verb: str) -> None:
    """With the default model and its language model, in the middle of a recording of ten minutes."""
    raw = np.tile(samples(20.0), 30)
    source, made = tmp_path / "in", tmp_path / "made"
    made.mkdir()
    if verb == "compress":
        soundfile.write(tmp_path / "in.wav", raw, RATE, subtype="PCM_16")
        (tmp_path / "in.wav").rename(source)
    else:
        source.write_bytes(Codec.from_pretrained().pack(np.zeros((8, 75 * 600), np.int64)))
    process = start(verb, source, made / ("a.ecdc" if verb == "compress" else "a.wav"), "-j", 2)
    wait_until(lambda: any(path.stat().st_size > 1000 for path in made.iterdir()), process)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 128 + signal.SIGINT
    assert list(made.iterdir()) == []
    assert process.stderr
    assert b"Traceback" not in process.stderr.read()


@posix
@pytest.mark.parametrize("verb", ["compress", "decompress"])
def test_a_full_disk(model: Path, files: dict[str, bytes], tmp_path: Path, verb: str) -> None:
    (tmp_path / "in").write_bytes(files["wav" if verb == "compress" else "ecdc"])
    target = tmp_path / ("out.ecdc" if verb == "compress" else "out.wav")
    target.write_bytes(b"precious")
    process = start(verb, tmp_path / "in", target, "-f", "--model", model,
                    **SMALL_FILES)  # fmt: skip
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.decode() == f"recodec: error: {target}: File too large\n"
    assert target.read_bytes() == b"precious"
    assert len(list(tmp_path.iterdir())) == 2


@posix
def test_a_full_device(model: Path, files: dict[str, bytes]) -> None:
    failed = run("compress", "-", "/dev/full", "--model", model, data=files["wav"])
    assert (failed.returncode, failed.stderr) == (1, "recodec: error: /dev/full: No space left on device\n")


@posix
@pytest.mark.parametrize("verb", ["compress", "decompress"])
def test_a_full_disk_behind_standard_output(model: Path, files: dict[str, bytes], verb: str) -> None:
    with open("/dev/full", "wb") as full:
        process = start(verb, "-", "-", "--model", model, stdout=full)
        _, err = process.communicate(files["wav" if verb == "compress" else "ecdc"], timeout=60)
    assert (process.returncode, err) == (1, b"recodec: error: standard output: No space left on device\n")


@posix
def test_a_full_disk_behind_what_is_printed() -> None:
    with open("/dev/full", "wb") as full:
        process = start("models", stdout=full)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, b"recodec: error: standard output: No space left on device\n")


@posix
def test_of_many_outputs_the_one_that_does_not_fit_is_named(
    model: Path, files: dict[str, bytes], tmp_path: Path
) -> None:
    for name in ("a.ecdc", "b.ecdc"):
        (tmp_path / name).write_bytes(files["ecdc"])
    process = start("decompress", tmp_path, "-d", tmp_path / "out", "-q", "--model", model,
                    **SMALL_FILES)  # fmt: skip
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.decode().splitlines() == [
        f"recodec: error: {tmp_path / 'out' / name}.wav: File too large" for name in "ab"
    ]


@posix
@pytest.mark.parametrize(
    ("closed", "words"), [("<&-", "standard input is closed"), (">&-", "standard output is closed")]
)
def test_closed_ends(model: Path, files: dict[str, bytes], closed: str, words: str) -> None:
    line = '"$0" -c "from recodec.cli import main; main()" compress - - --model "$1" ' + closed
    process = subprocess.run(
        ["sh", "-c", line, sys.executable, str(model)], input=files["wav"], capture_output=True, timeout=60
    )
    assert process.returncode == 2
    assert words in process.stderr.decode()


# ---- bad data ------------------------------------------------------------------------------


@pytest.mark.parametrize(("arguments", "data", "words"), [
    (["compress", "-", "-"], b"", "empty"),
    (["compress", "-", "-"], b"no sound at all", "not an audio file"),
    (["compress", "-", "-", "--raw", "24000:1:s16le"], b"", "no samples"),
    (["compress", "-", "-", "--raw", "24000:1:s16le"], b"abc", "within a sample"),
    (["decompress", "-", "-"], b"", "ends after 0 bytes"),
    (["decompress", "-", "-"], b"RIFF", "not an .ecdc"),
])  # fmt: skip
def test_bad_data_on_a_pipe(model: Path, arguments: list[str], data: bytes, words: str) -> None:
    failed = run(*arguments, "--model", model, data=data)
    assert failed.returncode == 1
    assert words in failed.stderr
    assert failed.stderr.count("\n") == 1


@posix
@pytest.mark.parametrize("arguments", [["info"], ["verify"], ["cut", "--stop", "1"]])
def test_verbs_that_go_back_and_forth_say_that_they_take_no_pipe(files: dict[str, bytes], arguments: list[str]) -> None:
    verb, *options = arguments
    done = run(verb, "/dev/stdin", *(["none.ecdc"] if options else []), *options, data=files["ecdc"])
    assert done.returncode != 0
    assert done.stderr == "recodec: error: /dev/stdin is a pipe, and this takes a file: save it first\n"


def test_a_cut_stream_is_played_and_then_refused(model: Path, files: dict[str, bytes]) -> None:
    failed = run("decompress", "-", "-", "--raw", "24000:1:s16le", "--model", model, data=files["ecdc"][:-30])
    assert failed.returncode == 1
    assert "ends" in failed.stderr


@pytest.mark.parametrize("raw", ["24000", "24000:1:mp3", "24000:99:s16le", "x:1:s16le"])
def test_bad_forms_of_raw_samples(recodec: Callable, model: Path, raw: str) -> None:
    failed = recodec("compress", "-", "-", "--raw", raw, "--model", model)
    assert failed.code == 2
    assert "--raw" in failed.err


# ---- the live loop -------------------------------------------------------------------------


def test_the_live_loop_gives_back_as_much_and_tells_its_delay(model: Path, files: dict[str, bytes]) -> None:
    live = run("stream", "-", "-", "--raw", "24000:1:s16le", "--model", model, data=files["raw"])
    assert live.returncode == 0
    assert len(live.stdout) == len(files["raw"])
    assert "93.3 ms at the start, 13.3 ms from then on" in live.stderr
    assert "% of real time" in live.stderr
    heard = np.frombuffer(live.stdout, "<i2").astype(float)
    expected = soundfile.read(io.BytesIO(files["out"]), dtype="int16")[0].astype(float)
    assert np.abs(heard - expected).mean() <= 1


def test_the_live_loop_on_files(recodec: Callable, model: Path, files: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "in.wav").write_bytes(files["wav"])
    start_s = time.monotonic()
    outcome = recodec("stream", tmp_path / "in.wav", tmp_path / "out.flac", "--pace", "--grid", 4, "--model", model)
    assert outcome.code == 0
    assert time.monotonic() - start_s >= 1.3
    assert "blocks of 53.3 ms" in outcome.err
    assert soundfile.info(tmp_path / "out.flac").frames == round(1.3 * RATE)
    assert recodec("stream", tmp_path / "in.wav", tmp_path / "out.flac", "--model", model).code == 2
    quiet = recodec("stream", tmp_path / "in.wav", "-q", "--model", model)
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


@posix
def test_ctrl_c_ends_the_live_loop_well(model: Path, tmp_path: Path) -> None:
    process = start("stream", "-", tmp_path / "out.wav", "--raw", "24000:1:s16le", "--model", model)
    assert process.stdin
    process.stdin.write(samples(1.0).tobytes())
    process.stdin.flush()
    wait_until(lambda: sum(path.stat().st_size for path in tmp_path.iterdir()) >= 2 * RATE, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert process.stderr
    assert b"load" in process.stderr.read()
    assert soundfile.info(tmp_path / "out.wav").frames == RATE


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Ctrl-C as at a terminal: a shell makes what it starts in the background ignore it."""
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = [signal.getsignal(number) for number in numbers]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("_interruptible")
def test_ctrl_c_waits_for_the_work_on_a_piece() -> None:
    taken = []
    for piece in until_interrupted(iter("abc")):
        if piece == "b":
            signal.raise_signal(signal.SIGINT)
        taken.append(piece)
    assert taken == ["a", "b"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("_interruptible")
def test_ctrl_c_ends_the_wait_for_a_piece() -> None:
    def pieces() -> Iterator[str]:
        yield "a"
        signal.raise_signal(signal.SIGINT)
        yield "b"

    assert list(until_interrupted(pieces())) == ["a"]


@pytest.mark.usefixtures("_interruptible")
def test_a_second_ctrl_c_ends_work_that_hangs() -> None:
    def work() -> None:
        for _ in until_interrupted(iter("abc")):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
