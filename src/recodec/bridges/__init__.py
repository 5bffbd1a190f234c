"""Recodec inside other frameworks: one file a framework, the only one that imports it."""
