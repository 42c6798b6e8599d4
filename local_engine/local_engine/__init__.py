"""The local engine: a pinned ministack with our patches, one process per state folder.

Keep this file free of imports: the engine's own environment imports `local_engine.compat`
through it and has neither typer nor psutil.
"""
