"""The user's commands, a module each: :mod:`companion.cli` imports the one that is asked for."""
