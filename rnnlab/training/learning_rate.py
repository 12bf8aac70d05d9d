"""Learning-rate schedules: the learning rate of every step."""

from __future__ import annotations

import math

from rnnlab.config import Config


def learning_rate_at(config: Config, step: int) -> float:
    """Return the learning rate of a step, counted from 0: warm-up and schedule.

    Warm-up: Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017. Cosine
    schedule: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017; here
    without restarts.
    """
    rate = config.learning_rate * min(1.0, (step + 1) / (config.warm_up + 1))
    if config.schedule == "cosine":
        rate *= 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / config.iterations)))
    return rate
