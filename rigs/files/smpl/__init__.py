"""SMPL poses, as AMASS, AIST++, GVHMR, WHAM and 4D-Humans store them."""
