"""What touches the world: databases, files, HTTP."""
