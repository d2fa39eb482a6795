"""Journals, and MLflow as a view of them."""
