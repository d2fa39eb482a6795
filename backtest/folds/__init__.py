"""Walk-forward folds, and what each fits on its training span."""
