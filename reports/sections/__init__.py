"""The sections of the report, one file each; `reports.registry` lists them in reading order."""
