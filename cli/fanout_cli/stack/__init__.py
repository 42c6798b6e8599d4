"""The deployed stack: the local engine or AWS, its topology, its deployment and its subscribers."""
