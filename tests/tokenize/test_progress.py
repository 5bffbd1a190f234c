"""What progress says."""

from __future__ import annotations

import io

from recodec.tokenize.progress import Progress
from recodec.tokenize.worker import Tick


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_speed_and_time_left_leave_out_what_an_earlier_run_did():
    now = [0.0]
    progress = Progress(1000, 500, None, lambda: now[0])
    now[0] = 100.0
    progress.add(Tick(100, 7200.0, 3))
    line = progress.line()
    assert line.startswith(" 60% 600/1000 clips, 2.00 h of audio, 0.0200 h of audio/s (72x real time), 0:06:40 left")
    assert line.endswith("3 broken")


def test_a_log_gets_a_line_a_minute_and_a_terminal_renews_its_line():
    for stream, shown in ((io.StringIO(), 2), (Terminal(), 10)):
        now = [0.0]
        progress = Progress(100, 0, stream, lambda now=now: now[0])
        for _ in range(10):
            now[0] += 12.1
            progress.add(Tick(1, 1.0, 0))
        assert stream.getvalue().count("clips") == shown
        progress.finish()
        assert stream.getvalue().endswith("\n")
    assert "?" in Progress(5, 0, None).line()
