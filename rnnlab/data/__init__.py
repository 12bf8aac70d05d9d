"""Digits: where they come from, how they are prepared, and which training images are made from them."""
