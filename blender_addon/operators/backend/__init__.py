"""Operators and helpers that start, reach and watch the backend."""
