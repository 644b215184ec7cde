"""Prefect tasks: one step of the pipeline each; load, call the domain, return."""
