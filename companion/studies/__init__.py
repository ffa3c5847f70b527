"""The two studies: settings, which images, how divided, and the runs recorded of them."""

from companion.studies.runs import family as family
from companion.studies.runs import recorded as recorded
from companion.studies.runs import results_folder as results_folder
from companion.studies.runs import run as run
from companion.studies.settings import *  # noqa: F403
