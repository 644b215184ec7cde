"""Revision 0001, in parts: the host as it is found, the platform's tables, what is added to them, our own tables."""
