"""Random numbers without a seed are the same in every process of a job; a script's own seed counts."""

from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest
from numpy.random import bit_generator

from framepipe.scenes.seeding import MAX_SEED, seeded

DRAWS = """
import random
import numpy as np

drawn = [random.random(), np.random.rand(), np.random.default_rng().random(),
         np.random.default_rng().random(), np.random.SeedSequence().entropy, np.random.PCG64().random_raw()]
"""


def drawn(seed, before=""):
    code = f"from framepipe.scenes.seeding import seed_generators; seed_generators({seed})\n{before}\n{DRAWS}print(drawn)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return eval(done.stdout)


def test_one_seed_gives_one_row_of_numbers_in_every_process():
    one, again, other = drawn(5), drawn(5), drawn(6)
    assert one == again
    assert all(a != b for a, b in zip(one, other)), "every generator follows the seed"
    assert one[2] != one[3], "two generators of one script are two"


def test_a_seed_of_the_scripts_own_counts():
    own = "import random; random.seed(1); import numpy as np; np.random.seed(1)"
    assert (
        drawn(5, own)[:2] == drawn(6, own)[:2] == [random.Random(1).random(), np.random.RandomState(1).rand()]
    )


def test_a_generator_with_a_seed_is_what_it_is_without_framepipe():
    with seeded(5):
        assert np.random.default_rng(3).random() == pytest.approx(0.08564916714362436, abs=0)
        inside = np.random.default_rng(3).random(4)
    assert (np.random.default_rng(3).random(4) == inside).all()


@pytest.mark.parametrize("seed", [0, MAX_SEED - 1])
def test_every_seed_up_to_the_largest_is_taken(seed):
    with seeded(seed):
        random.random()
    with pytest.raises(ValueError), seeded(MAX_SEED):
        pass


def test_a_program_goes_on_with_its_own_numbers():
    random.seed(1)
    np.random.seed(1)
    state, numpy_state, entropy = random.getstate(), np.random.get_state(), bit_generator.randbits
    with pytest.raises(KeyError), seeded(9):
        random.random(), np.random.rand(), np.random.default_rng()
        raise KeyError
    assert random.getstate() == state
    assert (np.random.get_state()[1] == numpy_state[1]).all()
    assert np.random.get_state()[2] == numpy_state[2]
    assert bit_generator.randbits is entropy
    assert np.random.default_rng().random() != np.random.default_rng().random()
