"""The two studies: settings, printed numbers, which images, how divided, and the runs recorded."""

from companion.studies.settings import *  # noqa: F403, I001
from companion.studies.printed import LETTERS as LETTERS
from companion.studies.printed import folder as folder
from companion.studies.printed import printed as printed
from companion.studies.runs import family as family
from companion.studies.runs import recorded as recorded
from companion.studies.runs import results_folder as results_folder
from companion.studies.runs import run as run
