"""Constraints on a finished motion: foot planting, hand holds and arm reach, solved by inverse kinematics."""
