"""A market made by closed forms, with violations planted in it and their truth beside it.  Imports nothing of ours."""
