"""The calibration certificate: what the judging code does on markets and series whose truth is known."""
