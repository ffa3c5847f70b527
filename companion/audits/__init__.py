"""Do these models read lungs? Audits of the recorded models, and of what images alone give away.

Each is a function that takes the data folder and gives what its record says and holds; ``python -m
companion.build audit NAME`` makes the record (:mod:`companion.audits.record`) in
``results/audits/NAME/``.
"""
