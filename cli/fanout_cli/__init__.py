"""The `fanout` command: run the application on this machine, publish to it, and see the outcome of every event."""
