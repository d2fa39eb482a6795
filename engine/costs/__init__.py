"""Cost terms, one file each; total.py adds them."""
