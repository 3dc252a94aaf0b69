"""Acclaim recordings: `.amc` with its `.asf`."""
