"""Work in other processes: tasks, their cache, their progress."""
