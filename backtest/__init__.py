"""The harness: data, folds, fits, runs."""
