"""Operators on both dancers of a duet."""
