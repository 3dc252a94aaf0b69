"""FBX and glTF files, by Blender's own importers and exporters."""
