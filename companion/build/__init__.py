"""What makers use, a module each: ``python -m companion.build`` imports the one asked for."""
