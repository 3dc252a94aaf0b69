"""Marker recordings: C3D files and marker tables."""
