"""The two studies: settings, printed numbers, which images, how divided, and the runs recorded."""

# ruff: noqa: F401 (names for `from companion import studies`)

from companion.studies.printed import LETTERS, folder, printed
from companion.studies.runs import family, or_stand_in, read_maps, recorded, results_folder, run
from companion.studies.settings import (
    AZEMIN_ADJUDICATED,
    AZEMIN_STANDIN,
    EXPERIMENTS,
    FAMILIES,
    PHANTOM,
    RECORDS,
    STUDY_A,
    ZHU_BINARY,
    ZHU_CLASSES,
    ZHU_FOURCLASS,
    Experiment,
    effective,
    experiment,
    spell,
)
