"""Panels made ready for judgement: quality, money, fees, charges and curves."""
