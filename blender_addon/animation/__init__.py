"""Armatures and their animation: F-curves and keyframes in bulk, pose sampling, dancers, Rigify and imported rigs."""
