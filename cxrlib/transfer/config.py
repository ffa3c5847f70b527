"""What a training is asked for, without torch: a record can be read where nothing trains."""

from __future__ import annotations

HISTORY = [  # columns of a record's history.csv
    "epoch",
    "lr",
    "train_loss",
    "train_accuracy",
    "val_loss",
    "val_accuracy",
    "test_loss",
    "test_accuracy",
    "seconds",
]
