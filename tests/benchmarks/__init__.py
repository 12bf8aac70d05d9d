"""Measurements that print figures. Run one at a time, and nothing beside it."""
