"""Operators on the list of takes."""
