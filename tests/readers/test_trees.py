from hypothesis import given
from hypothesis import strategies as st

from imitation_data.readers import trees
from imitation_data.readers.trees import leaves, path, paths, plant, roots, thin

PARENTS = st.dictionaries(st.text("abcdef", max_size=1), st.sampled_from([*"abcdefxy", None]))


def test_broken_links_are_mended_and_told():
    """Missing parents and circles become roots."""
    forest = plant({"a": None, "b": "a", "c": "gone", "d": "e", "e": "d", "f": "f"})
    assert forest.parents == {"a": None, "b": "a", "c": None, "d": "e", "e": None, "f": None}
    assert forest.orphans == ("c",)
    assert forest.cut == ("e", "f")


def test_thin_skips_what_is_left_out():
    """A kept node hangs on the nearest kept one above it."""
    parents = {"r": None, "h": "r", "i": "h", "x": "i", "y": "x", "z": "h"}
    assert thin(parents, lambda node: node not in "rhi") == {"x": None, "y": "x", "z": None}
    assert thin(parents, lambda node: node not in "hi") == {"r": None, "x": "r", "y": "x", "z": "r"}


@given(parents=PARENTS, kept=st.sets(st.sampled_from("abcdef")))
def test_every_node_is_on_a_path_to_a_leaf(parents, kept):
    """For any links; and a path ends at a root, with each node once."""
    forest = plant(parents)
    assert set(forest.parents) == set(parents)
    thinned = thin(forest.parents, kept.__contains__)
    assert set(thinned) == kept & set(parents)
    for links in (forest.parents, thinned):
        found = paths(links, leaves(links))
        assert {node for branch in found for node in branch} == set(links)
        for branch in found:
            assert links[branch[0]] is None
            assert len(set(branch)) == len(branch)
            assert {roots(links)[node] for node in branch} == {branch[0]}
    for node in thinned:
        above = [at for at in path(forest.parents, node)[:-1] if at in kept]
        assert thinned[node] == (above[-1] if above else None)


def test_paths_stop_at_the_limit(monkeypatch):
    """A comb has paths of quadratic length; the first path is always there."""
    monkeypatch.setattr(trees, "MAX_TURNS", 10)
    links = {0: None} | {number: number - 1 for number in range(1, 30)}
    assert [len(branch) for branch in paths(links, [29, 3])] == [30]
    assert [len(branch) for branch in paths(links, [3, 4, 5, 6])] == [4, 5, 6]


def test_long_chains_need_no_recursion():
    """A chain of 100,000 nodes, told from its end."""
    links = {number: number - 1 if number else None for number in range(100_000, -1, -1)}
    named = {str(node): None if above is None else str(above) for node, above in links.items()}
    assert plant(named).parents == named
    assert thin(links, lambda node: node % 50_000 == 0) == {100_000: 50_000, 50_000: 0, 0: None}
    assert set(roots(links).values()) == {0}
