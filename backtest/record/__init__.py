"""The recorder: the one part of the harness that opens sockets to venues; its hash is recorded, not compared."""
