"""Retargeting: a Motion onto the bones of any mapped rig, as keyframes."""
