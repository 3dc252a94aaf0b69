"""Operators `pasdedeux.*`, one module for each family."""
