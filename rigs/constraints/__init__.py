"""Constraints on posed characters and motions: foot planting, hand holds and arm reach, solved by two-bone IK."""
