"""Files of joint positions: arrays, tables and detections of pose estimators."""
