"""BVH files: parser, formatter and conversion to and from a Motion."""
