"""Files of several takes: FBX and glTF, whose recordings Blender samples."""
