"""A company to try things on: its workflows, and a month of history with stories in it."""
