"""Benchmarks: what a real aiortc client sees of this server, beside a bare echo and a bare detector in the same run."""
