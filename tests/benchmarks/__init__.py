"""Measurements that print figures. Run them one at a time, with nothing else running."""
