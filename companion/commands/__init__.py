"""What the user's commands do: :mod:`companion.cli` imports the module that is asked for."""
