"""ONNX Runtime without its telemetry."""

import os

# From version 1.29 on it leaves a device id and an event database in the home folder and resolves names, unless
# this is set before it is imported. Who has set it to something else keeps that.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
