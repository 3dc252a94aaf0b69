"""What `make window` does in Blender's window: an animator's first minutes, from the zip to a preview; runs in Blender.

Each step is done by clicks and keys, then checked in the scene, and a picture is taken.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import characters
import driver
import first_minutes
import interruptions
from driver import Story

STORY = (
    first_minutes.install,
    first_minutes.import_leader,
    first_minutes.cancel_a_partner,
    first_minutes.generate_a_partner,
    first_minutes.generate_again,
    first_minutes.switch_takes,
    first_minutes.redo_a_range,
    first_minutes.undo_and_redo,
    first_minutes.save_and_reload,
    first_minutes.render_a_preview,
    characters.ask_about_doubtful_bones,
    characters.see_an_impossible_map,
    interruptions.measure_a_job,
    interruptions.transform_meanwhile,
    interruptions.use_the_backend_panel,
    interruptions.make_a_new_file_meanwhile,
    interruptions.disable_meanwhile,
)


def story() -> Story:
    """The steps in WINDOW_STEPS, or all of them."""
    chosen = os.environ.get("WINDOW_STEPS", "").split()
    for part in STORY:
        if not chosen or part.__name__ in chosen:
            yield from part()


driver.run(story)
