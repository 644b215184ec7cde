"""Operational runbooks for the workflows of a workflow-automation platform."""

__version__ = "0.1.0"
