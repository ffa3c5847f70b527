"""What claims to be fast, timed against what it is compared with. Run in a clone, not installed."""
