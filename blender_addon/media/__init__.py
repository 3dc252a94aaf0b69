"""The preview scene, its camera, the soundtrack and the timeline markers."""
