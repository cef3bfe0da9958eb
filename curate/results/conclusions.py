"""A proof in words: what curating was worth, how sure that is, where it comes from, what it cost."""

from curate.results.paired import Difference
from curate.results.proof import CLEAN, Compared, Proof
from curate.wording import percent, plural, signed, spread

VERDICTS = {
    "better": "better",
    "worse": "worse",
    "the same": "no difference that counts",
    "unclear": "not clear",
    "one seed": "one seed says nothing about chance",
}
STOPPED = {
    "clear": "every question is answered",
    "seeds": "so many seeds were asked for",
    "budget": "the time was up",
}
ALL_LEAK = "Every test image has a twin in the training set: these say what was learned by heart; add others."
MOST = "there are to be no more seeds (--at-most)"


def conclusions(proof: Proof) -> list[str]:
    """Sentences, the answer first."""
    return [headline(proof), *_surer(proof), *_split(proof), *_gap(proof), *_precision(proof), cost(proof)]


def headline(proof: Proof) -> str:
    """The answer in one sentence."""
    found = proof.main.accuracy
    return f"Curated minus raw: {points(found)} {basis(found)}: {VERDICTS[found.verdict]}."


def points(found: Difference) -> str:
    """`+3.40 ± 0.80 points`."""
    return f"{spread(signed(found.mean), found.half_width)} points"


def basis(found: Difference) -> str:
    """What an interval rests on."""
    seeds = plural(len(found.values), "seed", "seeds")
    if found.half_width is None:
        return f"({seeds}; too few for an interval)" if found.at_all_times else f"({seeds})"
    kind = ", however many seeds it took" if found.at_all_times else ""
    return f"(95 % interval{kind}; {seeds}, paired)"


def _surer(proof: Proof) -> list[str]:
    found = proof.main.accuracy
    if found.probability is None or found.bootstrap is None:
        return []
    low, high = found.bootstrap
    return [
        f"Better with a probability of {chance(found.probability)}; with other test images of the kind, too, "
        f"{signed(low)} to {signed(high)} points (95 %, bootstrap)."
    ]


def chance(probability: float) -> str:
    """A probability, not rounded to certainty."""
    return "> 0.999" if probability > 0.999 else "< 0.001" if probability < 0.001 else f"{probability:.3f}"


def _split(proof: Proof) -> list[str]:
    free = proof.main.leak_free
    if proof.split is None:
        return ["Leaks were not looked for: 'curate scan' finds test images that the training set shows."]
    if free is None:
        return [ALL_LEAK]
    leaked = proof.test_images - (proof.leak_free_images or 0)
    if not leaked:
        return ["No test image has a twin in the training set."]
    return [
        f"Without the {plural(leaked, 'leaked test image', 'leaked test images')}: {points(free)}. Of "
        f"{signed(proof.main.accuracy.mean)}, {signed(proof.split.better_model)} from the model and "
        f"{signed(proof.split.leaks_gone)} from leaks that are gone."
    ]


def _gap(proof: Proof) -> list[str]:
    clear = any(one.name == CLEAN and one.accuracy.verdict == "better" for one in proof.compared)
    if proof.gap_closed is None or not clear:
        return []
    return [f"Of what true labels would be worth, curating reached {percent(proof.gap_closed, digits=0)} %."]


def _precision(proof: Proof) -> list[str]:
    found = proof.main.accuracy
    if proof.precision is None or found.half_width is None or found.half_width <= proof.precision:
        return []
    wanted = f"about {proof.seeds_needed} seeds" if proof.seeds_needed else "more seeds than can be trained"
    return [
        f"The interval is ± {100 * found.half_width:.2f} points, and ± {100 * proof.precision:.2f} were asked for: "
        f"that takes {wanted} ({'--at-most' if found.at_all_times else '--seeds'}); those that were trained are kept."
    ]


def cost(proof: Proof) -> str:
    """What was trained for it."""
    networks = sum(len(arm.seeds) for arm in proof.arms)
    seconds, images = sum(arm.seconds for arm in proof.arms), sum(arm.images_seen for arm in proof.arms)
    at_most = proof.stopped == "seeds" and proof.main.accuracy.at_all_times
    return (
        f"Trained {plural(networks, 'network', 'networks')} for {seconds:,.0f} s on {images:,} images in all, on "
        f"{proof.hardware}; ended as {MOST if at_most else STOPPED[proof.stopped]}."
    )


def answer(compared: Compared) -> str:
    """One comparison in one line, for tables."""
    return VERDICTS[compared.accuracy.verdict]
