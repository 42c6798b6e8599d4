"""The `fanout` command: run the application on this machine, publish to it, and see what became of every event."""
