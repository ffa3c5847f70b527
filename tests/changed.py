"""In which settings a variant differs from the experiment it varies."""

from companion.studies import settings


def changed(experiment: settings.Experiment) -> dict[str, tuple]:
    """``{setting: (there, here)}``."""
    base = settings.BASES.get(experiment.variant_of, experiment)
    known = set(vars(experiment)) - settings.FIXED - {"title"}
    pairs = {key: (getattr(base, key), getattr(experiment, key)) for key in known}
    return {key: (there, here) for key, (there, here) in pairs.items() if there != here}
