"""A made-up Acclaim skeleton and recording for tests."""

from pathlib import Path

SKELETON = """# a made-up one
:version 1.10
:name TEST
:units
  mass 1.0
  length 1.0
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name arm
     direction 0 2 0
     length 3
     axis 0 0 90 XYZ
     dof rx rz
     limits (-160.0 20.0)
            (-70.0 70.0)
  end
  begin
     id 2
     name hand
     direction 1 0 0
     length 1
     axis 30 20 10 ZYX
     dof rz ry rx
  end
:hierarchy
  begin
    root arm
    arm hand
  end
"""


RECORDING = """#!OML:ASF test
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 10 20 30
arm 40 50
hand 5 6 7
2
root 1 2 3 0 0 0
hand 0 0 0
arm 0 0
"""


def write_recording(folder: Path, skeleton: str = SKELETON, recording: str = RECORDING) -> Path:
    (folder / "test.asf").write_text(skeleton)
    (folder / "test_01.amc").write_text(recording)
    return folder / "test_01.amc"
