"""Words and sentences, drawn at random."""

from random import Random

PLAIN = """
a about after all and animal answer as at because before between book by café can city colour
country day describe each earth family few first food for from garden good great hand history how
important in into island it language large light long many more most mountain music naïve name
near new of old on only or other over paper people place plant river school science sea short
small so some story summer sun table than that the their there these this through time to tree
two under use very water weather when where which winter with word work world year young
"""
ONSETS = "b br c cl d f fl g gr h l m n p pr r s sh st t tr v w"
CODAS = ["", "", "", "", "l", "m", "n", "nd", "r", "s", "st", "t"]
TASK_VERBS = (
    "Describe Explain List Write Summarize Classify Translate Compare Compose Suggest Rewrite "
    "Identify Generate Find Name Give Edit Create Convert Calculate Sort Choose Design Outline"
)
MARKS = ('"', "- ", "(", "* ", "...")
LABELS = ("Positive", "Negative", "Neutral", "Sports", "Politics", "Science", "Spam", "True")


def _build_words(count: int) -> list[str]:
    rng = Random("words")
    onsets, built = ONSETS.split(), set(PLAIN.split())
    while len(built) < count:
        syllables = (
            rng.choice(onsets) + rng.choice("aeiou") + rng.choice(CODAS)
            for _ in range(rng.choice((1, 2, 2, 2, 3)))
        )
        built.add("".join(syllables))
    return sorted(built) + 8 * PLAIN.split()


WORDS = _build_words(1500)
VERBS = TASK_VERBS.split()


def words(rng: Random, fewest: int, most: int) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(fewest, most)))


def sentence(rng: Random) -> str:
    return words(rng, 6, 18).capitalize() + rng.choice("...!")
