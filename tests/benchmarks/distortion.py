"""What distorted and extra digits cost a step: `python -m tests.benchmarks.distortion [--preset best]`.

A preset trains in turns with the same hyperparameters on the digits as they are, so that other load meets
both. The cost is the time of a step as a multiple of that of a plain step, turn by turn.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from statistics import median

from rnnlab.cli.benchmark import our_turns
from rnnlab.cli.machine import machine
from rnnlab.config import UNCHANGED_DIGITS
from rnnlab.data import datasets
from rnnlab.presets import PRESETS
from rnnlab.system.cores import usable_cores


def main() -> None:
    """Measure and print the cost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", choices=PRESETS, default="default")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long a turn is")
    arguments = parser.parse_args()
    config = PRESETS[arguments.preset]
    plain = replace(config, **UNCHANGED_DIGITS)  # type: ignore[arg-type]
    data = datasets.load(config.dataset)
    print(f"{machine()}, {usable_cores()} cores; {arguments.preset}")
    costs, speeds = [], []
    with our_turns(config, data) as distorted, our_turns(plain, data) as as_they_are:
        for number in range(1, arguments.rounds + 1):
            time.sleep(0.2)  # so that the threads of the last turn have gone to sleep
            turns = [distorted, as_they_are] if number % 2 else [as_they_are, distorted]
            measured = {turn: turn(arguments.seconds) for turn in turns}
            costs.append(measured[as_they_are] / measured[distorted])
            speeds.append(measured[distorted])
            print(f"  turn {number}: {measured[distorted]:.0f} steps/s, cost {costs[-1]:.3f}", flush=True)
    costs.sort()
    middle = len(costs) // 4
    print(
        f"a step costs {median(costs):.3f} of a plain one (median; the middle half: {costs[middle]:.3f} to "
        f"{costs[-1 - middle]:.3f}); {median(speeds):.0f} steps/s"
    )


if __name__ == "__main__":
    main()
