"""Retargeting: transfer a Motion to the bones of any mapped rig, and reduce it to few keyframes."""
