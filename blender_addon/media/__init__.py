"""Video and sound: the preview scene and its camera, sound in the Video Sequencer, beats as timeline markers."""
