"""The page of a covenant study."""
