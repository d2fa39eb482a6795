"""What a plan can show, from its registration alone: read and acknowledged before any outcome is.  [statistics 1.4]"""
