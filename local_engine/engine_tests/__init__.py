"""The tests of the local engine: `unit/` needs no engine, everything else runs on one."""
