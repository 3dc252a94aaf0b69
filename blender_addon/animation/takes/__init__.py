"""The takes that are kept: their list, their records on actions, and ghosts beside the shown one."""
