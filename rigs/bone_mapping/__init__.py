"""Bone mapping: which bone of a rig is which of the 29 joints, by naming conventions, hierarchy and rest positions."""
