"""Figures: functions from arrays to SVG text, one file each."""
