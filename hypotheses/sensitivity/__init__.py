"""What would change if a choice were another: beside the verdicts, never in them.  [statistics 8.5, R12.5]"""
