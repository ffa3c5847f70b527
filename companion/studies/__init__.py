"""The two studies: settings, and which images, how divided."""

from companion.studies.settings import *  # noqa: F403
