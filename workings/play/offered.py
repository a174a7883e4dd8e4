"""Names and limits that the command and the server know before NumPy is imported, so that the page comes soon."""

from __future__ import annotations

GENERATED_SETS = ("moons", "circles", "xor", "spirals", "gaussians", "blobs", "plane", "hills")
KNOWN_TABLES = ("iris", "wine", "breast_cancer", "diabetes", "digits", "mnist")
MODEL_FILES = {".safetensors": "safetensors", ".json": "json", ".onnx": "onnx_import"}  # and their readers
MOST_BYTES = 6 * 2**20  # of one message: a dropped file as base64 text
